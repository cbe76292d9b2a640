// Sums are wider than the elements of the result: between dispatches they lie apart, so that they are rounded once.

@group(0) @binding(5) var<storage, read_write> wide_sums: array<vec4<Real>>;

fn load_sum(at: u32) -> vec4<Real> {
    if call.sums_from == IN_WIDE {
        return wide_sums[at];
    }
    return widen(output[at]);
}

fn store_sum(at: u32, sum: vec4<Real>) {
    if call.sums_to == IN_WIDE {
        wide_sums[at] = sum;
    } else {
        output[at] = narrow(sum);
    }
}
