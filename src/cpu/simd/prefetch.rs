//! Asks for gradients of bins before they are needed.
//!
//! Boxes come in the order of their rows on the map, so their gradients lie anywhere in memory, in runs too short for
//! the hardware to follow.

use std::ops::Range;

use crate::cpu::simd::{Isa, Kernel};
use crate::cpu::window::Source;

const LINE: usize = 64;

/// Runs of bytes, equally far from each other.
pub struct Prefetch {
    base: *const u8,
    runs: usize,
    stride: isize,
    bytes: usize,
}

impl Prefetch {
    /// Some rows of bins of a box, where either the bins or the channels are neighbours; otherwise nothing.
    pub fn new<E>(source: &Source<'_, E>, rows: &Range<usize>) -> Self {
        let [_, _, _, width] = source.features.shape();
        let [_, channel, row, column] = source.features.strides();
        let (size, channels, bins) = (size_of::<E>(), source.channels.len(), rows.len() * width);
        let dense = row == column * width as isize;
        let (runs, stride, bytes) = match (column.unsigned_abs() == size, channel.unsigned_abs() == size) {
            (true, _) if dense && channel == (bins * size) as isize => (1, 0, channels * bins * size),
            (true, _) if dense => (channels, channel, bins * size),
            (_, true) if dense => (bins, column, channels * size),
            _ => (0, 0, 0),
        };
        let base = if runs * bytes == 0 {
            std::ptr::null()
        } else {
            source.features.pointer([source.image, source.channels.start, rows.start, 0])
        };
        Self { base, runs, stride, bytes }
    }
}

impl Kernel for Prefetch {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        for run in 0..self.runs {
            let first = self.base.wrapping_offset(run as isize * self.stride);
            for at in (0..self.bytes).step_by(LINE) {
                I::prefetch(first.wrapping_add(at));
            }
        }
    }
}
