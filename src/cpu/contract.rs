//! Gradients of boxes: gradients of bins, pixels of the window and the slopes of the taps, contracted to four numbers
//! for each box.
//!
//! When the box moves, weights on one axis change and those on the other stay. On y, the sum over the columns comes
//! first: what each tapped row would add to the gradient if its weight grew. On x, likewise, the sum over the rows.
//! Slopes are applied to these sums, so that they cost next to nothing.

use std::ops::Range;

use crate::cpu::gather::SPARSE_PART;
use crate::cpu::scatter::load;
use crate::cpu::scratch;
use crate::cpu::simd::contract::{ApplySlopes, ContractColumns, ContractRows, ContractUnrolled, Products};
use crate::cpu::simd::prefetch::Prefetch;
use crate::cpu::simd::store::MOST_BINS;
use crate::cpu::simd::{Isa, Kernel, Lanes, Level};
use crate::cpu::window::{Shape, Source, Window};
use crate::element::{Element, Real};
use crate::error::Result;
use crate::taps::{AxisTaps, Invalid, Plan, Run};
use crate::view::View;

/// One block of channels of a run of boxes.
pub struct Contract<'a, E: Element> {
    pub plan: &'a Plan<E::Compute>,
    pub run: &'a Run,
    pub grad_output: &'a View<'a, E::Output>,
    pub features: &'a [View<'a, E>],
    pub channels: Range<usize>,
}

/// What a thread keeps from task to task and from call to call.
#[derive(Default)]
struct Scratch<T> {
    window: Window<T>,
    grads: Vec<Lanes<T>>,
    /// One for each tap of the live bins on x.
    across: Vec<Lanes<T>>,
    /// A row of the map, summed over the rows of a bin.
    columns: Vec<Lanes<T>>,
    /// The taps on x that have weight.
    weighty: Vec<u32>,
    products: Vec<Lanes<T>>,
}

/// A task that has what it needs.
struct Compute<'a, E: Element> {
    task: &'a Contract<'a, E>,
    scratch: &'a mut Scratch<E::Compute>,
}

impl<E: Element> Kernel for Compute<'_, E> {
    type Output = Result<Vec<[f64; 4]>>;

    #[inline(always)]
    fn run<I: Isa>(self) -> Self::Output {
        let Self { task, scratch } = self;
        let Run { rois, stage, image, tallest, widest, area } = task.run.clone();
        let source = Source { features: &task.features[stage], image, channels: task.channels.clone() };
        let [_, _, height, width] = source.features.shape();
        let dense = area >= height * width / SPARSE_PART;
        scratch.window.reset(width, Shape { rows: tallest, columns: widest.max(1), dense })?;
        let mut gradients = Vec::with_capacity(rois.len());
        for at in rois.clone() {
            if at + 1 < rois.end {
                task.prefetch::<I>(at + 1);
            }
            gradients.push(task.roi::<I>(at, &source, scratch));
        }
        Ok(gradients)
    }
}

impl<E: Element> Contract<'_, E> {
    /// The gradients `x1, y1, x2, y2` that these channels have for each box of the run.
    pub fn compute(self, level: Level) -> Result<Vec<[f64; 4]>> {
        scratch::with(|scratch: &mut Scratch<E::Compute>| level.run(Compute { task: &self, scratch }))
    }

    /// Asks for the gradients of a box.
    #[inline(always)]
    fn prefetch<I: Isa>(&self, at: usize) {
        let (roi, y, _) = self.plan.roi(at);
        let source = Source { features: self.grad_output, image: roi.roi, channels: self.channels.clone() };
        Prefetch::new(&source, &y.live()).run::<I>();
    }

    #[inline(always)]
    fn roi<I: Isa>(&self, at: usize, source: &Source<'_, E>, scratch: &mut Scratch<E::Compute>) -> [f64; 4] {
        let (roi, y, x) = self.plan.roi(at);
        if roi.invalid != Invalid::Raise || y.live().is_empty() || x.live().is_empty() {
            return [0.0; 4];
        }
        let zero = Lanes::splat(Real::ZERO);
        scratch.across.clear();
        scratch.across.resize(x.pixels(x.live()).len(), zero);
        let mut down = [zero; 2];
        let rows_at_once = (MOST_BINS / x.bins()).max(1);
        for first in y.live().step_by(rows_at_once) {
            let bins = first..y.live().end.min(first + rows_at_once);
            let grads =
                Source { features: self.grad_output, image: roi.roi, channels: self.channels.clone() };
            load::<I, _>(&grads, &bins, &mut scratch.grads);
            if y.uniform() > 0 && x.uniform() > 0 && y.uniform() <= scratch.window.capacity() {
                self.unrolled::<I>(y, x, bins, source, scratch, &mut down);
            } else {
                self.row_by_row::<I>(y, x, bins, source, scratch, &mut down);
            }
        }
        let across = I::call(ApplySlopes { slopes: x.slopes(x.live()), sums: &scratch.across });
        let total = |lanes: &Lanes<E::Compute>| {
            lanes.0[..self.channels.len()].iter().fold(0.0, |sum, value| sum + value.to_f64())
        };
        [&across[0], &down[0], &across[1], &down[1]].map(total)
    }

    /// Bins whose taps are few.
    #[inline(always)]
    fn unrolled<I: Isa>(
        &self,
        y: AxisTaps<'_, E::Compute>,
        x: AxisTaps<'_, E::Compute>,
        bins: Range<usize>,
        source: &Source<'_, E>,
        scratch: &mut Scratch<E::Compute>,
        down: &mut [Lanes<E::Compute>; 2],
    ) {
        let Scratch { window, grads, across, .. } = scratch;
        let capacity = window.capacity();
        // All bins at once if the window is high enough for the box, else as many as fit.
        let at_once = if y.hull().len() <= capacity { bins.len() } else { capacity / y.uniform() };
        for first in bins.clone().step_by(at_once) {
            let y_bins = first..bins.end.min(first + at_once);
            let window = window.load::<I, E>(source, y.pixels(y_bins.clone()), x.hull());
            let grads = &grads[(first - bins.start) * x.bins()..];
            I::call(ContractUnrolled { window, y, y_bins, x, grads, down, across });
        }
    }

    /// Bins of any size.
    #[inline(always)]
    fn row_by_row<I: Isa>(
        &self,
        y: AxisTaps<'_, E::Compute>,
        x: AxisTaps<'_, E::Compute>,
        bins: Range<usize>,
        source: &Source<'_, E>,
        scratch: &mut Scratch<E::Compute>,
        down: &mut [Lanes<E::Compute>; 2],
    ) {
        let Scratch { window, grads, across, columns, weighty, products } = scratch;
        let (pixels, weights) = (x.pixels(x.live()), x.weights(x.live()));
        weighty.clear();
        weighty
            .extend(pixels.iter().zip(weights).filter(|(_, w)| **w != Real::ZERO).map(|(&pixel, _)| pixel));
        columns.resize(columns.len().max(x.hull().len()), Lanes::splat(Real::ZERO));
        let columns = &mut columns[..x.hull().len()];
        let capacity = window.capacity();
        for (bin, grads) in bins.zip(grads.chunks(x.bins())) {
            I::call(Products { grads, x, products });
            let (rows, weights, slopes) =
                (y.pixels(bin..bin + 1), y.weights(bin..bin + 1), y.slopes(bin..bin + 1));
            if rows.is_empty() {
                continue;
            }
            columns.fill(Lanes::splat(Real::ZERO));
            for first in (0..rows.len()).step_by(capacity) {
                let taps = first..rows.len().min(first + capacity);
                let window = window.load::<I, E>(source, &rows[taps.clone()], x.hull());
                let (weights, slopes) = (&weights[taps.clone()], &slopes[taps]);
                let hull = x.hull();
                I::call(ContractRows {
                    window,
                    weights,
                    slopes,
                    hull,
                    columns,
                    pixels: weighty,
                    products,
                    down,
                });
            }
            I::call(ContractColumns { columns, x, grads, across });
        }
    }
}
