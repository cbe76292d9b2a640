// The loops over the taps of a bin on one map. WGSL has no arrays of buffers, so this text is repeated for every map
// that is bound: `_0` becomes `_1`, and so on.

@group(0) @binding(4) var<storage, read> map_0: array<Stored>;

fn feature_0(here: Place, row: u32, column: u32) -> vec4<Real> {
    let at = here.roi.image + row * here.roi.width + column;
    return widen(map_0[at * call.source_quads + here.source_quad]);
}

fn sum_0(here: Place) -> vec4<Real> {
    let rows = taps(here.roi.y, here.bin_y);
    let columns = taps(here.roi.x, here.bin_x);
    var sum = vec4<Real>();
    for (var y = rows.first + here.lane; y < rows.end; y += LANES) {
        let row = pixel(y);
        var part = vec4<Real>();
        for (var x = columns.first; x < columns.end; x++) {
            part += weights[x] * feature_0(here, row, pixel(x));
        }
        sum += weights[y] * part;
    }
    return sum;
}

fn best_sample_0(here: Place) -> Best {
    let rows = taps(here.roi.y, here.bin_y);
    let columns = taps(here.roi.x, here.bin_x);
    let first_y = first_sample(here.roi.y, here.bins_y, here.bin_y);
    let first_x = first_sample(here.roi.x, call.bins_x, here.bin_x);
    var best = Best();
    for (var y = rows.first + 2u * here.lane; y < rows.end; y += 2u * LANES) {
        let row = first_y + (y - rows.first) / 2u;
        for (var x = columns.first; x < columns.end; x += 2u) {
            let upper = weights[y] * interpolated_0(here, pixel(y), x);
            let sample = upper + weights[y + 1u] * interpolated_0(here, pixel(y + 1u), x);
            offer(&best, sample, row, first_x + (x - columns.first) / 2u);
        }
    }
    return best;
}

// The value between the two pixels of a row that a sample taps.
fn interpolated_0(here: Place, row: u32, x: u32) -> vec4<Real> {
    return weights[x] * feature_0(here, row, pixel(x)) + weights[x + 1u] * feature_0(here, row, pixel(x + 1u));
}

fn best_corner_0(here: Place) -> Best {
    let rows = taps(here.roi.y, here.bin_y);
    let columns = taps(here.roi.x, here.bin_x);
    let first_y = first_sample(here.roi.y, here.bins_y, here.bin_y);
    let first_x = first_sample(here.roi.x, call.bins_x, here.bin_x);
    var best = Best();
    for (var y = rows.first + 2u * here.lane; y < rows.end; y += 2u * LANES) {
        let row = first_y + (y - rows.first) / 2u;
        for (var x = columns.first; x < columns.end; x += 2u) {
            let column = 4u * (first_x + (x - columns.first) / 2u);
            offer(&best, weighted_0(here, y, x), row, column);
            offer(&best, weighted_0(here, y, x + 1u), row, column + 1u);
            offer(&best, weighted_0(here, y + 1u, x), row, column + 2u);
            offer(&best, weighted_0(here, y + 1u, x + 1u), row, column + 3u);
        }
    }
    return best;
}

// A corner of weight 0 is 0, even if its pixel is NaN or infinite.
fn weighted_0(here: Place, y: u32, x: u32) -> vec4<Real> {
    if weights[y] == Real() || weights[x] == Real() {
        return vec4<Real>();
    }
    return weights[y] * (weights[x] * feature_0(here, pixel(y), pixel(x)));
}

// The taps of a window are its first and last row, and its first and last column.
fn best_pixel_0(here: Place) -> Best {
    var best = Best();
    best.value = vec4(Real(LOWEST));
    if is_empty(here) {
        return best;
    }
    let rows = taps(here.roi.y, here.bin_y).first;
    let columns = taps(here.roi.x, here.bin_x).first;
    for (var row = pixel(rows) + here.lane; row <= pixel(rows + 1u); row += LANES) {
        for (var column = pixel(columns); column <= pixel(columns + 1u); column++) {
            let value = feature_0(here, row, column);
            take(&best, (value > best.value) & (!is_nan(value)), value, row, column);
        }
    }
    return best;
}
