//! The operators: parameters, their validation, and how each turns a box into taps. One file per operator.

mod roi_align;
mod roi_pool;

pub use roi_align::{Mode, RoiAlign};
pub use roi_pool::{PoolMode, Quantization, RoiPool};

use crate::element::Real;
use crate::error::{Error, Result};
use crate::geometry::{Axis, Extent};
use crate::taps::{AxisSpan, AxisWriter, Reduce, SlopeWriter};

/// A RoI operator. Forward and backward passes on the CPU and the GPU use these methods alone.
pub trait RoiOp: Sync {
    /// Validates the parameters.
    ///
    /// # Errors
    /// [`Error::Value`] if a parameter is out of range.
    fn check(&self) -> Result<()>;

    /// Number of bins of a box: height and width of the output.
    fn output(&self) -> Extent;

    /// Cells of the map per image pixel.
    fn spatial_scale(&self) -> f64;

    /// How the taps of a bin become one value.
    fn reduce(&self) -> Reduce;

    /// Approximate upper bound on the taps of a box on one axis: each merged bin reads a pixel once, and neighbouring bins
    /// share the pixels at their common edge.
    fn most_taps(&self, axis: Axis, extent: usize) -> usize {
        extent + 4 * self.output().side(axis)
    }

    /// Writes the taps of one box on one axis. All geometry of the operator is here.
    ///
    /// `ends` are the two ends of the box in image pixels. `extent` is the side of the map in pixels.
    fn axis<B: Real, T: Real>(
        &self,
        axis: Axis,
        ends: [B; 2],
        extent: usize,
        taps: AxisWriter<'_, T>,
    ) -> AxisSpan;
}

/// An operator that has a gradient for its boxes.
pub trait RoiSlopes: RoiOp {
    /// Like [`RoiOp::axis`], with the derivative of each weight for both ends of the box.
    fn slopes<B: Real, T: Real>(
        &self,
        axis: Axis,
        ends: [B; 2],
        extent: usize,
        taps: SlopeWriter<'_, T>,
    ) -> AxisSpan;
}

/// Tables of taps and the memory of each thread hold all bins of a side: more than this would take gigabytes
/// beside the result.
const MOST_BINS_A_SIDE: usize = 1 << 24;

/// Validates the parameters that all operators have.
fn check_common(output: Extent, spatial_scale: f64) -> Result<()> {
    if output.height == 0 || output.width == 0 {
        return Err(Error::Value {
            name: "output_size",
            expected: "positive",
            got: format!("({}, {})", output.height, output.width),
        });
    }
    let longest = output.height.max(output.width);
    if longest > MOST_BINS_A_SIDE {
        return Err(Error::NoMemory { count: longest, what: "bins along a side of output_size" });
    }
    if !(spatial_scale.is_finite() && spatial_scale > 0.0) {
        return Err(Error::Value {
            name: "spatial_scale",
            expected: "finite and positive",
            got: spatial_scale.to_string(),
        });
    }
    Ok(())
}
