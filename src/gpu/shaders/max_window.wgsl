// The largest pixel of a bin's window.

// Where the maximum starts in every dtype: the lowest finite f32.
const LOWEST = -0x1.fffffep+127f;

@compute @workgroup_size(QUADS, ITEMS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let here = place(group, local);
    if !here.exists {
        return;
    }
    let rows = entries(here.roi.y, here.bin_y);
    let columns = entries(here.roi.x, here.bin_x);
    var best = Best();
    best.value = filling(here);
    if rows.first < rows.end && columns.first < columns.end {
        best.value = vec4(Real(LOWEST));
        for (var row = pixel(rows.first); row <= pixel(rows.first + 1u); row++) {
            for (var column = pixel(columns.first); column <= pixel(columns.first + 1u); column++) {
                let value = feature(here, row, column);
                take(&best, (value > best.value) & (!is_nan(value)), value, row, column);
            }
        }
    }
    output[here.target_quad] = narrow(best.value);
    keep_source(here.target_quad, best, here.roi.width);
}
