//! The sink that operators write a table through, bin by bin. It merges the taps of a bin that share a pixel.

use std::ops::Range;

use super::{AxisSpan, Reduce, Table};
use crate::element::Real;
use crate::geometry::bilinear;

/// Stands for a pixel where no tap is open. It is larger than every pixel.
const NONE: u32 = 1 << 31;

/// Writes the entries of one axis of one box, bin by bin. With `SLOPES` it keeps the derivatives of the weights for the
/// ends of the box; without, all code for them is gone.
pub struct AxisWriter<'a, T, const SLOPES: bool> {
    table: &'a mut Table<T>,
    offsets: usize,
    samples: i64,
    scale: f64,
    /// Weights of `first`, `first + 1` and `first + 2`, to which samples may still add: with slopes, one on a pixel's centre adds
    /// to the pixels before and behind it as well. The sums are not scaled yet.
    open: [f64; 3],
    open_slopes: [[f64; 2]; 3],
    first: u32,
}

impl<'a, T: Real, const SLOPES: bool> AxisWriter<'a, T, SLOPES> {
    #[inline(always)]
    pub(super) fn new(table: &'a mut Table<T>) -> Self {
        let offsets = table.offsets.len();
        table.offsets.push(table.indices.len());
        Self {
            table,
            offsets,
            samples: 0,
            scale: 1.0,
            open: [0.0; 3],
            open_slopes: [[0.0; 2]; 3],
            first: NONE,
        }
    }

    /// Sets the number of samples per bin, including samples off the map. In a mean each counts one part of so many.
    pub fn set_samples(&mut self, samples: i64) {
        self.samples = samples;
        self.scale = 1.0 / samples.max(1) as f64;
    }

    /// `Sum`: adds to the weight of a pixel, and to the derivatives of the weight for both ends of the box. The pixels of a
    /// bin must ascend.
    #[inline(always)]
    pub fn weight(&mut self, pixel: u32, value: f64, slopes: [f64; 2]) {
        self.close_below(pixel);
        self.add(0, value, slopes);
    }

    /// `Sum`: adds a bilinear sample. The positions in a bin must ascend. `slopes` gives the derivatives of the position for
    /// both ends of the box.
    ///
    /// Needs `-1 <= position <= extent`, the number of pixels.
    #[inline(always)]
    pub fn sample<B: Real>(&mut self, position: B, extent: usize, slopes: impl FnOnce() -> [f64; 2]) {
        if SLOPES {
            let (slopes, (first, taps)) = (slopes(), bilinear::with_slopes(position, extent));
            self.close_below(first);
            for (at, [value, slope]) in taps.into_iter().enumerate() {
                self.add(at, value, slopes.map(|end| end * slope));
            }
        } else {
            let (pixel, fraction) = bilinear::split(position, extent);
            self.close_below(pixel);
            self.add(0, 1.0 - fraction, [0.0; 2]);
            self.add(1, fraction, [0.0; 2]);
        }
    }

    /// `MaxSample` and `MaxCorner`: adds a bilinear sample, of which the bin takes the maximum.
    ///
    /// Needs `-1 <= position <= extent`, the number of pixels.
    #[inline(always)]
    pub fn candidate<B: Real>(&mut self, position: B, extent: usize) {
        let (pixel, fraction) = bilinear::split(position, extent);
        // A pixel without weight must not be read, for it may be NaN: an interpolated sample takes its one
        // pixel as two equal halves, a corner of weight 0 is recognised by the kernel.
        let (upper, weights) = match (fraction == 0.0, self.table.reduce) {
            (true, Reduce::MaxSample) => (pixel, [0.5, 0.5]),
            (true, _) => (pixel, [1.0, 0.0]),
            (false, _) => (pixel + 1, [1.0 - fraction, fraction]),
        };
        self.table.indices.extend([pixel, upper]);
        self.table.values.extend(weights.map(T::from_f64));
    }

    /// `MaxWindow`: the pixels of a bin.
    #[inline(always)]
    pub fn window(&mut self, pixels: Range<u32>) {
        if !pixels.is_empty() {
            self.table.indices.extend([pixels.start, pixels.end - 1]);
        }
    }

    /// Ends a bin. If it is made of samples, `first_sample` is the index of the first one on the map.
    #[inline(always)]
    pub fn end_bin(&mut self, first_sample: i64) {
        self.close_below(NONE);
        if matches!(self.table.reduce, Reduce::MaxSample | Reduce::MaxCorner) {
            self.table.first_samples.resize(self.table.offsets.len() - 1, 0);
            self.table.first_samples.push(first_sample);
        }
        self.table.offsets.push(self.table.indices.len());
    }

    /// Ends the axis.
    #[inline(always)]
    pub fn finish(self) -> AxisSpan {
        // The writer itself is not passed on: its fields stay in registers.
        self.table.end_axis::<SLOPES>(self.offsets, self.samples)
    }

    /// Adds to one of the open taps.
    #[inline(always)]
    fn add(&mut self, at: usize, value: f64, [low, high]: [f64; 2]) {
        self.open[at] += value;
        if SLOPES {
            self.open_slopes[at][0] += low;
            self.open_slopes[at][1] += high;
        }
    }

    /// Writes the open taps of pixels below `first`, so that it becomes the first open one.
    #[inline(always)]
    fn close_below(&mut self, first: u32) {
        if first == self.first {
            return;
        }
        if self.first != NONE {
            let distance = first - self.first;
            self.close();
            if distance > 1 {
                self.close();
            }
            if SLOPES && distance > 2 {
                self.close();
            }
        }
        self.first = first;
    }

    /// Writes the first open tap.
    #[inline(always)]
    fn close(&mut self) {
        let [weight, second, third] = self.open;
        self.open = [second, third, 0.0];
        let weight = weight * self.scale;
        let mut is_read = weight != 0.0;
        if SLOPES {
            let [slopes, second, third] = self.open_slopes;
            self.open_slopes = [second, third, [0.0; 2]];
            is_read |= slopes != [0.0; 2];
            if is_read {
                self.table.slopes.push(slopes.map(|sum| T::from_f64(sum * self.scale)));
            }
        }
        if is_read {
            self.table.indices.push(self.first);
            self.table.values.push(T::from_f64(weight));
        }
        self.first += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Extent;
    use crate::taps::Plan;

    /// A plan of one box whose axes are both written by `axis`.
    fn plan<const SLOPES: bool>(axis: impl Fn(AxisWriter<'_, f64, SLOPES>) -> AxisSpan) -> Plan<f64> {
        let output = Extent { height: 2, width: 2 };
        let mut table = Table::new(Reduce::Sum, 1, output, Table::default()).unwrap();
        table.push(16, 0, 0, 0, |_, taps| axis(taps)).unwrap();
        Plan::new(Reduce::Sum, output, vec![table])
    }

    #[test]
    fn samples_of_a_bin_share_their_pixels() {
        let plan = plan::<true>(|mut taps| {
            taps.set_samples(2);
            taps.sample(2.25, 7, || [4.0, 0.0]);
            taps.sample(3.5, 7, || [2.0, 2.0]);
            taps.end_bin(0);
            // On a centre: half of the slope before it, half of the slope behind.
            taps.sample(4.0, 7, || [4.0, 16.0]);
            taps.sample(6.5, 7, || [9.0, 9.0]);
            taps.end_bin(0);
            taps.finish()
        });
        let (_, y, _) = plan.roi(0);
        assert_eq!(y.indices(0..2), [2, 3, 4, 3, 4, 5, 6]);
        assert_eq!(y.values(0..2), [0.375, 0.375, 0.25, 0.0, 0.5, 0.0, 0.5]);
        assert_eq!(
            y.slopes(0..2),
            [[-2.0, 0.0], [1.0, -1.0], [1.0, 1.0], [-1.0, -4.0], [0.0, 0.0], [1.0, 4.0], [0.0, 0.0]]
        );
        assert_eq!((y.taps_per_bin(), y.support()), (0, 2..7));
    }

    #[test]
    fn weights_of_a_pixel_add_up() {
        let plan = plan::<false>(|mut taps| {
            for (pixel, value) in [(0, 0.25), (0, 0.5), (1, 1.0), (9, 0.0), (9, 2.0)] {
                taps.weight(pixel, value, [0.0; 2]);
            }
            taps.end_bin(0);
            taps.end_bin(0);
            taps.finish()
        });
        let (_, y, _) = plan.roi(0);
        assert_eq!((y.indices(0..1), y.values(0..1)), ([0, 1, 9].as_slice(), [0.75, 1.0, 2.0].as_slice()));
        assert_eq!((y.nonempty_bins(), y.support()), (0..1, 0..10));
    }

    #[test]
    fn padding_keeps_slopes_with_the_first_half() {
        let plan = plan::<true>(|mut taps| {
            taps.sample(-0.5, 5, || [1.0; 2]);
            taps.end_bin(0);
            taps.sample(0.5, 5, || [1.0; 2]);
            taps.end_bin(0);
            taps.finish()
        });
        let (_, y, _) = plan.roi(0);
        assert_eq!((y.taps_per_bin(), y.indices(0..2)), (2, [0, 0, 0, 1].as_slice()));
        assert_eq!(y.values(0..2), [0.5; 4]);
        assert_eq!(y.slopes(0..2), [[0.0; 2], [0.0; 2], [-1.0; 2], [1.0; 2]]);
    }
}
