//! Down the columns.

use std::ops::Range;

use super::{Maxima, NONE, offer_with_argmax};
use crate::cpu::loaded::Loaded;
use crate::cpu::simd::queue::Queue;
use crate::cpu::simd::sum::Columns;
use crate::cpu::simd::{Isa, Kernel, Lanes};
use crate::element::Real;

/// Rows that are visited together.
const ROWS_AT_ONCE: usize = 4;

/// For some rows of bins: the largest pixel of each column, or the largest weighted one.
pub struct MaxRows<'a, 'o, T> {
    /// The rows of the bins, one after the other.
    pub window: Loaded<'a, T>,
    /// One for each row; none for windows, where NaN never wins. A row without weight is 0, whatever its pixels hold.
    pub weights: Option<&'a [T]>,
    /// Where the rows of each bin start, counted from anywhere, and where those of the last one end.
    pub offsets: &'a [usize],
    /// Number of the first row of a bin.
    pub first: usize,
    /// What is read of a row; it lies in `support`.
    pub columns: Columns<'a>,
    /// The columns that the window covers.
    pub support: Range<usize>,
    /// Each bin's columns; their argmax counts rows.
    pub best: Maxima<'a, T>,
    /// Finished lines, of which some are written after each row of bins.
    pub queue: &'a mut Queue<'o>,
}

impl<T: Real> Kernel for MaxRows<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        assert!(self.window.covers(&self.support));
        match self.columns.clone() {
            // SAFETY: the columns of a box lie in its support.
            Columns::All(columns) => unsafe { self.each::<I, _>(&columns) },
            // SAFETY: as above.
            Columns::Tapped(columns) => unsafe { self.each::<I, _>(&columns.iter().copied()) },
        }
    }
}

impl<T: Real> MaxRows<'_, '_, T> {
    /// # Safety
    /// The window must cover the columns.
    #[inline(always)]
    unsafe fn each<I: Isa, C: ExactSizeIterator<Item = u32> + Clone>(mut self, columns: &C) {
        // Where nothing is larger than the start, a weighted maximum is from the first row, and one of pixels from nowhere.
        let (start, number) =
            self.weights.map_or((T::LOWEST_F32, NONE), |_| (T::NEG_INFINITY, self.first as u32));
        for (bin, offsets) in self.offsets.windows(2).enumerate() {
            self.queue.step::<I>();
            let (first, end) = (offsets[0] - self.offsets[0], offsets[1] - self.offsets[0]);
            let at = bin * columns.len();
            self.best.values[at..at + columns.len()].fill(Lanes::splat(start));
            if let Some(argmax) = self.best.argmax.as_deref_mut() {
                argmax[at..at + columns.len()].fill(Lanes::splat(number));
            }
            let mut row = first;
            while row < end {
                let count = self.rows_together(row, end);
                let number = (self.first + row - first) as u32;
                // SAFETY: the caller's promise.
                unsafe {
                    match count {
                        0 => self.nought::<I>(at, columns.len(), number),
                        1 => self.rows::<I, C, 1>(row, at, number, columns),
                        2 => self.rows::<I, C, 2>(row, at, number, columns),
                        3 => self.rows::<I, C, 3>(row, at, number, columns),
                        _ => self.rows::<I, C, ROWS_AT_ONCE>(row, at, number, columns),
                    }
                }
                row += count.max(1);
            }
        }
    }

    /// How many of the next rows have weight, up to [`ROWS_AT_ONCE`].
    #[inline(always)]
    fn rows_together(&self, row: usize, end: usize) -> usize {
        let most = ROWS_AT_ONCE.min(end - row);
        let Some(weights) = self.weights else { return most };
        let mut count = 0;
        while count < most && weights[row + count] != T::ZERO {
            count += 1;
        }
        count
    }

    /// A row without weight.
    #[inline(always)]
    fn nought<I: Isa>(&mut self, at: usize, columns: usize, number: u32) {
        for at in at..at + columns {
            let (zero, best) = (Lanes::splat(T::ZERO), &mut self.best.values[at]);
            match self.best.argmax.as_deref_mut() {
                Some(argmax) => {
                    offer_with_argmax::<T, true, false>(best, &mut argmax[at], &zero, &Lanes::splat(number));
                }
                None => *best = I::max_or_nan(*best, &zero),
            }
        }
    }

    /// # Safety
    /// The window must cover the columns.
    #[inline(always)]
    unsafe fn rows<I: Isa, C: ExactSizeIterator<Item = u32> + Clone, const Y: usize>(
        &mut self,
        first: usize,
        at: usize,
        number: u32,
        columns: &C,
    ) {
        let mut rows = [self.window.row(first); Y];
        for (j, row) in rows.iter_mut().enumerate() {
            *row = self.window.row(first + j);
        }
        let values = &mut self.best.values[at..at + columns.len()];
        // SAFETY: the caller's promise.
        unsafe {
            match (self.weights, self.best.argmax.as_deref_mut()) {
                (Some(weights), None) => {
                    let mut kept = [T::ZERO; Y];
                    kept.copy_from_slice(&weights[first..first + Y]);
                    for (column, best) in columns.clone().zip(values) {
                        let mut largest = *best;
                        for (row, weight) in rows.iter().zip(kept) {
                            largest = I::max_or_nan(largest, &I::scale(weight, row.pixel(column)));
                        }
                        *best = largest;
                    }
                }
                (None, None) => {
                    for (column, best) in columns.clone().zip(values) {
                        let mut largest = *best;
                        for row in &rows {
                            largest = I::max(largest, row.pixel(column));
                        }
                        *best = largest;
                    }
                }
                (weights, Some(argmax)) => {
                    let argmax = &mut argmax[at..at + columns.len()];
                    for ((column, best), best_number) in columns.clone().zip(values).zip(argmax) {
                        let (mut largest, mut largest_number) = (*best, *best_number);
                        for (j, row) in rows.iter().enumerate() {
                            let number = Lanes::splat(number + j as u32);
                            let (largest, from) = (&mut largest, &mut largest_number);
                            match weights {
                                Some(weights) => {
                                    let value = I::scale(weights[first + j], row.pixel(column));
                                    offer_with_argmax::<T, true, false>(largest, from, &value, &number);
                                }
                                None => {
                                    offer_with_argmax::<T, false, false>(
                                        largest,
                                        from,
                                        row.pixel(column),
                                        &number,
                                    );
                                }
                            }
                        }
                        (*best, *best_number) = (largest, largest_number);
                    }
                }
            }
        }
    }
}
