//! RoI Align: equal bins, no rounding, bilinear samples, their mean or maximum.
//!
//! K. He, G. Gkioxari, P. Dollár, R. Girshick, "Mask R-CNN", ICCV 2017, section 3.

use super::RoiOp;
use crate::element::Real;
use crate::error::{Error, Result};
use crate::geometry::grid::{Grid, SamplePoints};
use crate::geometry::{Axis, Side};
use crate::taps::{AxisSpan, AxisWriter, Reduce};

/// How the samples of a bin become one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// Mean of the interpolated samples.
    #[default]
    Avg,
    /// Maximum of the interpolated samples, as in mmcv and OpenVINO.
    Max,
    /// Maximum of the products `weight * pixel` of all samples, as in the ONNX reference.
    OnnxMax,
}

/// RoI Align, with its options.
///
/// Its gradient for boxes is exact for a fixed number of samples. Where the result is not differentiable:
///
/// * A sample on a pixel centre takes the mean of the slopes on both sides.
/// * A sample that leaves the map contributes no jump.
/// * A box side that is widened to one cell moves with its first end alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RoiAlign {
    /// Samples per bin along y and x. If 0 or less: `ceil(side of the bin in cells)`.
    pub sampling_ratio: [i64; 2],
    /// `true`: boxes are shifted by half a cell, so that integer coordinates are pixel edges. `false`: no shift, and
    /// sides shorter than one cell are widened to one.
    pub aligned: bool,
    /// Mean or maximum of the samples.
    pub mode: Mode,
    /// Positions of the samples in a bin.
    pub sample_points: SamplePoints,
}

/// More samples than this along a bin is a mistake, and would only cost time.
const MOST_SAMPLES: i64 = 65_536;

impl RoiOp for RoiAlign {
    fn check(&self) -> Result<()> {
        match self.sampling_ratio.into_iter().max() {
            Some(ratio) if ratio > MOST_SAMPLES => Err(Error::Value {
                name: "sampling_ratio",
                expected: "at most 65536",
                got: ratio.to_string(),
            }),
            _ => Ok(()),
        }
    }

    fn reduce(&self) -> Reduce {
        match self.mode {
            Mode::Avg => Reduce::Sum,
            Mode::Max => Reduce::MaxSample,
            Mode::OnnxMax => Reduce::MaxCorner,
        }
    }

    fn check_box_gradient(&self) -> Result<()> {
        match self.mode {
            Mode::Avg => Ok(()),
            Mode::Max | Mode::OnnxMax => {
                Err(Error::Conflict("the gradient for boxes needs a mean; use Mode::Avg".to_owned()))
            }
        }
    }

    fn most_taps(&self, axis: Axis, bins: usize, extent: usize) -> usize {
        match (self.mode, self.ratio(axis)) {
            (Mode::Avg, _) => extent + 4 * bins,
            // Two taps a sample; without a ratio, samples are at least half a pixel apart.
            (_, 0) => 4 * extent + 4 * bins,
            (_, ratio) => 2 * ratio as usize * bins,
        }
    }

    fn axis<B: Real, T: Real, const SLOPES: bool>(
        &self,
        side: Side<B>,
        mut taps: AxisWriter<'_, T, SLOPES>,
    ) -> AxisSpan {
        let (grid, Side { bins, extent, .. }) = (self.grid(side), side);
        taps.set_samples(grid.samples());
        for bin in 0..bins {
            let inside = grid.inside(bin, extent);
            let first = inside.start;
            // In an inverted box positions descend with the index of the sample. A mean wants ascending positions; a
            // maximum wants ascending indices, which its argmax counts.
            match self.mode {
                Mode::Avg if grid.ascending() => {
                    for i in inside {
                        taps.sample(grid.position(bin, i), extent, || grid.slopes(bin, i));
                    }
                }
                Mode::Avg => {
                    for i in inside.rev() {
                        taps.sample(grid.position(bin, i), extent, || grid.slopes(bin, i));
                    }
                }
                Mode::Max | Mode::OnnxMax => {
                    for i in inside {
                        taps.candidate(grid.position(bin, i), extent);
                    }
                }
            }
            taps.end_bin(first);
        }
        taps.finish()
    }
}

impl RoiAlign {
    /// The sample positions of a box on one axis.
    #[must_use]
    pub fn grid<B: Real>(&self, side: Side<B>) -> Grid<B> {
        let scale = B::from_f64(side.scale);
        Grid::new(side.ends, side.bins, scale, self.ratio(side.axis), self.aligned, self.sample_points)
    }

    /// Samples of a bin along an axis, 0 for one a pixel.
    fn ratio(&self, axis: Axis) -> u32 {
        let [y, x] = self.sampling_ratio;
        (if axis == Axis::Y { y } else { x }).max(0) as u32
    }
}
