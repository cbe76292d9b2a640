//! Precise RoI pooling: the mean of the bilinear surface over each bin, as an exact integral instead of samples.
//!
//! B. Jiang, R. Luo, J. Mao, T. Xiao, Y. Jiang, "Acquisition of Localization Confidence for Accurate Object Detection",
//! ECCV 2018, section 3.2.
//!
//! The surface interpolates the pixels and falls to 0 within one pixel of the map: with the hat `h(u) = max(0, 1 - |u|)` it
//! is the sum of `pixel[i] * h(x - i)` on each axis. Pixel `i` then has in a bin `[a, b]` the weight
//!
//! ```text
//! w(i) = 1 / (b - a) * integral of h(x - i) from a to b
//! ```
//!
//! A hat is linear between pixel centres, and the mean of a linear function is its value in the middle. So a bin is cut at
//! pixel centres, and each piece is one bilinear sample in its middle that counts as much as the piece is long. Nothing
//! cancels, however small a bin is. The same holds for slopes: a point at the part `t` of the way from `a` to `b` moves by
//! `1 - t` of what `a` moves, and by `t` of what `b` does.

use super::RoiOp;
use crate::element::Real;
use crate::error::Result;
use crate::geometry::Side;
use crate::taps::{AxisSpan, AxisWriter, Reduce};

/// Precise RoI pooling. It has no options. A box of no area gives 0, and 0 for every gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PrRoiPool;

impl RoiOp for PrRoiPool {
    fn check(&self) -> Result<()> {
        Ok(())
    }

    fn reduce(&self) -> Reduce {
        Reduce::Sum
    }

    fn check_box_gradient(&self) -> Result<()> {
        Ok(())
    }

    fn axis<B: Real, T: Real, const SLOPES: bool>(
        &self,
        side: Side<B>,
        mut taps: AxisWriter<'_, T, SLOPES>,
    ) -> AxisSpan {
        let Side { ends, scale, bins, extent, .. } = side;
        let [start, end] = ends.map(|end| end * B::from_f64(scale));
        let bin_size = (end - start) / B::from_i64(bins as i64);
        let edge = |bin: usize| (start + B::from_i64(bin as i64) * bin_size).to_f64();
        for bin in 0..bins {
            let a = edge(bin);
            // Where rounding leaves nothing between two edges, the bin is as good as a point.
            let b = edge(bin + 1).max(a.next_up());
            let (mut from, to) = (a.max(-1.0), b.min(extent as f64));
            // A box of no area has no taps.
            while bin_size > B::ZERO && from < to {
                let pixel = from.floor();
                let end = to.min(pixel + 1.0);
                let (share, middle) = ((end - from) / (b - a), f64::midpoint(from, end));
                let of_box = (bin as f64 + (middle - a) / (b - a)) / bins as f64;
                let slopes = [1.0 - of_box, of_box].map(|end| share * scale * end);
                for (pixel, hat, sign) in
                    [(pixel, pixel + 1.0 - middle, -1.0), (pixel + 1.0, middle - pixel, 1.0)]
                {
                    if (0.0..extent as f64).contains(&pixel) {
                        taps.weight(pixel as u32, share * hat, slopes.map(|slope| sign * slope));
                    }
                }
                from = end;
            }
            taps.end_bin(0);
        }
        taps.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Axis, Extent};
    use crate::taps::{Plan, Table};

    /// Of each bin, the weight of each pixel and its derivatives for both ends of the box.
    fn weights(ends: [f64; 2], bins: usize, extent: usize) -> Vec<Vec<[f64; 3]>> {
        let output = Extent { height: bins, width: bins };
        let mut table = Table::<f64>::new(Reduce::Sum, 1, output, Table::default()).unwrap();
        let side = Side { axis: Axis::Y, ends, scale: 0.5, bins, extent };
        table.push::<true>(extent + 4 * bins, 0, 0, 0, |_, taps| PrRoiPool.axis(side, taps)).unwrap();
        let plan = Plan::new(Reduce::Sum, output, vec![table]);
        let (_, y, _) = plan.roi(0);
        let dense = |bin: usize| {
            let mut dense = vec![[0.0; 3]; extent];
            let (bin, taps) = (bin..bin + 1, y.indices(bin..bin + 1));
            for ((&pixel, value), [low, high]) in taps.iter().zip(y.values(bin.clone())).zip(y.slopes(bin)) {
                let sums = &mut dense[pixel as usize];
                sums.iter_mut().zip([value, low, high]).for_each(|(sum, value)| *sum += value);
            }
            dense
        };
        (0..bins).map(dense).collect()
    }

    #[test]
    fn a_constant_keeps_its_value_and_a_ramp_gives_the_centre_of_the_bin() {
        for ends in [[1.0, 17.5], [0.3, 0.4], [5.0, 5.0 + 1e-14], [9.9, 10.1]] {
            for (bin, weights) in weights(ends, 3, 10).iter().enumerate() {
                let centre = 0.5 * (ends[0] + (ends[1] - ends[0]) * (bin as f64 + 0.5) / 3.0);
                let sum: f64 = weights.iter().map(|[weight, ..]| weight).sum();
                let mean: f64 = (0_u8..).zip(weights).map(|(i, [weight, ..])| f64::from(i) * weight).sum();
                assert!((sum - 1.0).abs() < 1e-12 && (mean - centre).abs() < 1e-12, "{ends:?} {sum} {mean}");
            }
        }
    }

    #[test]
    fn the_surface_falls_to_zero_within_a_pixel_of_the_map() {
        let first = |ends| weights(ends, 1, 5)[0].iter().map(|[weight, ..]| *weight).collect::<Vec<_>>();
        assert_eq!(first([-2.0, 0.0]), [0.5, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(first([-1.0, 1.0]), [0.75, 0.125, 0.0, 0.0, 0.0]);
        assert_eq!(first([8.0, 12.0]), [0.0, 0.0, 0.0, 0.0, 0.25]);
        assert_eq!(first([-1e30, 1e30]), [1.0 / 1e30; 5]);
        for outside in [[-9.0, -2.0], [10.0, 1e30], [10.0, 10.0], [3.0, 3.0], [7.0, 1.0]] {
            assert_eq!(first(outside), [0.0; 5]);
        }
    }

    #[test]
    fn weights_move_with_the_ends_of_the_box() {
        for ends in [[-3.0, 3.5], [1.2, 8.9], [4.1, 4.3], [3.9, 4.2]] {
            for end in 0..2 {
                let moved = |step: f64| {
                    let mut ends = ends;
                    ends[end] += step;
                    weights(ends, 2, 5).concat()
                };
                for ((low, at), high) in moved(-1e-6).iter().zip(moved(0.0)).zip(moved(1e-6)) {
                    assert!((at[1 + end] - (high[0] - low[0]) / 2e-6).abs() < 1e-7, "{ends:?}");
                }
            }
        }
    }
}
