//! Gradients of boxes where the channels of a pixel are neighbours: dot products of pixels and bins, weighted.
//!
//! All that a box's gradient needs of a bin and a pixel that it reads is the sum, over the channels, of the bin's gradient
//! times the pixel. Gradients of a box's bins lie in one piece of memory then, and the pixels of its rows in a few: both
//! are read as they lie, from front to back, and nothing is packed.

use std::ops::Range;

use crate::cpu::Settings;
use crate::cpu::interrupt::Watch;
use crate::cpu::simd::contract::{ApplySlopes, add_slopes, total};
use crate::cpu::simd::dot::{AT_ONCE, Pixel, dots};
use crate::cpu::simd::{Isa, Kernel, LANES, Lanes};
use crate::element::{Element, Real};
use crate::error::{Result, reserve};
use crate::scratch::{self, bytes_of};
use crate::taps::transposed::Transposed;
use crate::taps::{AxisTaps, BOXES_PER_TABLE, Plan};
use crate::view::View;

/// Some boxes.
pub struct Dots<'a, E: Element> {
    pub plan: &'a Plan<E::Compute>,
    /// The plan's boxes, [`BOXES_PER_TABLE`] in each.
    pub readers: &'a [Transposed<E::Compute>],
    /// Both with channels that are neighbours.
    pub grad_output: &'a View<'a, E::Output>,
    pub features: &'a [View<'a, E>],
    pub boxes: Range<usize>,
}

/// A row that a bin reads.
struct Tap<T> {
    row: u32,
    weight: T,
    slopes: [T; 2],
    /// What it would add if its weight grew.
    sum: Lanes<T>,
}

/// What a thread keeps from task to task and from call to call.
#[derive(Default)]
struct Scratch<T> {
    /// Of a row of bins.
    taps: Vec<Tap<T>>,
    /// What each reader of a column would add if its weight grew.
    across: Vec<Lanes<T>>,
}

impl<T: Real> scratch::Scratch for Scratch<T> {
    fn bytes(&self) -> usize {
        bytes_of(&self.taps) + bytes_of(&self.across)
    }
}

/// A task that has what it needs.
struct Compute<'a, E: Element> {
    task: &'a Dots<'a, E>,
    watch: Watch<'a>,
    scratch: &'a mut Scratch<E::Compute>,
}

impl<E: Element> Kernel for Compute<'_, E> {
    type Output = Result<Vec<[f64; 4]>>;

    #[inline(always)]
    fn run<I: Isa>(self) -> Self::Output {
        let Self { task, mut watch, scratch } = self;
        let mut gradients = Vec::new();
        reserve(&mut gradients, task.boxes.len(), "gradients of boxes")?;
        for at in task.boxes.clone() {
            watch.step(task.grad_output.shape()[1].div_ceil(LANES) * task.plan.roi(at).0.work)?;
            gradients.push(task.roi::<I>(at, scratch)?);
        }
        Ok(gradients)
    }
}

impl<E: Element> Dots<'_, E> {
    /// The gradients `x1, y1, x2, y2` of each box.
    pub fn compute(self, settings: Settings<'_>) -> Result<Vec<[f64; 4]>> {
        scratch::with(|scratch: &mut Scratch<E::Compute>| {
            settings.level.run(Compute { task: &self, watch: settings.watch(), scratch })
        })
    }

    #[inline(always)]
    fn roi<I: Isa>(&self, at: usize, scratch: &mut Scratch<E::Compute>) -> Result<[f64; 4]> {
        let (roi, y, x) = self.plan.roi(at);
        // Invalid boxes have no taps.
        if y.nonempty_bins().is_empty() || x.nonempty_bins().is_empty() {
            return Ok([0.0; 4]);
        }
        let Scratch { taps, across } = scratch;
        let [_, readers] = self.readers[at / BOXES_PER_TABLE].roi(at % BOXES_PER_TABLE);
        across.clear();
        reserve(across, readers.all().0.len(), "sums of columns")?;
        across.resize(readers.all().0.len(), Lanes::splat(Real::ZERO));
        let mut down = [Lanes::splat(Real::ZERO); 2];
        for row_of_bins in y.nonempty_bins() {
            list_taps(&y, row_of_bins, taps);
            let mut first = 0;
            for (i, &column) in readers.pixels().iter().enumerate() {
                let (bins, weights) = readers.of(i);
                let across = &mut across[first..first + bins.len()];
                first += bins.len();
                let place = Place {
                    features: &self.features[roi.stage],
                    image: roi.image,
                    column: column as usize,
                    grad_output: self.grad_output,
                    roi: roi.roi,
                    row_of_bins,
                };
                place.multiply::<I>(taps, Readers { bins, weights, across });
            }
            for tap in &*taps {
                add_slopes::<I, _>(&mut down, tap.slopes, &tap.sum);
            }
        }
        let across = ApplySlopes { slopes: readers.slopes(), sums: across }.run::<I>();
        Ok([&across[0], &down[0], &across[1], &down[1]].map(|sums| total(sums, LANES)))
    }
}

/// Lists the rows that a bin reads. A tap that was halved to fill its bin up is whole again.
#[inline(always)]
fn list_taps<T: Real>(y: &AxisTaps<'_, T>, bin: usize, taps: &mut Vec<Tap<T>>) {
    taps.clear();
    let (rows, weights, slopes) = (y.indices(bin..bin + 1), y.values(bin..bin + 1), y.slopes(bin..bin + 1));
    for ((&row, &weight), &slopes) in rows.iter().zip(weights).zip(slopes) {
        match taps.last_mut() {
            Some(tap) if tap.row == row => tap.weight += weight,
            _ => taps.push(Tap { row, weight, slopes, sum: Lanes::splat(T::ZERO) }),
        }
    }
}

/// Bins that read a column.
struct Readers<'a, T> {
    bins: &'a [u32],
    weights: &'a [T],
    across: &'a mut [Lanes<T>],
}

/// A column of a map, and a row of bins that read it.
struct Place<'a, E: Element> {
    features: &'a View<'a, E>,
    image: usize,
    column: usize,
    grad_output: &'a View<'a, E::Output>,
    roi: usize,
    row_of_bins: usize,
}

impl<'a, E: Element> Place<'a, E> {
    #[inline(always)]
    fn pixel(&self, row: u32) -> Pixel<'a, E> {
        Pixel::new(self.features, self.image, row as usize, self.column)
    }

    #[inline(always)]
    fn bin(&self, bin: u32) -> Pixel<'a, E::Output> {
        Pixel::new(self.grad_output, self.roi, self.row_of_bins, bin as usize)
    }

    /// Multiplies all rows with all readers.
    #[inline(always)]
    fn multiply<I: Isa>(&self, taps: &mut [Tap<E::Compute>], readers: Readers<'_, E::Compute>) {
        let Readers { bins, weights, across } = readers;
        for taps in taps.chunks_mut(AT_ONCE) {
            for first in (0..bins.len()).step_by(AT_ONCE) {
                let some = first..bins.len().min(first + AT_ONCE);
                let (bins, weights) = (&bins[some.clone()], &weights[some.clone()]);
                self.multiply_some::<I>(taps, Readers { bins, weights, across: &mut across[some] });
            }
        }
    }

    /// Multiplies up to [`AT_ONCE`] rows with as many readers. Where there are fewer, the first one is multiplied again,
    /// for nothing.
    #[inline(always)]
    fn multiply_some<I: Isa>(&self, taps: &mut [Tap<E::Compute>], readers: Readers<'_, E::Compute>) {
        let Readers { bins, weights, across } = readers;
        let mut pixels = [self.pixel(taps[0].row); AT_ONCE];
        for (pixel, tap) in pixels.iter_mut().zip(&*taps) {
            *pixel = self.pixel(tap.row);
        }
        let mut grads = [self.bin(bins[0]); AT_ONCE];
        for (grad, &bin) in grads.iter_mut().zip(bins) {
            *grad = self.bin(bin);
        }
        let products = dots::<I, E>(pixels, grads);
        for (tap, products) in taps.iter_mut().zip(&products) {
            for ((across, &weight), product) in across.iter_mut().zip(weights).zip(products) {
                // What has no weight may be NaN.
                if tap.weight != E::Compute::ZERO {
                    *across = I::mul_add(tap.weight, product, *across);
                }
                if weight != E::Compute::ZERO {
                    tap.sum = I::mul_add(weight, product, tap.sum);
                }
            }
        }
    }
}
