// A running maximum, and the samples off the map, which are 0 and take part.

struct Best {
    value: vec4<Real>,
    // Where it is from: of a window, the pixel; else the number of the sample along y, and along x the number of
    // its corner.
    row: vec4<u32>,
    column: vec4<u32>,
    // Whether it is from anywhere.
    found: vec4<bool>,
}

// The samples of a bin on one axis.
struct Side {
    // Number of the first one on the map.
    first: u32,
    on_map: u32,
    all: u32,
}

fn take(best: ptr<function, Best>, wins: vec4<bool>, value: vec4<Real>, row: u32, column: u32) {
    (*best).value = select((*best).value, value, wins);
    (*best).row = select((*best).row, vec4(row), wins);
    (*best).column = select((*best).column, vec4(column), wins);
    (*best).found = (*best).found | wins;
}

// A larger value wins, the first of equal ones stays; so does the first NaN.
fn offer(best: ptr<function, Best>, value: vec4<Real>, row: u32, column: u32) {
    let larger = is_nan(value) | (value > (*best).value);
    take(best, (!(*best).found) | (larger & (!is_nan((*best).value))), value, row, column);
}

fn first_sample(axis: u32, bins: u32, bin: u32) -> u32 {
    return table[axis + bins + 1u + bin];
}

fn side(axis: u32, bins: u32, bin: u32, samples: u32) -> Side {
    let of_bin = entries(axis, bin);
    return Side(first_sample(axis, bins, bin), (of_bin.end - of_bin.first) / 2u, samples);
}

// Offers the first sample off the map, if there is one, as what it is: before or after those on the map.
fn finish(best: ptr<function, Best>, here: Place, corners: u32) {
    let y = side(here.roi.y, here.bins_y, here.bin_y, here.roi.samples_y);
    let x = side(here.roi.x, call.bins_x, here.bin_x, here.roi.samples_x);
    if !any((*best).found) {
        (*best).value = filling(here);
    }
    if y.all == 0u || x.all == 0u || (y.on_map == y.all && x.on_map == x.all) {
        return;
    }
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
