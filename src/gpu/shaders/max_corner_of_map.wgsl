// The largest weighted corner of a lane, on one map.

fn lane_of_map_0(here: Place, lane: u32) -> Best {
    let rows = entries(here.roi.y, here.bin_y);
    let columns = entries(here.roi.x, here.bin_x);
    let first_y = first_sample(here.roi.y, here.bins_y, here.bin_y);
    let first_x = first_sample(here.roi.x, call.bins_x, here.bin_x);
    var best = Best();
    for (var y = rows.first + 2u * lane; y < rows.end; y += 2u * LANES) {
        let row = first_y + (y - rows.first) / 2u;
        for (var x = columns.first; x < columns.end; x += 2u) {
            let column = 4u * (first_x + (x - columns.first) / 2u);
            offer(&best, weighted_0(here, y, x), row, column);
            offer(&best, weighted_0(here, y, x + 1u), row, column + 1u);
            offer(&best, weighted_0(here, y + 1u, x), row, column + 2u);
            offer(&best, weighted_0(here, y + 1u, x + 1u), row, column + 3u);
        }
    }
    return best;
}

// A corner without weight is 0, whatever its pixel holds.
fn weighted_0(here: Place, y: u32, x: u32) -> vec4<Real> {
    if weights[y] == Real() || weights[x] == Real() {
        return vec4<Real>();
    }
    return weights[y] * (weights[x] * feature_0(here, pixel(y), pixel(x)));
}
