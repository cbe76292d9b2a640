//! The end of an axis of a table: its summary for the kernels, and the padding of its bins.

use std::ops::Range;

use super::{AxisSpan, MOST_UNROLLED_TAPS, Reduce, Table};
use crate::element::Real;

impl<T: Real> Table<T> {
    /// Summarises an axis whose offsets start at `start`, and pads its bins.
    pub(super) fn end_axis<const SLOPES: bool>(&mut self, start: usize, samples: i64) -> AxisSpan {
        let offsets = &self.offsets[start..];
        let (bins, from) = (offsets.len() - 1, offsets[0]);
        let count = |bin: usize| offsets[bin + 1] - offsets[bin];
        let first = (0..bins).find(|&bin| count(bin) > 0).unwrap_or(bins);
        let end = (first..bins).rfind(|&bin| count(bin) > 0).map_or(first, |bin| bin + 1);
        let most = (first..end).map(count).max().unwrap_or(0);
        let least = (first..end).map(count).min().unwrap_or(0);
        let all_on_map = match self.reduce {
            Reduce::Sum | Reduce::MaxWindow => 2,
            Reduce::MaxSample | Reduce::MaxCorner => 2 * samples,
        };
        // Only slopes bring taps without weight.
        let all_weigh = !SLOPES || self.values[from..].iter().all(|&weight| weight != T::ZERO);
        let unrolled = self.reduce == Reduce::Sum && least > 0 && most <= MOST_UNROLLED_TAPS && all_weigh;
        let (mut low, mut high) = (u32::MAX, 0);
        for &pixel in &self.indices[from..] {
            low = low.min(pixel);
            high = high.max(pixel);
        }
        let support = if most == 0 { 0..0 } else { low as usize..high as usize + 1 };
        if unrolled && least < most {
            self.pad::<SLOPES>(start, first..end, most);
        }
        AxisSpan {
            offsets: start,
            bins,
            taps_per_bin: if unrolled { most } else { 0 },
            nonempty_bins: first..end,
            whole: first == 0 && end == bins && least as i64 == all_on_map,
            support,
            samples,
        }
    }

    /// Pads the nonempty bins to `count` taps each, so that kernels can unroll their loops over taps.
    ///
    /// A tap of weight 0 would do if all pixels were finite, but `0 * NaN` is NaN: a bin must not read pixels that it has no
    /// weight for. So the last tap of a bin is repeated with half its weight, as often as needed: `w` becomes `w/2, w/2`, then
    /// `w/2, w/4, w/4`. Halving is exact, so the weights of a pixel still add up to the same number. Slopes are not halved:
    /// they stay with the first of the repeated taps.
    fn pad<const SLOPES: bool>(&mut self, start: usize, nonempty_bins: Range<usize>, count: usize) {
        let Table { offsets, indices, values, slopes, .. } = self;
        let offsets = &mut offsets[start..];
        let from = offsets[nonempty_bins.start];
        indices.resize(from + nonempty_bins.len() * count, 0);
        values.resize(indices.len(), T::ZERO);
        if SLOPES {
            slopes.resize(indices.len(), [T::ZERO; 2]);
        }
        let half = T::from_f64(0.5);
        for bin in nonempty_bins.clone().rev() {
            let (old, new) = (offsets[bin]..offsets[bin + 1], from + (bin - nonempty_bins.start) * count);
            let padding = new + old.len()..new + count;
            indices.copy_within(old.clone(), new);
            values.copy_within(old.clone(), new);
            if SLOPES {
                slopes.copy_within(old, new);
                slopes[padding.clone()].fill([T::ZERO; 2]);
            }
            for at in padding {
                indices[at] = indices[at - 1];
                values[at - 1] = values[at - 1] * half;
                values[at] = values[at - 1];
            }
        }
        // Backwards above, so that no bin's offsets change before they are read.
        for (i, offset) in offsets[nonempty_bins.start..].iter_mut().enumerate() {
            *offset = from + i.min(nonempty_bins.len()) * count;
        }
    }
}
