// Elements of 32 bits.

alias Word = u32;
alias Quad = vec4<u32>;

@group(0) @binding(0) var<storage, read_write> planes: array<u32>;

fn join(a: Word, b: Word, c: Word, d: Word) -> Quad {
    return Quad(a, b, c, d);
}

fn pick(quad: Quad, lane: u32) -> Word {
    return quad[lane];
}

fn load(at: u32) -> Word {
    return planes[at];
}

fn store_pair(at: u32, first: Word, second: Word, has_second: bool) {
    planes[at] = first;
    if has_second {
        planes[at + 1u] = second;
    }
}
