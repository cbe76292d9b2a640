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

mod slopes;
pub mod transposed;

use std::ops::Range;

use crate::element::Real;
use crate::geometry::Extent;

pub use slopes::SlopeWriter;

/// How the taps of a bin become one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduce {
    /// Weighted sum.
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

/// Bins with at most this many taps are padded to a common number, for the unrolled loops.
pub const MOST_UNROLLED_TAPS: usize = 4;

/// One axis of one box: where its entries lie in the table, and what the kernels need to know at a glance.
#[derive(Debug, Clone, Default)]
pub struct AxisSpan {
    bounds: usize,
    bins: usize,
    uniform: usize,
    live: Range<usize>,
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
#[derive(Debug)]
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
}

impl<T: Real> Table<T> {
    /// An empty table with room for the usual number of taps of so many boxes with so many bins.
    pub fn new(reduce: Reduce, boxes: usize, output: Extent) -> Self {
        let bins = boxes * (output.height + output.width + 2);
        Self {
            bounds: Vec::with_capacity(bins),
            pixels: Vec::with_capacity(bins * MOST_UNROLLED_TAPS),
            weights: Vec::with_capacity(bins * MOST_UNROLLED_TAPS),
            slopes: Vec::new(),
            first_samples: Vec::new(),
            rois: Vec::with_capacity(boxes),
            reduce,
        }
    }

    /// Adds a box; `fill` writes the two axes, y and then x.
    pub fn push(
        &mut self,
        roi: usize,
        stage: usize,
        image: usize,
        y: impl FnOnce(AxisWriter<'_, T>) -> AxisSpan,
        x: impl FnOnce(AxisWriter<'_, T>) -> AxisSpan,
    ) {
        let y = y(AxisWriter::new(self));
        let x = x(AxisWriter::new(self));
        self.rois.push(RoiTaps { roi, stage, image, invalid: Invalid::Raise, y, x });
    }

    /// Adds a box whose output is filled.
    pub fn push_invalid(&mut self, roi: usize, invalid: Invalid) {
        self.rois.push(RoiTaps { roi, invalid, ..RoiTaps::default() });
    }
}

/// Writes the entries of one axis of one box, bin by bin.
pub struct AxisWriter<'a, T> {
    table: &'a mut Table<T>,
    bounds: usize,
    samples: i64,
    /// The lower pixel that taps are being merged at, its weight, and the weight of the next pixel.
    pending: Option<(u32, f64, f64)>,
}

impl<'a, T: Real> AxisWriter<'a, T> {
    fn new(table: &'a mut Table<T>) -> Self {
        let bounds = table.bounds.len();
        table.bounds.push(table.pixels.len());
        Self { table, bounds, samples: 0, pending: None }
    }

    /// Sets the number of samples in each bin, those off the map included.
    pub fn set_samples(&mut self, samples: i64) {
        self.samples = samples;
    }

    /// `Sum`: adds a sample between `pixel` and the next one. Samples of a bin come in ascending order.
    #[inline(always)]
    pub fn merge(&mut self, pixel: u32, fraction: f64, scale: f64) {
        let (lower, upper) = (1.0 - fraction, fraction);
        self.pending = match self.pending {
            Some((at, a, b)) if at == pixel => Some((at, a + lower, b + upper)),
            Some((at, a, b)) if at + 1 == pixel => {
                self.tap(at, a * scale);
                Some((pixel, b + lower, upper))
            }
            Some((at, a, b)) => {
                self.tap(at, a * scale);
                self.tap(at + 1, b * scale);
                Some((pixel, lower, upper))
            }
            None => Some((pixel, lower, upper)),
        };
    }

    /// `Sum`: ends a bin.
    #[inline(always)]
    pub fn end_merged(&mut self, scale: f64) {
        if let Some((at, a, b)) = self.pending.take() {
            self.tap(at, a * scale);
            self.tap(at + 1, b * scale);
        }
        self.table.bounds.push(self.table.pixels.len());
    }

    /// `MaxSample` and `MaxCorner`: adds a sample between `pixel` and the next one.
    #[inline(always)]
    pub fn sample(&mut self, pixel: u32, fraction: f64) {
        // A pixel without weight must not be read, for it may be NaN: an interpolated sample takes its one
        // pixel as two equal halves, a corner of weight 0 is recognised by the kernel.
        let (upper, weights) = match (fraction == 0.0, self.table.reduce) {
            (true, Reduce::MaxSample) => (pixel, [0.5, 0.5]),
            (true, _) => (pixel, [1.0, 0.0]),
            (false, _) => (pixel + 1, [1.0 - fraction, fraction]),
        };
        self.table.pixels.extend([pixel, upper]);
        self.table.weights.extend(weights.map(T::from_f64));
    }

    /// `MaxSample` and `MaxCorner`: ends a bin whose samples started at number `first`.
    pub fn end_samples(&mut self, first: i64) {
        self.table.first_samples.resize(self.table.bounds.len() - 1, 0);
        self.table.first_samples.push(first);
        self.table.bounds.push(self.table.pixels.len());
    }

    /// `MaxWindow`: adds a bin.
    pub fn window(&mut self, pixels: Range<u32>) {
        if !pixels.is_empty() {
            self.table.pixels.extend([pixels.start, pixels.end - 1]);
        }
        self.table.bounds.push(self.table.pixels.len());
    }

    /// Ends the axis.
    pub fn finish(mut self) -> AxisSpan {
        let bounds = &self.table.bounds[self.bounds..];
        let (bins, from) = (bounds.len() - 1, bounds[0]);
        let count = |bin: usize| bounds[bin + 1] - bounds[bin];
        let first = (0..bins).find(|&bin| count(bin) > 0).unwrap_or(bins);
        let end = (first..bins).rfind(|&bin| count(bin) > 0).map_or(first, |bin| bin + 1);
        let most = (first..end).map(count).max().unwrap_or(0);
        let least = (first..end).map(count).min().unwrap_or(0);
        // Only slopes bring taps without weight.
        let all_weigh = self.table.slopes.is_empty()
            || self.table.weights[from..].iter().all(|&weight| weight != T::ZERO);
        let unrolled =
            self.table.reduce == Reduce::Sum && least > 0 && most <= MOST_UNROLLED_TAPS && all_weigh;
        let (mut low, mut high) = (u32::MAX, 0);
        for &pixel in &self.table.pixels[from..] {
            low = low.min(pixel);
            high = high.max(pixel);
        }
        let hull = if most == 0 { 0..0 } else { low as usize..high as usize + 1 };
        if unrolled && least < most {
            self.pad(first..end, most);
        }
        AxisSpan {
            bounds: self.bounds,
            bins,
            uniform: if unrolled { most } else { 0 },
            live: first..end,
            hull,
            samples: self.samples,
        }
    }

    #[inline(always)]
    fn tap(&mut self, pixel: u32, weight: f64) {
        if weight != 0.0 {
            self.table.pixels.push(pixel);
            self.table.weights.push(T::from_f64(weight));
        }
    }

    /// Gives each live bin `count` taps by halving the weight of its last one. Halving is exact and repeats a pixel
    /// that has weight, so that NaN and infinity pass as before. Its slopes stay with the first half.
    fn pad(&mut self, live: Range<usize>, count: usize) {
        let Table { bounds, pixels, weights, slopes, .. } = &mut *self.table;
        let bounds = &mut bounds[self.bounds..];
        let from = bounds[live.start];
        pixels.resize(from + live.len() * count, 0);
        weights.resize(pixels.len(), T::default());
        let sloped = !slopes.is_empty();
        slopes.resize(if sloped { pixels.len() } else { 0 }, [T::ZERO; 2]);
        let half = T::from_f64(0.5);
        for bin in live.clone().rev() {
            let (old, new) = (bounds[bin]..bounds[bin + 1], from + (bin - live.start) * count);
            pixels.copy_within(old.clone(), new);
            weights.copy_within(old.clone(), new);
            if sloped {
                slopes.copy_within(old.clone(), new);
                slopes[new + old.len()..new + count].fill([T::ZERO; 2]);
            }
            for at in new + old.len()..new + count {
                pixels[at] = pixels[at - 1];
                weights[at - 1] = weights[at - 1] * half;
                weights[at] = weights[at - 1];
            }
        }
        // Backwards above, so that no bin's bounds change before they are read.
        for (i, bound) in bounds[live.start..].iter_mut().enumerate() {
            *bound = from + i.min(live.len()) * count;
        }
    }
}

/// Boxes that follow each other and belong to one image of one map.
#[derive(Debug, Clone)]
pub struct Run {
    /// The boxes, in the order in which rows are first read.
    pub rois: Range<usize>,
    /// Which of the feature maps.
    pub stage: usize,
    /// Which image of that map.
    pub image: usize,
    /// Rows of the tallest box.
    pub tallest: usize,
    /// Columns of the widest box.
    pub widest: usize,
    /// Pixels of all boxes together.
    pub area: usize,
}

/// All taps of one call.
#[derive(Debug)]
pub struct Plan<T> {
    /// How the taps of a bin become one value.
    pub reduce: Reduce,
    /// Bins of a box.
    pub output: Extent,
    tables: Vec<Table<T>>,
    order: Vec<(u32, u32)>,
}

impl<T: Real> Plan<T> {
    /// Puts the boxes of the tables in the order in which their rows are first read.
    pub fn new(reduce: Reduce, output: Extent, tables: Vec<Table<T>>) -> Self {
        let mut order = Vec::with_capacity(tables.iter().map(|table| table.rois.len()).sum());
        for (t, table) in tables.iter().enumerate() {
            order.extend(table.rois.iter().enumerate().map(|(i, roi)| {
                (roi.stage as u32, roi.image as u32, roi.y.hull.start as u32, t as u32, i as u32)
            }));
        }
        order.sort_unstable();
        let order = order.into_iter().map(|(.., table, at)| (table, at)).collect();
        Self { reduce, output, tables, order }
    }

    /// Number of boxes.
    pub fn boxes(&self) -> usize {
        self.order.len()
    }

    /// Cuts the boxes into about `count` runs, each of one image of one map.
    pub fn runs(&self, count: usize) -> Vec<Run> {
        let longest = self.order.len().div_ceil(count.max(1)).max(1);
        let mut runs: Vec<Run> = Vec::new();
        for at in 0..self.order.len() {
            let (roi, y, x) = self.roi(at);
            let (stage, image) = (roi.stage, roi.image);
            let fits = |run: &Run| run.rois.len() < longest && (run.stage, run.image) == (stage, image);
            if !runs.last().is_some_and(fits) {
                runs.push(Run { rois: at..at, stage, image, tallest: 0, widest: 0, area: 0 });
            }
            let Some(run) = runs.last_mut() else { continue };
            run.rois.end = at + 1;
            run.tallest = run.tallest.max(y.hull().len());
            run.widest = run.widest.max(x.hull().len());
            run.area += y.hull().len() * x.hull().len();
        }
        runs
    }

    /// How many boxes come before those of an image of a map, in the order in which rows are first read.
    pub fn position(&self, stage: usize, image: usize) -> usize {
        let roi = |&(table, at): &(u32, u32)| &self.tables[table as usize].rois[at as usize];
        self.order.partition_point(|at| (roi(at).stage, roi(at).image) < (stage, image))
    }

    /// A box, counted in the order in which rows are first read, with its taps on y and x.
    pub fn roi(&self, at: usize) -> (&RoiTaps, AxisTaps<'_, T>, AxisTaps<'_, T>) {
        let (table, at) = self.order[at];
        let table = &self.tables[table as usize];
        let roi = &table.rois[at as usize];
        (roi, AxisTaps { span: &roi.y, table }, AxisTaps { span: &roi.x, table })
    }
}
