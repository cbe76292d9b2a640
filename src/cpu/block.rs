//! Bins of 16 channels of a box, from the window that these are read through.

use std::ops::Range;

use crate::cpu::simd::max::{MaxSamples, MaxWindow, Maxima};
use crate::cpu::simd::outbox::Outbox;
use crate::cpu::simd::sum::{Columns, SumColumns, SumRows};
use crate::cpu::simd::{Isa, Lanes};
use crate::cpu::window::{Loaded, Source, Window};
use crate::element::{Element, Real};
use crate::error::{Result, reserve};
use crate::taps::AxisTaps;

/// Columns of bins that are summed at once, so that they stay in the first-level cache.
const MOST_SUMS: usize = 384;

/// Some rows of bins of one box, and what they are made of.
#[derive(Default)]
pub struct Bins<T> {
    pub values: Vec<Lanes<T>>,
    /// Which of their candidates the maxima are, if that is asked for.
    pub numbers: Vec<Lanes<u32>>,
    /// The same as users know it.
    pub sources: Vec<Lanes<i64>>,
    /// Columns of bins.
    sums: Vec<Lanes<T>>,
    /// Of a window.
    rows: Vec<u32>,
}

impl<T> Bins<T> {
    /// Makes room for some bins, or says that there is no memory.
    pub fn reserve(&mut self, bins: usize, argmax: bool) -> Result<()> {
        const BINS: &str = "bins of a row at once";
        reserve(&mut self.values, bins, BINS)?;
        if argmax {
            reserve(&mut self.numbers, bins, BINS)?;
            reserve(&mut self.sources, bins, BINS)?;
        }
        Ok(())
    }
}

/// A block of channels, and the window that it is read through.
pub struct Block<'a, E: Element> {
    pub source: Source<'a, E>,
    pub window: &'a mut Window<E::Compute>,
}

impl<E: Element> Block<'_, E> {
    #[inline(always)]
    fn load<I: Isa>(&mut self, rows: &[u32], columns: Range<usize>) -> Loaded<'_, E::Compute> {
        self.window.load::<I, E>(&self.source, rows, columns)
    }

    /// Weighted sums of these rows of bins, while results of before are written.
    #[inline(always)]
    pub fn sum<I: Isa>(
        &mut self,
        y: AxisTaps<'_, E::Compute>,
        x: AxisTaps<'_, E::Compute>,
        bins: Range<usize>,
        kept: &mut Bins<E::Compute>,
        outbox: &mut Outbox<'_>,
    ) {
        let Bins { values, sums, .. } = kept;
        let live = y.live().start.max(bins.start)..y.live().end.min(bins.end);
        if live.is_empty() || x.live().is_empty() {
            return;
        }
        let columns = Columns::of(&x);
        let (capacity, width, count) = (self.window.capacity(), x.bins(), columns.len());
        let fits = y.hull().len() <= capacity;
        let bins_at_once = if fits { (MOST_SUMS / count).max(1) } else { 1 };
        for first in live.clone().step_by(bins_at_once) {
            let bins_now = first..live.end.min(first + bins_at_once);
            let needed = bins_now.len() * count;
            if sums.len() < needed {
                sums.resize(needed, Lanes::splat(Real::ZERO));
            }
            let sums = &mut sums[..needed];
            let (rows, weights) = (y.pixels(bins_now.clone()), y.weights(bins_now.clone()));
            // The rows of a box that does not fit come piece by piece.
            let rows_at_once = if fits { rows.len().max(1) } else { capacity };
            for (i, rows) in rows.chunks(rows_at_once).enumerate() {
                let bounds = if fits { y.bounds(bins_now.clone()) } else { &[0, rows.len()] };
                I::call(SumRows {
                    window: self.load::<I>(rows, x.hull()),
                    weights: &weights[i * rows_at_once..][..rows.len()],
                    bounds,
                    uniform: if fits { y.uniform() } else { 0 },
                    fresh: i == 0,
                    columns: columns.clone(),
                    hull: x.hull(),
                    sums,
                    outbox,
                });
            }
            let out = &mut values[(bins_now.start - bins.start) * width..(bins_now.end - bins.start) * width];
            if rows.is_empty() {
                // Nothing was loaded, and what these bins hold is of others.
                out.fill(Lanes::splat(Real::ZERO));
                continue;
            }
            I::call(SumColumns { columns: columns.clone(), sums, x, out });
        }
    }

    /// Maxima over the samples of these rows of bins, or over their weighted corners.
    #[inline(always)]
    pub fn max_samples<I: Isa>(
        &mut self,
        y: AxisTaps<'_, E::Compute>,
        x: AxisTaps<'_, E::Compute>,
        bins: Range<usize>,
        corners: bool,
        kept: &mut Bins<E::Compute>,
    ) {
        let pairs_at_once = self.window.capacity() / 2 * 2;
        for bin in bins.clone().filter(|_| !x.live().is_empty()) {
            let (rows, weights) = (y.pixels(bin..bin + 1), y.weights(bin..bin + 1));
            for (chunk, (rows, y_weights)) in
                rows.chunks(pairs_at_once).zip(weights.chunks(pairs_at_once)).enumerate()
            {
                let window = self.load::<I>(rows, x.hull());
                I::call(MaxSamples {
                    window,
                    y_weights,
                    first: chunk * pairs_at_once / 2,
                    x,
                    corners,
                    best: maxima(&mut kept.values, &mut kept.numbers, bin - bins.start, x.bins()),
                });
            }
        }
    }

    /// Maxima over the windows of these rows of bins.
    #[inline(always)]
    pub fn max_windows<I: Isa>(
        &mut self,
        y: AxisTaps<'_, E::Compute>,
        x: AxisTaps<'_, E::Compute>,
        bins: Range<usize>,
        kept: &mut Bins<E::Compute>,
    ) {
        let rows_at_once = self.window.capacity();
        for bin in bins.clone().filter(|_| !x.live().is_empty()) {
            let &[top, bottom] = y.pixels(bin..bin + 1) else { continue };
            kept.rows.clear();
            kept.rows.extend(top..=bottom);
            for (chunk, rows) in kept.rows.chunks(rows_at_once).enumerate() {
                let window = self.load::<I>(rows, x.hull());
                I::call(MaxWindow {
                    window,
                    first: chunk * rows_at_once,
                    x,
                    best: maxima(&mut kept.values, &mut kept.numbers, bin - bins.start, x.bins()),
                });
            }
        }
    }
}

/// One row of bins of the maxima that are kept.
fn maxima<'a, T>(
    values: &'a mut [Lanes<T>],
    numbers: &'a mut [Lanes<u32>],
    row: usize,
    width: usize,
) -> Maxima<'a, T> {
    let bins = row * width..(row + 1) * width;
    Maxima { values: &mut values[bins.clone()], numbers: numbers.get_mut(bins) }
}
