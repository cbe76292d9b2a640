//! The packed row window: the part of the map that the current boxes read, as `[row][column][16 channels]`.
//!
//! Rows are packed when a box first needs them, only the touched tiles of each, and stay until their slot is
//! taken by a later row: boxes that come in the order of their rows find most of what they need. Each pixel is
//! read once, converted once and transposed once, whatever its dtype, strides and layout; nothing behind the
//! window knows of them.

#![allow(unsafe_code, reason = "unchecked pixel reads, behind one check per load")]

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::ops::Range;

use crate::cpu::simd::pack::Pack;
use crate::cpu::simd::{Lanes, Level};
use crate::element::{Element, Real};
use crate::view::View;

/// A window never holds more than this, unless so few rows do not fit.
const MOST_BYTES: usize = 8 << 20;
const FEWEST_ROWS: usize = 2;

/// Pixels of a row that are packed together, at least; a row has at most 64 tiles.
const SMALLEST_TILE: usize = 16;

/// The memory of a window, kept by its thread from call to call.
#[derive(Debug)]
pub struct Window<T> {
    pixels: Vec<Lanes<T>>,
    slots: Vec<Slot>,
    rows: Vec<usize>,
    width: usize,
    tile_shift: u32,
}

/// One row of the window.
#[derive(Debug, Clone, Copy)]
struct Slot {
    row: usize,
    tiles: u64,
}

const EMPTY: Slot = Slot { row: usize::MAX, tiles: 0 };

/// Where a window is packed from: up to 16 channels of one image.
#[derive(Debug)]
pub struct Source<'a, E> {
    /// The features.
    pub features: &'a View<'a, E>,
    /// The image.
    pub image: usize,
    /// The channels.
    pub channels: Range<usize>,
}

impl<T> Default for Window<T> {
    fn default() -> Self {
        Self { pixels: Vec::new(), slots: Vec::new(), rows: Vec::new(), width: 0, tile_shift: 0 }
    }
}

impl<T: Real> Window<T> {
    /// Empties the window and fits it to a map of this width whose boxes are at most `rows` high.
    pub fn reset(&mut self, width: usize, rows: usize) {
        let row_bytes = width * size_of::<Lanes<T>>();
        let rows = rows.min(MOST_BYTES / row_bytes).max(FEWEST_ROWS);
        self.width = width;
        self.tile_shift = width.div_ceil(64).max(SMALLEST_TILE).next_power_of_two().trailing_zeros();
        self.slots.clear();
        self.slots.resize(rows, EMPTY);
        if self.pixels.len() < rows * width {
            self.pixels = zeroed(rows * width);
        }
    }

    /// Rows that can be loaded together, whichever they are.
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// Makes the pixels of `rows` x `columns` readable, in the order of `rows`.
    ///
    /// Either the rows span at most [`Self::capacity`] rows, or there are at most so many of them.
    pub fn load<E: Element<Compute = T>>(
        &mut self,
        level: Level,
        source: &Source<'_, E>,
        rows: impl Iterator<Item = usize> + Clone,
        columns: Range<usize>,
    ) -> Loaded<'_, T> {
        let [_, _, height, width] = source.features.shape();
        assert!(width == self.width && columns.end <= width && columns.start < columns.end);
        self.rows.clear();
        let capacity = self.slots.len();
        let (low, high) = rows.clone().fold((usize::MAX, 0), |(low, high), y| (low.min(y), high.max(y)));
        assert!(high < height);
        // Rows that span more than the window take its slots one after the other, and nothing of it stays.
        let spread = high - low >= capacity;
        if spread {
            self.slots.fill(EMPTY);
        }
        let base = low - low % capacity;
        for (i, row) in rows.enumerate() {
            let slot = match row - base {
                _ if spread => i,
                ahead if ahead >= capacity => ahead - capacity,
                within => within,
            };
            self.fill(level, source, slot, row, columns.clone());
            self.rows.push(slot * self.width);
        }
        Loaded { pixels: &self.pixels, rows: &self.rows, first_column: columns.start, end_column: columns.end }
    }

    /// Packs what a slot lacks of a row.
    #[inline]
    fn fill<E: Element<Compute = T>>(
        &mut self,
        level: Level,
        source: &Source<'_, E>,
        slot: usize,
        row: usize,
        columns: Range<usize>,
    ) {
        let held = &mut self.slots[slot];
        if held.row != row {
            *held = Slot { row, tiles: 0 };
        }
        let (first, last) = (columns.start >> self.tile_shift, (columns.end - 1) >> self.tile_shift);
        let needed = (u64::MAX >> (63 - (last - first))) << first;
        let mut missing = needed & !held.tiles;
        held.tiles |= needed;
        while missing != 0 {
            let first = missing.trailing_zeros();
            let tiles = (!(missing >> first)).trailing_zeros();
            missing &= !((u64::MAX >> (64 - tiles)) << first);
            let from = (first as usize) << self.tile_shift;
            let to = ((first + tiles) as usize) << self.tile_shift;
            let run = from..to.min(self.width);
            let at = slot * self.width;
            let pixels = &mut self.pixels[at + run.start..at + run.end];
            level.run(Pack::new(source, row, run.start, pixels));
        }
    }
}

/// Pixels that are ready to be read.
#[derive(Debug, Clone, Copy)]
pub struct Loaded<'w, T> {
    pixels: &'w [Lanes<T>],
    /// Where each row starts among the pixels.
    rows: &'w [usize],
    first_column: usize,
    end_column: usize,
}

impl<'w, T> Loaded<'w, T> {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether all these columns are ready in every row.
    pub fn covers(&self, columns: &Range<usize>) -> bool {
        self.first_column <= columns.start && columns.end <= self.end_column
    }

    /// A pixel.
    ///
    /// # Safety
    /// `row` must be below [`Self::len`], and the column one that the window [covers](Self::covers).
    #[inline(always)]
    pub unsafe fn pixel(&self, row: usize, column: u32) -> &'w Lanes<T> {
        debug_assert!(row < self.rows.len());
        debug_assert!((self.first_column..self.end_column).contains(&(column as usize)));
        // SAFETY: the caller keeps the row in bounds; each row has a whole width of pixels behind its start.
        unsafe { self.pixels.get_unchecked(self.rows.get_unchecked(row) + column as usize) }
    }
}

/// Zeros that cost nothing until they are touched.
fn zeroed<T: Real>(count: usize) -> Vec<Lanes<T>> {
    let layout = Layout::array::<Lanes<T>>(count).expect("a window is far smaller than the address space");
    if layout.size() == 0 {
        return Vec::new();
    }
    // SAFETY: the layout is not empty, belongs to a vector of this length, and zero bytes are a valid `Real`.
    unsafe {
        let memory = alloc_zeroed(layout).cast::<Lanes<T>>();
        if memory.is_null() {
            handle_alloc_error(layout);
        }
        Vec::from_raw_parts(memory, count, count)
    }
}
