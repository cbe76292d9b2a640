//! Bounds on the work of one invocation and of one submission.

use crate::gpu::context::Context;

/// Most rounds of the loops of one invocation: systems stop shaders that run for seconds.
const MOST_ROUNDS: usize = 1 << 20;

/// The same on llvmpipe, which ends all loops of an invocation after 65535 rounds in total, without an error.
const MOST_ROUNDS_ON_CPU: usize = 65_000;

/// Most taps of four channels in one submission: at most 0.2 s on a small GPU.
const MOST_WORK: u64 = 1 << 30;

/// The same on llvmpipe with two cores.
const MOST_WORK_ON_CPU: u64 = 1 << 23;

impl Context {
    /// Most work of one submission, in taps of four channels. One box may exceed it.
    pub fn most_work(&self) -> u64 {
        if self.info.kind == "cpu" { MOST_WORK_ON_CPU } else { MOST_WORK }
    }

    /// Most rounds of all loops of one invocation.
    pub fn most_rounds(&self) -> usize {
        if self.info.kind == "cpu" { MOST_ROUNDS_ON_CPU } else { MOST_ROUNDS }
    }
}

/// An upper bound on the rounds that llvmpipe counts for a loop over rows around a loop over columns: `columns + 1` of the
/// inner loop and 1 of the outer loop for each row, and 2 at the end.
pub fn nested_rounds(rows: usize, columns: usize) -> usize {
    rows * (columns + 2) + 2
}
