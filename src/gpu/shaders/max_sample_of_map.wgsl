// The largest sample of a lane, on one map.

fn lane_of_map_0(here: Place, lane: u32) -> Best {
    let rows = entries(here.roi.y, here.bin_y);
    let columns = entries(here.roi.x, here.bin_x);
    let first_y = first_sample(here.roi.y, here.bins_y, here.bin_y);
    let first_x = first_sample(here.roi.x, call.bins_x, here.bin_x);
    var best = Best();
    for (var y = rows.first + 2u * lane; y < rows.end; y += 2u * LANES) {
        let row = first_y + (y - rows.first) / 2u;
        for (var x = columns.first; x < columns.end; x += 2u) {
            let sample = weights[y] * between_0(here, pixel(y), x) + weights[y + 1u] * between_0(here, pixel(y + 1u), x);
            offer(&best, sample, row, first_x + (x - columns.first) / 2u);
        }
    }
    return best;
}

// Between the two pixels of a row.
fn between_0(here: Place, row: u32, x: u32) -> vec4<Real> {
    return weights[x] * feature_0(here, row, pixel(x)) + weights[x + 1u] * feature_0(here, row, pixel(x + 1u));
}
