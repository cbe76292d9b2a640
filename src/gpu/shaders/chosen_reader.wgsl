// Only the candidate that was the maximum has a part.

@group(0) @binding(3) var<storage, read> argmax: array<array<vec2<u32>, 4>>;

fn chosen(grad: vec4<Real>, roi: Reader, bin: u32, quad: u32, i: u32, j: u32) -> vec4<Real> {
    // Along y a number says which row of corners, too: those of the lower row are 2 further.
    let along_y = table[call.numbers_at + i];
    let number = wide_sum(wide_product(along_y >> 1u, roi.width), (along_y & 1u) * 2u + table[call.numbers_at + j]);
    let at = ((roi.row + call.argmax_row) * call.bins + bin) * call.argmax_quads + quad + call.argmax_quad;
    let source = argmax[at];
    let low = vec4(source[0].x, source[1].x, source[2].x, source[3].x);
    let high = vec4(source[0].y, source[1].y, source[2].y, source[3].y);
    return select(vec4<Real>(), grad, (low == vec4(number.x)) & (high == vec4(number.y)));
}
