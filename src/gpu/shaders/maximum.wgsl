// The largest sample, weighted corner or pixel of a bin, and where it was found.

struct Best {
    value: vec4<Real>,
    // Where it was found: row and column of a pixel, or the number of a sample along y and along x. Corners are
    // counted along x, 4 to a sample.
    row: vec4<u32>,
    column: vec4<u32>,
    // Whether anything was found.
    found: vec4<bool>,
}

// The samples of one bin along one axis.
struct Samples {
    // Number of the first sample on the map.
    first: u32,
    on_map: u32,
    all: u32,
}

// Whether the argmax is written.
override ARGMAX: bool = false;

// Where the maximum of a window starts, in every dtype: the lowest finite f32.
const LOWEST = -0x1.fffffep+127f;

// 64-bit integers: row * width + column, or -1. Unused without `ARGMAX`.
@group(0) @binding(3) var<storage, read_write> argmax: array<array<vec2<u32>, 4>>;

var<workgroup> bests: array<Best, SHARED>;

@compute @workgroup_size(QUADS, ITEMS)
fn max_sample(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let here = place(group, local);
    var best = Best();
    if here.exists {
        best = best_sample_on_maps(here);
    }
    best = best_of_lanes(best, local);
    if here.exists && here.lane == 0u {
        finish(&best, here, 1u);
        store(here, best, here.roi.samples_x);
    }
}

@compute @workgroup_size(QUADS, ITEMS)
fn max_corner(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let here = place(group, local);
    var best = Best();
    if here.exists {
        best = best_corner_on_maps(here);
    }
    best = best_of_lanes(best, local);
    if here.exists && here.lane == 0u {
        finish(&best, here, 4u);
        store(here, best, 4u * here.roi.samples_x);
    }
}

@compute @workgroup_size(QUADS, ITEMS)
fn max_window(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let here = place(group, local);
    var best = Best();
    if here.exists {
        best = best_pixel_on_maps(here);
    }
    best = best_of_lanes(best, local);
    if here.exists && here.lane == 0u {
        if is_empty(here) {
            best.value = filling(here);
        }
        store(here, best, here.roi.width);
    }
}

fn store(here: Place, best: Best, width: u32) {
    output[here.target_quad] = narrow(best.value);
    if !ARGMAX {
        return;
    }
    for (var channel = 0u; channel < 4u; channel++) {
        var at = vec2(0xffffffffu);
        if best.found[channel] {
            at = add64(multiply64(best.row[channel], width), best.column[channel]);
        }
        argmax[here.target_quad][channel] = at;
    }
}

fn is_empty(here: Place) -> bool {
    let rows = taps(here.roi.y, here.bin_y);
    let columns = taps(here.roi.x, here.bin_x);
    return rows.first == rows.end || columns.first == columns.end;
}

fn take(best: ptr<function, Best>, wins: vec4<bool>, value: vec4<Real>, row: u32, column: u32) {
    (*best).value = select((*best).value, value, wins);
    (*best).row = select((*best).row, vec4(row), wins);
    (*best).column = select((*best).column, vec4(column), wins);
    (*best).found = (*best).found | wins;
}

// The largest value wins, the first one among equals. A NaN wins over every number, the first NaN over later ones.
fn offer(best: ptr<function, Best>, value: vec4<Real>, row: u32, column: u32) {
    let larger = is_nan(value) | (value > (*best).value);
    take(best, (!(*best).found) | (larger & (!is_nan((*best).value))), value, row, column);
}

fn first_sample(axis: u32, bins: u32, bin: u32) -> u32 {
    return table[axis + bins + 1u + bin];
}

// Samples on the map have two taps each.
fn samples(axis: u32, bins: u32, bin: u32, all: u32) -> Samples {
    let on_map = taps(axis, bin);
    return Samples(first_sample(axis, bins, bin), (on_map.end - on_map.first) / 2u, all);
}

// A sample off the map competes as 0. The first such sample is enough: ties go to the first one.
fn finish(best: ptr<function, Best>, here: Place, corners: u32) {
    let y = samples(here.roi.y, here.bins_y, here.bin_y, here.roi.samples_y);
    let x = samples(here.roi.x, call.bins_x, here.bin_x, here.roi.samples_x);
    if !any((*best).found) {
        (*best).value = filling(here);
    }
    if y.all == 0u || x.all == 0u || (y.on_map == y.all && x.on_map == x.all) {
        return;
    }
    // If sample (0, 0) is on the map, the first sample off the map follows those that are on it.
    var row = 0u;
    var column = 0u;
    if y.on_map > 0u && x.on_map > 0u && y.first == 0u && x.first == 0u {
        if x.on_map < x.all {
            column = x.on_map * corners;
        } else {
            row = y.on_map;
        }
    }
    let at = vec4(row);
    let earlier = (at < (*best).row) | ((at == (*best).row) & (vec4(column) < (*best).column));
    let value = (*best).value;
    let wins = (value < vec4<Real>()) | ((value == vec4<Real>()) & earlier);
    take(best, (!(*best).found) | (wins & (!is_nan(value))), vec4<Real>(), row, column);
}

// Returns the maximum of all lanes to lane 0.
fn best_of_lanes(best: Best, local: vec3<u32>) -> Best {
    if LANES == 1u {
        return best;
    }
    let at = local.y * QUADS + local.x;
    bests[at] = best;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local.y < half {
            bests[at] = better(bests[at], bests[at + half * QUADS]);
        }
    }
    return bests[local.x];
}

// The rule of `offer`, for candidates in any order.
fn better(a: Best, b: Best) -> Best {
    let earlier = (b.row < a.row) | ((b.row == a.row) & (b.column < a.column));
    let a_nan = is_nan(a.value);
    let b_nan = is_nan(b.value);
    let equal = (a_nan & b_nan) | ((a.value == b.value) & (!(a_nan | b_nan)));
    let larger = (b_nan | (b.value > a.value)) & (!a_nan);
    let wins = b.found & ((!a.found) | larger | (equal & earlier));
    return Best(
        select(a.value, b.value, wins),
        select(a.row, b.row, wins),
        select(a.column, b.column, wins),
        a.found | b.found,
    );
}
