//! Bilinear interpolation on one axis: from a position to two pixels and a fraction. Contains the border rule.

use crate::element::Real;

/// Splits a position into the lower pixel and the fraction of the way to the next pixel, in [0, 1).
///
/// Needs `-1 <= position <= extent`. A position past the outermost pixel centres gives the outermost pixel and fraction 0.
/// With fraction 0 the next pixel is not used and may not exist. The fraction is exact.
#[inline(always)]
pub fn split<B: Real>(position: B, extent: usize) -> (u32, f64) {
    if position <= B::default() {
        return (0, 0.0);
    }
    let pixel = position.to_i64();
    if pixel >= extent as i64 - 1 {
        return (extent as u32 - 1, 0.0);
    }
    (pixel as u32, (position - B::from_i64(pixel)).to_f64())
}

/// The derivative of the interpolated value for the position, as a weighted sum of differences between neighbours.
///
/// Each entry `(i, share)` stands for `share * (pixel[i + 1] - pixel[i])`. Between two centres it is their difference. On a
/// centre, where the slope jumps, it is the mean of the differences on both sides. Past the outermost centres it is 0.
#[inline(always)]
pub fn steps<B: Real>(position: B, extent: usize) -> [(u32, f64); 2] {
    let last = extent as i64 - 1;
    if position < B::default() || position > B::from_i64(last) {
        return [(0, 0.0); 2];
    }
    let pixel = position.to_i64();
    if position != B::from_i64(pixel) {
        return [(pixel as u32, 1.0), (0, 0.0)];
    }
    let half = |is_there| if is_there { 0.5 } else { 0.0 };
    [((pixel - 1).max(0) as u32, half(pixel > 0)), (pixel as u32, half(pixel < last))]
}

#[cfg(test)]
mod tests {
    use super::{split, steps};

    #[test]
    fn a_value_follows_the_step_that_it_lies_on() {
        assert_eq!(steps(2.25f32, 5)[0], (2, 1.0));
        assert_eq!(steps(2.0f64, 5), [(1, 0.5), (2, 0.5)]);
        assert_eq!(steps(0.0f64, 5), [(0, 0.0), (0, 0.5)]);
        assert_eq!(steps(4.0f64, 5), [(3, 0.5), (4, 0.0)]);
        for (position, extent) in [(-0.5f32, 5), (4.5, 5), (0.0, 1), (0.5, 1)] {
            assert!(steps(position, extent).iter().all(|(_, share)| *share == 0.0));
        }
    }

    #[test]
    fn inside_the_map_it_is_floor_and_fraction() {
        assert_eq!(split(2.25f32, 5), (2, 0.25));
        assert_eq!(split(3.0f64, 5), (3, 0.0));
    }

    #[test]
    fn the_border_band_takes_the_outermost_pixel() {
        assert_eq!(split(-1.0f32, 5), (0, 0.0));
        assert_eq!(split(4.5f32, 5), (4, 0.0));
        assert_eq!(split(5.0f32, 5), (4, 0.0));
        assert_eq!(split(0.5f32, 1), (0, 0.0));
    }
}
