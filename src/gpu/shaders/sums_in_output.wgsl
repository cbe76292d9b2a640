// Sums are as wide as the elements of the result, and lie there.

fn load_sum(at: u32) -> vec4<Real> {
    return widen(output[at]);
}

fn store_sum(at: u32, sum: vec4<Real>) {
    output[at] = narrow(sum);
}
