// Elements of 64 bits, as their low and their high word.

alias Word = vec2<u32>;
alias Quad = array<vec2<u32>, 4>;

@group(0) @binding(0) var<storage, read_write> planes: array<vec2<u32>>;

fn join(a: Word, b: Word, c: Word, d: Word) -> Quad {
    return Quad(a, b, c, d);
}

fn pick(quad: Quad, lane: u32) -> Word {
    var words = quad;
    return words[lane];
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
