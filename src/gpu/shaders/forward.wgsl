// The forward pass: which bin and channels an invocation computes, and where it finds the taps of the bin.

struct Call {
    // Items are the bins of all boxes. This dispatch computes first_item <= item < end_item.
    first_item: u32,
    end_item: u32,
    bins: u32,
    bins_x: u32,
    // Quads of the result: the first one of this dispatch, and how many a bin has.
    first_quad: u32,
    quads: u32,
    // Quads of the features: the one that is pooled into quad 0 of the result, and how many a pixel has.
    source_quad: u32,
    source_quads: u32,
    // Where the pixels of the taps start in the table. Their weights start at 0.
    pixels: u32,
}

// One box: `ROI_WORDS` words at the start of the table.
struct Roi {
    // Row of the result.
    row: u32,
    // Which map, the index of the image's first pixel there, and the map's width.
    stage: u32,
    image: u32,
    width: u32,
    // Bits of the f32 that fills the row of an invalid box, or 0.
    fill: u32,
    // Where the axis starts in the table: bins + 1 offsets into its taps, then the first sample of each bin.
    y: u32,
    x: u32,
    // Samples of a bin along the axis, with those off the map.
    samples_y: u32,
    samples_x: u32,
}

// What an invocation computes: four channels of one bin, or one lane's share of them.
struct Place {
    exists: bool,
    lane: u32,
    roi: Roi,
    bins_y: u32,
    bin_y: u32,
    bin_x: u32,
    source_quad: u32,
    // Index among the quads of the whole result.
    target_quad: u32,
}

// The taps of one bin along one axis.
struct Taps {
    first: u32,
    end: u32,
}

// Size of a workgroup: quads of channels, and items times lanes.
override QUADS: u32 = 8;
override ITEMS: u32 = 8;
// Invocations that share the rows of one bin: 1, or `ITEMS` for bins of many taps.
override LANES: u32 = 1;
// Length of an array with an entry for each quad and lane of one bin.
override SHARED: u32 = QUADS * LANES;

const ROI_WORDS = 9u;

var<immediate> call: Call;
@group(0) @binding(0) var<storage, read> table: array<u32>;
@group(0) @binding(1) var<storage, read> weights: array<Real>;
@group(0) @binding(2) var<storage, read_write> output: array<Stored>;

fn place(group: vec3<u32>, local: vec3<u32>) -> Place {
    let item = call.first_item + group.x * (ITEMS / LANES) + local.y / LANES;
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
        true, local.y % LANES, roi,
        call.bins / call.bins_x, bin / call.bins_x, bin % call.bins_x,
        call.source_quad + quad, target_quad,
    );
}

fn taps(axis: u32, bin: u32) -> Taps {
    return Taps(table[axis + bin], table[axis + bin + 1u]);
}

fn pixel(tap: u32) -> u32 {
    return table[call.pixels + tap];
}

fn filling(here: Place) -> vec4<Real> {
    return vec4(Real(bitcast<f32>(here.roi.fill)));
}
