//! One axis of one box in a table: which pixels its bins read, with what weights.

use std::iter;
use std::ops::Range;

use super::Table;

/// One axis of one box: the position of its entries in the table, and their summary for the kernels.
#[derive(Debug, Clone, Default)]
pub struct AxisSpan {
    pub(super) offsets: usize,
    pub(super) bins: usize,
    pub(super) taps_per_bin: usize,
    pub(super) nonempty_bins: Range<usize>,
    pub(super) whole: bool,
    pub(super) support: Range<usize>,
    pub(super) samples: i64,
}

/// The entries of one axis of one box.
#[derive(Debug, Clone, Copy)]
pub struct AxisTaps<'a, T> {
    pub(super) span: &'a AxisSpan,
    pub(super) table: &'a Table<T>,
}

impl<'a, T> AxisTaps<'a, T> {
    /// Pixel of each entry of these bins.
    #[inline]
    pub fn indices(&self, bins: Range<usize>) -> &'a [u32] {
        &self.table.indices[self.entries(bins)]
    }

    /// Weight of each entry of these bins.
    #[inline]
    pub fn values(&self, bins: Range<usize>) -> &'a [T] {
        &self.table.values[self.entries(bins)]
    }

    /// Derivatives of the weight of each entry of these bins for both ends of the box. Needs a plan with slopes.
    #[inline]
    pub fn slopes(&self, bins: Range<usize>) -> &'a [[T; 2]] {
        &self.table.slopes[self.entries(bins)]
    }

    /// Whether the plan has slopes, for the gradient of boxes.
    pub fn have_slopes(&self) -> bool {
        !self.table.slopes.is_empty()
    }

    /// Start of the entries of each of these bins in the table, and the end of the last.
    #[inline]
    pub fn offsets(&self, bins: Range<usize>) -> &'a [usize] {
        &self.table.offsets[self.span.offsets..][bins.start..=bins.end]
    }

    /// Divides the nonempty bins into runs of neighbours. A run spans at most `most_pixels` pixels, or is a single bin.
    pub fn parts(&self, most_pixels: usize) -> impl Iterator<Item = AxisSpan> + use<'_, 'a, T> {
        let support = |bins: Range<usize>| {
            let pixels = self.indices(bins);
            let (low, high) =
                pixels.iter().fold((u32::MAX, 0), |(low, high), &at| (low.min(at), high.max(at)));
            if pixels.is_empty() { 0..0 } else { low as usize..high as usize + 1 }
        };
        let mut left = self.nonempty_bins();
        iter::from_fn(move || {
            let first = left.next()?;
            let mut part = AxisSpan {
                nonempty_bins: first..first + 1,
                support: support(first..first + 1),
                ..self.span.clone()
            };
            while !left.is_empty() {
                let next = support(left.start..left.start + 1);
                let both = if next.is_empty() {
                    part.support.clone()
                } else if part.support.is_empty() {
                    next
                } else {
                    part.support.start.min(next.start)..part.support.end.max(next.end)
                };
                if both.len() > most_pixels {
                    break;
                }
                left.start += 1;
                (part.nonempty_bins.end, part.support) = (left.start, both);
            }
            Some(part)
        })
    }

    /// The taps of one run that [`Self::parts`] returned.
    pub fn part<'b>(&self, span: &'b AxisSpan) -> AxisTaps<'b, T>
    where
        'a: 'b,
    {
        AxisTaps { span, table: self.table }
    }

    /// Number of entries of one bin.
    pub fn count(&self, bin: usize) -> usize {
        self.entries(bin..bin + 1).len()
    }

    /// Number of bins.
    #[inline]
    pub fn bins(&self) -> usize {
        self.span.bins
    }

    /// The range from the first to the last bin that has entries.
    #[inline]
    pub fn nonempty_bins(&self) -> Range<usize> {
        self.span.nonempty_bins.clone()
    }

    /// Whether `bins` is a part of [`Self::nonempty_bins`].
    #[inline]
    pub fn are_nonempty(&self, bins: &Range<usize>) -> bool {
        self.span.nonempty_bins.start <= bins.start && bins.end <= self.span.nonempty_bins.end
    }

    /// For maxima: whether every bin has samples or pixels, and all of them are on the map.
    #[inline]
    pub fn is_whole(&self) -> bool {
        self.span.whole
    }

    /// The range from the first to the last pixel that is read.
    #[inline]
    pub fn support(&self) -> Range<usize> {
        self.span.support.clone()
    }

    /// The number of taps per nonempty bin, if all have the same number and it is at most
    /// [`MOST_UNROLLED_TAPS`](super::MOST_UNROLLED_TAPS); otherwise 0.
    #[inline]
    pub fn taps_per_bin(&self) -> usize {
        self.span.taps_per_bin
    }

    /// Number of samples per bin, including samples off the map.
    pub fn samples(&self) -> i64 {
        self.span.samples
    }

    /// Index of the first sample of a bin that is on the map.
    pub fn first_sample(&self, bin: usize) -> i64 {
        self.table.first_samples[self.span.offsets + bin]
    }

    #[inline]
    fn entries(&self, bins: Range<usize>) -> Range<usize> {
        let offsets = &self.table.offsets[self.span.offsets..];
        offsets[bins.start]..offsets[bins.end]
    }
}
