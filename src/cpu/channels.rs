//! How the channels of a call are cut: into tasks, and the channels of a task into blocks of [`LANES`].
//!
//! A task owns one block, or two where the channels of a pixel are neighbours (NHWC). There a block of a pixel is one cache
//! line, and memory moves two lines that lie side by side about as fast as one: the task packs both blocks at once and
//! writes both at once.

use crate::cpu::simd::{LANES, LINE};
use crate::error::{Result, reserve};
use crate::view::{View, ViewMut};

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
    /// by side. `first` is the number of channels of the first task, or 0 if it is to be as large as the others.
    pub fn of_tasks<E>(channels: usize, interleaved: bool, first: usize) -> Result<Vec<Self>> {
        let blocks = if interleaved { BYTES_AT_ONCE / (LANES * size_of::<E>()) } else { 1 };
        let size = LANES * blocks.clamp(1, MOST_BLOCKS);
        let mut tasks = Vec::new();
        // An array that repeats a plane may have more channels than memory has bytes.
        reserve(&mut tasks, channels.div_ceil(size) + 1, "groups of channels")?;
        tasks.extend((first > 0).then_some(Self { first: 0, count: first }));
        let rest = (first..channels).step_by(size);
        tasks.extend(rest.map(|first| Self { first, count: size.min(channels - first) }));
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

/// How many channels come before the first one that begins where a cache line begins, if that is the same for all pixels.
///
/// If the first task has these channels, the tasks between it and the last one write whole lines. Otherwise each line would
/// be shared by two tasks.
pub fn channels_before_line<E>(out: &ViewMut<'_, E>) -> usize {
    let [_, channels, ..] = out.shape();
    let strides = out.strides().map(isize::unsigned_abs);
    let same_for_all = [0, 2, 3].iter().all(|&axis| strides[axis].is_multiple_of(LINE));
    let bytes = out.pointer([0; 4]).align_offset(LINE);
    let before = if bytes.is_multiple_of(size_of::<E>()) { bytes / size_of::<E>() } else { 0 };
    if is_interleaved(&out.written()) && same_for_all && before < channels { before } else { 0 }
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
        assert_eq!(tasks(Channels::of_tasks::<f32>(72, true, 0)), [(0, 32), (32, 32), (64, 8)]);
        assert_eq!(tasks(Channels::of_tasks::<f64>(40, true, 0)), [(0, 16), (16, 16), (32, 8)]);
        assert_eq!(tasks(Channels::of_tasks::<f32>(20, false, 0)), [(0, 16), (16, 4)]);
        assert_eq!(tasks(Channels::of_tasks::<f32>(64, true, 12)), [(0, 12), (12, 32), (44, 20)]);
    }

    #[test]
    fn tasks_begin_where_the_lines_of_all_pixels_begin() {
        let mut data = vec![0f32; 2 * 64 + 32];
        let start = data.as_ptr().align_offset(64) + 4;
        let out = ViewMut::new(&mut data[start..start + 2 * 64], [1, 1, 2, 64]).unwrap().channels_last();
        assert_eq!(channels_before_line(&out), 12);
        let out = ViewMut::new(&mut data[start..start + 2 * 60], [1, 1, 2, 60]).unwrap().channels_last();
        assert_eq!(channels_before_line(&out), 0);
        let out = ViewMut::new(&mut data[start..start + 2 * 64], [1, 64, 1, 2]).unwrap();
        assert_eq!(channels_before_line(&out), 0);
    }
}
