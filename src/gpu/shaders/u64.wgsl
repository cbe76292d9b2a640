// 64-bit integers as their low and their high word, for devices that have none.

fn multiply64(a: u32, b: u32) -> vec2<u32> {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let first = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
    let second = (a & 0xffffu) * (b >> 16u) + (first & 0xffffu);
    return vec2((second << 16u) | (low & 0xffffu), (a >> 16u) * (b >> 16u) + (first >> 16u) + (second >> 16u));
}

fn add64(a: vec2<u32>, b: u32) -> vec2<u32> {
    let low = a.x + b;
    return vec2(low, a.y + u32(low < b));
}
