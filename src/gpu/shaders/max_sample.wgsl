// The largest interpolated sample of a bin.

@compute @workgroup_size(QUADS, ITEMS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let here = place(group, local);
    if !here.exists {
        return;
    }
    let rows = entries(here.roi.y, here.bin_y);
    let columns = entries(here.roi.x, here.bin_x);
    let side_y = side(here.roi.y, call.bins / call.bins_x, here.bin_y, here.roi.samples_y);
    let side_x = side(here.roi.x, call.bins_x, here.bin_x, here.roi.samples_x);
    var best = Best();
    best.value = filling(here);
    for (var y = rows.first; y < rows.end; y += 2u) {
        let row = side_y.first + (y - rows.first) / 2u;
        for (var x = columns.first; x < columns.end; x += 2u) {
            let left = pixel(x);
            let right = pixel(x + 1u);
            let upper = weights[x] * feature(here, pixel(y), left) + weights[x + 1u] * feature(here, pixel(y), right);
            let lower =
                weights[x] * feature(here, pixel(y + 1u), left) + weights[x + 1u] * feature(here, pixel(y + 1u), right);
            let sample = weights[y] * upper + weights[y + 1u] * lower;
            offer(&best, sample, row, side_x.first + (x - columns.first) / 2u);
        }
    }
    offer_off_map(&best, side_y, side_x, 1u);
    output[here.target_quad] = narrow(best.value);
    keep_source(here.target_quad, best, side_x.all);
}
