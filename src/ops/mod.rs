//! The operators: one file each, with its parameters, their check, and how a box becomes taps.

mod roi_align;
mod roi_pool;

pub use roi_align::{Mode, RoiAlign};
pub use roi_pool::{PoolMode, Quantization, RoiPool};

use crate::element::Real;
use crate::error::{Error, Result};
use crate::geometry::{Axis, Extent};
use crate::taps::{AxisSpan, AxisWriter, Reduce, SlopeWriter};

/// What a RoI operator is, for every backend and both directions.
pub trait RoiOp: Sync {
    /// Refuses parameters that have no meaning.
    ///
    /// # Errors
    /// Names the parameter.
    fn check(&self) -> Result<()>;

    /// Bins of a box.
    fn output(&self) -> Extent;

    /// Cells of the map per image pixel.
    fn spatial_scale(&self) -> f64;

    /// How the taps of a bin become one value.
    fn reduce(&self) -> Reduce;

    /// About how many taps a box has on an axis, at most. A merged bin reads each pixel once, and two bins share
    /// those at their edge.
    fn most_taps(&self, axis: Axis, extent: usize) -> usize {
        extent + 4 * self.output().side(axis)
    }

    /// Writes the taps of one box on one axis: the only place where the operator's geometry stands.
    ///
    /// `ends` are the box's ends in image pixels, `extent` is the map's side.
    fn axis<B: Real, T: Real>(
        &self,
        axis: Axis,
        ends: [B; 2],
        extent: usize,
        taps: AxisWriter<'_, T>,
    ) -> AxisSpan;
}

/// An operator whose result changes smoothly with its boxes.
pub trait RoiSlopes: RoiOp {
    /// As [`RoiOp::axis`] for a weighted sum, with the slopes of the weights.
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

/// The checks that operators share.
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
