// The rows of a bin are spread over the invocations of a workgroup, for bins of many taps.

override LANES: u32 = ITEMS;
const INVOCATIONS = 256u;

var<workgroup> sums: array<vec4<Real>, INVOCATIONS>;

fn lane_of(local: vec3<u32>) -> u32 {
    return local.y;
}

fn item_of(group: vec3<u32>, local: vec3<u32>) -> u32 {
    return group.x;
}

// Adds up what the lanes have, for lane 0, in halves: the same order each time.
fn collect_sum(sum: vec4<Real>, local: vec3<u32>) -> vec4<Real> {
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
