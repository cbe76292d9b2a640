// Copies elements between planes, as host arrays have them, and quads of channels, as arrays on the device have them.

struct Call {
    // Cells are the pixels of all items of this chunk, or pairs of them. This dispatch copies
    // first_cell <= cell < end_cell.
    first_cell: u32,
    end_cell: u32,
    // Pixels of a plane of this chunk, and the distance between planes in elements.
    pixels: u32,
    plane: u32,
    // Planes of an item.
    channels: u32,
    // Quads of the array: the one that holds plane 0 of this chunk, and how many a pixel has.
    target_quad: u32,
    quads: u32,
    // Pixels of the array: the one of cell 0, and how many an item has.
    target_pixel: u32,
    item_pixels: u32,
    // The first quad of this dispatch, counted from that of plane 0.
    first_quad: u32,
}

override QUADS: u32 = 8;
override ITEMS: u32 = 8;

var<immediate> call: Call;
@group(0) @binding(1) var<storage, read_write> quads: array<Quad>;

// Channels that the array has beyond its last plane become 0.
@compute @workgroup_size(QUADS, ITEMS)
fn to_quads(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
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

// An invocation copies two pixels: two elements of 16 bits share a word, which only one invocation may write.
@compute @workgroup_size(QUADS, ITEMS)
fn to_planes(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
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

// Index of a quad in the array.
fn quad_at(item: u32, pixel: u32, quad: u32) -> u32 {
    let at = call.target_pixel + item * call.item_pixels + pixel;
    return at * call.quads + call.target_quad + quad;
}

// Index of an element in the planes.
fn plane_at(item: u32, channel: u32, pixel: u32) -> u32 {
    return (item * call.channels + channel) * call.plane + pixel;
}
