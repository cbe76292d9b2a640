// The largest weighted corner of a bin's samples.

@compute @workgroup_size(QUADS, ITEMS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let here = place(group, local);
    var best = Best();
    if here.exists {
        best = best_of_lane(here, lane_of(local));
    }
    best = collect_best(best, local);
    if here.exists && lane_of(local) == 0u {
        finish(&best, here, 4u);
        output[here.target_quad] = narrow(best.value);
        keep_source(here.target_quad, best, 4u * here.roi.samples_x);
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
            let column = 4u * (first_x + (x - columns.first) / 2u);
            for (var corner = 0u; corner < 4u; corner++) {
                let value = weighted(here, y + corner / 2u, x + corner % 2u);
                offer(&best, value, row, column + corner);
            }
        }
    }
    return best;
}

// A corner without weight is 0, whatever its pixel holds.
fn weighted(here: Place, y: u32, x: u32) -> vec4<Real> {
    if weights[y] == Real() || weights[x] == Real() {
        return vec4<Real>();
    }
    return weights[y] * (weights[x] * feature(here, pixel(y), pixel(x)));
}
