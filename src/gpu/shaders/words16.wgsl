// Elements of 16 bits, two in a word. Every plane starts at a whole word.

alias Word = u32;
alias Quad = vec2<u32>;

@group(0) @binding(0) var<storage, read_write> planes: array<u32>;

fn join(a: Word, b: Word, c: Word, d: Word) -> Quad {
    return Quad(a | (b << 16u), c | (d << 16u));
}

fn pick(quad: Quad, lane: u32) -> Word {
    return (quad[lane / 2u] >> (lane % 2u * 16u)) & 0xffffu;
}

fn load(at: u32) -> Word {
    return (planes[at / 2u] >> (at % 2u * 16u)) & 0xffffu;
}

// `at` is even.
fn store_pair(at: u32, first: Word, second: Word, has_second: bool) {
    planes[at / 2u] = first | (second << 16u);
}
