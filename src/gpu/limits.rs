//! How much one invocation of a shader is given.

use crate::gpu::context::Context;

/// Rounds of the loops of one invocation: systems stop shaders that run for seconds.
const MOST_ROUNDS: usize = 1 << 20;

/// llvmpipe leaves every loop of a shader after 65535 rounds of all of them, without an error.
const MOST_ROUNDS_ON_CPU: usize = 65_000;

impl Context {
    /// Rounds that the loops of one invocation may take together.
    pub fn most_rounds(&self) -> usize {
        if self.info.kind == "cpu" { MOST_ROUNDS_ON_CPU } else { MOST_ROUNDS }
    }
}

/// Rounds of a loop over rows with a loop over columns in it, as llvmpipe counts them.
///
/// A loop takes one more round, in which it finds that it is at its end, and a loop inside it takes one round then.
pub fn nested_rounds(rows: usize, columns: usize) -> usize {
    rows * (columns + 2) + 2
}
