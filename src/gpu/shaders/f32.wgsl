// Elements that are stored and computed in f32.

alias Real = f32;
alias Stored = vec4<f32>;

fn widen(stored: Stored) -> vec4<Real> {
    return stored;
}

fn narrow(value: vec4<Real>) -> Stored {
    return value;
}

// Tests the bits, because compilers may assume that no value is NaN.
fn is_nan(value: vec4<Real>) -> vec4<bool> {
    return (bitcast<vec4<u32>>(value) & vec4(0x7fffffffu)) > vec4(0x7f800000u);
}
