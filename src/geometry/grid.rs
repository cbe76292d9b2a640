//! The sampling grid of a box on one axis: bins, and the positions of the samples in them.

use std::ops::Range;

use crate::element::Real;

/// Positions of the samples in a bin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SamplePoints {
    /// Sample `i` of `n` at `(i + 1/2) / n` of the bin: the centres of `n` equal parts, as in every library.
    #[default]
    Center,
    /// Sample `i` of `n` at `(i + 1) / (n + 1)` of the bin: thirds for `n = 2`, as tutorials often draw them.
    Interior,
}

/// More samples than this in a bin say nothing new about a map that fits in memory, and would make a huge
/// box slow where its coordinates are coarser than a pixel.
const MOST_ADAPTIVE_SAMPLES: i64 = 1 << 22;

/// Offsets inside the bin are the same for all bins: so many are kept, the division being the slow part.
const KEPT_OFFSETS: usize = 8;

/// The sample positions of one box on one axis.
#[derive(Debug, Clone, Copy)]
pub struct Grid<B> {
    start: B,
    bin: B,
    bins: usize,
    samples: i64,
    sample_points: SamplePoints,
    /// Cells of the map per image pixel.
    scale: f64,
    /// Whether the box was too small and got a side of one cell.
    widened: bool,
    offsets: [B; KEPT_OFFSETS],
}

impl<B: Real> Grid<B> {
    /// Divides the box between `ends` (image pixels) into `bins`. With `sampling_ratio == 0` a bin has
    /// `ceil(its side in map pixels)` samples.
    #[must_use]
    pub fn new(
        ends: [B; 2],
        bins: usize,
        spatial_scale: B,
        sampling_ratio: u32,
        aligned: bool,
        sample_points: SamplePoints,
    ) -> Self {
        let shift = B::from_f64(if aligned { 0.5 } else { 0.0 });
        let start = ends[0] * spatial_scale - shift;
        let mut side = (ends[1] * spatial_scale - shift) - start;
        let one = B::from_i64(1);
        let widened = !aligned && side < one;
        if widened {
            side = one;
        }
        let bin = side / B::from_i64(bins as i64);
        let samples = match sampling_ratio {
            0 => bin.ceil().to_i64().clamp(0, MOST_ADAPTIVE_SAMPLES),
            fixed => i64::from(fixed),
        };
        let scale = spatial_scale.to_f64();
        let offsets = [B::default(); KEPT_OFFSETS];
        let mut grid = Self { start, bin, bins, samples, sample_points, scale, widened, offsets };
        for i in 0..grid.samples.min(KEPT_OFFSETS as i64) {
            grid.offsets[i as usize] = grid.offset(i);
        }
        grid
    }

    /// Number of samples per bin, including samples off the map.
    #[must_use]
    pub fn samples(&self) -> i64 {
        self.samples
    }

    /// Position of a sample, in the index frame.
    #[must_use]
    pub fn position(&self, bin: usize, sample: i64) -> B {
        let offset = if self.samples <= KEPT_OFFSETS as i64 {
            self.offsets[sample as usize]
        } else {
            self.offset(sample)
        };
        (self.start + B::from_i64(bin as i64) * self.bin) + offset
    }

    /// Derivatives of a sample's position for the first and the second end of the box.
    #[must_use]
    pub fn slopes(&self, bin: usize, sample: i64) -> [f64; 2] {
        if self.widened {
            return [self.scale, 0.0];
        }
        let of_bin = match self.sample_points {
            SamplePoints::Center => (sample as f64 + 0.5) / self.samples as f64,
            SamplePoints::Interior => (sample + 1) as f64 / (self.samples + 1) as f64,
        };
        let of_box = (bin as f64 + of_bin) / self.bins as f64;
        [self.scale * (1.0 - of_box), self.scale * of_box]
    }

    /// Whether positions ascend with the index of the sample. In an inverted box they descend.
    #[must_use]
    pub fn ascending(&self) -> bool {
        self.bin >= B::default()
    }

    /// The samples of a bin with `-1 <= position <= extent`. All others count as 0.
    #[must_use]
    pub fn inside(&self, bin: usize, extent: usize) -> Range<i64> {
        let (low, high) = (B::from_i64(-1), B::from_i64(extent as i64));
        let inside = |position: B| low <= position && position <= high;
        if self.samples == 0 {
            return 0..0;
        }
        if inside(self.position(bin, 0)) && inside(self.position(bin, self.samples - 1)) {
            return 0..self.samples;
        }
        let ascending = self.ascending();
        let first = self.first_not(|i| {
            let position = self.position(bin, i);
            if ascending { position < low } else { position > high }
        });
        let end = self.first_not(|i| {
            let position = self.position(bin, i);
            if ascending { position <= high } else { position >= low }
        });
        first..end.max(first)
    }

    fn offset(&self, sample: i64) -> B {
        match self.sample_points {
            SamplePoints::Center => {
                (B::from_i64(sample) + B::from_f64(0.5)) * self.bin / B::from_i64(self.samples)
            }
            SamplePoints::Interior => B::from_i64(sample + 1) * self.bin / B::from_i64(self.samples + 1),
        }
    }

    /// The first sample for which `holds` is false; rounding keeps positions monotone, so halving finds it.
    fn first_not(&self, holds: impl Fn(i64) -> bool) -> i64 {
        let (mut low, mut high) = (0, self.samples);
        while low < high {
            let middle = low + (high - low) / 2;
            if holds(middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(ends: [f64; 2], bins: usize, ratio: u32) -> Grid<f64> {
        Grid::new(ends, bins, 1.0, ratio, false, SamplePoints::Center)
    }

    #[test]
    fn two_samples_lie_at_the_quarters() {
        let grid = grid([0.0, 8.0], 2, 2);
        assert_eq!([0, 1].map(|i| grid.position(1, i)), [5.0, 7.0]);
    }

    #[test]
    fn samples_move_with_the_ends_of_the_box() {
        let slopes = |ends, aligned, sample_points| {
            let at = |ends| Grid::new(ends, 2, 0.5, 2, aligned, sample_points);
            let [low, high]: [f64; 2] = ends;
            let moved = [at([low + 1.0, high]), at([low, high + 1.0])].map(|grid| grid.position(1, 0));
            let grid = at(ends);
            (grid.slopes(1, 0), moved.map(|position| position - grid.position(1, 0)))
        };
        for sample_points in [SamplePoints::Center, SamplePoints::Interior] {
            for (ends, aligned) in [([0.0, 8.0], false), ([6.0, 3.0], true), ([3.0, 0.0], false)] {
                let (slopes, moved) = slopes(ends, aligned, sample_points);
                assert!((0..2).all(|end| (slopes[end] - moved[end]).abs() < 1e-12), "{slopes:?} {moved:?}");
            }
        }
    }

    #[test]
    fn interior_samples_lie_at_the_thirds() {
        let grid = Grid::new([0.0, 9.0], 3, 1.0, 2, false, SamplePoints::Interior);
        assert_eq!([0, 1].map(|i| grid.position(1, i)), [4.0, 5.0]);
    }

    #[test]
    fn adaptive_takes_one_sample_a_pixel() {
        assert_eq!(grid([0.0, 58.0], 7, 0).samples(), 9);
    }

    #[test]
    fn an_empty_aligned_box_has_no_samples() {
        let grid = Grid::new([3.0, 3.0], 2, 1.0, 0, true, SamplePoints::Center);
        assert_eq!(grid.samples(), 0);
        assert_eq!(grid.inside(0, 5), 0..0);
    }

    #[test]
    fn both_limits_of_the_map_are_inside() {
        let grid = grid([-1.5, 5.5], 7, 1);
        assert_eq!(grid.position(0, 0), -1.0);
        assert_eq!(grid.position(6, 0), 5.0);
        assert_eq!((0..7).filter(|&bin| grid.inside(bin, 5) == (0..1)).count(), 7);
    }

    #[test]
    fn a_huge_box_finds_its_samples_on_the_map() {
        let large = grid([-1e6, 1e6], 1, 0).inside(0, 100);
        assert_eq!(large.end - large.start, 101);
        let huge = grid([-1e30, 1e30], 1, 0).inside(0, 100);
        assert!(huge.end - huge.start <= 1);
    }

    #[test]
    fn an_inverted_box_falls() {
        let grid = Grid::new([8.0, -8.0], 1, 1.0, 16, true, SamplePoints::Center);
        let inside = grid.inside(0, 4);
        assert!(!grid.ascending());
        assert_eq!(inside.map(|i| grid.position(0, i)).collect::<Vec<_>>(), [4.0, 3.0, 2.0, 1.0, 0.0, -1.0]);
    }
}
