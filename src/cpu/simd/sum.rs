//! Weighted sums of window pixels.

use std::ops::Range;

use crate::cpu::simd::{Isa, Kernel, Lanes};
use crate::cpu::window::Loaded;
use crate::element::Real;
use crate::taps::AxisTaps;

#[inline(always)]
pub(super) fn accumulate<I: Isa, T: Real>(sum: &mut Lanes<T>, weight: T, pixel: &Lanes<T>) {
    for (sum, &value) in sum.0.iter_mut().zip(&pixel.0) {
        *sum = I::mul_add(weight, value, *sum);
    }
}

/// The first product begins the sum: added to 0, a negative zero would lose its sign.
#[inline(always)]
pub(super) fn begin_or_add<I: Isa, T: Real>(first: bool, sum: &mut Lanes<T>, weight: T, pixel: &Lanes<T>) {
    if first {
        for (sum, &value) in sum.0.iter_mut().zip(&pixel.0) {
            *sum = weight * value;
        }
    } else {
        accumulate::<I, T>(sum, weight, pixel);
    }
}

#[inline(always)]
fn add<T: Real>(sum: &mut Lanes<T>, value: &Lanes<T>) {
    for (sum, &value) in sum.0.iter_mut().zip(&value.0) {
        *sum += value;
    }
}

/// The bins of a box whose taps are so few that the loops over them are unrolled.
pub struct SumUnrolled<'a, T> {
    /// The rows of the bins' y taps, in their order.
    pub window: Loaded<'a, T>,
    /// The bins' taps on y.
    pub y: AxisTaps<'a, T>,
    /// Their range, all live.
    pub y_bins: Range<usize>,
    /// The taps on x.
    pub x: AxisTaps<'a, T>,
    /// All bins of these rows.
    pub out: &'a mut [Lanes<T>],
}

impl<T: Real> Kernel for SumUnrolled<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        macro_rules! unrolled {
            ($($y:literal $x:literal),*) => {
                match (self.y.uniform(), self.x.uniform()) {
                    $(($y, $x) => self.bins::<I, $y, $x>(),)*
                    (y, x) => unreachable!("{y} x {x} taps are not unrolled"),
                }
            };
        }
        unrolled!(1 1, 1 2, 1 3, 1 4, 2 1, 2 2, 2 3, 2 4, 3 1, 3 2, 3 3, 3 4, 4 1, 4 2, 4 3, 4 4);
    }
}

impl<T: Real> SumUnrolled<'_, T> {
    #[inline(always)]
    fn bins<I: Isa, const Y: usize, const X: usize>(self) {
        let x_bins = self.x.live();
        let (columns, _) = self.x.pixels(x_bins.clone()).as_chunks::<X>();
        let (x_weights, _) = self.x.weights(x_bins.clone()).as_chunks::<X>();
        let (y_weights, _) = self.y.weights(self.y_bins.clone()).as_chunks::<Y>();
        assert!(self.window.covers(&self.x.hull()) && self.window.len() >= Y * y_weights.len());
        let rows = self.out.chunks_exact_mut(self.x.bins());
        for (p, (y_weights, out)) in y_weights.iter().zip(rows).enumerate() {
            let out = out[x_bins.clone()].iter_mut();
            let mut window = [self.window.row(p * Y); Y];
            for (j, row) in window.iter_mut().enumerate() {
                *row = self.window.row(p * Y + j);
            }
            for ((columns, x_weights), out) in columns.iter().zip(x_weights).zip(out) {
                let mut sum = Lanes::splat(T::ZERO);
                for (i, (&column, &x_weight)) in columns.iter().zip(x_weights).enumerate() {
                    let mut vertical = Lanes::splat(T::ZERO);
                    for (j, (row, &y_weight)) in window.iter().zip(y_weights).enumerate() {
                        // SAFETY: checked above; every pixel of an axis lies in its hull.
                        let pixel = unsafe { row.pixel(column) };
                        begin_or_add::<I, T>(j == 0, &mut vertical, y_weight, pixel);
                    }
                    begin_or_add::<I, T>(i == 0, &mut sum, x_weight, &vertical);
                }
                *out = sum;
            }
        }
    }
}

/// Rows that are summed in registers before they go to the columns: this also keeps the rounding error of a
/// long sum down, as pairwise summation does.
const ROWS_IN_REGISTERS: usize = 8;

/// Adds weighted rows to a row of columns.
pub struct SumRows<'a, T> {
    /// The rows.
    pub window: Loaded<'a, T>,
    /// One for each row.
    pub weights: &'a [T],
    /// Whether they are the first ones: then what the columns hold is forgotten.
    pub fresh: bool,
    /// The columns to add up.
    pub hull: Range<usize>,
    /// One for each column.
    pub columns: &'a mut [Lanes<T>],
}

impl<T: Real> Kernel for SumRows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        assert!(self.window.covers(&self.hull) && self.window.len() == self.weights.len());
        for first in (0..self.weights.len()).step_by(ROWS_IN_REGISTERS) {
            let count = ROWS_IN_REGISTERS.min(self.weights.len() - first);
            let weights = &self.weights[first..first + count];
            let mut window = [self.window.row(first); ROWS_IN_REGISTERS];
            for (j, row) in window[..count].iter_mut().enumerate() {
                *row = self.window.row(first + j);
            }
            for (column, sum) in self.hull.clone().zip(self.columns.iter_mut()) {
                let mut vertical = Lanes::splat(T::ZERO);
                for (row, &weight) in window.iter().zip(weights) {
                    // SAFETY: checked above.
                    let pixel = unsafe { row.pixel(column as u32) };
                    accumulate::<I, T>(&mut vertical, weight, pixel);
                }
                if self.fresh && first == 0 {
                    *sum = vertical;
                } else {
                    add(sum, &vertical);
                }
            }
        }
    }
}

/// Makes a row of bins from a row of columns.
pub struct SumColumns<'a, T> {
    /// One for each column of the hull of `x`.
    pub columns: &'a [Lanes<T>],
    /// The taps on x.
    pub x: AxisTaps<'a, T>,
    /// All bins of the row.
    pub out: &'a mut [Lanes<T>],
}

impl<T: Real> Kernel for SumColumns<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let first = self.x.hull().start;
        for (bin, out) in self.out.iter_mut().enumerate() {
            let mut sum = Lanes::splat(T::ZERO);
            let pixels = self.x.pixels(bin..bin + 1);
            let weights = self.x.weights(bin..bin + 1);
            for (pixels, weights) in pixels.chunks(ROWS_IN_REGISTERS).zip(weights.chunks(ROWS_IN_REGISTERS)) {
                let mut part = Lanes::splat(T::ZERO);
                for (&pixel, &weight) in pixels.iter().zip(weights) {
                    accumulate::<I, T>(&mut part, weight, &self.columns[pixel as usize - first]);
                }
                add(&mut sum, &part);
            }
            *out = sum;
        }
    }
}
