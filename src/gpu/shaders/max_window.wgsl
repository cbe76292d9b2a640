// The largest pixel of a bin's window.

// Where the maximum starts in every dtype: the lowest finite f32.
const LOWEST = -0x1.fffffep+127f;

@compute @workgroup_size(QUADS, ITEMS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let here = place(group, local);
    var best = Best();
    if here.exists {
        best = lane_of_maps(here, lane_of(local));
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
