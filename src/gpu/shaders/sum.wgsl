// The weighted sum of a bin's taps.

@compute @workgroup_size(QUADS, ITEMS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let here = place(group, local);
    var sum = vec4<Real>();
    if here.exists {
        sum = lane_of_maps(here, lane_of(local));
    }
    sum = collect_sum(sum, local);
    if here.exists && lane_of(local) == 0u {
        output[here.target_quad] = narrow(sum + filling(here));
    }
}
