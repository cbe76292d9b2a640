//! How much one invocation of a shader is given, and how much one submission.

use crate::gpu::context::Context;

/// Rounds of the loops of one invocation: systems stop shaders that run for seconds.
const MOST_ROUNDS: usize = 1 << 20;

/// llvmpipe leaves every loop of a shader after 65535 rounds of all of them, without an error.
const MOST_ROUNDS_ON_CPU: usize = 65_000;

/// Taps of four channels in one submission: at most 0.2 s of a small GPU.
const MOST_WORK: u64 = 1 << 30;

/// The same of llvmpipe on two cores.
const MOST_WORK_ON_CPU: u64 = 1 << 23;

impl Context {
    /// Work of one submission, in taps of four channels. One box may exceed it.
    pub fn most_work(&self) -> u64 {
        if self.info.kind == "cpu" { MOST_WORK_ON_CPU } else { MOST_WORK }
    }

    /// Rounds that the loops of one invocation may take together.
    pub fn most_rounds(&self) -> usize {
        if self.info.kind == "cpu" { MOST_ROUNDS_ON_CPU } else { MOST_ROUNDS }
    }
}

/// Rounds of a loop over rows with a loop over columns in it, as llvmpipe counts them, or a few more: for each row
/// `columns + 1` inside and 1 outside, and 2 at the end.
pub fn nested_rounds(rows: usize, columns: usize) -> usize {
    rows * (columns + 2) + 2
}
