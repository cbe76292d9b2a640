//! How the channels of a call are cut: into tasks, and the channels of a task into blocks of [`LANES`].
//!
//! A task owns one block, or two where the channels of a pixel are neighbours (NHWC). There a block of a pixel is one cache
//! line, and memory moves two lines that lie side by side about as fast as one: the task packs both blocks at once and
//! writes both at once.

use crate::cpu::simd::{LANES, LINE};
use crate::error::{Result, reserve};
use crate::view::View;

/// Bytes of a pixel that a task moves at once, if the channels of a pixel are neighbours.
const BYTES_AT_ONCE: usize = 2 * LINE;

/// With four, too little of the second-level cache is left to each.
const MOST_BLOCKS: usize = 2;

/// Some neighbouring channels: those of a task, or one block of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channels {
    pub first: usize,
    pub count: usize,
}

impl Channels {
    /// The tasks' channels. `interleaved`: whether an array of the call, of elements `E`, has the channels of a pixel side
    /// by side.
    pub fn of_tasks<E>(channels: usize, interleaved: bool) -> Result<Vec<Self>> {
        let blocks = if interleaved { BYTES_AT_ONCE / (LANES * size_of::<E>()) } else { 1 };
        let size = LANES * blocks.clamp(1, MOST_BLOCKS);
        let mut tasks = Vec::new();
        // An array that repeats a plane may have more channels than memory has bytes.
        reserve(&mut tasks, channels.div_ceil(size), "groups of channels")?;
        tasks.extend(
            (0..channels).step_by(size).map(|first| Self { first, count: size.min(channels - first) }),
        );
        Ok(tasks)
    }

    /// The blocks: [`LANES`] channels each, or fewer in the last one.
    #[inline(always)]
    pub fn blocks(self) -> impl ExactSizeIterator<Item = Self> {
        (0..self.count)
            .step_by(LANES)
            .map(move |at| Self { first: self.first + at, count: LANES.min(self.count - at) })
    }
}

/// Whether the channels of a pixel are neighbours, and its columns are not.
pub fn is_interleaved<E>(array: &View<'_, E>) -> bool {
    let [_, channel, _, column] = array.strides();
    let size = size_of::<E>() as isize;
    channel == size && column != size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_of_small_interleaved_elements_own_two_blocks() {
        let tasks = |tasks: Result<Vec<Channels>>| -> Vec<_> {
            tasks.unwrap().iter().map(|task| (task.first, task.count)).collect()
        };
        assert_eq!(tasks(Channels::of_tasks::<f32>(72, true)), [(0, 32), (32, 32), (64, 8)]);
        assert_eq!(tasks(Channels::of_tasks::<f64>(40, true)), [(0, 16), (16, 16), (32, 8)]);
        assert_eq!(tasks(Channels::of_tasks::<f32>(20, false)), [(0, 16), (16, 4)]);
    }
}
