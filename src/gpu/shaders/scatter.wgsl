// The backward pass by transposed taps: for each pixel that a box reads, the bins that read it. An invocation computes
// four channels of one pixel. It adds up all boxes that its tile lists, in the order of their rows.

struct Call {
    // Items are the pixels of all images. This dispatch computes first_item <= item < end_item.
    first_item: u32,
    end_item: u32,
    height: u32,
    width: u32,
    // Quads of the result: those of this dispatch, first_quad <= quad < end_quad, and how many a pixel has.
    first_quad: u32,
    end_quad: u32,
    quads: u32,
    // Quads of grad_output: the index of the result's quad 0 there, and how many a bin has.
    source_quad: u32,
    source_quads: u32,
    // The same of the argmax, and the index there of row 0 of grad_output.
    argmax_quad: u32,
    argmax_quads: u32,
    argmax_row: u32,
    bins: u32,
    bins_x: u32,
    // Where the bins of the transposed taps, their local argmax and the tiles start in the table. Weights start at 0.
    bins_at: u32,
    local_argmax_at: u32,
    tiles_at: u32,
    // Where the sums of earlier dispatches are and where this one stores them: one of the constants below.
    sums_from: u32,
    sums_to: u32,
}

// There are no sums yet.
const ZERO = 0u;
const IN_OUTPUT = 1u;
const IN_WIDE = 2u;

// One box: `ROI_WORDS` words at the start of the table.
struct Roi {
    // Row of grad_output.
    row: u32,
    // argmax = (local argmax along y) * width + (local argmax along x)
    width: u32,
    // The pixels that the box reads: y <= row < y + height, x <= column < x + columns.
    y: u32,
    height: u32,
    x: u32,
    columns: u32,
    // Where the axis starts in the table: an offset into the transposed taps for each pixel, and their end.
    y_axis: u32,
    x_axis: u32,
}

// The transposed taps of one pixel along one axis.
struct Taps {
    first: u32,
    end: u32,
}

override QUADS: u32 = 8;
override ITEMS: u32 = 8;
// Whether only the candidate that is the argmax of its bin has a gradient.
override ARGMAX: bool = false;

const ROI_WORDS = 8u;
// Side of a tile in pixels.
const TILE = 16u;

var<immediate> call: Call;
@group(0) @binding(0) var<storage, read> table: array<u32>;
@group(0) @binding(1) var<storage, read> weights: array<Real>;
@group(0) @binding(2) var<storage, read_write> output: array<Stored>;
// 64-bit integers. Unused without `ARGMAX`.
@group(0) @binding(3) var<storage, read> argmax: array<array<vec2<u32>, 4>>;
@group(0) @binding(4) var<storage, read> grads: array<Stored>;
// Sums between dispatches, for elements that are narrower than the sums: these are rounded once.
@group(0) @binding(5) var<storage, read_write> wide_sums: array<vec4<Real>>;

@compute @workgroup_size(QUADS, ITEMS)
fn scatter(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
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
    var sum = load_sum(at);
    for (var i = table[tile]; i < table[tile + 1u]; i++) {
        let roi = load_roi(table[i]);
        if y - roi.y < roi.height && x - roi.x < roi.columns {
            sum += gradient(roi, y, x, quad);
        }
    }
    store_sum(at, sum);
}

fn load_sum(at: u32) -> vec4<Real> {
    switch call.sums_from {
        case IN_OUTPUT: { return widen(output[at]); }
        case IN_WIDE: { return wide_sums[at]; }
        default: { return vec4<Real>(); }
    }
}

fn store_sum(at: u32, sum: vec4<Real>) {
    if call.sums_to == IN_WIDE {
        wide_sums[at] = sum;
    } else {
        output[at] = narrow(sum);
    }
}

fn load_roi(roi: u32) -> Roi {
    let at = roi * ROI_WORDS;
    return Roi(
        table[at], table[at + 1u], table[at + 2u], table[at + 3u],
        table[at + 4u], table[at + 5u], table[at + 6u], table[at + 7u],
    );
}

fn taps(axis: u32, pixel: u32) -> Taps {
    return Taps(table[axis + pixel], table[axis + pixel + 1u]);
}

// The gradient of one box for a pixel.
fn gradient(roi: Roi, y: u32, x: u32, quad: u32) -> vec4<Real> {
    let rows = taps(roi.y_axis, y - roi.y);
    let columns = taps(roi.x_axis, x - roi.x);
    var sum = vec4<Real>();
    for (var i = rows.first; i < rows.end; i++) {
        let bin_row = table[call.bins_at + i] * call.bins_x;
        var part = vec4<Real>();
        for (var j = columns.first; j < columns.end; j++) {
            let bin = bin_row + table[call.bins_at + j];
            let at = (roi.row * call.bins + bin) * call.source_quads + quad + call.source_quad;
            var grad = widen(grads[at]);
            if ARGMAX {
                grad = select(vec4<Real>(), grad, is_argmax(roi, bin, quad, i, j));
            }
            part += weights[j] * grad;
        }
        sum += weights[i] * part;
    }
    return sum;
}

// In which channels the argmax of the bin is the candidate of taps i (along y) and j (along x).
fn is_argmax(roi: Roi, bin: u32, quad: u32, i: u32, j: u32) -> vec4<bool> {
    // Bit 0 of the number along y is set for the lower corners of a sample, whose numbers are 2 larger.
    let along_y = table[call.local_argmax_at + i];
    let along_x = table[call.local_argmax_at + j] + (along_y & 1u) * 2u;
    let candidate = add64(multiply64(along_y >> 1u, roi.width), along_x);
    let at = ((roi.row + call.argmax_row) * call.bins + bin) * call.argmax_quads + quad + call.argmax_quad;
    let found = argmax[at];
    let low = vec4(found[0].x, found[1].x, found[2].x, found[3].x);
    let high = vec4(found[0].y, found[1].y, found[2].y, found[3].y);
    return (low == vec4(candidate.x)) & (high == vec4(candidate.y));
}
