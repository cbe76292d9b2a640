//! Asks for gradients of bins before they are needed.
//!
//! Boxes come in the order of their rows on the map, so their gradients lie anywhere in memory, in runs too short for
//! the hardware to follow.

use std::ops::Range;
use std::ptr;

use crate::cpu::simd::{Isa, LINE};
use crate::cpu::source::Source;

/// Runs of bytes, equally far from each other.
pub struct Prefetch {
    bytes: usize,
    stride: isize,
    /// Where the next run begins, and how many are left.
    next: *const u8,
    left: usize,
    /// The line to go on with, and where its run ends.
    line: *const u8,
    end: *const u8,
}

impl Prefetch {
    /// Some rows of bins of a box, where either the bins or the channels are neighbours; otherwise nothing.
    pub fn new<E>(source: &Source<'_, E>, rows: &Range<usize>) -> Self {
        let [_, _, _, width] = source.features.shape();
        let [_, channel, row, column] = source.features.strides();
        let (size, channels, bins) = (size_of::<E>(), source.channels.count, rows.len() * width);
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
        let base = source.features.pointer([source.image, source.channels.first, rows.start, 0]);
        Self { bytes, stride, next: base, left: runs, line: base, end: base }
    }
}

impl Prefetch {
    /// Nothing to ask for.
    pub fn nothing() -> Self {
        Self { bytes: 0, stride: 0, next: ptr::null(), left: 0, line: ptr::null(), end: ptr::null() }
    }

    /// Lines in all, if all runs begin equally far from one.
    pub fn lines(&self) -> usize {
        self.left * (before_in_line(self.next) + self.bytes).div_ceil(LINE)
    }

    /// Asks for some more lines, if there are any. A few at a time: all at once would keep the loads in between waiting.
    #[inline(always)]
    pub fn ask<I: Isa>(&mut self, lines: usize) {
        for _ in 0..lines {
            if self.line >= self.end {
                if self.left == 0 {
                    return;
                }
                self.line = self.next.wrapping_sub(before_in_line(self.next));
                self.end = self.next.wrapping_add(self.bytes);
                self.next = self.next.wrapping_offset(self.stride);
                self.left -= 1;
            }
            I::prefetch(self.line);
            self.line = self.line.wrapping_add(LINE);
        }
    }
}

/// Bytes from where a line begins.
#[inline(always)]
pub fn before_in_line(at: *const u8) -> usize {
    at.addr() % LINE
}
