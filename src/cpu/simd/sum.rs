//! Weighted sums of window pixels: first down the columns, then along the rows.

use std::ops::Range;

use crate::cpu::loaded::{Loaded, TAPS_AT_ONCE};
use crate::cpu::simd::queue::Queue;
use crate::cpu::simd::{Isa, Kernel, Lanes};
use crate::element::Real;
use crate::taps::AxisTaps;

/// As many taps as there are.
const ANY: usize = 0;

/// The first product begins the sum: added to 0, a negative zero would lose its sign.
#[inline(always)]
fn begin_or_add<I: Isa, T: Real>(first: bool, sum: Lanes<T>, weight: T, pixel: &Lanes<T>) -> Lanes<T> {
    if first { I::scale(weight, pixel) } else { I::mul_add(weight, pixel, sum) }
}

/// The columns of a box that are summed: those between its first and its last one, or one for each tap on x if these
/// are fewer. Either way all bins of a column of bins share them.
#[derive(Debug, Clone)]
pub enum Columns<'a> {
    All(Range<u32>),
    Tapped(&'a [u32]),
}

impl<'a> Columns<'a> {
    #[inline(always)]
    pub fn of<T>(x: &AxisTaps<'a, T>) -> Self {
        let (support, taps) = (x.support(), x.indices(x.nonempty_bins()));
        if support.len() <= taps.len() {
            Self::All(support.start as u32..support.end as u32)
        } else {
            Self::Tapped(taps)
        }
    }

    #[inline(always)]
    pub fn len(&self) -> usize {
        match self {
            Self::All(columns) => columns.len(),
            Self::Tapped(columns) => columns.len(),
        }
    }

    /// Which of them the pixel of the tap with this number is.
    #[inline(always)]
    pub fn place(&self, pixel: u32, tap: usize) -> usize {
        match self {
            Self::All(columns) => (pixel - columns.start) as usize,
            Self::Tapped(_) => tap,
        }
    }
}

/// Adds up rows, for some rows of bins.
pub struct SumRows<'a, 'o, T> {
    /// The rows of the bins' taps on y, one after the other.
    pub window: Loaded<'a, T>,
    /// One for each row.
    pub weights: &'a [T],
    /// Where the taps of each bin start, counted from anywhere, and where those of the last one end.
    pub offsets: &'a [usize],
    /// Taps of each bin if that is the same and small, else 0.
    pub taps_per_bin: usize,
    /// Whether the taps are the first ones of their bins: then what the sums hold is forgotten.
    pub fresh: bool,
    /// What is read of a row; it lies in `support`.
    pub columns: Columns<'a>,
    /// The columns that the window covers.
    pub support: Range<usize>,
    /// Each bin's columns.
    pub sums: &'a mut [Lanes<T>],
    /// Finished lines, of which some are written after each row of bins.
    pub queue: &'a mut Queue<'o>,
}

impl<T: Real> Kernel for SumRows<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        assert!(self.window.covers(&self.support) && self.window.len() == self.weights.len());
        match self.columns.clone() {
            // SAFETY: the columns of a box lie in its support.
            Columns::All(columns) => unsafe { self.each::<I, _>(&columns) },
            // SAFETY: as above.
            Columns::Tapped(columns) => unsafe { self.each::<I, _>(&columns.iter().copied()) },
        }
    }
}

impl<T: Real> SumRows<'_, '_, T> {
    /// # Safety
    /// The window must cover the columns.
    #[inline(always)]
    unsafe fn each<I: Isa, C: ExactSizeIterator<Item = u32> + Clone>(self, columns: &C) {
        // SAFETY: the caller's promise.
        unsafe {
            match self.taps_per_bin {
                1 if self.fresh => self.unrolled::<I, C, 1>(columns),
                2 if self.fresh => self.unrolled::<I, C, 2>(columns),
                3 if self.fresh => self.unrolled::<I, C, 3>(columns),
                4 if self.fresh => self.unrolled::<I, C, 4>(columns),
                _ => self.any::<I, C>(columns),
            }
        }
    }

    /// # Safety
    /// The window must cover the columns.
    #[inline(always)]
    unsafe fn unrolled<I: Isa, C: ExactSizeIterator<Item = u32> + Clone, const Y: usize>(self, columns: &C) {
        let (weights, _) = self.weights.as_chunks::<Y>();
        for (bin, (&weights, sums)) in
            weights.iter().zip(self.sums.chunks_exact_mut(columns.len())).enumerate()
        {
            self.queue.step::<I>();
            let mut rows = [self.window.row(bin * Y); Y];
            for (j, row) in rows.iter_mut().enumerate() {
                *row = self.window.row(bin * Y + j);
            }
            for (column, sum) in columns.clone().zip(sums) {
                let mut vertical = Lanes::splat(T::ZERO);
                for (j, (row, weight)) in rows.iter().zip(weights).enumerate() {
                    // SAFETY: the caller's promise.
                    vertical = begin_or_add::<I, T>(j == 0, vertical, weight, unsafe { row.pixel(column) });
                }
                *sum = vertical;
            }
        }
    }

    /// # Safety
    /// The window must cover the columns.
    #[inline(always)]
    unsafe fn any<I: Isa, C: ExactSizeIterator<Item = u32> + Clone>(self, columns: &C) {
        let Self { window, weights, offsets, fresh, queue, .. } = self;
        for (bin, sums) in offsets.windows(2).zip(self.sums.chunks_exact_mut(columns.len())) {
            let (start, end) = (bin[0] - offsets[0], bin[1] - offsets[0]);
            queue.step::<I>();
            if fresh && start == end {
                sums.fill(Lanes::splat(T::ZERO));
            }
            for first in (start..end).step_by(TAPS_AT_ONCE) {
                let weights = &weights[first..end.min(first + TAPS_AT_ONCE)];
                let mut rows = [window.row(first); TAPS_AT_ONCE];
                for (j, row) in rows[..weights.len()].iter_mut().enumerate() {
                    *row = window.row(first + j);
                }
                for (column, sum) in columns.clone().zip(&mut *sums) {
                    let mut vertical = Lanes::splat(T::ZERO);
                    for (row, &weight) in rows.iter().zip(weights) {
                        // SAFETY: the caller's promise.
                        vertical = I::mul_add(weight, unsafe { row.pixel(column) }, vertical);
                    }
                    if fresh && first == start {
                        *sum = vertical;
                    } else {
                        *sum = I::add(*sum, &vertical);
                    }
                }
            }
        }
    }
}

/// Makes rows of bins from the sums of their columns.
pub struct SumColumns<'a, T> {
    /// What the sums are of.
    pub columns: Columns<'a>,
    /// The columns of each row of bins.
    pub sums: &'a [Lanes<T>],
    /// The taps on x.
    pub x: AxisTaps<'a, T>,
    /// All bins of the rows.
    pub out: &'a mut [Lanes<T>],
}

impl<T: Real> Kernel for SumColumns<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        match self.x.taps_per_bin() {
            1 => self.bins::<I, 1>(),
            2 => self.bins::<I, 2>(),
            3 => self.bins::<I, 3>(),
            4 => self.bins::<I, 4>(),
            _ => self.bins::<I, ANY>(),
        }
    }
}

impl<T: Real> SumColumns<'_, T> {
    /// Column of bins by column of bins: their weights stay in registers.
    #[inline(always)]
    fn bins<I: Isa, const X: usize>(self) {
        let Self { columns, sums, x, out } = self;
        let (width, nonempty_bins, count) = (x.bins(), x.nonempty_bins(), columns.len());
        let mut tap = 0;
        for bin in nonempty_bins {
            let (pixels, weights) = (x.indices(bin..bin + 1), x.values(bin..bin + 1));
            let rows = sums.chunks_exact(count).zip(out.chunks_exact_mut(width));
            if X == ANY {
                for (sums, out) in rows {
                    let mut sum = Lanes::splat(T::ZERO);
                    for first in (0..weights.len()).step_by(TAPS_AT_ONCE) {
                        let mut part = Lanes::splat(T::ZERO);
                        for i in first..weights.len().min(first + TAPS_AT_ONCE) {
                            part = I::mul_add(weights[i], &sums[columns.place(pixels[i], tap + i)], part);
                        }
                        sum = I::add(sum, &part);
                    }
                    out[bin] = sum;
                }
            } else {
                let weights: [T; X] = weights.as_chunks().0[0];
                let mut places = [0; X];
                for (i, at) in places.iter_mut().enumerate() {
                    *at = columns.place(pixels[i], tap + i);
                    assert!(*at < count);
                }
                for (sums, out) in rows {
                    let mut sum = Lanes::splat(T::ZERO);
                    for (i, (weight, place)) in weights.into_iter().zip(places).enumerate() {
                        sum = begin_or_add::<I, T>(i == 0, sum, weight, &sums[place]);
                    }
                    out[bin] = sum;
                }
            }
            tap += pixels.len();
        }
    }
}
