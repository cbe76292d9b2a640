//! Bins of 16 channels of a box, from the window that these are read through.

use std::ops::Range;

use crate::cpu::simd::max::{MaxColumns, MaxRows, Maxima};
use crate::cpu::simd::queue::Queue;
use crate::cpu::simd::sum::{Columns, SumColumns, SumRows};
use crate::cpu::simd::{Isa, Lanes};
use crate::cpu::source::Source;
use crate::cpu::window::{COLUMNS, Window};
use crate::element::{Element, Real};
use crate::error::{Result, reserve, reserve_more};
use crate::scratch::bytes_of;
use crate::taps::{AxisTaps, Reduce};

/// Columns of bins that are summed at once, so that they stay in the first-level cache.
const MOST_SUMS: usize = 384;

/// Memory for what a block's bins are made of, kept by its thread from call to call.
#[derive(Default)]
pub struct Lines<T> {
    /// Sums or maxima of each column: a line of columns for each row of bins, or for each sample on y.
    values: Vec<Lanes<T>>,
    /// Which rows the maxima of columns are from.
    argmax: Vec<Lanes<u32>>,
    /// Rows of windows, and where those of each bin start.
    rows: Vec<u32>,
    offsets: Vec<usize>,
}

impl<T> Lines<T> {
    /// Bytes on the heap, used or not.
    pub fn bytes(&self) -> usize {
        let Self { values, argmax, rows, offsets } = self;
        bytes_of(values) + bytes_of(argmax) + bytes_of(rows) + bytes_of(offsets)
    }
}

/// A block of the channels of a window.
pub struct Block<'a, 'o, E: Element> {
    pub source: Source<'a, E>,
    pub window: &'a mut Window<E::Compute>,
    /// Which of the blocks.
    pub number: usize,
    pub lines: &'a mut Lines<E::Compute>,
    /// Results of the block before, which are written meanwhile.
    pub queue: &'a mut Queue<'o>,
}

impl<E: Element> Block<'_, '_, E> {
    /// Weighted sums: these rows of bins, into `out`. Bins without taps are left as they are.
    #[inline(always)]
    pub fn sum<I: Isa>(
        &mut self,
        y: AxisTaps<'_, E::Compute>,
        x: AxisTaps<'_, E::Compute>,
        bins: Range<usize>,
        out: &mut [Lanes<E::Compute>],
    ) -> Result<()> {
        let Self { source, window, number, lines: Lines { values: sums, .. }, queue } = self;
        let nonempty_bins = y.nonempty_bins().start.max(bins.start)..y.nonempty_bins().end.min(bins.end);
        if nonempty_bins.is_empty() || x.nonempty_bins().is_empty() {
            return Ok(());
        }
        let columns = Columns::of(&x);
        let (capacity, width, count) = (window.capacity(), x.bins(), columns.len());
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
                    window: window.load::<I, E>(source, rows, x.support()).block(*number),
                    weights: &weights[i * rows_at_once..][..rows.len()],
                    offsets,
                    taps_per_bin: if fits { y.taps_per_bin() } else { 0 },
                    fresh: i == 0,
                    columns: columns.clone(),
                    support: x.support(),
                    sums,
                    queue,
                });
            }
            let out = &mut out[(bins_now.start - bins.start) * width..(bins_now.end - bins.start) * width];
            if rows.is_empty() {
                // Nothing was loaded, and the sums are those of other bins.
                out.fill(Lanes::splat(Real::ZERO));
                continue;
            }
            I::call(SumColumns { columns: columns.clone(), sums, x, out });
        }
        Ok(())
    }

    /// Maxima over the samples, corners or windows of these rows of bins, where they are larger than what `best` holds.
    #[inline(always)]
    pub fn max<I: Isa>(
        &mut self,
        reduce: Reduce,
        y: AxisTaps<'_, E::Compute>,
        x: AxisTaps<'_, E::Compute>,
        bins: Range<usize>,
        best: &mut Maxima<'_, E::Compute>,
    ) -> Result<()> {
        let Self { source, window, number, lines, queue } = self;
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
        let (capacity, width, count) = (window.capacity(), x.bins(), columns.len());
        let [.., map_width] = source.features.shape();
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
                list_rows(&y, bins_now.clone(), &mut lines.rows, &mut lines.offsets)?;
            }
            let Lines { values: lines, argmax: line_rows, rows, offsets } = &mut **lines;
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
                let with_argmax = if best.argmax.is_some() { needed } else { 0 };
                reserve(line_rows, with_argmax, COLUMNS)?;
                line_rows.resize(with_argmax, Lanes::splat(0));
                let window = window.load::<I, E>(source, rows, x.support()).block(*number);
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
                        queue,
                    });
                } else {
                    I::call(MaxRows {
                        window,
                        weights,
                        offsets,
                        first: before,
                        columns: columns.clone(),
                        support: x.support(),
                        best: Maxima { values: lines, argmax: line_rows.get_mut(..needed) },
                        queue,
                    });
                }
                let bins_now = (bins_now.start - bins.start) * width..(bins_now.end - bins.start) * width;
                I::call(MaxColumns {
                    reduce,
                    columns: columns.clone(),
                    values: &*lines,
                    rows: &*line_rows,
                    offsets,
                    first: before / 2,
                    map_width,
                    x,
                    best: best.part(bins_now),
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
