//! Gradients of boxes: gradients of bins, pixels of the window and the slopes of the taps, contracted to four numbers
//! for each box.
//!
//! When the box moves, weights on one axis change and those on the other stay. On y, the sum over the columns comes
//! first: what each tapped row would add to the gradient if its weight grew. On x, likewise, the sum over the rows.
//! Slopes are applied to these sums, so that they cost next to nothing. Columns are visited once for each row of bins,
//! however many of its bins read them.

use std::ops::Range;

use crate::cpu::Settings;
use crate::cpu::blocks::blocks;
use crate::cpu::gather::SPARSE_PART;
use crate::cpu::interrupt::Watch;
use crate::cpu::scatter::load;
use crate::cpu::simd::contract::{self as simd, ApplySlopes, total};
use crate::cpu::simd::prefetch::Prefetch;
use crate::cpu::simd::store::MOST_BINS;
use crate::cpu::simd::{Isa, Kernel, Lanes};
use crate::cpu::window::{Shape, Source, Window};
use crate::element::{Element, Real};
use crate::error::{Result, reserve};
use crate::scratch::{self, bytes_of};
use crate::taps::transposed::Transposed;
use crate::taps::{BOXES_PER_TABLE, Plan, Run};
use crate::view::View;

/// A group of blocks of channels of a run of boxes.
pub struct Contract<'a, E: Element> {
    pub plan: &'a Plan<E::Compute>,
    /// The plan's boxes, [`BOXES_PER_TABLE`] in each.
    pub readers: &'a [Transposed<E::Compute>],
    pub run: &'a Run,
    pub grad_output: &'a View<'a, E::Output>,
    pub features: &'a [View<'a, E>],
    pub channels: Range<usize>,
}

/// What a thread keeps from task to task and from call to call.
#[derive(Default)]
struct Scratch<T> {
    window: Window<T>,
    bins: Bins<T>,
}

/// What a box needs besides.
#[derive(Default)]
struct Bins<T> {
    grads: Vec<Lanes<T>>,
    /// Of each block, one for each reader of a column.
    across: Vec<Lanes<T>>,
    /// Of each block.
    down: Vec<[Lanes<T>; 2]>,
}

impl<T: Real> scratch::Scratch for Scratch<T> {
    fn bytes(&self) -> usize {
        let Bins { grads, across, down } = &self.bins;
        self.window.bytes() + bytes_of(grads) + bytes_of(across) + bytes_of(down)
    }
}

/// A task that has what it needs.
struct Compute<'a, E: Element> {
    task: &'a Contract<'a, E>,
    watch: Watch<'a>,
    scratch: &'a mut Scratch<E::Compute>,
}

impl<E: Element> Kernel for Compute<'_, E> {
    type Output = Result<Vec<[f64; 4]>>;

    #[inline(always)]
    fn run<I: Isa>(self) -> Self::Output {
        let Self { task, mut watch, scratch: Scratch { window, bins } } = self;
        let Run { rois, stage, image, tallest, widest, area, .. } = task.run.clone();
        let features = &task.features[stage];
        let [_, _, height, width] = features.shape();
        let dense = area >= height * width / SPARSE_PART;
        window.reset(width, task.channels.len(), Shape { rows: tallest, columns: widest.max(1), dense })?;
        let source = Source { features, image, channels: task.channels.clone() };
        let mut gradients = Vec::new();
        reserve(&mut gradients, rois.len() * blocks(&task.channels).len(), "gradients of boxes")?;
        for at in rois.clone() {
            watch.step(blocks(&task.channels).len() * task.plan.roi(at).0.work)?;
            let ahead = if at + 1 < rois.end { task.ahead(at + 1) } else { Prefetch::nothing() };
            task.roi::<I>(at, &source, window, ahead, bins, &mut gradients)?;
        }
        Ok(gradients)
    }
}

impl<E: Element> Contract<'_, E> {
    /// The gradients `x1, y1, x2, y2` of each box of the run, from each block of these channels.
    pub fn compute(self, settings: Settings<'_>) -> Result<Vec<[f64; 4]>> {
        scratch::with(|scratch: &mut Scratch<E::Compute>| {
            settings.level.run(Compute { task: &self, watch: settings.watch(), scratch })
        })
    }

    /// The gradients of the bins of a box.
    fn ahead(&self, at: usize) -> Prefetch {
        let (roi, y, _) = self.plan.roi(at);
        let source = Source { features: self.grad_output, image: roi.roi, channels: self.channels.clone() };
        Prefetch::new(&source, &y.nonempty_bins())
    }

    #[inline(always)]
    fn roi<I: Isa>(
        &self,
        at: usize,
        source: &Source<'_, E>,
        window: &mut Window<E::Compute>,
        mut ahead: Prefetch,
        kept: &mut Bins<E::Compute>,
        gradients: &mut Vec<[f64; 4]>,
    ) -> Result<()> {
        let (roi, y, x) = self.plan.roi(at);
        let blocks = blocks(&source.channels);
        // Invalid boxes have no taps.
        if y.nonempty_bins().is_empty() || x.nonempty_bins().is_empty() {
            gradients.resize(gradients.len() + blocks.len(), [0.0; 4]);
            return Ok(());
        }
        let Bins { grads, across, down } = kept;
        let zero = Lanes::splat(Real::ZERO);
        let [_, readers] = self.readers[at / BOXES_PER_TABLE].roi(at % BOXES_PER_TABLE);
        let count = readers.all().0.len();
        across.clear();
        reserve(across, blocks.len() * count, "sums of columns")?;
        across.resize(blocks.len() * count, zero);
        down.clear();
        down.resize(blocks.len(), [zero; 2]);
        let (width, support, capacity) = (x.bins(), x.support(), window.capacity());
        let lines = ahead.lines().div_ceil(y.nonempty_bins().len() * blocks.len());
        let rows_at_once = if y.support().len() <= capacity { (MOST_BINS / width).max(1) } else { 1 };
        for first in y.nonempty_bins().step_by(rows_at_once) {
            let bins = first..y.nonempty_bins().end.min(first + rows_at_once);
            let pooled =
                Source { features: self.grad_output, image: roi.roi, channels: source.channels.clone() };
            load::<I, _>(&pooled, &bins, grads)?;
            let (rows, weights, slopes) =
                (y.indices(bins.clone()), y.values(bins.clone()), y.slopes(bins.clone()));
            // All taps at once if the window is high enough for the box, else those of one bin, as many as fit.
            let at_once = if bins.len() > 1 { rows.len() } else { capacity };
            for first in (0..rows.len()).step_by(at_once.max(1)) {
                let taps = first..rows.len().min(first + at_once);
                let window = window.load::<I, E>(source, &rows[taps.clone()], support.clone());
                let part = [first, taps.end];
                for (i, down) in down.iter_mut().enumerate() {
                    I::call(simd::Contract {
                        window: window.block(i),
                        weights: &weights[taps.clone()],
                        slopes: &slopes[taps.clone()],
                        offsets: if bins.len() > 1 { y.offsets(bins.clone()) } else { &part },
                        x: readers,
                        support: support.clone(),
                        grads: &grads[i * bins.len() * width..][..bins.len() * width],
                        bins: width,
                        ahead: &mut ahead,
                        lines,
                        down,
                        across: &mut across[i * count..][..count],
                    });
                }
            }
        }
        for ((i, block), down) in blocks.enumerate().zip(down) {
            let sums = &across[i * count..][..count];
            let across = ApplySlopes { slopes: readers.slopes(), sums }.run::<I>();
            let ends = [&across[0], &down[0], &across[1], &down[1]];
            gradients.push(ends.map(|sums| total(sums, block.len())));
        }
        Ok(())
    }
}
