// The plan's tables the other way round: for each pixel that a box reads, the bins that read it. An invocation makes
// four channels of one pixel, from all boxes whose tile lists it, in the order of their rows.

struct Call {
    // Items are the pixels of all images; these are the ones of this dispatch.
    first_item: u32,
    end_item: u32,
    height: u32,
    width: u32,
    // Of the result: those of this dispatch, and their number.
    first_quad: u32,
    end_quad: u32,
    quads: u32,
    // Of the gradients that come in: how much further on a quad lies than in the result, and their number.
    source_quad: u32,
    source_quads: u32,
    // The same of what maxima came from, and how much further on a row lies than in the gradients.
    argmax_quad: u32,
    argmax_quads: u32,
    argmax_row: u32,
    bins: u32,
    bins_x: u32,
    // Where bins, numbers and tiles stand in the table; weights start at 0.
    bins_at: u32,
    numbers_at: u32,
    tiles_at: u32,
    // Where the sums are before, and where they go: one of the constants below.
    sums_from: u32,
    sums_to: u32,
}

// Nothing is added up yet.
const ZERO = 0u;
const IN_OUTPUT = 1u;
const IN_WIDE = 2u;

struct Reader {
    // Row of the gradients that come in.
    row: u32,
    // What one step of a number along y is worth.
    width: u32,
    // First pixel that is read, and how many there are.
    y: u32,
    height: u32,
    x: u32,
    columns: u32,
    // Where the bounds of the axis stand in the table: one more than pixels.
    y_axis: u32,
    x_axis: u32,
}

// The readers of one pixel on one axis.
struct Readers {
    first: u32,
    end: u32,
}

override QUADS: u32 = 8;
override ITEMS: u32 = 8;

const ROI_WORDS = 8u;
const TILE = 16u;

var<immediate> call: Call;
@group(0) @binding(0) var<storage, read> table: array<u32>;
@group(0) @binding(1) var<storage, read> weights: array<Real>;
@group(0) @binding(2) var<storage, read_write> output: array<Stored>;
@group(0) @binding(4) var<storage, read> grads: array<Stored>;

@compute @workgroup_size(QUADS, ITEMS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let item = call.first_item + group.x * ITEMS + local.y;
    let quad = call.first_quad + group.y * QUADS + local.x;
    if item >= call.end_item || quad >= call.end_quad {
        return;
    }
    let image = item / (call.height * call.width);
    let y = item / call.width % call.height;
    let x = item % call.width;
    let tiles_y = (call.height + TILE - 1u) / TILE;
    let tiles_x = (call.width + TILE - 1u) / TILE;
    let tile = call.tiles_at + (image * tiles_y + y / TILE) * tiles_x + x / TILE;
    let at = item * call.quads + quad;
    var sum = vec4<Real>();
    if call.sums_from != ZERO {
        sum = load_sum(at);
    }
    for (var i = table[tile]; i < table[tile + 1u]; i++) {
        let roi = reader(table[i]);
        if y - roi.y < roi.height && x - roi.x < roi.columns {
            sum += gradient(roi, y, x, quad);
        }
    }
    store_sum(at, sum);
}

fn reader(roi: u32) -> Reader {
    let at = roi * ROI_WORDS;
    return Reader(
        table[at], table[at + 1u], table[at + 2u], table[at + 3u],
        table[at + 4u], table[at + 5u], table[at + 6u], table[at + 7u],
    );
}

fn readers(axis: u32, pixel: u32) -> Readers {
    return Readers(table[axis + pixel], table[axis + pixel + 1u]);
}

// What the bins of a box have for a pixel.
fn gradient(roi: Reader, y: u32, x: u32, quad: u32) -> vec4<Real> {
    let rows = readers(roi.y_axis, y - roi.y);
    let columns = readers(roi.x_axis, x - roi.x);
    var sum = vec4<Real>();
    for (var i = rows.first; i < rows.end; i++) {
        let row = table[call.bins_at + i] * call.bins_x;
        var part = vec4<Real>();
        for (var j = columns.first; j < columns.end; j++) {
            let bin = row + table[call.bins_at + j];
            let at = (roi.row * call.bins + bin) * call.source_quads + quad + call.source_quad;
            part += weights[j] * chosen(widen(grads[at]), roi, bin, quad, i, j);
        }
        sum += weights[i] * part;
    }
    return sum;
}
