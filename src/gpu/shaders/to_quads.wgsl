// Planes to quads; channels that do not exist become 0.

@compute @workgroup_size(QUADS, ITEMS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let cell = call.first_cell + group.x * ITEMS + local.y;
    let quad = call.first_quad + group.y * QUADS + local.x;
    if cell >= call.end_cell || quad * 4u >= call.channels {
        return;
    }
    let item = cell / call.pixels;
    let pixel = cell % call.pixels;
    var words = array<Word, 4>();
    for (var lane = 0u; lane < min(4u, call.channels - quad * 4u); lane++) {
        words[lane] = load(plane_at(item, quad * 4u + lane, pixel));
    }
    quads[quad_at(item, pixel, quad)] = join(words[0], words[1], words[2], words[3]);
}
