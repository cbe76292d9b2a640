// The plan's tables, and which bin and channels an invocation works on.

struct Call {
    // Items are the bins of all boxes; these are the ones of this dispatch.
    first_item: u32,
    end_item: u32,
    bins: u32,
    bins_x: u32,
    // Of the result: the first one of this dispatch, and their number.
    first_quad: u32,
    quads: u32,
    // Of the features: the one that the result's first is made from, and their number.
    source_quad: u32,
    source_quads: u32,
    // Where the pixels of the entries stand in the table; their weights start at 0.
    pixels: u32,
}

struct Roi {
    // Row of the result.
    row: u32,
    // Which map, the first pixel of the image there, and the map's width.
    stage: u32,
    image: u32,
    width: u32,
    // Bits of the f32 that fills the result, or 0.
    fill: u32,
    // Where the bounds of the axis stand in the table: one more than bins, then each bin's first sample.
    y: u32,
    x: u32,
    // Samples per bin, those off the map included.
    samples_y: u32,
    samples_x: u32,
}

// What one invocation makes: four channels of one bin.
struct Place {
    exists: bool,
    roi: Roi,
    bins_y: u32,
    bin_y: u32,
    bin_x: u32,
    source_quad: u32,
    // Among the quads of the result.
    target_quad: u32,
}

// The entries of one bin on one axis.
struct Entries {
    first: u32,
    end: u32,
}

override QUADS: u32 = 8;
override ITEMS: u32 = 8;

const ROI_WORDS = 9u;

var<immediate> call: Call;
@group(0) @binding(0) var<storage, read> table: array<u32>;
@group(0) @binding(1) var<storage, read> weights: array<Real>;
@group(0) @binding(2) var<storage, read_write> output: array<Stored>;

fn place(group: vec3<u32>, local: vec3<u32>) -> Place {
    let item = call.first_item + item_of(group, local);
    let quad = call.first_quad + group.y * QUADS + local.x;
    if item >= call.end_item || quad >= call.quads {
        return Place();
    }
    let bin = item % call.bins;
    let at = item / call.bins * ROI_WORDS;
    let roi = Roi(
        table[at], table[at + 1u], table[at + 2u], table[at + 3u],
        table[at + 4u], table[at + 5u], table[at + 6u], table[at + 7u], table[at + 8u],
    );
    let target_quad = (roi.row * call.bins + bin) * call.quads + quad;
    return Place(
        true, roi, call.bins / call.bins_x, bin / call.bins_x, bin % call.bins_x, call.source_quad + quad, target_quad,
    );
}

fn entries(axis: u32, bin: u32) -> Entries {
    return Entries(table[axis + bin], table[axis + bin + 1u]);
}

fn pixel(entry: u32) -> u32 {
    return table[call.pixels + entry];
}

fn filling(place: Place) -> vec4<Real> {
    return vec4(Real(bitcast<f32>(place.roi.fill)));
}
