// Where a maximum came from, as a 64-bit number: row * width + column, or -1.

@group(0) @binding(4) var<storage, read_write> argmax: array<array<vec2<u32>, 4>>;

fn keep_source(at: u32, best: Best, width: u32) {
    for (var lane = 0u; lane < 4u; lane++) {
        var number = vec2(0xffffffffu);
        if best.found[lane] {
            number = wide_product(best.row[lane], width);
            number.x += best.column[lane];
            number.y += u32(number.x < best.column[lane]);
        }
        argmax[at][lane] = number;
    }
}

// The low and the high word of a product.
fn wide_product(a: u32, b: u32) -> vec2<u32> {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let first = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
    let second = (a & 0xffffu) * (b >> 16u) + (first & 0xffffu);
    return vec2((second << 16u) | (low & 0xffffu), (a >> 16u) * (b >> 16u) + (first >> 16u) + (second >> 16u));
}
