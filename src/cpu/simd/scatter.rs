//! The transpose of a weighted sum: gradients of bins go to the pixels that the bins read.

use std::ops::Range;

use crate::cpu::simd::prefetch::Prefetch;
use crate::cpu::simd::{Isa, Kernel, Lanes};
use crate::element::Real;
use crate::taps::transposed::TransposedTaps;

/// Any number of bins a pixel.
const ANY: usize = 0;

/// Adds the gradients of one box to some rows of the map.
pub struct Scatter<'a, T> {
    /// Gradients of the rows of bins that read these rows of the map.
    pub grads: &'a [Lanes<T>],
    /// The first of these rows of bins.
    pub first_bin: usize,
    /// Bins in a row.
    pub bins: usize,
    /// The bins that read each row.
    pub y: TransposedTaps<'a, T>,
    /// The bins that read each column.
    pub x: TransposedTaps<'a, T>,
    /// Rows of the map.
    pub band: &'a mut [Lanes<T>],
    /// The first of these rows.
    pub first_row: usize,
    /// Columns of the map.
    pub width: usize,
    /// Memory for a row of bins.
    pub row: &'a mut Vec<Lanes<T>>,
    /// What is needed next, and how many lines of it for each row.
    pub ahead: &'a mut Prefetch,
    pub lines: usize,
}

impl<T: Real> Kernel for Scatter<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        match self.x.bins_per_pixel() {
            1 => self.rows::<I, 1>(),
            2 => self.rows::<I, 2>(),
            3 => self.rows::<I, 3>(),
            4 => self.rows::<I, 4>(),
            _ => self.rows::<I, ANY>(),
        }
    }
}

impl<T: Real> Scatter<'_, T> {
    /// First down the columns, because few rows of bins read a row of the map, then along the row.
    #[inline(always)]
    fn rows<I: Isa, const X: usize>(self) {
        let Self { grads, first_bin, bins, y, x, band, first_row, width, row, ahead, lines } = self;
        let Range { start, end } = x.bins();
        assert!(end <= bins && x.pixels().last().is_some_and(|&last| (last as usize) < width));
        row.resize(bins, Lanes::splat(T::ZERO));
        let row = &mut row[..bins];
        for (i, &pixel) in y.pixels().iter().enumerate() {
            ahead.ask::<I>(lines);
            let (rows_of_bins, weights) = y.of(i);
            let grads =
                rows_of_bins.iter().map(|&bin| &grads[(bin as usize - first_bin) * bins..][start..end]);
            sum_bins::<I, T>(grads.zip(weights.iter().copied()), &mut row[start..end]);
            let pixels = &mut band[(pixel as usize - first_row) * width..][..width];
            if X == ANY {
                add::<I, T>(&x, row, pixels);
            } else {
                add_unrolled::<I, T, X>(&x, row, pixels);
            }
        }
    }
}

/// Sums rows of bins, two at a time: most often there are one or two.
#[inline(always)]
fn sum_bins<'a, I: Isa, T: Real>(mut rows: impl Iterator<Item = (&'a [Lanes<T>], T)>, row: &mut [Lanes<T>]) {
    let mut first = true;
    while let Some((grads, weight)) = rows.next() {
        let before = |sum: &Lanes<T>| if first { Lanes::splat(T::ZERO) } else { *sum };
        if let Some((others, other_weight)) = rows.next() {
            for ((sum, grad), other) in row.iter_mut().zip(grads).zip(others) {
                *sum = I::mul_add(other_weight, other, I::mul_add(weight, grad, before(sum)));
            }
        } else {
            for (sum, grad) in row.iter_mut().zip(grads) {
                *sum = I::mul_add(weight, grad, before(sum));
            }
        }
        first = false;
    }
}

/// Adds a row of bins to the pixels of a row, each of which `X` bins read.
#[inline(always)]
fn add_unrolled<I: Isa, T: Real, const X: usize>(
    x: &TransposedTaps<'_, T>,
    row: &[Lanes<T>],
    pixels: &mut [Lanes<T>],
) {
    let (bins, weights) = x.all();
    let taps = bins.as_chunks::<X>().0.iter().zip(weights.as_chunks::<X>().0);
    for (&pixel, (bins, weights)) in x.pixels().iter().zip(taps) {
        // SAFETY: the caller checked that pixels and bins are inside the rows.
        let sum = unsafe { pixels.get_unchecked_mut(pixel as usize) };
        let mut local = *sum;
        for (&bin, &weight) in bins.iter().zip(weights) {
            // SAFETY: as above.
            local = I::mul_add(weight, unsafe { row.get_unchecked(bin as usize) }, local);
        }
        *sum = local;
    }
}

/// Adds a row of bins to the pixels of a row.
#[inline(always)]
fn add<I: Isa, T: Real>(x: &TransposedTaps<'_, T>, row: &[Lanes<T>], pixels: &mut [Lanes<T>]) {
    for (i, &pixel) in x.pixels().iter().enumerate() {
        let (bins, weights) = x.of(i);
        let mut sum = Lanes::splat(T::ZERO);
        for (&bin, &weight) in bins.iter().zip(weights) {
            sum = I::mul_add(weight, &row[bin as usize], sum);
        }
        let pixel = &mut pixels[pixel as usize];
        *pixel = I::add(*pixel, &sum);
    }
}
