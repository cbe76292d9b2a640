// Elements that are stored and computed in f64.

alias Real = f64;
alias Stored = vec4<f64>;

fn widen(stored: Stored) -> vec4<Real> {
    return stored;
}

fn narrow(value: vec4<Real>) -> Stored {
    return value;
}

// Tests the bits, because compilers may assume that no value is NaN.
fn is_nan(value: vec4<Real>) -> vec4<bool> {
    return (bitcast<vec4<u64>>(value) & vec4(0x7ffffffffffffffflu)) > vec4(0x7ff0000000000000lu);
}
