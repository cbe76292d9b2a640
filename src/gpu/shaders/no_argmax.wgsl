// Where a maximum came from is not wanted.

fn keep_source(at: u32, best: Best, width: u32) {}
