// The weighted sum of a bin's taps.

@compute @workgroup_size(QUADS, ITEMS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let here = place(group, local);
    if !here.exists {
        return;
    }
    let rows = entries(here.roi.y, here.bin_y);
    let columns = entries(here.roi.x, here.bin_x);
    var sum = filling(here);
    for (var y = rows.first; y < rows.end; y++) {
        let row = pixel(y);
        var part = vec4<Real>();
        for (var x = columns.first; x < columns.end; x++) {
            part += weights[x] * feature(here, row, pixel(x));
        }
        sum += weights[y] * part;
    }
    output[here.target_quad] = narrow(sum);
}
