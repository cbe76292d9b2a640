//! Gradients of bins, weights and window pixels, contracted: what each tapped row and column of a box would add to the
//! gradient of its ends if its weight grew.

use std::array;
use std::ops::Range;

use crate::cpu::loaded::{Loaded, Row};
use crate::cpu::simd::prefetch::Prefetch;
use crate::cpu::simd::{Isa, Kernel, Lanes};
use crate::element::Real;
use crate::taps::transposed::TransposedTaps;

/// Any number of bins a column.
const ANY: usize = 0;

/// Rows whose sums stay in registers.
const ROWS_AT_ONCE: usize = 4;

/// Adds up some rows of bins.
pub struct BoxGradient<'a, T> {
    /// The rows of the bins' taps on y, one after the other.
    pub window: Loaded<'a, T>,
    /// One for each row.
    pub weights: &'a [T],
    /// As many.
    pub slopes: &'a [[T; 2]],
    /// Where the taps of each bin start, counted from anywhere, and where those of the last one end.
    pub offsets: &'a [usize],
    /// Who reads the columns.
    pub x: TransposedTaps<'a, T>,
    /// The columns that the window covers.
    pub support: Range<usize>,
    /// Gradients of these rows of bins.
    pub grads: &'a [Lanes<T>],
    /// Bins in a row.
    pub bins: usize,
    /// What is needed next, and how many lines of it for each bin.
    pub ahead: &'a mut Prefetch,
    pub lines: usize,
    /// What the box has for its ends on y.
    pub grad_y: &'a mut [Lanes<T>; 2],
    /// For each column and each bin that reads it: the derivative of the loss for the weight.
    pub grad_x: &'a mut [Lanes<T>],
}

impl<T: Real> Kernel for BoxGradient<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        match self.x.bins_per_pixel() {
            1 => self.each::<I, 1>(),
            2 => self.each::<I, 2>(),
            3 => self.each::<I, 3>(),
            4 => self.each::<I, 4>(),
            _ => self.each::<I, ANY>(),
        }
    }
}

impl<T: Real> BoxGradient<'_, T> {
    #[inline(always)]
    fn each<I: Isa, const X: usize>(mut self) {
        let (bins, _) = self.x.all();
        let lies_in_support =
            |pixel: Option<&u32>| pixel.is_none_or(|&pixel| self.support.contains(&(pixel as usize)));
        assert!(lies_in_support(self.x.pixels().first()) && lies_in_support(self.x.pixels().last()));
        assert!(self.window.covers(&self.support) && self.window.len() == self.weights.len());
        assert!(self.x.bins().end <= self.bins && self.grad_x.len() == bins.len());
        for (offsets, grads) in self.offsets.windows(2).zip(self.grads.chunks_exact(self.bins)) {
            self.ahead.ask::<I>(self.lines);
            let (start, end) = (offsets[0] - self.offsets[0], offsets[1] - self.offsets[0]);
            for first in (start..end).step_by(ROWS_AT_ONCE) {
                let taps = first..end.min(first + ROWS_AT_ONCE);
                let all_weigh = self.weights[taps.clone()].iter().all(|&weight| weight != T::ZERO);
                // SAFETY: the pixels ascend, the window covers the first and the last, and all bins are in
                // the row of gradients.
                unsafe {
                    match taps.len() {
                        _ if !all_weigh => self.one_by_one::<I, X>(taps, grads),
                        1 => self.rows::<I, X, 1, true>(first, grads),
                        2 => self.rows::<I, X, 2, true>(first, grads),
                        3 => self.rows::<I, X, 3, true>(first, grads),
                        _ => self.rows::<I, X, 4, true>(first, grads),
                    }
                }
            }
        }
    }

    /// Rows of which some have slopes but no weight: they are not read as values, for they may be NaN.
    ///
    /// # Safety
    /// As for [`Self::rows`].
    #[inline(always)]
    unsafe fn one_by_one<I: Isa, const X: usize>(&mut self, taps: Range<usize>, grads: &[Lanes<T>]) {
        for tap in taps {
            // SAFETY: the caller's promise.
            unsafe {
                if self.weights[tap] == T::ZERO {
                    self.rows::<I, X, 1, false>(tap, grads);
                } else {
                    self.rows::<I, X, 1, true>(tap, grads);
                }
            }
        }
    }

    /// Some taps of a bin, in one pass over the columns.
    ///
    /// # Safety
    /// The window must cover the columns that bins read, and these bins must have gradients.
    #[inline(always)]
    unsafe fn rows<I: Isa, const X: usize, const Y: usize, const WEIGHTY: bool>(
        &mut self,
        first: usize,
        grads: &[Lanes<T>],
    ) {
        let rows: [Row<'_, T>; Y] = array::from_fn(|j| self.window.row(first + j));
        let weights: [T; Y] = array::from_fn(|j| self.weights[first + j]);
        let mut sums = [Lanes::splat(T::ZERO); Y];
        let (bins, x_weights) = self.x.all();
        let mut at = 0;
        for (i, &column) in self.x.pixels().iter().enumerate() {
            let count = if X == ANY { self.x.of(i).0.len() } else { X };
            let (mut vertical, mut product) = (Lanes::splat(T::ZERO), Lanes::splat(T::ZERO));
            if WEIGHTY {
                for (row, &weight) in rows.iter().zip(&weights) {
                    // SAFETY: the caller's promise.
                    vertical = I::mul_add(weight, unsafe { row.pixel(column) }, vertical);
                }
            }
            let mut has_weight = X != ANY;
            for tap in at..at + count {
                // SAFETY: `tap` counts the taps, of which there are as many as sums; the caller's promise.
                let (&bin, &weight, sum) = unsafe {
                    let sum = self.grad_x.get_unchecked_mut(tap);
                    (bins.get_unchecked(tap), x_weights.get_unchecked(tap), sum)
                };
                // SAFETY: as above.
                let grad = unsafe { grads.get_unchecked(bin as usize) };
                if X != ANY || weight != T::ZERO {
                    product = I::mul_add(weight, grad, product);
                    has_weight = true;
                }
                if WEIGHTY {
                    *sum = I::add_product(grad, &vertical, *sum);
                }
            }
            at += count;
            if has_weight {
                for (row, sum) in rows.iter().zip(&mut sums) {
                    // SAFETY: as above.
                    *sum = I::add_product(&product, unsafe { row.pixel(column) }, *sum);
                }
            }
        }
        for (sum, &slopes) in sums.iter().zip(&self.slopes[first..first + Y]) {
            add_slopes::<I, T>(self.grad_y, slopes, sum);
        }
    }
}

/// Adds what a tap with these slopes has for the two ends. One without a slope has nothing, whatever its sum is.
#[inline(always)]
pub fn add_slopes<I: Isa, T: Real>(ends: &mut [Lanes<T>; 2], slopes: [T; 2], sum: &Lanes<T>) {
    for (end, slope) in ends.iter_mut().zip(slopes) {
        if slope != T::ZERO {
            *end = I::mul_add(slope, sum, *end);
        }
    }
}

/// What taps have for the two ends of the box.
pub struct ApplySlopes<'a, T> {
    /// One for each tap.
    pub slopes: &'a [[T; 2]],
    /// As many.
    pub sums: &'a [Lanes<T>],
}

impl<T: Real> Kernel for ApplySlopes<'_, T> {
    type Output = [Lanes<T>; 2];

    #[inline(always)]
    fn run<I: Isa>(self) -> [Lanes<T>; 2] {
        let mut ends = [Lanes::splat(T::ZERO); 2];
        for (sum, &slopes) in self.sums.iter().zip(self.slopes) {
            add_slopes::<I, T>(&mut ends, slopes, sum);
        }
        ends
    }
}

/// The sum of some lanes, from the first one on.
#[inline(always)]
pub fn total<T: Real>(sums: &Lanes<T>, lanes: usize) -> f64 {
    sums.0[..lanes].iter().fold(0.0, |sum, value| sum + value.to_f64())
}
