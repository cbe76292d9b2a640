//! Asks for gradients of bins before they are needed.
//!
//! Boxes come in the order of their rows on the map, so their gradients lie anywhere in memory, in runs too short for
//! the hardware to follow.

use std::ops::Range;

use crate::cpu::blocks::around;
use crate::cpu::simd::{Isa, LINE};
use crate::cpu::window::Source;

/// Runs of bytes, equally far from each other.
pub struct Prefetch {
    base: *const u8,
    runs: usize,
    stride: isize,
    bytes: usize,
    /// Where to go on.
    run: usize,
    at: usize,
}

impl Prefetch {
    /// Some rows of bins of a box, where either the bins or the channels are neighbours; otherwise nothing.
    pub fn new<E>(source: &Source<'_, E>, rows: &Range<usize>) -> Self {
        let [_, all_channels, _, width] = source.features.shape();
        let [_, channel, row, column] = source.features.strides();
        let (size, channels, bins) = (size_of::<E>(), source.channels.len(), rows.len() * width);
        let dense = row == column * width as isize;
        let (runs, stride, bytes) = match (column.unsigned_abs() == size, channel.unsigned_abs() == size) {
            (true, _) if dense && channel == (bins * size) as isize => (1, 0, channels * bins * size),
            (true, _) if dense => (channels, channel, bins * size),
            (_, true) if dense => (bins, column, channels * size),
            _ => (0, 0, 0),
        };
        if runs * bytes == 0 {
            return Self::nothing();
        }
        let first = around(source.channels.start, all_channels);
        let base = source.features.pointer([source.image, first, rows.start, 0]);
        Self { base, runs, stride, bytes, run: 0, at: 0 }
    }
}

impl Prefetch {
    /// Nothing to ask for.
    pub fn nothing() -> Self {
        Self { base: std::ptr::null(), runs: 0, stride: 0, bytes: 0, run: 0, at: 0 }
    }

    /// Lines in all, if all runs begin equally far from one.
    pub fn lines(&self) -> usize {
        self.runs * (before_in_line(self.base) + self.bytes).div_ceil(LINE)
    }

    /// Asks for some more lines, if there are any. A few at a time: all at once would keep the loads in between waiting.
    #[inline(always)]
    pub fn ask<I: Isa>(&mut self, lines: usize) {
        for _ in 0..lines {
            if self.run == self.runs {
                return;
            }
            let run = self.base.wrapping_offset(self.run as isize * self.stride);
            let before = before_in_line(run);
            I::prefetch(run.wrapping_sub(before).wrapping_add(self.at));
            self.at += LINE;
            if self.at >= before + self.bytes {
                (self.run, self.at) = (self.run + 1, 0);
            }
        }
    }
}

/// Bytes from where a line begins.
#[inline(always)]
pub fn before_in_line(at: *const u8) -> usize {
    at.addr() % LINE
}
