// The weighted sum of a bin's taps.

var<workgroup> sums: array<vec4<Real>, SHARED>;

@compute @workgroup_size(QUADS, ITEMS)
fn sum(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let here = place(group, local);
    var sum = vec4<Real>();
    if here.exists {
        sum = sum_on_maps(here);
    }
    sum = sum_of_lanes(sum, local);
    if here.exists && here.lane == 0u {
        output[here.target_quad] = narrow(sum + filling(here));
    }
}

// Returns the total to lane 0. Lanes are added in halves, always in the same order.
fn sum_of_lanes(sum: vec4<Real>, local: vec3<u32>) -> vec4<Real> {
    if LANES == 1u {
        return sum;
    }
    let at = local.y * QUADS + local.x;
    sums[at] = sum;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local.y < half {
            sums[at] += sums[at + half * QUADS];
        }
    }
    return sums[local.x];
}
