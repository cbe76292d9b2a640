// Only the candidate that was the maximum has a part.

@group(0) @binding(3) var<storage, read> argmax: array<array<vec2<u32>, 4>>;

fn chosen(grad: vec4<Real>, roi: Reader, bin: u32, quad: u32, i: u32, j: u32) -> vec4<Real> {
    // Along y a number says which row of corners, too: those of the lower row are 2 further.
    let along_y = table[call.numbers_at + i];
    let number = wide_sum(wide_product(along_y >> 1u, roi.width), (along_y & 1u) * 2u + table[call.numbers_at + j]);
    let at = ((roi.row + call.argmax_row) * call.bins + bin) * call.argmax_quads + quad + call.argmax_quad;
    var value = vec4<Real>();
    for (var lane = 0u; lane < 4u; lane++) {
        let source = argmax[at][lane];
        if source.x == number.x && source.y == number.y {
            value[lane] = grad[lane];
        }
    }
    return value;
}
