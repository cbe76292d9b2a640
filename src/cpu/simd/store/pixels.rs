//! Results whose channels are neighbours, gathered for an outbox: whole cache lines of each pixel, or of two.

use std::ops::Range;

use super::{Store, put_lanes};
use crate::cpu::blocks::around;
use crate::cpu::simd::{Isa, LANES, LINE};
use crate::element::Element;

/// Pixels that are put into an outbox at once.
const MOST_PIXELS: usize = 2048;

/// Where the channels of some pixels go that are neighbours.
pub struct Pixels {
    /// Channels of the group that are not the store's and come first.
    pub first: usize,
    /// Where the group's first channel goes.
    pub to: *mut u8,
    pub count: usize,
    /// Of all channels of a group, and of those up to the pixel's last one: behind it begins the next pixel.
    pub bytes: usize,
    pub bytes_to_turn: usize,
    /// Bytes from a pixel to the next.
    pub apart: isize,
}

impl<E: Element> Store<'_, E> {
    /// How the pixels of a group of channels lie, of which these are some, if each is one or two whole cache lines, those of
    /// a group that goes around shared with the next pixel, all are equally far apart, and they are to be streamed.
    #[inline(always)]
    pub fn pixels(&self, group: &Range<usize>) -> Option<Pixels> {
        let Self { target, bins, block, stream } = self;
        assert!(group.start <= block.start && block.end <= group.end);
        if !(*stream && target.has_dense_pixels()) || target.has_dense_maps() {
            return None;
        }
        let (size, all_channels) = (size_of::<E>(), target.all_channels);
        let (first, group_first) = (block.start - group.start, around(group.start, all_channels));
        let to = target.at(0, 0).wrapping_sub(target.first * size).wrapping_add(group_first * size);
        let [bytes, bytes_to_turn] =
            [group.len(), group.len().min(all_channels - group_first)].map(|count| count * size);
        let follow = bytes == bytes_to_turn || target.column_stride == (all_channels * size) as isize;
        let even = follow && target.row_stride == target.column_stride * target.width as isize;
        let in_lines = [to.addr(), bytes, target.column_stride.unsigned_abs()].iter().all(|n| n % LINE == 0);
        let whole_blocks = group.len().is_multiple_of(LANES) && first.is_multiple_of(LANES);
        let fits = bins.len() <= MOST_PIXELS && bytes <= 2 * LINE;
        (even && in_lines && whole_blocks && fits).then_some(Pixels {
            first,
            to,
            count: bins.len(),
            bytes,
            bytes_to_turn,
            apart: target.column_stride,
        })
    }

    /// Puts these channels of all pixels where those of the group will lie side by side as they do in memory. First comes a
    /// piece that has only the first pixel's channels from the turn on; the last piece has only those before it.
    ///
    /// # Safety
    /// There must be room for a piece more than there are pixels.
    #[inline(always)]
    pub unsafe fn put_pixels<I: Isa>(&self, to: *mut u8, pixels: &Pixels) {
        let (bins, size) = (self.bins, size_of::<E>());
        let to_turn = (pixels.bytes_to_turn / size).saturating_sub(pixels.first);
        let to = to.wrapping_add(pixels.first * size);
        // SAFETY: the caller's promise.
        unsafe {
            if to_turn >= LANES {
                for (i, bin) in bins.iter().enumerate() {
                    put_lanes::<I, E>(bin, to.add((i + 1) * pixels.bytes).cast());
                }
                return;
            }
            for i in 0..=bins.len() {
                let (before, behind) = (&bins[i.saturating_sub(1)], &bins[i.min(bins.len() - 1)]);
                let mut lanes = *behind;
                for (lane, (value, &before)) in lanes.0.iter_mut().zip(&before.0).enumerate() {
                    *value = if lane < to_turn { before } else { *value };
                }
                put_lanes::<I, E>(&lanes, to.add(i * pixels.bytes).cast());
            }
        }
    }
}
