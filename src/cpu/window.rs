//! The window: a cache of packed rows of the map, `[row][block][column][16 channels]` in the compute type.
//!
//! Kernels read pixels from the window alone. It is filled on demand, and each row is packed at most a few times, because boxes
//! come in the order of their rows:
//!
//! * Row `y` has the slot `y % capacity`. It stays there until a row needs the slot that is `capacity` rows further.
//! * A row is divided into at most 64 tiles of columns. A bit for each tile says whether it is packed; only tiles that a box
//!   touches are.
//! * Rows that are complete are remembered as one range, `whole`: a box inside it needs no look at slots and tiles.
//! * A box that spans more rows than the window has is read in pieces of [`TAPS_AT_ONCE`] rows, and nothing of it stays.
//!
//! Packing is the only place that knows dtype, strides and layout of the map.

#![allow(unsafe_code, reason = "zeroed memory")]

use std::alloc::{Layout, alloc_zeroed};
use std::ops::Range;
use std::ptr::{self, NonNull};

use crate::cpu::loaded::{Loaded, TAPS_AT_ONCE};
use crate::cpu::simd::pack::Pack;
use crate::cpu::simd::{Isa, LANES, Lanes};
use crate::cpu::source::Source;
use crate::element::{Element, Real};
use crate::error::{Error, Result};
use crate::scratch::bytes_of;

/// A window never holds more than this, unless so few rows do not fit.
const MOST_BYTES: usize = 8 << 20;
/// Taller boxes are read in the row groups that the sum uses, so results do not depend on the split.
const ROWS_TOGETHER: usize = TAPS_AT_ONCE;
/// A sample lies between two.
const FEWEST_ROWS: usize = 2;

/// What there is no memory for, if a box is too wide.
pub const COLUMNS: &str = "columns of a map";

/// On a wider map the window is as wide as the widest box, and moves.
const WIDEST_MAP: usize = 1 << 14;

/// What a run of boxes needs.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Rows of the tallest box.
    pub rows: usize,
    /// Columns of the widest box.
    pub columns: usize,
    /// Whether boxes together need a good part of the map.
    pub dense: bool,
}

/// Pixels of a row that are packed together, at least; a row has at most 64 tiles. Memory is read fastest in long
/// runs: where boxes need a good part of a map, skipping the rest costs more than it saves.
const DENSE_TILE: usize = 512;
const SPARSE_TILE: usize = 8;

/// The memory of a window, kept by its thread from call to call.
#[derive(Debug)]
pub struct Window<T> {
    pixels: Box<[Lanes<T>]>,
    slots: Vec<Slot>,
    /// Where each of the loaded rows starts among the pixels.
    offsets: Vec<u32>,
    /// Rows of which everything is here: what lies between them need not be looked at slot by slot.
    whole: Range<u32>,
    /// Columns of a row, from the first one on.
    width: usize,
    /// Blocks of channels of a row.
    blocks: usize,
    first_column: usize,
    tile_shift: u32,
}

/// One row of the window.
#[derive(Debug, Clone, Copy)]
struct Slot {
    row: u32,
    tiles: u64,
}

const EMPTY: Slot = Slot { row: u32::MAX, tiles: 0 };

impl<T> Default for Window<T> {
    fn default() -> Self {
        Self {
            pixels: Box::default(),
            slots: Vec::new(),
            offsets: Vec::new(),
            whole: 0..0,
            width: 0,
            blocks: 1,
            first_column: 0,
            tile_shift: 0,
        }
    }
}

impl<T: Real> Window<T> {
    /// Empties the window and fits it to so many channels and a run of boxes on a map of this width, or says that there is
    /// no memory.
    pub fn reset(&mut self, width: usize, channels: usize, shape: Shape) -> Result<()> {
        self.width = if width <= WIDEST_MAP { width } else { shape.columns };
        self.blocks = channels.div_ceil(LANES);
        self.first_column = 0;
        let fitting =
            MOST_BYTES / (self.blocks * self.width * size_of::<Lanes<T>>()) / ROWS_TOGETHER * ROWS_TOGETHER;
        // Boxes come nearly in the order of their last rows: with a row more, one that is out of turn evicts nothing.
        let rows = (shape.rows + 1).min(fitting.max(ROWS_TOGETHER)).max(FEWEST_ROWS);
        let tile = if shape.dense { DENSE_TILE } else { SPARSE_TILE };
        self.tile_shift = self.width.div_ceil(64).max(tile).next_power_of_two().trailing_zeros();
        self.slots.clear();
        self.slots.resize(rows, EMPTY);
        self.whole = 0..0;
        let pixels = rows * self.blocks * self.width;
        if self.pixels.len() < pixels {
            self.pixels = zeroed(pixels).ok_or(Error::NoMemory { count: self.width, what: COLUMNS })?;
        }
        Ok(())
    }

    /// Bytes on the heap, used or not.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.pixels) + bytes_of(&self.slots) + bytes_of(&self.offsets)
    }

    /// Rows that can be loaded together, whichever they are.
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// Makes the pixels of `rows` x `columns` readable, in the order of `rows`.
    ///
    /// Either the rows span at most [`Self::capacity`] rows, or there are at most so many of them.
    #[inline(always)]
    pub fn load<I: Isa, E: Element<Compute = T>>(
        &mut self,
        source: &Source<'_, E>,
        rows: &[u32],
        columns: Range<usize>,
    ) -> Loaded<'_, T> {
        let [_, _, height, width] = source.features.shape();
        assert!(columns.start < columns.end && columns.end <= width && columns.len() <= self.width);
        if columns.start < self.first_column || columns.end > self.first_column + self.width {
            self.slots.fill(EMPTY);
            self.whole = 0..0;
            self.first_column = columns.start.min(width - self.width);
        }
        let capacity = self.slots.len();
        let (low, high) = rows.iter().fold((u32::MAX, 0), |(low, high), &y| (low.min(y), high.max(y)));
        assert!((high as usize) < height);
        let needed = self.tiles(&columns);
        self.offsets.clear();
        if ((high - low) as usize) < capacity {
            let (capacity, width) = (capacity as u32, (self.blocks * self.width) as u32);
            let base = low - low % capacity;
            if low < self.whole.start || high >= self.whole.end {
                if needed == self.tiles(&(self.first_column..self.first_column + self.width)) {
                    // Whole rows: those between the tapped ones are for boxes that come later.
                    for row in low..=high {
                        self.fill::<I, E>(source, slot(row, base, capacity) as usize, row, needed);
                    }
                    let start = if self.whole.contains(&low) { self.whole.start } else { low };
                    self.whole = start.max((high + 1).saturating_sub(capacity))..high + 1;
                } else {
                    for &row in rows {
                        self.fill::<I, E>(source, slot(row, base, capacity) as usize, row, needed);
                    }
                    // Higher rows took the slots of the lowest ones; lower rows took any.
                    let start = self.whole.start.max((high + 1).saturating_sub(capacity));
                    let kept = if low < self.whole.start { 0..0 } else { start..self.whole.end };
                    self.whole = if kept.is_empty() { 0..0 } else { kept };
                }
            }
            self.offsets.resize(rows.len(), 0);
            for (offset, &row) in self.offsets.iter_mut().zip(rows) {
                *offset = slot(row, base, capacity) * width;
            }
        } else {
            // Rows that span more than the window take its slots one after the other, and nothing of it stays.
            self.slots.fill(EMPTY);
            self.whole = 0..0;
            for (slot, &row) in rows.iter().enumerate() {
                self.fill::<I, E>(source, slot, row, needed);
                self.offsets.push((slot * self.blocks * self.width) as u32);
            }
        }
        Loaded {
            pixels: &self.pixels,
            rows: &self.offsets,
            width: self.width,
            blocks: self.blocks,
            origin: self.first_column,
            first_column: columns.start,
            end_column: columns.end,
        }
    }

    /// Packs what a slot lacks of the needed tiles of a row.
    #[inline(always)]
    fn fill<I: Isa, E: Element<Compute = T>>(
        &mut self,
        source: &Source<'_, E>,
        slot: usize,
        row: u32,
        needed: u64,
    ) {
        let held = self.slots[slot];
        let tiles = if held.row == row { held.tiles } else { 0 };
        let missing = needed & !tiles;
        if missing == 0 {
            return;
        }
        self.slots[slot] = Slot { row, tiles: tiles | needed };
        for run in self.runs(missing) {
            let pixels = &mut self.pixels[slot * self.blocks * self.width + run.start..];
            let columns = self.first_column + run.start..self.first_column + run.end;
            I::call(Pack::new(source, row as usize, columns, pixels, self.width));
        }
    }

    /// The tiles that columns lie in.
    fn tiles(&self, columns: &Range<usize>) -> u64 {
        let [first, last] =
            [columns.start, columns.end - 1].map(|at| (at - self.first_column) >> self.tile_shift);
        (u64::MAX >> (63 - (last - first))) << first
    }

    /// The columns of tiles, counted from the first column, neighbours together.
    fn runs(&self, mut tiles: u64) -> impl Iterator<Item = Range<usize>> + use<T> {
        let (shift, width) = (self.tile_shift, self.width);
        std::iter::from_fn(move || {
            let first = tiles.trailing_zeros();
            if first == 64 {
                return None;
            }
            let count = (!(tiles >> first)).trailing_zeros();
            tiles &= !((u64::MAX >> (64 - count)) << first);
            Some((first as usize) << shift..(((first + count) as usize) << shift).min(width))
        })
    }
}

/// `row % capacity` without a division. Needs `base <= row < base + 2 * capacity`, `base` a multiple of `capacity`.
#[inline(always)]
fn slot(row: u32, base: u32, capacity: u32) -> u32 {
    if row - base >= capacity { row - base - capacity } else { row - base }
}

/// Zeros that cost nothing until they are touched; none if there is no memory.
fn zeroed<T: Real>(count: usize) -> Option<Box<[Lanes<T>]>> {
    let layout = Layout::array::<Lanes<T>>(count).ok().filter(|layout| layout.size() > 0)?;
    // SAFETY: the layout is not empty and is that of the slice; zero bytes are a valid `Real`.
    unsafe {
        let memory = NonNull::new(alloc_zeroed(layout))?;
        Some(Box::from_raw(ptr::slice_from_raw_parts_mut(memory.as_ptr().cast(), count)))
    }
}
