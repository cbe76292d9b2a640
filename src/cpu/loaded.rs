//! What a window has loaded, as kernels read it.

#![allow(unsafe_code, reason = "unchecked pixel reads, behind one check per load")]

use std::ops::Range;

use crate::cpu::simd::Lanes;

/// Taps that are summed in registers before they are added to a longer sum. As in pairwise summation, this keeps the rounding
/// error of a long sum small. Boxes that are taller than the window are read in as many rows at a time.
pub const TAPS_AT_ONCE: usize = 8;

/// Pixels that are ready to be read.
#[derive(Debug, Clone, Copy)]
pub struct Loaded<'w, T> {
    pub pixels: &'w [Lanes<T>],
    /// Where each row starts among the pixels.
    pub rows: &'w [u32],
    /// Pixels of a block of a row.
    pub width: usize,
    pub blocks: usize,
    /// The column that rows start with.
    pub origin: usize,
    pub first_column: usize,
    pub end_column: usize,
}

impl<'w, T> Loaded<'w, T> {
    /// One of the blocks: without this, the first one.
    #[inline(always)]
    pub fn block(self, block: usize) -> Self {
        assert!(block < self.blocks);
        Self { pixels: &self.pixels[block * self.width..], blocks: self.blocks - block, ..self }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether all these columns are ready in every row.
    pub fn covers(&self, columns: &Range<usize>) -> bool {
        self.first_column <= columns.start && columns.end <= self.end_column
    }

    /// One of the rows.
    #[inline(always)]
    pub fn row(&self, row: usize) -> Row<'w, T> {
        Row { pixels: &self.pixels[self.rows[row] as usize..], origin: self.origin }
    }
}

/// A row that is ready to be read.
#[derive(Debug, Clone, Copy)]
pub struct Row<'w, T> {
    pixels: &'w [Lanes<T>],
    origin: usize,
}

impl<'w, T> Row<'w, T> {
    /// A pixel.
    ///
    /// # Safety
    /// The column must be one that the window [covers](Loaded::covers).
    #[inline(always)]
    pub unsafe fn pixel(&self, column: u32) -> &'w Lanes<T> {
        // SAFETY: each block of a row has a whole width of pixels behind its start, and covered columns lie inside it.
        unsafe { self.pixels.get_unchecked(column as usize - self.origin) }
    }
}
