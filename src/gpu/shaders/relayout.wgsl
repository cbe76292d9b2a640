// Between planes, as arrays come and go, and quads of channels, as they lie on the device.

struct Call {
    // Cells are the pixels of all items of this chunk; these are the ones of this dispatch.
    first_cell: u32,
    end_cell: u32,
    // Pixels of a plane of this chunk, and elements from one plane to the next.
    pixels: u32,
    plane: u32,
    // Planes of an item.
    channels: u32,
    // Of the array: the quad that the first plane belongs to, and their number.
    target_quad: u32,
    quads: u32,
    // Of the array: the pixel that the first cell is, and the pixels of an item.
    target_pixel: u32,
    item_pixels: u32,
    // Of this chunk: the first quad of this dispatch.
    first_quad: u32,
}

override QUADS: u32 = 8;
override ITEMS: u32 = 8;

var<immediate> call: Call;
@group(0) @binding(1) var<storage, read_write> quads: array<Quad>;

// Where a pixel's quad lies in the array.
fn quad_at(item: u32, pixel: u32, quad: u32) -> u32 {
    let at = call.target_pixel + item * call.item_pixels + pixel;
    return at * call.quads + call.target_quad + quad;
}

// Where a pixel lies among the planes.
fn plane_at(item: u32, channel: u32, pixel: u32) -> u32 {
    return (item * call.channels + channel) * call.plane + pixel;
}
