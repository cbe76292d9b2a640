//! Taps with slopes, the derivatives of their weights for the ends of the box. They give the gradient of boxes.
//!
//! When a sample moves from one pixel towards the next, the weight of the first falls as fast as that of the second rises. A
//! tap may have slopes and weight 0: a neighbour of a sample that is on a pixel centre.

use super::{AxisSpan, AxisWriter};
use crate::element::Real;

/// Weight, and its change with the first and with the second end of the box.
type Tap = [f64; 3];

/// Writes the entries of one axis of one box for `Sum`, bin by bin, with slopes.
pub struct SlopeWriter<'a, T> {
    taps: AxisWriter<'a, T>,
    /// Pixels that the next sample may still add to, ascending. A sample has at most three.
    open: [(u32, Tap); 3],
    count: usize,
}

impl<'a, T: Real> SlopeWriter<'a, T> {
    /// A slope writer on top of an empty writer.
    pub fn new(taps: AxisWriter<'a, T>) -> Self {
        Self { taps, open: [(0, [0.0; 3]); 3], count: 0 }
    }

    /// Adds a sample at `pixel + fraction`. Samples of a bin must ascend.
    ///
    /// `steps` is the derivative of its value for its position, from [`steps`](crate::geometry::bilinear::steps). `slopes`
    /// are the derivatives of its position for both ends of the box.
    pub fn sample(
        &mut self,
        (pixel, fraction): (u32, f64),
        steps: [(u32, f64); 2],
        slopes: [f64; 2],
        scale: f64,
    ) {
        let first = steps.iter().filter(|(_, share)| *share != 0.0).fold(pixel, |low, &(at, _)| low.min(at));
        let mut taps = [[0.0; 3]; 3];
        let mut add = |pixel: u32, tap: Tap| {
            let sum = &mut taps[(pixel - first) as usize];
            sum.iter_mut().zip(tap).for_each(|(sum, value)| *sum += value * scale);
        };
        add(pixel, [1.0 - fraction, 0.0, 0.0]);
        if fraction != 0.0 {
            add(pixel + 1, [fraction, 0.0, 0.0]);
        }
        for (lower, share) in steps.into_iter().filter(|(_, share)| *share != 0.0) {
            let [low, high] = slopes.map(|slope| slope * share);
            add(lower, [0.0, -low, -high]);
            add(lower + 1, [0.0, low, high]);
        }
        self.close(first);
        for (pixel, tap) in (first..).zip(taps).filter(|(_, tap)| *tap != [0.0; 3]) {
            self.add(pixel, tap);
        }
    }

    /// Ends a bin.
    pub fn end_bin(&mut self) {
        self.close(u32::MAX);
        self.taps.table.offsets.push(self.taps.table.indices.len());
    }

    /// Ends the axis.
    pub fn finish(self) -> AxisSpan {
        self.taps.finish()
    }

    fn add(&mut self, pixel: u32, tap: Tap) {
        if let Some((_, sum)) = self.open[..self.count].iter_mut().find(|(at, _)| *at == pixel) {
            sum.iter_mut().zip(tap).for_each(|(sum, value)| *sum += value);
        } else {
            self.open[self.count] = (pixel, tap);
            self.count += 1;
        }
    }

    /// Writes the pixels below the next sample's first one.
    fn close(&mut self, first: u32) {
        let table = &mut *self.taps.table;
        let mut kept = 0;
        for at in 0..self.count {
            let (pixel, tap) = self.open[at];
            if pixel >= first {
                self.open[kept] = (pixel, tap);
                kept += 1;
            } else {
                let [weight, low, high] = tap.map(T::from_f64);
                table.indices.push(pixel);
                table.values.push(weight);
                table.slopes.push([low, high]);
            }
        }
        self.count = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Extent;
    use crate::taps::{Plan, Reduce, Table};

    #[test]
    fn samples_of_a_bin_share_their_pixels() {
        let output = Extent { height: 2, width: 2 };
        let mut table =
            Table::<f64>::new(Reduce::Sum, true, 1, output, Table::default()).expect("it is small");
        let axis = |taps: AxisWriter<'_, f64>| {
            let mut taps = SlopeWriter::new(taps);
            taps.sample((2, 0.25), [(2, 1.0), (0, 0.0)], [4.0, 0.0], 0.5);
            taps.sample((3, 0.5), [(3, 1.0), (0, 0.0)], [2.0, 2.0], 0.5);
            taps.end_bin();
            // On a centre: half of the step before it, half of the one behind.
            taps.sample((4, 0.0), [(3, 0.5), (4, 0.5)], [2.0, 8.0], 1.0);
            taps.end_bin();
            taps.finish()
        };
        table.push(16, 0, 0, 0, |_, taps| axis(taps)).unwrap();
        let plan = Plan::new(Reduce::Sum, output, vec![table]);
        let (_, y, _) = plan.roi(0);
        assert_eq!(y.indices(0..2), [2, 3, 4, 3, 4, 5]);
        assert_eq!(y.values(0..2), [0.375, 0.375, 0.25, 0.0, 1.0, 0.0]);
        assert_eq!(
            y.slopes(0..2),
            [[-2.0, 0.0], [1.0, -1.0], [1.0, 1.0], [-1.0, -4.0], [0.0, 0.0], [1.0, 4.0]]
        );
        assert_eq!((y.taps_per_bin(), y.support()), (0, 2..6));
    }

    #[test]
    fn padding_keeps_slopes_with_the_first_half() {
        let output = Extent { height: 2, width: 2 };
        let mut table =
            Table::<f64>::new(Reduce::Sum, true, 1, output, Table::default()).expect("it is small");
        let axis = |taps: AxisWriter<'_, f64>| {
            let mut taps = SlopeWriter::new(taps);
            taps.sample((0, 0.0), [(0, 0.0); 2], [1.0, 1.0], 1.0);
            taps.end_bin();
            taps.sample((0, 0.5), [(0, 1.0), (0, 0.0)], [1.0, 1.0], 1.0);
            taps.end_bin();
            taps.finish()
        };
        table.push(16, 0, 0, 0, |_, taps| axis(taps)).unwrap();
        let plan = Plan::new(Reduce::Sum, output, vec![table]);
        let (_, y, _) = plan.roi(0);
        assert_eq!((y.taps_per_bin(), y.indices(0..2)), (2, [0, 0, 0, 1].as_slice()));
        assert_eq!(y.values(0..2), [0.5; 4]);
        assert_eq!(y.slopes(0..2), [[0.0; 2], [0.0; 2], [-1.0; 2], [1.0; 2]]);
    }
}
