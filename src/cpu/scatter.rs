//! The backward pass: the mirror image of the forward pass, band of rows by band of rows.
//!
//! A band is a part of the gradient that fits in the second-level cache. Its boxes are added one after the
//! other in the plan's order, then each of its elements is written once. A box that reaches over several bands
//! is added to each of them, clipped: what a pixel receives, and in which order, depends neither on the bands
//! nor on the threads.

use std::ops::Range;

use crate::cpu::Settings;
use crate::cpu::argmax_backward::ArgmaxBackward;
use crate::cpu::bands::Band;
use crate::cpu::channels::Channels;
use crate::cpu::interrupt::Watch;
use crate::cpu::simd::pack::Pack;
use crate::cpu::simd::prefetch::Prefetch;
use crate::cpu::simd::scatter as simd;
use crate::cpu::simd::write::Write;
use crate::cpu::simd::{Isa, Kernel, Lanes};
use crate::cpu::source::Source;
use crate::element::{Element, Real};
use crate::error::{Result, reserve};
use crate::geometry::Extent;
use crate::scratch::{self, bytes_of};
use crate::taps::transposed::Transposed;
use crate::taps::{AxisTaps, BOXES_PER_TABLE, Plan};
use crate::view::{View, ViewMut};

/// What there may be no memory for.
const PIXELS: &str = "pixels of a gradient";

/// Work of following the argmax of a bin in 16 channels, as [`RoiTaps::work`](crate::taps::RoiTaps::work) counts it.
const BIN_ARGMAX: usize = 256;

/// What the tasks of a call have in common. Gradients of type `E` are summed in its compute type and written as `O`.
pub struct Scatter<'a, E: Element, O: Element<Compute = E::Compute>> {
    pub plan: &'a Plan<E::Compute>,
    /// The plan's boxes, [`BOXES_PER_TABLE`] in each; for sums.
    pub transposed: &'a [Transposed<E::Compute>],
    pub grad_output: &'a View<'a, E>,
    /// Where maxima came from.
    pub argmax: Option<&'a View<'a, i64>>,
    /// The gradient of each map.
    pub out: &'a [ViewMut<'a, O>],
    /// Whether to add to what is there.
    pub accumulate: bool,
    /// Whether to write past the caches.
    pub stream: bool,
}

/// What a thread keeps from task to task and from call to call.
#[derive(Default)]
pub struct Scratch<T> {
    /// Rows of the gradient.
    band: Vec<Lanes<T>>,
    /// Which of them have been written to.
    touched: Vec<bool>,
    grads: Vec<Lanes<T>>,
    row: Vec<Lanes<T>>,
}

impl<T: Real> scratch::Scratch for Scratch<T> {
    fn bytes(&self) -> usize {
        let Self { band, touched, grads, row } = self;
        [band, grads, row].map(bytes_of).iter().sum::<usize>() + bytes_of(touched)
    }
}

/// A task that has what it needs.
struct Compute<'a, E: Element, O: Element<Compute = E::Compute>> {
    call: &'a Scatter<'a, E, O>,
    band: &'a Band<'a>,
    channels: Channels,
    watch: Watch<'a>,
    scratch: &'a mut Scratch<E::Compute>,
}

impl<E: Element, O: Element<Compute = E::Compute>> Kernel for Compute<'_, E, O> {
    type Output = Result<()>;

    #[inline(always)]
    fn run<I: Isa>(self) -> Result<()> {
        let Self { call, band, channels, mut watch, scratch } = self;
        let [_, _, _, width] = call.out[band.stage].shape();
        let pixels = channels.blocks().len() * band.rows.len() * width;
        reserve(&mut scratch.band, pixels, PIXELS)?;
        if scratch.band.len() < pixels {
            scratch.band.resize(pixels, Lanes::splat(Real::ZERO));
        }
        // For a row of the map, or of bins.
        reserve(&mut scratch.row, width.max(call.plan.output.width), PIXELS)?;
        scratch.touched.clear();
        scratch.touched.resize(band.rows.len(), false);
        let Extent { height, width: bins } = call.plan.output;
        let argmax = if call.argmax.is_some() { BIN_ARGMAX * height * bins } else { 0 };
        for (i, &at) in band.rois.iter().enumerate() {
            watch.step(channels.blocks().len() * (call.plan.roi(at as usize).0.work + argmax))?;
            let next = band.rois.get(i + 1);
            let ahead =
                next.map_or_else(Prefetch::nothing, |&next| call.ahead(next as usize, band, channels));
            call.roi::<I>(at as usize, band, channels, ahead, scratch)?;
        }
        call.store::<I>(band, channels, width, scratch);
        I::fence();
        Ok(())
    }
}

impl<E: Element, O: Element<Compute = E::Compute>> Scatter<'_, E, O> {
    /// Computes one block of channels of a band.
    pub fn run(
        &self,
        band: &Band<'_>,
        channels: Channels,
        scratch: &mut Scratch<E::Compute>,
        settings: Settings<'_>,
    ) -> Result<()> {
        settings.level.run(Compute { call: self, band, channels, watch: settings.watch(), scratch })
    }

    /// The gradients that a box has for the band.
    fn ahead(&self, at: usize, band: &Band<'_>, channels: Channels) -> Prefetch {
        let (roi, y, _) = self.plan.roi(at);
        let whole = band.rows.start <= y.support().start && y.support().end <= band.rows.end;
        let bins = if whole { y.nonempty_bins() } else { bins_that_read(&y, &band.rows) };
        let source = Source { features: self.grad_output, image: roi.roi, channels };
        Prefetch::new(&source, &bins)
    }

    /// Adds what the bins of a box have for the band.
    #[inline(always)]
    fn roi<I: Isa>(
        &self,
        at: usize,
        band: &Band<'_>,
        channels: Channels,
        mut ahead: Prefetch,
        scratch: &mut Scratch<E::Compute>,
    ) -> Result<()> {
        let (roi, y, x) = self.plan.roi(at);
        let [_, _, _, width] = self.out[band.stage].shape();
        let Scratch { band: pixels, touched, grads, row, .. } = scratch;
        let apart = band.rows.len() * width;
        let pixels = &mut pixels[..channels.blocks().len() * apart];
        let source = Source { features: self.grad_output, image: roi.roi, channels };
        if let Some(argmax) = self.argmax {
            ahead.ask::<I>(ahead.lines());
            let bins = bins_that_read(&y, &band.rows);
            load::<I, E>(&source, &bins, grads)?;
            let (reduce, roi) = (self.plan.reduce, roi.roi);
            let count = bins.len() * x.bins();
            for (i, block) in channels.blocks().enumerate() {
                let (bins, rows, grads) = (bins.clone(), band.rows.clone(), &grads[i * count..][..count]);
                let channels = block;
                let bins = ArgmaxBackward { reduce, grads, bins, y, x, argmax, roi, channels, rows, width };
                bins.each(|y, x, lane, value| {
                    touch(touched, pixels, y - band.rows.start, width);
                    pixels[i * apart + (y - band.rows.start) * width + x].0[lane] += value;
                });
            }
            return Ok(());
        }
        let [y, x] = self.transposed[at / BOXES_PER_TABLE].roi(at % BOXES_PER_TABLE);
        let y = y.within(&band.rows);
        for &pixel in y.pixels() {
            touch(touched, pixels, pixel as usize - band.rows.start, width);
        }
        let (rows, bins, first_row) = (y.bins(), self.plan.output.width, band.rows.start);
        if rows.is_empty() {
            // The box reads rows on either side of the band.
            return Ok(());
        }
        load::<I, E>(&source, &rows, grads)?;
        let lines = ahead.lines().div_ceil(y.pixels().len().max(1) * channels.blocks().len());
        for (grads, band) in grads.chunks(rows.len() * bins).zip(pixels.chunks_mut(apart)) {
            I::call(simd::Scatter {
                grads,
                first_bin: rows.start,
                bins,
                y,
                x,
                band,
                first_row,
                width,
                row,
                ahead: &mut ahead,
                lines,
            });
        }
        Ok(())
    }

    /// Writes the band: rows that no box has touched are zeros.
    #[inline(always)]
    fn store<I: Isa>(
        &self,
        band: &Band<'_>,
        channels: Channels,
        width: usize,
        scratch: &mut Scratch<E::Compute>,
    ) {
        let Scratch { band: pixels, touched, row, .. } = scratch;
        let (out, image) = (&self.out[band.stage], band.image);
        let apart = band.rows.len() * width;
        let mut first = 0;
        for same in touched.chunk_by(|a, b| a == b) {
            let rows = band.rows.start + first..band.rows.start + first + same.len();
            let pixels = &mut pixels[first * width..];
            first += same.len();
            if same[0] {
                if self.accumulate {
                    add_rows::<I, O>(out, image, channels, rows.clone(), pixels, apart, row);
                }
                I::call(Write::new(out, image, channels, rows, pixels, apart, self.stream));
            } else if !self.accumulate {
                I::call(Write::zeros(out, image, channels, rows, self.stream));
            }
        }
    }
}

/// Adds what some rows of an array hold to the rows of a band.
#[inline(always)]
fn add_rows<I: Isa, O: Element>(
    out: &ViewMut<'_, O>,
    image: usize,
    channels: Channels,
    rows: Range<usize>,
    pixels: &mut [Lanes<O::Compute>],
    apart: usize,
    row: &mut Vec<Lanes<O::Compute>>,
) {
    let (before, width) = (out.written(), out.shape()[3]);
    row.resize(row.len().max(width), Lanes::splat(Real::ZERO));
    for (i, block) in channels.blocks().enumerate() {
        let source = Source { features: &before, image, channels: block };
        for (y, pixels) in rows.clone().zip(pixels[i * apart..].chunks_mut(width)) {
            I::call(Pack::new(&source, y, 0..width, row, width));
            pixels.iter_mut().zip(&*row).for_each(|(sum, value)| *sum = I::add(*sum, value));
        }
    }
}

/// Clears a row of each block of a band when it is first added to.
#[inline(always)]
fn touch<T: Real>(touched: &mut [bool], pixels: &mut [Lanes<T>], row: usize, width: usize) {
    if !touched[row] {
        touched[row] = true;
        for pixels in pixels.chunks_mut(touched.len() * width) {
            pixels[row * width..][..width].fill(Lanes::splat(T::ZERO));
        }
    }
}

/// From the first bin that may read one of these rows to the last.
fn bins_that_read<T: Real>(y: &AxisTaps<'_, T>, rows: &Range<usize>) -> Range<usize> {
    let reads = |bin: &usize| {
        let pixels = y.indices(*bin..bin + 1);
        let (low, high) = pixels.iter().fold((u32::MAX, 0), |(low, high), &y| (low.min(y), high.max(y)));
        (low as usize) < rows.end && rows.start <= high as usize
    };
    let first = y.nonempty_bins().find(reads).unwrap_or(0);
    first..y.nonempty_bins().rfind(reads).map_or(first, |last| last + 1)
}

/// Reads some rows of bins of a box.
#[inline(always)]
pub fn load<I: Isa, E: Element>(
    source: &Source<'_, E>,
    rows: &Range<usize>,
    to: &mut Vec<Lanes<E::Compute>>,
) -> Result<()> {
    let bins = source.features.shape()[3];
    let apart = rows.len() * bins;
    let count = source.channels.blocks().len() * apart;
    reserve(to, count, "gradients of bins")?;
    to.resize(count, Lanes::splat(Real::ZERO));
    if let Some(merged) = source.features.in_one_row() {
        let source = Source { features: &merged, image: source.image, channels: source.channels };
        I::call(Pack::new(&source, 0, rows.start * bins..rows.end * bins, to, apart));
        return Ok(());
    }
    for (i, row) in rows.clone().enumerate() {
        I::call(Pack::new(source, row, 0..bins, &mut to[i * bins..], apart));
    }
    Ok(())
}
