//! How the channels of a call are cut: into groups of blocks of [`LANES`], one in most cases.
//!
//! Where the channels of a pixel are neighbours, a block of it is one cache line of many, and memory moves two lines
//! that lie side by side about as fast as one alone. Blocks then come in pairs: a task computes a box for the one, then
//! for the other, and reads and writes both at once.

use std::ops::Range;

use crate::cpu::simd::{LANES, LINE};
use crate::error::{Result, reserve};
use crate::view::{View, ViewMut};

/// Bytes that memory moves about as fast as half of them.
const PIECE: usize = 2 * LINE;

/// With four, too little of the second-level cache is left to each.
const MOST_BLOCKS: usize = 2;

/// Whether the channels of a pixel are neighbours, and its columns are not.
pub fn is_interleaved<E>(array: &View<'_, E>) -> bool {
    let [_, channel, _, column] = array.strides();
    let size = size_of::<E>() as isize;
    channel == size && column != size
}

/// The groups of two blocks, if elements are small enough and an array is interleaved, beginning where the output's cache
/// lines begin, if it is possible. The last group then goes [`around`].
pub fn groups_by_lines<E>(
    channels: usize,
    interleaved: bool,
    out: &ViewMut<'_, E>,
    stream: bool,
) -> Result<Vec<Range<usize>>> {
    let first = if stream { channels_before_line(out, channels) } else { 0 };
    groups_of::<E>(first..first + channels, interleaved)
}

/// The same, beginning with the first channel.
pub fn groups<E>(channels: usize, interleaved: bool) -> Result<Vec<Range<usize>>> {
    groups_of::<E>(0..channels, interleaved)
}

/// The blocks of a group.
#[inline(always)]
pub fn blocks(group: &Range<usize>) -> impl ExactSizeIterator<Item = Range<usize>> + use<> {
    let end = group.end;
    group.clone().step_by(LANES).map(move |first| first..end.min(first + LANES))
}

fn blocks_of_a_piece<E>() -> usize {
    (PIECE / (LANES * size_of::<E>())).clamp(1, MOST_BLOCKS)
}

fn groups_of<E>(channels: Range<usize>, interleaved: bool) -> Result<Vec<Range<usize>>> {
    let size = LANES * if interleaved { blocks_of_a_piece::<E>() } else { 1 };
    let Range { start, end } = channels;
    let mut groups = Vec::new();
    // An array that repeats a plane may have more channels than memory has bytes.
    reserve(&mut groups, (end - start).div_ceil(size), "groups of channels")?;
    groups.extend((start..end).step_by(size).map(|start| start..end.min(start + size)));
    Ok(groups)
}

/// Which channel comes so many behind channel 0: behind the last one, channel 0 again. Groups are counted on there, and so
/// are their blocks.
#[inline(always)]
pub fn around(channel: usize, channels: usize) -> usize {
    if channel < channels { channel } else { channel - channels }
}

/// Channels before the first one that begins where a cache line begins, for every pixel if they are interleaved.
fn channels_before_line<E>(out: &ViewMut<'_, E>, channels: usize) -> usize {
    let [_, channel_stride, _, column_stride] = out.strides();
    if is_interleaved(&out.written()) && !column_stride.unsigned_abs().is_multiple_of(LINE) {
        return 0;
    }
    let first = out.pointer([0; 4]);
    let begins_line = |&channel: &usize| {
        first.wrapping_offset(channel as isize * channel_stride).addr().is_multiple_of(LINE)
    };
    // A line has no more elements than bytes.
    (0..LINE.min(channels)).find(begins_line).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_interleaved_elements_come_in_pairs_of_blocks() {
        assert_eq!(groups::<f32>(72, true).unwrap(), [0..32, 32..64, 64..72]);
        assert_eq!(groups::<f64>(40, true).unwrap(), [0..16, 16..32, 32..40]);
        assert!(blocks(&(32..56)).eq([32..48, 48..56]));
    }

    #[test]
    fn groups_begin_where_lines_begin() {
        let mut data = vec![0f32; 2 * 64 + 32];
        let start = data.as_ptr().align_offset(64) + 12;
        let out = ViewMut::new(&mut data[start..start + 2 * 64], [1, 1, 2, 64]).unwrap().channels_last();
        assert_eq!(groups_by_lines(64, true, &out, true).unwrap(), [4..36, 36..68]);
        assert_eq!(groups_by_lines(64, true, &out, false).unwrap(), [0..32, 32..64]);
        let out = ViewMut::new(&mut data[start..start + 2 * 60], [2, 60, 1, 1]).unwrap();
        assert_eq!(groups_by_lines(60, false, &out, true).unwrap(), [4..20, 20..36, 36..52, 52..64]);
        let out = ViewMut::new(&mut data[start..start + 18], [1, 18, 1, 1]).unwrap();
        assert_eq!(groups_by_lines(18, false, &out, true).unwrap(), [4..20, 20..22]);
        let out = ViewMut::new(&mut data[start..start + 2 * 60], [1, 1, 2, 60]).unwrap().channels_last();
        assert_eq!(groups_by_lines(60, true, &out, true).unwrap(), [0..32, 32..60]);
    }
}
