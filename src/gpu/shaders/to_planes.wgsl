// Quads to planes, two pixels at a time, so that a word is written by one invocation whatever it holds.

@compute @workgroup_size(QUADS, ITEMS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let cell = call.first_cell + group.x * ITEMS + local.y;
    let quad = call.first_quad + group.y * QUADS + local.x;
    if cell >= call.end_cell || quad * 4u >= call.channels {
        return;
    }
    let pairs = (call.pixels + 1u) / 2u;
    let item = cell / pairs;
    let pixel = cell % pairs * 2u;
    let has_second = pixel + 1u < call.pixels;
    let first = quads[quad_at(item, pixel, quad)];
    let second = quads[quad_at(item, select(pixel, pixel + 1u, has_second), quad)];
    for (var lane = 0u; lane < min(4u, call.channels - quad * 4u); lane++) {
        let at = plane_at(item, quad * 4u + lane, pixel);
        store_pair(at, pick(first, lane), pick(second, lane), has_second);
    }
}
