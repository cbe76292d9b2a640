//! How the channels of a call are cut: into groups of one or two blocks of [`LANES`].
//!
//! Where the channels of a pixel are neighbours, a block of it is one cache line of many, and memory moves two lines
//! that lie side by side about as fast as one alone. Blocks then come in pairs: a task computes a box for the one, then
//! for the other, and reads and writes both at once.

use std::ops::Range;

use crate::cpu::simd::{LANES, LINE};
use crate::view::{View, ViewMut};

/// Bytes that memory moves about as fast as half of them.
const PIECE: usize = 2 * LINE;

/// With four, too little of the second-level cache is left to each.
const MOST_BLOCKS: usize = 2;

/// With fewer interleaved blocks, one more costs more than half-written lines.
const FEWEST_BLOCKS_TO_ALIGN: usize = 4;

/// Whether the channels of a pixel are neighbours, and its columns are not.
pub fn is_interleaved<E>(array: &View<'_, E>) -> bool {
    let [_, channel, _, column] = array.strides();
    let size = size_of::<E>() as isize;
    channel == size && column != size
}

/// The groups, of two blocks if elements are small enough and an array is interleaved.
pub fn groups<E>(channels: usize, interleaved: bool) -> Vec<Range<usize>> {
    groups_from::<E>(0, channels, interleaved)
}

/// The same, beginning where the output's cache lines begin, if it is possible. The last block then goes on with channel 0,
/// its end counted from there on; interleaved channels have no neighbour behind the last one, and begin with a short group.
pub fn groups_by_lines<E>(
    channels: usize,
    interleaved: bool,
    out: &ViewMut<'_, E>,
    stream: bool,
) -> Vec<Range<usize>> {
    let first = if stream { channels_before_line(out, channels) } else { 0 };
    if !interleaved {
        let groups = groups_from::<E>(first, first + channels, interleaved).into_iter();
        return groups.map(|group| from_zero(group, channels)).collect();
    }
    let first = if channels < FEWEST_BLOCKS_TO_ALIGN * LANES { 0 } else { first };
    let mut groups = groups_from::<E>(first, channels, interleaved);
    if first > 0 {
        groups.insert(0, 0..first);
    }
    groups
}

/// The blocks of a group.
#[inline(always)]
pub fn blocks(group: &Range<usize>) -> impl ExactSizeIterator<Item = Range<usize>> + use<> {
    let end = group.end;
    group.clone().step_by(LANES).map(move |first| first..end.min(first + LANES))
}

fn groups_from<E>(first: usize, end: usize, interleaved: bool) -> Vec<Range<usize>> {
    let blocks = if interleaved { PIECE / (LANES * size_of::<E>()) } else { 1 };
    let most = LANES * blocks.clamp(1, MOST_BLOCKS);
    (first..end).step_by(most).map(|start| start..end.min(start + most)).collect()
}

/// Which channel comes so many behind channel 0: behind the last one, channel 0 again.
#[inline(always)]
pub fn around(channel: usize, channels: usize) -> usize {
    if channel < channels { channel } else { channel - channels }
}

/// The same group, counted from channel 0 if it lies behind the last one.
fn from_zero(Range { start, end }: Range<usize>, channels: usize) -> Range<usize> {
    let first = around(start, channels);
    first..first + (end - start)
}

/// Channels before the first one that begins where a cache line begins, if they are less than a block.
fn channels_before_line<E>(out: &ViewMut<'_, E>, channels: usize) -> usize {
    let [_, channel_stride, ..] = out.strides();
    let first = out.pointer([0; 4]);
    let begins_line = |&channel: &usize| {
        first.wrapping_offset(channel as isize * channel_stride).addr().is_multiple_of(LINE)
    };
    (0..LANES.min(channels)).find(begins_line).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_interleaved_elements_come_in_pairs_of_blocks() {
        assert_eq!(groups::<f32>(72, true), [0..32, 32..64, 64..72]);
        assert_eq!(groups::<f32>(40, false), [0..16, 16..32, 32..40]);
        assert_eq!(groups::<f64>(40, true), [0..16, 16..32, 32..40]);
        assert!(blocks(&(32..56)).eq([32..48, 48..56]));
    }

    #[test]
    fn groups_begin_where_lines_begin() {
        let mut data = vec![0f32; 2 * 64 + 32];
        let start = data.as_ptr().align_offset(64) + 12;
        let out = ViewMut::new(&mut data[start..start + 2 * 64], [1, 1, 2, 64]).unwrap().channels_last();
        assert_eq!(groups_by_lines(64, true, &out, true), [0..4, 4..36, 36..64]);
        assert_eq!(groups_by_lines(64, true, &out, false), [0..32, 32..64]);
        let out = ViewMut::new(&mut data[start..start + 2 * 60], [2, 60, 1, 1]).unwrap();
        assert_eq!(groups_by_lines(60, false, &out, true), [4..20, 20..36, 36..52, 52..64]);
        let out = ViewMut::new(&mut data[start..start + 18], [1, 18, 1, 1]).unwrap();
        assert_eq!(groups_by_lines(18, false, &out, true), [4..20, 2..4]);
    }
}
