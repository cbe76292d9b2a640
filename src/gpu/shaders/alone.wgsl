// An invocation makes its bins alone.

const LANES = 1u;

fn lane_of(local: vec3<u32>) -> u32 {
    return 0u;
}

fn item_of(group: vec3<u32>, local: vec3<u32>) -> u32 {
    return group.x * ITEMS + local.y;
}

fn collect_sum(sum: vec4<Real>, local: vec3<u32>) -> vec4<Real> {
    return sum;
}
