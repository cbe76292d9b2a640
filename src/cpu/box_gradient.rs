//! Gradients of boxes: gradients of bins, pixels of the window and the slopes of the taps, contracted to four numbers
//! for each box.
//!
//! When the box moves, weights on one axis change and those on the other stay. On y, the sum over the columns comes
//! first: what each tapped row would add to the gradient if its weight grew. On x, likewise, the sum over the rows.
//! Slopes are applied to these sums, so that they cost next to nothing. Columns are visited once for each row of bins,
//! however many of its bins read them.

use crate::cpu::Settings;
use crate::cpu::channels::Channels;
use crate::cpu::gather::SPARSE_PART;
use crate::cpu::interrupt::Watch;
use crate::cpu::scatter::load;
use crate::cpu::simd::box_gradient::{self as simd, ApplySlopes, total};
use crate::cpu::simd::prefetch::Prefetch;
use crate::cpu::simd::write::MOST_BINS;
use crate::cpu::simd::{Isa, Kernel, Lanes};
use crate::cpu::source::Source;
use crate::cpu::window::{Shape, Window};
use crate::element::{Element, Real};
use crate::error::{Result, reserve};
use crate::scratch::{self, bytes_of};
use crate::taps::transposed::Transposed;
use crate::taps::{BOXES_PER_TABLE, Plan, Run};
use crate::view::View;

/// A group of blocks of channels of a run of boxes.
pub struct BoxGradient<'a, E: Element> {
    pub plan: &'a Plan<E::Compute>,
    /// The plan's boxes, [`BOXES_PER_TABLE`] in each.
    pub transposed: &'a [Transposed<E::Compute>],
    pub run: &'a Run,
    pub grad_output: &'a View<'a, E::Output>,
    pub features: &'a [View<'a, E>],
    pub channels: Channels,
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
    /// Of each block, one for each column and bin that reads it.
    grad_x: Vec<Lanes<T>>,
    /// Of each block.
    grad_y: Vec<[Lanes<T>; 2]>,
}

impl<T: Real> scratch::Scratch for Scratch<T> {
    fn bytes(&self) -> usize {
        let Bins { grads, grad_x, grad_y } = &self.bins;
        self.window.bytes() + bytes_of(grads) + bytes_of(grad_x) + bytes_of(grad_y)
    }
}

/// A task that has what it needs.
struct Compute<'a, E: Element> {
    task: &'a BoxGradient<'a, E>,
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
        window.reset(width, task.channels.count, Shape { rows: tallest, columns: widest.max(1), dense })?;
        let source = Source { features, image, channels: task.channels };
        let mut gradients = Vec::new();
        reserve(&mut gradients, rois.len() * task.channels.blocks().len(), "gradients of boxes")?;
        for at in rois.clone() {
            watch.step(task.channels.blocks().len() * task.plan.roi(at).0.work)?;
            let ahead = if at + 1 < rois.end { task.ahead(at + 1) } else { Prefetch::nothing() };
            task.roi::<I>(at, &source, window, ahead, bins, &mut gradients)?;
        }
        Ok(gradients)
    }
}

impl<E: Element> BoxGradient<'_, E> {
    /// The gradients `x1, y1, x2, y2` of each box of the run, from each block of these channels.
    pub fn compute(self, settings: Settings<'_>) -> Result<Vec<[f64; 4]>> {
        scratch::with(|scratch: &mut Scratch<E::Compute>| {
            settings.level.run(Compute { task: &self, watch: settings.watch(), scratch })
        })
    }

    /// The gradients of the bins of a box.
    fn ahead(&self, at: usize) -> Prefetch {
        let (roi, y, _) = self.plan.roi(at);
        let source = Source { features: self.grad_output, image: roi.roi, channels: self.channels };
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
        let blocks = source.channels.blocks();
        // Invalid boxes have no taps.
        if y.nonempty_bins().is_empty() || x.nonempty_bins().is_empty() {
            gradients.resize(gradients.len() + blocks.len(), [0.0; 4]);
            return Ok(());
        }
        let Bins { grads, grad_x, grad_y } = kept;
        let zero = Lanes::splat(Real::ZERO);
        let [_, columns] = self.transposed[at / BOXES_PER_TABLE].roi(at % BOXES_PER_TABLE);
        let count = columns.all().0.len();
        grad_x.clear();
        reserve(grad_x, blocks.len() * count, "sums of columns")?;
        grad_x.resize(blocks.len() * count, zero);
        grad_y.clear();
        grad_y.resize(blocks.len(), [zero; 2]);
        let (width, support, capacity) = (x.bins(), x.support(), window.capacity());
        let lines = ahead.lines().div_ceil(y.nonempty_bins().len() * blocks.len());
        let rows_at_once = if y.support().len() <= capacity { (MOST_BINS / width).max(1) } else { 1 };
        for first in y.nonempty_bins().step_by(rows_at_once) {
            let bins = first..y.nonempty_bins().end.min(first + rows_at_once);
            let pooled = Source { features: self.grad_output, image: roi.roi, channels: source.channels };
            load::<I, _>(&pooled, &bins, grads)?;
            let (rows, weights, slopes) =
                (y.indices(bins.clone()), y.values(bins.clone()), y.slopes(bins.clone()));
            // All taps at once if the window is high enough for the box, else those of one bin, as many as fit.
            let at_once = if bins.len() > 1 { rows.len() } else { capacity };
            for first in (0..rows.len()).step_by(at_once.max(1)) {
                let taps = first..rows.len().min(first + at_once);
                let window = window.load::<I, E>(source, &rows[taps.clone()], support.clone());
                let part = [first, taps.end];
                for (i, grad_y) in grad_y.iter_mut().enumerate() {
                    I::call(simd::BoxGradient {
                        window: window.block(i),
                        weights: &weights[taps.clone()],
                        slopes: &slopes[taps.clone()],
                        offsets: if bins.len() > 1 { y.offsets(bins.clone()) } else { &part },
                        x: columns,
                        support: support.clone(),
                        grads: &grads[i * bins.len() * width..][..bins.len() * width],
                        bins: width,
                        ahead: &mut ahead,
                        lines,
                        grad_y,
                        grad_x: &mut grad_x[i * count..][..count],
                    });
                }
            }
        }
        for ((i, block), grad_y) in blocks.enumerate().zip(grad_y) {
            let sums = &grad_x[i * count..][..count];
            let grad_x = ApplySlopes { slopes: columns.slopes(), sums }.run::<I>();
            let ends = [&grad_x[0], &grad_y[0], &grad_x[1], &grad_y[1]];
            gradients.push(ends.map(|sums| total(sums, block.count)));
        }
        Ok(())
    }
}
