// What a lane adds up of its bin on one map.

fn lane_of_map_0(here: Place, lane: u32) -> vec4<Real> {
    let rows = entries(here.roi.y, here.bin_y);
    let columns = entries(here.roi.x, here.bin_x);
    var sum = vec4<Real>();
    for (var y = rows.first + lane; y < rows.end; y += LANES) {
        let row = pixel(y);
        var part = vec4<Real>();
        for (var x = columns.first; x < columns.end; x++) {
            part += weights[x] * feature_0(here, row, pixel(x));
        }
        sum += weights[y] * part;
    }
    return sum;
}
