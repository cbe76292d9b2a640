// Elements that are stored as f16, two in a word, and computed in f32.

alias Real = f32;
alias Stored = vec2<u32>;

fn widen(stored: Stored) -> vec4<Real> {
    return vec4(unpack2x16float(stored.x), unpack2x16float(stored.y));
}

// Rounds to nearest, ties to even, as the CPU does. pack2x16float may round in any direction.
fn narrow(value: vec4<Real>) -> Stored {
    let bits = bitcast<vec4<u32>>(value);
    let sign = (bits >> vec4(16u)) & vec4(0x8000u);
    let size = bits & vec4(0x7fffffffu);
    let normal = round_off(size - vec4(112u << 23u), vec4(13u));
    // Below 2^-14 an f16 is subnormal: the mantissa, with its leading one, moves down instead of the exponent.
    let shift = min(vec4(126u) - min(size >> vec4(23u), vec4(112u)), vec4(31u));
    let subnormal = round_off((size & vec4(0x7fffffu)) | vec4(0x800000u), shift);
    var half = select(normal, subnormal, size < vec4(113u << 23u));
    half = select(half, vec4(0u), size < vec4(102u << 23u));
    half = select(half, vec4(0x7c00u), size >= vec4(0x477ff000u));
    half = select(half, vec4(0x7e00u), size > vec4(0x7f800000u)) | sign;
    return vec2(half.x | (half.y << 16u), half.z | (half.w << 16u));
}

// Drops the lowest `count` bits, rounding to nearest, ties to even.
fn round_off(bits: vec4<u32>, count: vec4<u32>) -> vec4<u32> {
    let odd = (bits >> count) & vec4(1u);
    return (bits + (vec4(1u) << (count - vec4(1u))) - vec4(1u) + odd) >> count;
}

// Tests the bits, because compilers may assume that no value is NaN.
fn is_nan(value: vec4<Real>) -> vec4<bool> {
    return (bitcast<vec4<u32>>(value) & vec4(0x7fffffffu)) > vec4(0x7f800000u);
}
