//! Tables of taps (pixel, weight): the interface between operators, which write them, and kernels, which apply them.
//!
//! The pixels of a bin are the product of rows and columns, so a box has one small table per axis. It is made once for all
//! channels. The meaning of an entry depends on [`Reduce`]:
//!
//! | reduce | entries of a bin |
//! |---|---|
//! | `Sum` | taps: the bin's pixels, ascending, each once, with their merged weights |
//! | `MaxSample`, `MaxCorner` | samples: the lower and the upper tap of each, in the sample's order |
//! | `MaxWindow` | the first and the last pixel, no weights |
//!
//! # Layout
//!
//! One axis of one box is a sparse matrix, bins by pixels, in compressed sparse row (CSR) form: `indices` and `values` hold
//! the entries of all bins one after the other, and `offsets` says where each bin starts. Bin `b` has the entries
//! `offsets[b]..offsets[b + 1]`, so there is one offset more than bins, and a bin without entries has two equal offsets.
//! If the first bin reads pixels 2 and 3, the second none, and the third pixel 5:
//!
//! ```text
//! offsets  0        2  2  3
//! indices  2     3        5
//! values   0.75  0.25     1.0
//! ```
//!
//! The axes of up to [`BOXES_PER_TABLE`] boxes follow each other in the same flat arrays, which saves allocations. An
//! [`AxisSpan`] says where the offsets of an axis start. Offsets count from the start of the arrays, not of the axis.

mod axis;
mod end_axis;
mod plan;
pub mod transposed;
mod writer;

use crate::element::Real;
use crate::error::{Result, reserve, reserve_more};
use crate::geometry::{Axis, Extent};

pub use axis::{AxisSpan, AxisTaps};
pub use plan::{BOXES_PER_TABLE, Plan, Run};
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
    /// Whether each value comes from one sample or pixel, which an argmax can name.
    pub fn has_argmax(self) -> bool {
        self != Self::Sum
    }
}

/// What to do with an invalid box: one with a NaN or infinite coordinate, or of an image that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Invalid {
    /// Return an error.
    #[default]
    Raise,
    /// Fill its part of the output with zeros.
    Zero,
    /// Fill its part of the output with NaN.
    Nan,
}

/// What there may be no memory for.
const TAPS: &str = "taps";

/// Wider boxes are computed in runs of bins that span at most this number of columns, which bounds the window.
pub const MOST_COLUMNS: usize = 1 << 16;

/// Bins with at most this many taps are padded to a common number, for the unrolled loops.
pub const MOST_UNROLLED_TAPS: usize = 4;

/// One box of a plan.
#[derive(Debug, Clone, Default)]
pub struct RoiTaps {
    /// Row of the output.
    pub roi: usize,
    /// Index of the feature map.
    pub stage: usize,
    /// Index of the image in that map.
    pub image: usize,
    /// `Raise` for a valid box. Otherwise the output is filled with zeros or NaN.
    pub invalid: Invalid,
    /// Upper estimate of the loads of 16 lanes per block of channels: `bins + rows * columns` of taps.
    pub work: usize,
    y: AxisSpan,
    x: AxisSpan,
}

/// Flat arrays with the taps of up to [`BOXES_PER_TABLE`] boxes.
#[derive(Debug, Default)]
pub struct Table<T> {
    /// Where the entries of each bin start; one more than bins per axis.
    offsets: Vec<usize>,
    indices: Vec<u32>,
    values: Vec<T>,
    /// Beside `values`, for gradients of boxes.
    slopes: Vec<[T; 2]>,
    /// Beside `offsets`, for the forms made of samples.
    first_samples: Vec<i64>,
    rois: Vec<RoiTaps>,
    reduce: Reduce,
}

impl<T: Real> Table<T> {
    /// An empty table with room for the usual number of taps of `boxes` boxes. It reuses the arrays of `memory`.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn new(reduce: Reduce, boxes: usize, output: Extent, memory: Self) -> Result<Self> {
        let bins = boxes * (output.height + output.width + 2);
        let mut table = Self { reduce, ..memory };
        table.offsets.clear();
        table.indices.clear();
        table.values.clear();
        table.slopes.clear();
        table.first_samples.clear();
        table.rois.clear();
        table.rois.reserve(boxes);
        reserve(&mut table.offsets, bins, "bins")?;
        if matches!(reduce, Reduce::MaxSample | Reduce::MaxCorner) {
            reserve(&mut table.first_samples, bins, "bins")?;
        }
        reserve(&mut table.indices, bins * MOST_UNROLLED_TAPS, TAPS)?;
        reserve(&mut table.values, bins * MOST_UNROLLED_TAPS, TAPS)?;
        Ok(table)
    }

    /// Bytes that its arrays hold, used or not.
    fn capacity(&self) -> usize {
        let Self { offsets, indices, values, slopes, first_samples, rois, .. } = self;
        size_of::<usize>() * offsets.capacity()
            + size_of::<u32>() * indices.capacity()
            + size_of::<T>() * values.capacity()
            + size_of::<[T; 2]>() * slopes.capacity()
            + size_of::<i64>() * first_samples.capacity()
            + size_of::<RoiTaps>() * rois.capacity()
    }

    /// Adds a box with at most `most_taps` taps on both axes together. `axis` writes those of each. All boxes of a table are
    /// added with slopes, or all without.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub fn push<const SLOPES: bool>(
        &mut self,
        most_taps: usize,
        roi: usize,
        stage: usize,
        image: usize,
        axis: impl Fn(Axis, AxisWriter<'_, T, SLOPES>) -> AxisSpan,
    ) -> Result<()> {
        reserve_more(&mut self.indices, most_taps, TAPS)?;
        reserve_more(&mut self.values, most_taps, TAPS)?;
        if SLOPES {
            reserve_more(&mut self.slopes, most_taps, TAPS)?;
        }
        // One call in a loop is inlined, so that the writer stays in registers.
        let [(y, rows), (x, columns)] = [Axis::Y, Axis::X].map(|side| {
            let before = self.indices.len();
            let span = axis(side, AxisWriter::new(self));
            (span, self.indices.len() - before)
        });
        let work = y.bins * x.bins + rows.max(y.support.len()) * (columns + x.support.len());
        self.rois.push(RoiTaps { roi, stage, image, invalid: Invalid::Raise, work, y, x });
        Ok(())
    }

    /// Adds an invalid box, whose output is filled.
    pub fn push_invalid(&mut self, roi: usize, invalid: Invalid) {
        self.rois.push(RoiTaps { roi, invalid, ..RoiTaps::default() });
    }
}
