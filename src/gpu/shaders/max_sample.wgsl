// The largest interpolated sample of a bin.

@compute @workgroup_size(QUADS, ITEMS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let here = place(group, local);
    var best = Best();
    if here.exists {
        best = lane_of_maps(here, lane_of(local));
    }
    best = collect_best(best, local);
    if here.exists && lane_of(local) == 0u {
        finish(&best, here, 1u);
        output[here.target_quad] = narrow(best.value);
        keep_source(here.target_quad, best, here.roi.samples_x);
    }
}
