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

/// The taps of a position, and how they change with it: for three neighbouring pixels, the first of which is returned, the
/// weight and its derivative.
///
/// Between two centres one weight falls as fast as the other rises. On a centre, where derivatives jump, they are the means of
/// both sides, so that neighbours of weight 0 have one. Past the outermost centres they are 0.
#[inline(always)]
pub fn with_slopes<B: Real>(position: B, extent: usize) -> (u32, [[f64; 2]; 3]) {
    let ((pixel, fraction), last) = (split(position, extent), extent as u32 - 1);
    if position < B::ZERO || position > B::from_i64(i64::from(last)) {
        return (pixel, [[1.0, 0.0], [0.0; 2], [0.0; 2]]);
    }
    if fraction != 0.0 {
        return (pixel, [[1.0 - fraction, -1.0], [fraction, 1.0], [0.0; 2]]);
    }
    let half = |is_there| if is_there { 0.5 } else { 0.0 };
    let (before, behind) = (half(pixel > 0), half(pixel < last));
    let centre = [[1.0, before - behind], [0.0, behind]];
    match pixel {
        0 => (0, [centre[0], centre[1], [0.0; 2]]),
        _ => (pixel - 1, [[0.0, -before], centre[0], centre[1]]),
    }
}

#[cfg(test)]
mod tests {
    use super::{split, with_slopes};

    #[test]
    fn weights_change_between_centres_and_not_past_the_outermost() {
        assert_eq!(with_slopes(2.25f32, 5), (2, [[0.75, -1.0], [0.25, 1.0], [0.0; 2]]));
        assert_eq!(with_slopes(2.0f64, 5), (1, [[0.0, -0.5], [1.0, 0.0], [0.0, 0.5]]));
        assert_eq!(with_slopes(0.0f64, 5), (0, [[1.0, -0.5], [0.0, 0.5], [0.0; 2]]));
        assert_eq!(with_slopes(4.0f64, 5), (3, [[0.0, -0.5], [1.0, 0.5], [0.0; 2]]));
        for (position, extent, pixel) in [(-0.5f32, 5, 0), (4.5, 5, 4), (0.0, 1, 0), (0.5, 1, 0)] {
            assert_eq!(with_slopes(position, extent), (pixel, [[1.0, 0.0], [0.0; 2], [0.0; 2]]));
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
