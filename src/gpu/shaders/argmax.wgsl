// Where a maximum came from, as a 64-bit number: row * width + column, or -1.

@group(0) @binding(3) var<storage, read_write> argmax: array<array<vec2<u32>, 4>>;

fn keep_source(at: u32, best: Best, width: u32) {
    for (var lane = 0u; lane < 4u; lane++) {
        var number = vec2(0xffffffffu);
        if best.found[lane] {
            number = wide_sum(wide_product(best.row[lane], width), best.column[lane]);
        }
        argmax[at][lane] = number;
    }
}
