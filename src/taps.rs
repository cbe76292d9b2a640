//! Tables of taps: what every operator makes of its boxes, and all that the kernels see of them.
//!
//! The pixels that a bin reads factor into rows and columns, so a box has one small table per axis, made once
//! and used for every channel. What the entries mean depends on the [`Reduce`]:
//!
//! | reduce | entries of a bin |
//! |---|---|
//! | `Sum` | taps: the bin's pixels, ascending, each once, with their merged weights |
//! | `MaxSample`, `MaxCorner` | samples: the lower and the upper tap of each, in the sample's order |
//! | `MaxWindow` | the first and the last pixel, no weights |
//!
//! Tables of a few dozen boxes share flat arrays, so that building them allocates next to nothing.

mod plan;
mod slopes;
pub mod transposed;
mod writer;

use std::iter;
use std::ops::Range;

use crate::element::Real;
use crate::error::{Result, reserve, reserve_more};
use crate::geometry::Extent;

pub use plan::{BOXES_PER_TABLE, Plan, Run};
pub use slopes::SlopeWriter;
pub use writer::AxisWriter;

/// How the taps of a bin become one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reduce {
    /// Weighted sum.
    #[default]
    Sum,
    /// The largest interpolated sample; a sample off the map is 0; NaN wins.
    MaxSample,
    /// The largest weighted corner of all samples, as in ONNX; otherwise as `MaxSample`.
    MaxCorner,
    /// The largest pixel of a window; NaN never wins; 0 for an empty window.
    MaxWindow,
}

impl Reduce {
    /// Whether a value comes from one place that can be named.
    pub fn has_argmax(self) -> bool {
        self != Self::Sum
    }
}

/// What to do with a box that cannot be pooled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Invalid {
    /// Refuse the call.
    #[default]
    Raise,
    /// Fill its part of the output with zeros.
    Zero,
    /// Fill its part of the output with NaN.
    Nan,
}

/// What there may be no memory for.
const TAPS: &str = "taps";

/// Wider boxes are computed some columns of bins at a time, so that their rows need less memory.
pub const MOST_COLUMNS: usize = 1 << 16;

/// Bins with at most this many taps are padded to a common number, for the unrolled loops.
pub const MOST_UNROLLED_TAPS: usize = 4;

/// One axis of one box: where its entries lie in the table, and what the kernels need to know at a glance.
#[derive(Debug, Clone, Default)]
pub struct AxisSpan {
    bounds: usize,
    bins: usize,
    uniform: usize,
    live: Range<usize>,
    whole: bool,
    hull: Range<usize>,
    samples: i64,
}

/// The entries of one axis of one box.
#[derive(Debug, Clone, Copy)]
pub struct AxisTaps<'a, T> {
    span: &'a AxisSpan,
    table: &'a Table<T>,
}

impl<'a, T> AxisTaps<'a, T> {
    /// Pixel of each entry of these bins.
    #[inline]
    pub fn pixels(&self, bins: Range<usize>) -> &'a [u32] {
        &self.table.pixels[self.entries(bins)]
    }

    /// Weight of each entry of these bins.
    #[inline]
    pub fn weights(&self, bins: Range<usize>) -> &'a [T] {
        &self.table.weights[self.entries(bins)]
    }

    /// How the weight of each entry of these bins changes with the two ends of the box, in plans made for that.
    #[inline]
    pub fn slopes(&self, bins: Range<usize>) -> &'a [[T; 2]] {
        &self.table.slopes[self.entries(bins)]
    }

    /// Whether the plan was made for gradients of boxes.
    pub fn have_slopes(&self) -> bool {
        self.table.has_slopes
    }

    /// Where the entries of each of these bins start in the table, and where those of the last one end.
    #[inline]
    pub fn bounds(&self, bins: Range<usize>) -> &'a [usize] {
        &self.table.bounds[self.span.bounds..][bins.start..=bins.end]
    }

    /// Runs of neighbouring bins that read at most so many pixels from the first to the last, or of a single bin that
    /// reads more.
    pub fn parts(&self, most_pixels: usize) -> impl Iterator<Item = AxisSpan> + use<'_, 'a, T> {
        let hull = |bins: Range<usize>| {
            let pixels = self.pixels(bins);
            let (low, high) =
                pixels.iter().fold((u32::MAX, 0), |(low, high), &at| (low.min(at), high.max(at)));
            if pixels.is_empty() { 0..0 } else { low as usize..high as usize + 1 }
        };
        let mut left = self.live();
        iter::from_fn(move || {
            let first = left.next()?;
            let mut part =
                AxisSpan { live: first..first + 1, hull: hull(first..first + 1), ..self.span.clone() };
            while !left.is_empty() {
                let next = hull(left.start..left.start + 1);
                let both = if next.is_empty() {
                    part.hull.clone()
                } else if part.hull.is_empty() {
                    next
                } else {
                    part.hull.start.min(next.start)..part.hull.end.max(next.end)
                };
                if both.len() > most_pixels {
                    break;
                }
                left.start += 1;
                (part.live.end, part.hull) = (left.start, both);
            }
            Some(part)
        })
    }

    /// These bins only, which one of the [`Self::parts`] names.
    pub fn part<'b>(&self, span: &'b AxisSpan) -> AxisTaps<'b, T>
    where
        'a: 'b,
    {
        AxisTaps { span, table: self.table }
    }

    /// Number of entries of one bin.
    pub fn count(&self, bin: usize) -> usize {
        self.entries(bin..bin + 1).len()
    }

    /// Number of bins.
    #[inline]
    pub fn bins(&self) -> usize {
        self.span.bins
    }

    /// From the first bin that has entries to the last.
    #[inline]
    pub fn live(&self) -> Range<usize> {
        self.span.live.clone()
    }

    /// Whether all these bins are between the first and the last that have entries.
    #[inline]
    pub fn is_live(&self, bins: &Range<usize>) -> bool {
        self.span.live.start <= bins.start && bins.end <= self.span.live.end
    }

    /// For maxima: whether every bin has candidates, and all of them on the map.
    #[inline]
    pub fn is_whole(&self) -> bool {
        self.span.whole
    }

    /// From the first pixel that is read to the last.
    #[inline]
    pub fn hull(&self) -> Range<usize> {
        self.span.hull.clone()
    }

    /// The number of taps of every live bin if it is the same and at most [`MOST_UNROLLED_TAPS`], else 0.
    #[inline]
    pub fn uniform(&self) -> usize {
        self.span.uniform
    }

    /// Samples per bin, those off the map included.
    pub fn samples(&self) -> i64 {
        self.span.samples
    }

    /// Number of the first sample of a bin that is on the map.
    pub fn first_sample(&self, bin: usize) -> i64 {
        self.table.first_samples[self.span.bounds + bin]
    }

    #[inline]
    fn entries(&self, bins: Range<usize>) -> Range<usize> {
        let bounds = &self.table.bounds[self.span.bounds..];
        bounds[bins.start]..bounds[bins.end]
    }
}

/// One box of a plan.
#[derive(Debug, Clone, Default)]
pub struct RoiTaps {
    /// Row of the output.
    pub roi: usize,
    /// Which of the feature maps.
    pub stage: usize,
    /// Which image of that map.
    pub image: usize,
    /// Not `Raise`: the output is filled instead.
    pub invalid: Invalid,
    y: AxisSpan,
    x: AxisSpan,
}

/// Flat arrays that the tables of a few dozen boxes share.
#[derive(Debug, Default)]
pub struct Table<T> {
    /// Where the entries of each bin start; one more than bins per axis.
    bounds: Vec<usize>,
    pixels: Vec<u32>,
    weights: Vec<T>,
    /// Beside `weights`, for gradients of boxes.
    slopes: Vec<[T; 2]>,
    /// Beside `bounds`, for the forms made of samples.
    first_samples: Vec<i64>,
    rois: Vec<RoiTaps>,
    reduce: Reduce,
    has_slopes: bool,
}

impl<T: Real> Table<T> {
    /// An empty table with room for the usual number of taps of so many boxes with so many bins, in the memory of another
    /// one. `has_slopes`: for gradients of boxes.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn new(reduce: Reduce, has_slopes: bool, boxes: usize, output: Extent, memory: Self) -> Result<Self> {
        let bins = boxes * (output.height + output.width + 2);
        let mut table = Self { reduce, has_slopes, ..memory };
        table.bounds.clear();
        table.pixels.clear();
        table.weights.clear();
        table.slopes.clear();
        table.first_samples.clear();
        table.rois.clear();
        table.rois.reserve(boxes);
        reserve(&mut table.bounds, bins, "bins")?;
        if matches!(reduce, Reduce::MaxSample | Reduce::MaxCorner) {
            reserve(&mut table.first_samples, bins, "bins")?;
        }
        reserve(&mut table.pixels, bins * MOST_UNROLLED_TAPS, TAPS)?;
        reserve(&mut table.weights, bins * MOST_UNROLLED_TAPS, TAPS)?;
        Ok(table)
    }

    /// Bytes that its arrays hold, used or not.
    fn capacity(&self) -> usize {
        let Self { bounds, pixels, weights, slopes, first_samples, rois, .. } = self;
        size_of::<usize>() * bounds.capacity()
            + size_of::<u32>() * pixels.capacity()
            + size_of::<T>() * weights.capacity()
            + size_of::<[T; 2]>() * slopes.capacity()
            + size_of::<i64>() * first_samples.capacity()
            + size_of::<RoiTaps>() * rois.capacity()
    }

    /// Adds a box with at most so many taps on both axes together; `y` and `x` write them.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub fn push(
        &mut self,
        most_taps: usize,
        roi: usize,
        stage: usize,
        image: usize,
        y: impl FnOnce(AxisWriter<'_, T>) -> AxisSpan,
        x: impl FnOnce(AxisWriter<'_, T>) -> AxisSpan,
    ) -> Result<()> {
        reserve_more(&mut self.pixels, most_taps, TAPS)?;
        reserve_more(&mut self.weights, most_taps, TAPS)?;
        if self.has_slopes {
            reserve_more(&mut self.slopes, most_taps, TAPS)?;
        }
        let y = y(AxisWriter::new(self));
        let x = x(AxisWriter::new(self));
        self.rois.push(RoiTaps { roi, stage, image, invalid: Invalid::Raise, y, x });
        Ok(())
    }

    /// Adds a box whose output is filled.
    pub fn push_invalid(&mut self, roi: usize, invalid: Invalid) {
        self.rois.push(RoiTaps { roi, invalid, ..RoiTaps::default() });
    }
}
