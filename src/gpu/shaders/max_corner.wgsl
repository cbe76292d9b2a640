// The largest weighted corner of a bin's samples.

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
            let column = 4u * (side_x.first + (x - columns.first) / 2u);
            for (var corner = 0u; corner < 4u; corner++) {
                let value = weighted(here, y + corner / 2u, x + corner % 2u);
                offer(&best, value, row, column + corner);
            }
        }
    }
    offer_off_map(&best, side_y, side_x, 4u);
    output[here.target_quad] = narrow(best.value);
    keep_source(here.target_quad, best, 4u * side_x.all);
}

// A corner without weight is 0, whatever its pixel holds.
fn weighted(here: Place, y: u32, x: u32) -> vec4<Real> {
    if weights[y] == Real() || weights[x] == Real() {
        return vec4<Real>();
    }
    return weights[y] * (weights[x] * feature(here, pixel(y), pixel(x)));
}
