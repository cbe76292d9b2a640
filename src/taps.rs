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

mod axis;
mod plan;
mod slopes;
pub mod transposed;
mod writer;

use crate::element::Real;
use crate::error::{Result, reserve, reserve_more};
use crate::geometry::Extent;

pub use axis::{AxisSpan, AxisTaps};
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

/// A box over more columns is computed in runs of bins that span at most so many, to bound the window.
pub const MOST_COLUMNS: usize = 1 << 16;

/// Bins with at most this many taps are padded to a common number, for the unrolled loops.
pub const MOST_UNROLLED_TAPS: usize = 4;

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
    /// Upper estimate of the loads of 16 lanes for a block of channels: each row of taps in each column, and each bin.
    pub work: usize,
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
        let before = self.pixels.len();
        let y = y(AxisWriter::new(self));
        let between = self.pixels.len();
        let x = x(AxisWriter::new(self));
        let (rows, columns) = (between - before, self.pixels.len() - between);
        let work = y.bins * x.bins + rows.max(y.hull.len()) * (columns + x.hull.len());
        self.rois.push(RoiTaps { roi, stage, image, invalid: Invalid::Raise, work, y, x });
        Ok(())
    }

    /// Adds a box whose output is filled.
    pub fn push_invalid(&mut self, roi: usize, invalid: Invalid) {
        self.rois.push(RoiTaps { roi, invalid, ..RoiTaps::default() });
    }
}
