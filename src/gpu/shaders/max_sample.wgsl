// The largest interpolated sample of a bin.

@compute @workgroup_size(QUADS, ITEMS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let here = place(group, local);
    var best = Best();
    if here.exists {
        best = best_of_lane(here, lane_of(local));
    }
    best = collect_best(best, local);
    if here.exists && lane_of(local) == 0u {
        finish(&best, here, 1u);
        output[here.target_quad] = narrow(best.value);
        keep_source(here.target_quad, best, here.roi.samples_x);
    }
}

fn best_of_lane(here: Place, lane: u32) -> Best {
    let rows = entries(here.roi.y, here.bin_y);
    let columns = entries(here.roi.x, here.bin_x);
    let first_y = first_sample(here.roi.y, here.bins_y, here.bin_y);
    let first_x = first_sample(here.roi.x, call.bins_x, here.bin_x);
    var best = Best();
    for (var y = rows.first + 2u * lane; y < rows.end; y += 2u * LANES) {
        let row = first_y + (y - rows.first) / 2u;
        for (var x = columns.first; x < columns.end; x += 2u) {
            let left = pixel(x);
            let right = pixel(x + 1u);
            let upper = weights[x] * feature(here, pixel(y), left) + weights[x + 1u] * feature(here, pixel(y), right);
            let lower =
                weights[x] * feature(here, pixel(y + 1u), left) + weights[x + 1u] * feature(here, pixel(y + 1u), right);
            let sample = weights[y] * upper + weights[y + 1u] * lower;
            offer(&best, sample, row, first_x + (x - columns.first) / 2u);
        }
    }
    return best;
}
