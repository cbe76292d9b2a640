//! The transposed taps of a plan: for each pixel that a box reads, the bins that read it.
//!
//! The backward pass uses them to visit each pixel of a box once, however many bins share it.

use std::ops::Range;

use super::{AxisTaps, Plan};
use crate::element::Real;
use crate::error::{Result, reserve_more};

/// One axis of one box: where it lies in the table.
#[derive(Debug, Clone)]
struct Span {
    pixels: Range<usize>,
    offsets: usize,
    bins_per_pixel: usize,
}

/// Flat arrays for some boxes of a plan.
#[derive(Debug)]
pub struct Transposed<T> {
    /// The pixels that are read, ascending on each axis.
    pixels: Vec<u32>,
    /// Where the entries of each pixel start; one more than pixels per axis.
    offsets: Vec<usize>,
    /// The bin of each entry.
    bins: Vec<u32>,
    /// The weight of each entry.
    values: Vec<T>,
    /// Beside `values`, if the plan has slopes.
    slopes: Vec<[T; 2]>,
    /// y and x of each box.
    rois: Vec<[Span; 2]>,
}

impl<T: Real> Transposed<T> {
    /// Transposes the taps of the boxes `rois` of a plan with [`Reduce::Sum`](super::Reduce::Sum).
    ///
    /// If each column of a box is read by at most `most_unrolled` bins, its columns are padded to the same number of entries.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub fn new(plan: &Plan<T>, rois: Range<usize>, most_unrolled: usize) -> Result<Self> {
        let mut table = Self {
            pixels: Vec::new(),
            offsets: Vec::new(),
            bins: Vec::new(),
            values: Vec::new(),
            slopes: Vec::new(),
            rois: Vec::with_capacity(rois.len()),
        };
        let mut next = Vec::new();
        for at in rois {
            let (_, y, x) = plan.roi(at);
            let spans = [table.push(&y, 0, &mut next)?, table.push(&x, most_unrolled, &mut next)?];
            table.rois.push(spans);
        }
        Ok(table)
    }

    /// The transposed taps of a box along y and x.
    pub fn roi(&self, at: usize) -> [TransposedTaps<'_, T>; 2] {
        self.rois[at].each_ref().map(|span| TransposedTaps {
            pixels: &self.pixels[span.pixels.clone()],
            offsets: &self.offsets[span.offsets..][..=span.pixels.len()],
            bins: &self.bins,
            values: &self.values,
            slopes: &self.slopes,
            bins_per_pixel: span.bins_per_pixel,
        })
    }

    /// Sorts the taps of an axis by their pixels. `next` is only memory.
    fn push(&mut self, taps: &AxisTaps<'_, T>, most_unrolled: usize, next: &mut Vec<usize>) -> Result<Span> {
        const ENTRIES: &str = "taps, by their pixels";
        let support = taps.support();
        // First the number of bins that read each pixel, then where the pixel's next entry goes.
        next.clear();
        reserve_more(next, support.len(), ENTRIES)?;
        next.resize(support.len(), 0);
        for bin in taps.nonempty_bins() {
            let pixels = taps.indices(bin..bin + 1);
            for (i, &pixel) in pixels.iter().enumerate() {
                next[pixel as usize - support.start] += usize::from(i == 0 || pixels[i - 1] != pixel);
            }
        }
        let most = next.iter().copied().max().unwrap_or(0);
        let all_weigh =
            !taps.have_slopes() || taps.values(taps.nonempty_bins()).iter().all(|&w| w != T::ZERO);
        let bins_per_pixel = if most <= most_unrolled && all_weigh { most } else { 0 };
        let room = |bins: usize| if bins_per_pixel > 0 { bins_per_pixel } else { bins };
        let (mut pixels, mut entries) = (0, 0);
        for &count in next.iter().filter(|&&count| count > 0) {
            pixels += 1;
            entries += room(count);
        }
        reserve_more(&mut self.pixels, pixels, ENTRIES)?;
        reserve_more(&mut self.offsets, pixels + 1, ENTRIES)?;
        reserve_more(&mut self.bins, entries, ENTRIES)?;
        reserve_more(&mut self.values, entries, ENTRIES)?;
        reserve_more(&mut self.slopes, if taps.have_slopes() { entries } else { 0 }, ENTRIES)?;
        let (first, offsets) = (self.pixels.len(), self.offsets.len());
        let mut end = self.bins.len();
        for (pixel, next) in support.clone().zip(&mut *next) {
            if *next > 0 {
                self.pixels.push(pixel as u32);
                self.offsets.push(end);
                let after = end + room(*next);
                *next = end;
                end = after;
            }
        }
        self.offsets.push(end);
        self.bins.resize(end, 0);
        self.values.resize(end, T::ZERO);
        if taps.have_slopes() {
            self.slopes.resize(end, [T::ZERO; 2]);
        }
        for bin in taps.nonempty_bins() {
            let (pixels, weights) = (taps.indices(bin..bin + 1), taps.values(bin..bin + 1));
            for (i, (&pixel, &weight)) in pixels.iter().zip(weights).enumerate() {
                let next = &mut next[pixel as usize - support.start];
                if i > 0 && pixels[i - 1] == pixel {
                    // A tap that was halved to fill its bin up is whole again.
                    self.values[*next - 1] += weight;
                    continue;
                }
                self.bins[*next] = bin as u32;
                self.values[*next] = weight;
                if taps.have_slopes() {
                    self.slopes[*next] = taps.slopes(bin..bin + 1)[i];
                }
                *next += 1;
            }
        }
        let span = Span { pixels: first..self.pixels.len(), offsets, bins_per_pixel };
        if bins_per_pixel > 0 {
            self.pad(&span, support.start, next);
        }
        Ok(span)
    }

    /// Pads each pixel to the same number of entries by repeating its last one with half the weight. As for
    /// [bins](super::AxisWriter), that is exact and reads no gradient that the pixel has no weight for, which may be NaN.
    fn pad(&mut self, span: &Span, first_pixel: usize, next: &[usize]) {
        let half = T::from_f64(0.5);
        for (i, &pixel) in self.pixels[span.pixels.clone()].iter().enumerate() {
            for at in next[pixel as usize - first_pixel]..self.offsets[span.offsets + i + 1] {
                self.bins[at] = self.bins[at - 1];
                self.values[at - 1] = self.values[at - 1] * half;
                self.values[at] = self.values[at - 1];
            }
        }
    }
}

/// The pixels of one axis of one box, with the bins that read each of them.
#[derive(Debug, Clone, Copy)]
pub struct TransposedTaps<'a, T> {
    pixels: &'a [u32],
    offsets: &'a [usize],
    bins: &'a [u32],
    values: &'a [T],
    slopes: &'a [[T; 2]],
    bins_per_pixel: usize,
}

impl<'a, T> TransposedTaps<'a, T> {
    /// The part of this axis within a range of pixels.
    pub fn within(self, range: &Range<usize>) -> Self {
        let before = |limit: usize| self.pixels.partition_point(|&pixel| (pixel as usize) < limit);
        let (first, end) = (before(range.start), before(range.end));
        Self { pixels: &self.pixels[first..end], offsets: &self.offsets[first..=end], ..self }
    }

    /// The pixels, ascending.
    pub fn pixels(&self) -> &'a [u32] {
        self.pixels
    }

    /// The entries of all pixels, pixel by pixel: bins and weights.
    pub fn all(&self) -> (&'a [u32], &'a [T]) {
        self.between(0, self.pixels.len())
    }

    /// Derivatives of the weights of [`Self::all`] for both ends of the box. An entry that was repeated as padding has slopes
    /// once.
    pub fn slopes(&self) -> &'a [[T; 2]] {
        &self.slopes[self.offsets[0]..self.offsets[self.pixels.len()]]
    }

    /// The entries of the pixel at this index of [`Self::pixels`].
    #[inline]
    pub fn of(&self, pixel: usize) -> (&'a [u32], &'a [T]) {
        self.between(pixel, pixel + 1)
    }

    /// The number of entries per pixel, if all pixels have the same number and it is small enough to unroll; otherwise 0.
    pub fn bins_per_pixel(&self) -> usize {
        self.bins_per_pixel
    }

    /// The range from the first to the last bin that reads a pixel.
    pub fn bins(&self) -> Range<usize> {
        let (bins, _) = self.all();
        let (first, last) =
            bins.iter().fold((u32::MAX, 0), |(low, high), &bin| (low.min(bin), high.max(bin)));
        if bins.is_empty() { 0..0 } else { first as usize..last as usize + 1 }
    }

    #[inline]
    fn between(&self, first: usize, end: usize) -> (&'a [u32], &'a [T]) {
        let range = self.offsets[first]..self.offsets[end];
        (&self.bins[range.clone()], &self.values[range])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Extent;
    use crate::taps::{AxisWriter, Reduce, Table};

    #[test]
    fn each_pixel_finds_the_bins_that_read_it() {
        let output = Extent { height: 3, width: 3 };
        let mut table = Table::<f64>::new(Reduce::Sum, 1, output, Table::default()).unwrap();
        let axis = |mut taps: AxisWriter<'_, f64, false>| {
            for bin in [[(2, 0.75), (3, 0.25)].as_slice(), &[], &[(3, 1.0), (5, 0.5), (6, 0.5)]] {
                for &(pixel, value) in bin {
                    taps.weight(pixel, value, [0.0; 2]);
                }
                taps.end_bin(0);
            }
            taps.finish()
        };
        table.push(16, 0, 0, 0, |_, taps| axis(taps)).unwrap();
        let plan = Plan::new(Reduce::Sum, output, vec![table]);
        let transposed = Transposed::new(&plan, 0..1, 2).unwrap();
        let [y, x] = transposed.roi(0);
        assert_eq!(y.pixels(), [2, 3, 5, 6]);
        assert_eq!((y.bins_per_pixel(), x.bins_per_pixel()), (0, 2));
        assert_eq!(y.of(0), ([0].as_slice(), [0.75].as_slice()));
        assert_eq!(x.of(0), ([0, 0].as_slice(), [0.375, 0.375].as_slice()));
        assert_eq!(x.of(1), ([0, 2].as_slice(), [0.25, 1.0].as_slice()));
        assert_eq!(y.within(&(3..6)).pixels(), [3, 5]);
        assert_eq!(y.within(&(5..9)).bins(), 2..3);
        assert!(y.within(&(7..9)).pixels().is_empty());
    }
}
