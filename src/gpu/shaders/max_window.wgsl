// The largest pixel of a bin's window.

// Where the maximum starts in every dtype: the lowest finite f32.
const LOWEST = -0x1.fffffep+127f;

@compute @workgroup_size(QUADS, ITEMS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let here = place(group, local);
    var best = Best();
    if here.exists {
        best = best_of_lane(here, lane_of(local));
    }
    best = collect_best(best, local);
    if here.exists && lane_of(local) == 0u {
        if is_empty(here) {
            best.value = filling(here);
        }
        output[here.target_quad] = narrow(best.value);
        keep_source(here.target_quad, best, here.roi.width);
    }
}

fn is_empty(here: Place) -> bool {
    let rows = entries(here.roi.y, here.bin_y);
    let columns = entries(here.roi.x, here.bin_x);
    return rows.first == rows.end || columns.first == columns.end;
}

fn best_of_lane(here: Place, lane: u32) -> Best {
    var best = Best();
    best.value = vec4(Real(LOWEST));
    if is_empty(here) {
        return best;
    }
    let rows = entries(here.roi.y, here.bin_y).first;
    let columns = entries(here.roi.x, here.bin_x).first;
    for (var row = pixel(rows) + lane; row <= pixel(rows + 1u); row += LANES) {
        for (var column = pixel(columns); column <= pixel(columns + 1u); column++) {
            let value = feature(here, row, column);
            take(&best, (value > best.value) & (!is_nan(value)), value, row, column);
        }
    }
    return best;
}
