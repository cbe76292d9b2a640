//! Along the rows.

use std::ops::Range;

use super::{Maxima, NONE, offer_with_argmax};
use crate::cpu::simd::sum::Columns;
use crate::cpu::simd::{Isa, Kernel, Lanes};
use crate::element::Real;
use crate::taps::{AxisTaps, Reduce};

/// Makes rows of bins from what was made of their columns.
pub struct MaxColumns<'a, T> {
    pub reduce: Reduce,
    /// Which columns there are.
    pub columns: Columns<'a>,
    /// Sums, one row of columns for each sample on y; else maxima, one row of columns for each row of bins.
    pub values: &'a [Lanes<T>],
    /// For maxima: the row of the bin that each is from.
    pub rows: &'a [Lanes<u32>],
    /// Where the entries on y of each row of bins start, counted from anywhere, and where those of the last one end.
    pub offsets: &'a [usize],
    /// Number of the first sample on y of a bin.
    pub first: usize,
    /// What the argmax of a window grows by from row to row.
    pub map_width: usize,
    /// The entries on x.
    pub x: AxisTaps<'a, T>,
    /// The bins so far.
    pub best: Maxima<'a, T>,
}

/// Samples on x that are visited together.
const SAMPLES_AT_ONCE: usize = 4;

/// Some candidates of a bin, in a line of columns.
trait Candidates<T> {
    fn count(&self) -> usize;
    fn value<I: Isa>(&self, at: usize, line: &[Lanes<T>]) -> Lanes<T>;
    /// Which row of the bin it is from: a sample's is known, a maximum's stands beside its column.
    fn rows(&self, at: usize, sample: u32, rows: &[Lanes<u32>]) -> Lanes<u32>;
    /// Counted from the first of them.
    fn number(&self, at: usize) -> u32 {
        at as u32
    }
}

/// `X` samples: two columns each, and their weights.
struct Samples<T, const X: usize> {
    columns: [[usize; 2]; X],
    weights: [[T; 2]; X],
}

/// Interpolated.
impl<T: Real, const X: usize> Candidates<T> for Samples<T, X> {
    #[inline(always)]
    fn count(&self) -> usize {
        X
    }

    #[inline(always)]
    fn value<I: Isa>(&self, at: usize, line: &[Lanes<T>]) -> Lanes<T> {
        let ([left, right], weights) = (self.columns[at], self.weights[at]);
        I::mul_add(weights[1], &line[right], I::scale(weights[0], &line[left]))
    }

    #[inline(always)]
    fn rows(&self, _at: usize, sample: u32, _rows: &[Lanes<u32>]) -> Lanes<u32> {
        Lanes::splat(sample)
    }
}

/// Their weighted columns. One without weight is 0, whatever it holds.
struct Corners<T, const X: usize>(Samples<T, X>);

impl<T: Real, const X: usize> Candidates<T> for Corners<T, X> {
    #[inline(always)]
    fn count(&self) -> usize {
        2 * X
    }

    #[inline(always)]
    fn value<I: Isa>(&self, at: usize, line: &[Lanes<T>]) -> Lanes<T> {
        let (column, weight) = (self.0.columns[at / 2][at % 2], self.0.weights[at / 2][at % 2]);
        if weight == T::ZERO { Lanes::splat(T::ZERO) } else { I::scale(weight, &line[column]) }
    }

    #[inline(always)]
    fn rows(&self, at: usize, _sample: u32, rows: &[Lanes<u32>]) -> Lanes<u32> {
        let (column, weight) = (self.0.columns[at / 2][at % 2], self.0.weights[at / 2][at % 2]);
        if weight == T::ZERO { Lanes::splat(0) } else { rows[column] }
    }

    #[inline(always)]
    fn number(&self, at: usize) -> u32 {
        4 * (at as u32 / 2) + at as u32 % 2
    }
}

/// Columns as they are.
struct Window(Range<usize>);

impl<T: Real> Candidates<T> for Window {
    #[inline(always)]
    fn count(&self) -> usize {
        self.0.len()
    }

    #[inline(always)]
    fn value<I: Isa>(&self, at: usize, line: &[Lanes<T>]) -> Lanes<T> {
        line[self.0.start + at]
    }

    #[inline(always)]
    fn rows(&self, at: usize, _sample: u32, rows: &[Lanes<u32>]) -> Lanes<u32> {
        rows[self.0.start + at]
    }
}

impl<T: Real> Kernel for MaxColumns<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        match self.best.argmax {
            None => self.each::<I, false>(),
            Some(_) => self.each::<I, true>(),
        }
    }
}

impl<T: Real> MaxColumns<'_, T> {
    #[inline(always)]
    fn each<I: Isa, const ARGMAX: bool>(mut self) {
        let mut tap = 0;
        for bin in self.x.nonempty_bins() {
            let pixels = self.x.indices(bin..bin + 1);
            if self.reduce == Reduce::MaxWindow {
                if let &[first, last] = pixels {
                    let columns = self.columns.place(first, tap)..self.columns.place(last, tap + 1) + 1;
                    self.bin::<I, ARGMAX, false>(bin, 0, self.map_width as u32, &Window(columns));
                }
            } else {
                let count = pixels.len() / 2;
                for first in (0..count).step_by(SAMPLES_AT_ONCE) {
                    match count - first {
                        1 => self.samples::<I, ARGMAX, 1>(bin, first, tap),
                        2 => self.samples::<I, ARGMAX, 2>(bin, first, tap),
                        3 => self.samples::<I, ARGMAX, 3>(bin, first, tap),
                        _ => self.samples::<I, ARGMAX, SAMPLES_AT_ONCE>(bin, first, tap),
                    }
                }
            }
            tap += pixels.len();
        }
    }

    /// `X` samples of a bin, from its sample `first` on; `tap` entries are before those of the bin.
    #[inline(always)]
    fn samples<I: Isa, const ARGMAX: bool, const X: usize>(&mut self, bin: usize, first: usize, tap: usize) {
        let (pixels, _) = self.x.indices(bin..bin + 1).as_chunks::<2>();
        let (all_weights, _) = self.x.values(bin..bin + 1).as_chunks::<2>();
        let (mut columns, mut weights) = ([[0; 2]; X], [[T::ZERO; 2]; X]);
        for at in 0..X {
            weights[at] = all_weights[first + at];
            for side in 0..2 {
                columns[at][side] =
                    self.columns.place(pixels[first + at][side], tap + 2 * (first + at) + side);
                assert!(columns[at][side] < self.columns.len());
            }
        }
        let (count, samples) = (pixels.len() as u32, Samples { columns, weights });
        if self.reduce == Reduce::MaxCorner {
            self.bin::<I, ARGMAX, true>(bin, 4 * first as u32, count, &Corners(samples));
        } else {
            self.bin::<I, ARGMAX, true>(bin, first as u32, count, &samples);
        }
    }

    /// Offers some candidates on x to one bin of each row of bins. `first` is the index of the first of them in its row, and a
    /// row has `count` indices.
    #[inline(always)]
    fn bin<I: Isa, const ARGMAX: bool, const NAN_WINS: bool>(
        &mut self,
        bin: usize,
        first: u32,
        count: u32,
        candidates: &impl Candidates<T>,
    ) {
        let (width, columns) = (self.x.bins(), self.columns.len());
        let (mut values, mut rows) = (self.values, self.rows);
        for (row, offsets) in self.offsets.windows(2).enumerate() {
            let at = row * width + bin;
            let mut best = self.best.values[at];
            let lines = if self.reduce == Reduce::MaxSample { (offsets[1] - offsets[0]) / 2 } else { 1 };
            for sample in 0..lines {
                let line;
                (line, values) = values.split_at(columns);
                let Some(argmax) = self.best.argmax.as_deref_mut().filter(|_| ARGMAX) else {
                    for i in 0..candidates.count() {
                        let value = candidates.value::<I>(i, line);
                        best = if NAN_WINS { I::max_or_nan(best, &value) } else { I::max(best, &value) };
                    }
                    continue;
                };
                let line_rows;
                (line_rows, rows) = rows.split_at(columns);
                for i in 0..candidates.count() {
                    let rows = candidates.rows(i, (self.first + sample) as u32, line_rows);
                    let from = numbered(self.reduce, &rows, count, first + candidates.number(i));
                    let value = candidates.value::<I>(i, line);
                    offer_with_argmax::<T, NAN_WINS, true>(&mut best, &mut argmax[at], &value, &from);
                }
            }
            self.best.values[at] = best;
        }
    }
}

/// Numbers of candidates in the whole bin, row by row, from those of their rows and of their column. A row of corners is
/// one of two of a sample.
#[inline(always)]
fn numbered(reduce: Reduce, rows: &Lanes<u32>, count: u32, column: u32) -> Lanes<u32> {
    let mut argmax = Lanes::splat(NONE);
    for (number, &row) in argmax.0.iter_mut().zip(&rows.0) {
        let before = if reduce == Reduce::MaxCorner {
            (row / 2).wrapping_mul(4 * count) + 2 * (row % 2)
        } else {
            row.wrapping_mul(count)
        };
        *number = if row == NONE { NONE } else { before.wrapping_add(column) };
    }
    argmax
}
