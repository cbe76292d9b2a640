//! Bins of 16 channels of a box, from the window that these are read through.

use std::ops::Range;

use crate::cpu::simd::max::{MaxColumns, MaxRows, Maxima};
use crate::cpu::simd::outbox::Outbox;
use crate::cpu::simd::sum::{Columns, SumColumns, SumRows};
use crate::cpu::simd::{Isa, LANES, Lanes};
use crate::cpu::window::{COLUMNS, Loaded, Source, Window};
use crate::element::{Element, Real};
use crate::error::{Result, reserve, reserve_more};
use crate::scratch::bytes_of;
use crate::taps::{AxisTaps, Reduce};

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
    /// What is made of columns first: lines of sums or of maxima.
    lines: Vec<Lanes<T>>,
    /// Which rows maxima are from.
    line_rows: Vec<Lanes<u32>>,
    /// Rows of windows, and where those of each bin start.
    rows: Vec<u32>,
    offsets: Vec<usize>,
}

impl<T> Bins<T> {
    /// Makes room for some bins, or says that there is no memory.
    pub fn reserve(&mut self, bins: usize, argmax: bool) -> Result<()> {
        const BINS: &str = "bins of a row";
        reserve(&mut self.values, bins, BINS)?;
        if argmax {
            reserve(&mut self.numbers, bins, BINS)?;
            reserve(&mut self.sources, bins, BINS)?;
        }
        Ok(())
    }

    /// Bytes on the heap, used or not.
    pub fn bytes(&self) -> usize {
        let Self { values, numbers, sources, lines, line_rows, rows, offsets } = self;
        bytes_of(values)
            + bytes_of(lines)
            + bytes_of(numbers)
            + bytes_of(line_rows)
            + bytes_of(sources)
            + bytes_of(rows)
            + bytes_of(offsets)
    }
}

/// A block of the channels of a window.
pub struct Block<'a, E: Element> {
    pub source: Source<'a, E>,
    pub window: &'a mut Window<E::Compute>,
    /// Which of the blocks.
    pub number: usize,
}

impl<E: Element> Block<'_, E> {
    /// Its channels.
    #[inline(always)]
    pub fn channels(&self) -> Range<usize> {
        let Range { start, end } = self.source.channels;
        let first = start + self.number * LANES;
        first..end.min(first + LANES)
    }

    #[inline(always)]
    fn load<I: Isa>(&mut self, rows: &[u32], columns: Range<usize>) -> Loaded<'_, E::Compute> {
        self.window.load::<I, E>(&self.source, rows, columns).block(self.number)
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
    ) -> Result<()> {
        let Bins { values, lines: sums, .. } = kept;
        let nonempty_bins = y.nonempty_bins().start.max(bins.start)..y.nonempty_bins().end.min(bins.end);
        if nonempty_bins.is_empty() || x.nonempty_bins().is_empty() {
            return Ok(());
        }
        let columns = Columns::of(&x);
        let (capacity, width, count) = (self.window.capacity(), x.bins(), columns.len());
        let fits = y.support().len() <= capacity;
        let bins_at_once = if fits { (MOST_SUMS / count).max(1) } else { 1 };
        for first in nonempty_bins.clone().step_by(bins_at_once) {
            let bins_now = first..nonempty_bins.end.min(first + bins_at_once);
            let needed = bins_now.len() * count;
            if sums.len() < needed {
                reserve(sums, needed, COLUMNS)?;
                sums.resize(needed, Lanes::splat(Real::ZERO));
            }
            let sums = &mut sums[..needed];
            let (rows, weights) = (y.indices(bins_now.clone()), y.values(bins_now.clone()));
            // The rows of a box that does not fit come piece by piece.
            let rows_at_once = if fits { rows.len().max(1) } else { capacity };
            for (i, rows) in rows.chunks(rows_at_once).enumerate() {
                let offsets = if fits { y.offsets(bins_now.clone()) } else { &[0, rows.len()] };
                I::call(SumRows {
                    window: self.load::<I>(rows, x.support()),
                    weights: &weights[i * rows_at_once..][..rows.len()],
                    offsets,
                    taps_per_bin: if fits { y.taps_per_bin() } else { 0 },
                    fresh: i == 0,
                    columns: columns.clone(),
                    support: x.support(),
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
        Ok(())
    }

    /// Maxima over the samples, corners or windows of these rows of bins, while results of before are written.
    #[inline(always)]
    pub fn max<I: Isa>(
        &mut self,
        reduce: Reduce,
        y: AxisTaps<'_, E::Compute>,
        x: AxisTaps<'_, E::Compute>,
        bins: Range<usize>,
        kept: &mut Bins<E::Compute>,
        outbox: &mut Outbox<'_>,
    ) -> Result<()> {
        let nonempty_bins = y.nonempty_bins().start.max(bins.start)..y.nonempty_bins().end.min(bins.end);
        if nonempty_bins.is_empty() || x.nonempty_bins().is_empty() {
            return Ok(());
        }
        let (is_window, is_sample) = (reduce == Reduce::MaxWindow, reduce == Reduce::MaxSample);
        // A window reads all that lies between its two ends.
        let columns = if is_window {
            Columns::All(x.support().start as u32..x.support().end as u32)
        } else {
            Columns::of(&x)
        };
        let (capacity, width, count) = (self.window.capacity(), x.bins(), columns.len());
        let [.., map_width] = self.source.features.shape();
        let fits = y.support().len() <= capacity;
        let most_lines = (MOST_SUMS / count).max(1);
        let mut first = nonempty_bins.start;
        while first < nonempty_bins.end {
            let mut bins_now = first..first + 1;
            while fits
                && bins_now.end < nonempty_bins.end
                && lines_of(reduce, &y, first..bins_now.end + 1) <= most_lines
            {
                bins_now.end += 1;
            }
            first = bins_now.end;
            if is_window {
                list_rows(&y, bins_now.clone(), &mut kept.rows, &mut kept.offsets)?;
            }
            let Bins { values, numbers, lines, line_rows, rows, offsets, .. } = kept;
            let (rows, offsets, weights) = if is_window {
                (&rows[..], &offsets[..], None)
            } else {
                (y.indices(bins_now.clone()), y.offsets(bins_now.clone()), Some(y.values(bins_now.clone())))
            };
            let is_whole = fits && lines_of(reduce, &y, bins_now.clone()) <= most_lines;
            let rows_at_once = match (is_whole, is_sample) {
                (true, _) => rows.len().max(1),
                (false, true) => (2 * most_lines).min(capacity / 2 * 2),
                (false, false) => capacity / 2 * 2,
            };
            for (i, rows) in rows.chunks(rows_at_once).enumerate() {
                let before = i * rows_at_once;
                let offsets = if is_whole { offsets } else { &[0, rows.len()] };
                let weights = weights.map(|weights| &weights[before..][..rows.len()]);
                let needed = count * if is_sample { rows.len() / 2 } else { offsets.len() - 1 };
                if lines.len() < needed {
                    reserve(lines, needed, COLUMNS)?;
                    lines.resize(needed, Lanes::splat(Real::ZERO));
                }
                let lines = &mut lines[..needed];
                reserve(line_rows, if numbers.is_empty() { 0 } else { needed }, COLUMNS)?;
                line_rows.resize(if numbers.is_empty() { 0 } else { needed }, Lanes::splat(0));
                let window = self.load::<I>(rows, x.support());
                if let (true, Some(weights)) = (is_sample, weights) {
                    // Each sample on y is a row of sums, as if it were a bin.
                    I::call(SumRows {
                        window,
                        weights,
                        offsets,
                        taps_per_bin: 2,
                        fresh: true,
                        columns: columns.clone(),
                        support: x.support(),
                        sums: lines,
                        outbox,
                    });
                } else {
                    I::call(MaxRows {
                        window,
                        weights,
                        offsets,
                        first: before,
                        columns: columns.clone(),
                        support: x.support(),
                        best: maxima(lines, line_rows, 0..needed),
                        outbox,
                    });
                }
                let kept = (bins_now.start - bins.start) * width..(bins_now.end - bins.start) * width;
                I::call(MaxColumns {
                    reduce,
                    columns: columns.clone(),
                    values: &*lines,
                    rows: &*line_rows,
                    offsets,
                    first: before / 2,
                    map_width,
                    x,
                    best: maxima(values, numbers, kept),
                });
            }
        }
        Ok(())
    }
}

/// What these rows of bins need of each column: a value for each sample on y, or one for each bin.
fn lines_of<T>(reduce: Reduce, y: &AxisTaps<'_, T>, bins: Range<usize>) -> usize {
    if reduce == Reduce::MaxSample { y.indices(bins).len() / 2 } else { bins.len() }
}

/// Lists the rows of windows.
fn list_rows<T>(
    y: &AxisTaps<'_, T>,
    bins: Range<usize>,
    rows: &mut Vec<u32>,
    offsets: &mut Vec<usize>,
) -> Result<()> {
    rows.clear();
    offsets.clear();
    offsets.push(0);
    for bin in bins {
        if let &[first, last] = y.indices(bin..bin + 1) {
            reserve_more(rows, (last - first) as usize + 1, "rows of windows")?;
            rows.extend(first..=last);
        }
        offsets.push(rows.len());
    }
    Ok(())
}

/// Some of the maxima that are kept.
fn maxima<'a, T>(
    values: &'a mut [Lanes<T>],
    numbers: &'a mut [Lanes<u32>],
    bins: Range<usize>,
) -> Maxima<'a, T> {
    Maxima { values: &mut values[bins.clone()], numbers: numbers.get_mut(bins) }
}
