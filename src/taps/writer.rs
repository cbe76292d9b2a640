//! The writer that operators fill a table with, bin by bin. It merges the taps of a bin that share a pixel.

use std::ops::Range;

use super::{AxisSpan, MOST_UNROLLED_TAPS, Reduce, Table};
use crate::element::Real;

/// Writes the entries of one axis of one box, bin by bin.
pub struct AxisWriter<'a, T> {
    pub(super) table: &'a mut Table<T>,
    offsets: usize,
    samples: i64,
    /// The lower pixel that taps are being merged at, its weight, and the weight of the next pixel.
    pending: Option<(u32, f64, f64)>,
}

impl<'a, T: Real> AxisWriter<'a, T> {
    pub(super) fn new(table: &'a mut Table<T>) -> Self {
        let offsets = table.offsets.len();
        table.offsets.push(table.indices.len());
        Self { table, offsets, samples: 0, pending: None }
    }

    /// Sets the number of samples per bin, including samples off the map.
    pub fn set_samples(&mut self, samples: i64) {
        self.samples = samples;
    }

    /// `Sum`: adds a sample at `pixel + fraction`. Samples of a bin must ascend.
    #[inline(always)]
    pub fn merge(&mut self, pixel: u32, fraction: f64, scale: f64) {
        let (lower, upper) = (1.0 - fraction, fraction);
        self.pending = match self.pending {
            Some((at, a, b)) if at == pixel => Some((at, a + lower, b + upper)),
            Some((at, a, b)) if at + 1 == pixel => {
                self.tap(at, a * scale);
                Some((pixel, b + lower, upper))
            }
            Some((at, a, b)) => {
                self.tap(at, a * scale);
                self.tap(at + 1, b * scale);
                Some((pixel, lower, upper))
            }
            None => Some((pixel, lower, upper)),
        };
    }

    /// `Sum`: ends a bin.
    #[inline(always)]
    pub fn end_merged(&mut self, scale: f64) {
        if let Some((at, a, b)) = self.pending.take() {
            self.tap(at, a * scale);
            self.tap(at + 1, b * scale);
        }
        self.table.offsets.push(self.table.indices.len());
    }

    /// `MaxSample` and `MaxCorner`: adds a sample at `pixel + fraction`.
    #[inline(always)]
    pub fn sample(&mut self, pixel: u32, fraction: f64) {
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

    /// `MaxSample` and `MaxCorner`: ends a bin whose first sample on the map has the index `first`.
    pub fn end_samples(&mut self, first: i64) {
        self.table.first_samples.resize(self.table.offsets.len() - 1, 0);
        self.table.first_samples.push(first);
        self.table.offsets.push(self.table.indices.len());
    }

    /// `MaxWindow`: adds a bin with these pixels.
    pub fn window(&mut self, pixels: Range<u32>) {
        if !pixels.is_empty() {
            self.table.indices.extend([pixels.start, pixels.end - 1]);
        }
        self.table.offsets.push(self.table.indices.len());
    }

    /// Ends the axis.
    pub fn finish(mut self) -> AxisSpan {
        let offsets = &self.table.offsets[self.offsets..];
        let (bins, from) = (offsets.len() - 1, offsets[0]);
        let count = |bin: usize| offsets[bin + 1] - offsets[bin];
        let first = (0..bins).find(|&bin| count(bin) > 0).unwrap_or(bins);
        let end = (first..bins).rfind(|&bin| count(bin) > 0).map_or(first, |bin| bin + 1);
        let most = (first..end).map(count).max().unwrap_or(0);
        let least = (first..end).map(count).min().unwrap_or(0);
        let all_on_map = match self.table.reduce {
            Reduce::Sum | Reduce::MaxWindow => 2,
            Reduce::MaxSample | Reduce::MaxCorner => 2 * self.samples,
        };
        // Only slopes bring taps without weight.
        let all_weigh =
            self.table.slopes.is_empty() || self.table.values[from..].iter().all(|&weight| weight != T::ZERO);
        let unrolled =
            self.table.reduce == Reduce::Sum && least > 0 && most <= MOST_UNROLLED_TAPS && all_weigh;
        let (mut low, mut high) = (u32::MAX, 0);
        for &pixel in &self.table.indices[from..] {
            low = low.min(pixel);
            high = high.max(pixel);
        }
        let support = if most == 0 { 0..0 } else { low as usize..high as usize + 1 };
        if unrolled && least < most {
            self.pad(first..end, most);
        }
        AxisSpan {
            offsets: self.offsets,
            bins,
            taps_per_bin: if unrolled { most } else { 0 },
            nonempty_bins: first..end,
            whole: first == 0 && end == bins && least as i64 == all_on_map,
            support,
            samples: self.samples,
        }
    }

    #[inline(always)]
    fn tap(&mut self, pixel: u32, weight: f64) {
        if weight != 0.0 {
            self.table.indices.push(pixel);
            self.table.values.push(T::from_f64(weight));
        }
    }

    /// Gives each nonempty bin `count` taps by halving the weight of its last one. Halving is exact and repeats a pixel
    /// that has weight, so that NaN and infinity pass as before. Its slopes stay with the first half.
    fn pad(&mut self, nonempty_bins: Range<usize>, count: usize) {
        let Table { offsets, indices: pixels, values: weights, slopes, .. } = &mut *self.table;
        let offsets = &mut offsets[self.offsets..];
        let from = offsets[nonempty_bins.start];
        pixels.resize(from + nonempty_bins.len() * count, 0);
        weights.resize(pixels.len(), T::default());
        let sloped = !slopes.is_empty();
        slopes.resize(if sloped { pixels.len() } else { 0 }, [T::ZERO; 2]);
        let half = T::from_f64(0.5);
        for bin in nonempty_bins.clone().rev() {
            let (old, new) = (offsets[bin]..offsets[bin + 1], from + (bin - nonempty_bins.start) * count);
            pixels.copy_within(old.clone(), new);
            weights.copy_within(old.clone(), new);
            if sloped {
                slopes.copy_within(old.clone(), new);
                slopes[new + old.len()..new + count].fill([T::ZERO; 2]);
            }
            for at in new + old.len()..new + count {
                pixels[at] = pixels[at - 1];
                weights[at - 1] = weights[at - 1] * half;
                weights[at] = weights[at - 1];
            }
        }
        // Backwards above, so that no bin's offsets change before they are read.
        for (i, bound) in offsets[nonempty_bins.start..].iter_mut().enumerate() {
            *bound = from + i.min(nonempty_bins.len()) * count;
        }
    }
}
