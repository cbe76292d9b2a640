// The weighted sum of a bin's taps.

@compute @workgroup_size(QUADS, ITEMS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let here = place(group, local);
    var sum = vec4<Real>();
    if here.exists {
        sum = sum_of_lane(here, lane_of(local));
    }
    sum = collect_sum(sum, local);
    if here.exists && lane_of(local) == 0u {
        output[here.target_quad] = narrow(sum + filling(here));
    }
}

fn sum_of_lane(here: Place, lane: u32) -> vec4<Real> {
    let rows = entries(here.roi.y, here.bin_y);
    let columns = entries(here.roi.x, here.bin_x);
    var sum = vec4<Real>();
    for (var y = rows.first + lane; y < rows.end; y += LANES) {
        let row = pixel(y);
        var part = vec4<Real>();
        for (var x = columns.first; x < columns.end; x++) {
            part += weights[x] * feature(here, row, pixel(x));
        }
        sum += weights[y] * part;
    }
    return sum;
}
