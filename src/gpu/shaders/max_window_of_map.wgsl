// The largest pixel of a lane, on one map.

fn lane_of_map_0(here: Place, lane: u32) -> Best {
    var best = Best();
    best.value = vec4(Real(LOWEST));
    if is_empty(here) {
        return best;
    }
    let rows = entries(here.roi.y, here.bin_y).first;
    let columns = entries(here.roi.x, here.bin_x).first;
    for (var row = pixel(rows) + lane; row <= pixel(rows + 1u); row += LANES) {
        for (var column = pixel(columns); column <= pixel(columns + 1u); column++) {
            let value = feature_0(here, row, column);
            take(&best, (value > best.value) & (!is_nan(value)), value, row, column);
        }
    }
    return best;
}
