//! RoI pooling: the box and its bins are rounded to whole cells, whose maximum or mean is taken.
//!
//! R. Girshick, "Fast R-CNN", ICCV 2015, section 2.1.

use std::ops::Range;

use super::RoiOp;
use crate::element::Real;
use crate::error::Result;
use crate::geometry::Side;
use crate::taps::{AxisSpan, AxisWriter, Reduce};

/// How the cells of a bin become one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum PoolMode {
    /// Maximum of the cells.
    #[default]
    Max,
    /// Mean of the cells that are on the map.
    Avg,
}

/// How a box and its bins are rounded to whole cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Quantization {
    /// The box is rounded and includes its last cell. Bins are rounded outwards and may overlap. Caffe, torchvision, ONNX.
    #[default]
    Caffe,
    /// The box is not rounded and ends one image pixel later. Bins are rounded outwards. mmcv.
    Mmcv,
    /// The box is rounded down and has at least one cell. Bins are rounded down and do not overlap.
    Floor,
    /// The start and the extent of the box are rounded down. All bins have the same whole size; the remainder is dropped.
    Truncate,
}

/// RoI pooling, with its options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RoiPool {
    /// Maximum or mean of the cells.
    pub mode: PoolMode,
    /// Rule that rounds the box and its bins.
    pub quantization: Quantization,
}

impl RoiOp for RoiPool {
    fn check(&self) -> Result<()> {
        Ok(())
    }

    fn reduce(&self) -> Reduce {
        match self.mode {
            PoolMode::Max => Reduce::MaxWindow,
            PoolMode::Avg => Reduce::Sum,
        }
    }

    fn axis<B: Real, T: Real, const SLOPES: bool>(
        &self,
        side: Side<B>,
        mut taps: AxisWriter<'_, T, SLOPES>,
    ) -> AxisSpan {
        let Side { ends, scale, bins, extent, .. } = side;
        let clip = |edge: i64| edge.clamp(0, extent as i64) as u32;
        for cells in self.quantization.windows(ends, B::from_f64(scale), bins) {
            let pixels = clip(cells.start)..clip(cells.end);
            match self.mode {
                PoolMode::Max => taps.window(pixels),
                PoolMode::Avg => {
                    let share = 1.0 / f64::from((pixels.end.saturating_sub(pixels.start)).max(1));
                    pixels.for_each(|pixel| taps.weight(pixel, share, [0.0; 2]));
                }
            }
            taps.end_bin(0);
        }
        taps.finish()
    }
}

/// Beyond any map, and far enough from overflowing that two of them can be added.
const FAR: i64 = 1 << 61;

impl Quantization {
    /// The range of cells of each bin on one axis, not clipped to the map. `ends` are in image pixels.
    pub fn windows<B: Real>(
        self,
        ends: [B; 2],
        spatial_scale: B,
        bins: usize,
    ) -> impl Iterator<Item = Range<i64>> {
        let whole = |edge: B| edge.to_i64().clamp(-FAR, FAR);
        let count = bins as i64;
        let [start, end] = ends.map(|end| end * spatial_scale);
        let first = match self {
            Self::Caffe => whole(start.round()),
            Self::Mmcv | Self::Floor | Self::Truncate => whole(start.floor()),
        };
        // For the first two the size of a bin, for the others its number of cells.
        let (bin, size) = match self {
            Self::Caffe => {
                let cells = (whole(end.round()) - first + 1).max(1);
                (B::from_i64(cells) / B::from_i64(count), 0)
            }
            Self::Mmcv => {
                let widened = (ends[1] + B::from_i64(1)) * spatial_scale;
                ((widened - start) / B::from_i64(count), 0)
            }
            Self::Floor => (B::default(), (whole(end.floor()) - first).max(1)),
            Self::Truncate => (B::default(), whole((end - start).floor()).div_euclid(count).max(1)),
        };
        (0..count).map(move |i| match self {
            Self::Caffe => {
                let edge = |i: i64| B::from_i64(i) * bin;
                first + whole(edge(i).floor())..first + whole(edge(i + 1).ceil())
            }
            Self::Mmcv if bin > B::default() => {
                let edge = |i: i64| B::from_i64(i) * bin + start;
                whole(edge(i).floor())..whole(edge(i + 1).ceil())
            }
            Self::Mmcv => first..first,
            Self::Floor => {
                // i * size / count, which could overflow.
                let edge = |i: i64| first + i * (size / count) + i * (size % count) / count;
                edge(i)..edge(i + 1)
            }
            Self::Truncate => first + i * size..first + (i + 1) * size,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(rule: Quantization, ends: [f64; 2], bins: usize) -> Vec<Range<i64>> {
        rule.windows(ends, 1.0, bins).collect()
    }

    #[test]
    fn caffe_bins_overlap_and_include_the_end() {
        assert_eq!(windows(Quantization::Caffe, [0.0, 6.0], 2), [0..4, 3..7]);
    }

    #[test]
    fn floor_bins_share_the_box() {
        assert_eq!(windows(Quantization::Floor, [0.0, 7.0], 2), [0..3, 3..7]);
    }

    #[test]
    fn truncate_drops_what_does_not_divide() {
        assert_eq!(windows(Quantization::Truncate, [6.0, 10.53], 3), [6..7, 7..8, 8..9]);
    }

    #[test]
    fn boxes_of_any_size_keep_their_bins() {
        let huge = [-1e13, 7e10];
        let [first, middle, last] = [-10_000_000_000_000, -4_965_000_000_000, 70_000_000_000];
        assert_eq!(windows(Quantization::Caffe, huge, 1)[0], first..last + 1);
        assert_eq!(windows(Quantization::Floor, huge, 2)[0], first..middle);
        assert_eq!(windows(Quantization::Truncate, huge, 2)[1], middle..last);
        for rule in [Quantization::Caffe, Quantization::Mmcv, Quantization::Floor, Quantization::Truncate] {
            let cells = windows(rule, [-1e300, 1e300], 1 << 24);
            assert!(cells.iter().all(|cells| cells.start <= cells.end), "{rule:?}");
        }
    }

    #[test]
    fn mmcv_rounds_bins_outwards() {
        assert_eq!(windows(Quantization::Mmcv, [1.5, 5.5], 2), [1..4, 4..7]);
        assert!(windows(Quantization::Mmcv, [5.0, 4.0], 2).iter().all(|cells| *cells == (5..5)));
    }
}
