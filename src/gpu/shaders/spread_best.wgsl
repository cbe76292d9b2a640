// The maximum of what the lanes of a workgroup have found.

var<workgroup> values: array<vec4<Real>, INVOCATIONS>;
var<workgroup> rows: array<vec4<u32>, INVOCATIONS>;
var<workgroup> columns: array<vec4<u32>, INVOCATIONS>;
var<workgroup> founds: array<vec4<u32>, INVOCATIONS>;

// For lane 0: the largest value, and of equal ones the first; NaN is above all.
fn collect_best(best: Best, local: vec3<u32>) -> Best {
    let at = local.y * QUADS + local.x;
    keep(at, best);
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local.y < half {
            keep(at, better(kept(at), kept(at + half * QUADS)));
        }
    }
    return kept(local.x);
}

fn keep(at: u32, best: Best) {
    values[at] = best.value;
    rows[at] = best.row;
    columns[at] = best.column;
    founds[at] = select(vec4(0u), vec4(1u), best.found);
}

fn kept(at: u32) -> Best {
    return Best(values[at], rows[at], columns[at], founds[at] != vec4(0u));
}

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
