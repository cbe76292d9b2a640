//! The forward pass: for each box, reduce the taps of its bins, settle what the kernels leave open, store them.

use std::ops::Range;

use crate::cpu::Settings;
use crate::cpu::block::{Bins, Block};
use crate::cpu::blocks::blocks;
use crate::cpu::interrupt::Watch;
use crate::cpu::maximum::Maximum;
use crate::cpu::simd::max::NONE;
use crate::cpu::simd::outbox::{Deliver, Line, Outbox};
use crate::cpu::simd::store::{MOST_BINS, Store};
use crate::cpu::simd::{Isa, Kernel, Lanes};
use crate::cpu::window::{Shape, Source, Window};
use crate::element::{Element, Real};
use crate::error::Result;
use crate::scratch::{self, bytes_of};
use crate::taps::{Invalid, MOST_COLUMNS, Plan, Reduce, Run};
use crate::view::{View, ViewMut};

/// A group of blocks of channels of a run of boxes.
pub struct Task<'a, E: Element> {
    pub plan: &'a Plan<E::Compute>,
    pub run: &'a Run,
    pub features: &'a [View<'a, E>],
    pub channels: Range<usize>,
    pub out: &'a ViewMut<'a, E::Output>,
    pub argmax: Option<&'a ViewMut<'a, i64>>,
    /// Whether to write past the caches.
    pub stream: bool,
}

/// Boxes that touch less than this part of a map are few.
pub const SPARSE_PART: usize = 4;

/// What a thread keeps from task to task and from call to call.
#[derive(Default)]
pub struct Scratch<T> {
    window: Window<T>,
    stages: [Vec<Line>; 2],
    bins: Bins<T>,
}

impl<T: Real> scratch::Scratch for Scratch<T> {
    fn bytes(&self) -> usize {
        let Self { window, stages, bins } = self;
        window.bytes() + stages.iter().map(bytes_of).sum::<usize>() + bins.bytes()
    }
}

/// A task that has what it needs.
struct Compute<'a, E: Element> {
    task: &'a Task<'a, E>,
    watch: Watch<'a>,
    scratch: &'a mut Scratch<E::Compute>,
}

impl<E: Element> Kernel for Compute<'_, E> {
    type Output = Result<()>;

    #[inline(always)]
    fn run<I: Isa>(self) -> Result<()> {
        let Self { task, mut watch, scratch: Scratch { window, stages, bins } } = self;
        let Run { rois, stage: map, image, tallest, widest_part, area, .. } = task.run.clone();
        let features = &task.features[map];
        let [_, _, height, width] = features.shape();
        let dense = area >= height * width / SPARSE_PART;
        window.reset(
            width,
            task.channels.len(),
            Shape { rows: tallest, columns: widest_part.max(1), dense },
        )?;
        bins.reserve(task.rows_at_once() * task.plan.output.width, task.argmax.is_some())?;
        let source = Source { features, image, channels: task.channels.clone() };
        let (mut block, mut outbox) = (Block { source, window, number: 0 }, Outbox::new(stages, task.out));
        let blocks = blocks(&task.channels).len();
        for at in rois {
            watch.step(blocks * task.plan.roi(at).0.work)?;
            task.roi::<I>(at, &mut block, bins, &mut outbox)?;
        }
        outbox.write::<I>(usize::MAX);
        I::fence();
        Ok(())
    }
}

impl<E: Element> Task<'_, E> {
    /// Computes the boxes one after the other.
    pub fn compute(self, scratch: &mut Scratch<E::Compute>, settings: Settings<'_>) -> Result<()> {
        settings.level.run(Compute { task: &self, watch: settings.watch(), scratch })
    }

    /// Rows of bins that are computed before they are stored.
    fn rows_at_once(&self) -> usize {
        let size = self.plan.output;
        (MOST_BINS / size.width).clamp(1, size.height)
    }

    #[inline(always)]
    fn roi<I: Isa>(
        &self,
        at: usize,
        block: &mut Block<'_, E>,
        bins: &mut Bins<E::Compute>,
        outbox: &mut Outbox<'_>,
    ) -> Result<()> {
        let (height, rows_at_once) = (self.plan.output.height, self.rows_at_once());
        for first in (0..height).step_by(rows_at_once) {
            let rows = first..height.min(first + rows_at_once);
            for number in 0..blocks(&self.channels).len() {
                block.number = number;
                self.rows::<I>(at, rows.clone(), block, bins, outbox)?;
            }
        }
        Ok(())
    }

    /// Some rows of bins of a box, of one block of channels.
    #[inline(always)]
    fn rows<I: Isa>(
        &self,
        at: usize,
        rows: Range<usize>,
        block: &mut Block<'_, E>,
        bins: &mut Bins<E::Compute>,
        outbox: &mut Outbox<'_>,
    ) -> Result<()> {
        let (roi, y, x) = self.plan.roi(at);
        let width = self.plan.output.width;
        let (value, number) = match (roi.invalid, self.plan.reduce) {
            (Invalid::Nan, _) => (Real::NAN, NONE),
            (Invalid::Zero, _) | (_, Reduce::Sum) => (Real::ZERO, NONE),
            (_, Reduce::MaxSample | Reduce::MaxCorner) => (Real::NEG_INFINITY, 0),
            (_, Reduce::MaxWindow) => (Real::LOWEST_F32, NONE),
        };
        let count = rows.len() * width;
        bins.values.resize(count, Lanes::splat(value));
        if !(self.plan.reduce == Reduce::Sum && y.are_nonempty(&rows) && x.are_nonempty(&(0..width))) {
            bins.values.fill(Lanes::splat(value));
        }
        bins.numbers.clear();
        if self.argmax.is_some() {
            bins.numbers.resize(count, Lanes::splat(number));
        }
        if roi.invalid == Invalid::Raise {
            // Most boxes are one part. They share this loop with the others, so that the kernels are compiled once.
            let mut parts = (x.support().len() > MOST_COLUMNS).then(|| x.parts(MOST_COLUMNS));
            loop {
                let part = parts.as_mut().map(Iterator::next);
                let x = match &part {
                    None => x,
                    Some(Some(part)) => x.part(part),
                    Some(None) => break,
                };
                match self.plan.reduce {
                    Reduce::Sum => block.sum::<I>(y, x, rows.clone(), bins, outbox)?,
                    reduce => block.max::<I>(reduce, y, x, rows.clone(), bins, outbox)?,
                }
                if parts.is_none() {
                    break;
                }
            }
        }
        self.store::<I>(at, rows.start, &block.channels(), bins, outbox);
        Ok(())
    }

    /// Settles the bins that kernels know nothing of, and writes all.
    #[inline(always)]
    fn store<I: Isa>(
        &self,
        at: usize,
        first_row: usize,
        channels: &Range<usize>,
        bins: &mut Bins<E::Compute>,
        outbox: &mut Outbox<'_>,
    ) {
        let (roi, y, x) = self.plan.roi(at);
        let Bins { values, numbers, sources, .. } = bins;
        sources.clear();
        sources.resize(numbers.len(), Lanes::splat(-1));
        if self.plan.reduce != Reduce::Sum && roi.invalid == Invalid::Raise {
            let map_width = self.features[roi.stage].shape()[3];
            let are_final = numbers.is_empty() && y.is_whole() && x.is_whole();
            for (at, values) in values.iter_mut().enumerate().filter(|_| !are_final) {
                let bin = Maximum::new(self.plan.reduce, &y, first_row + at / x.bins(), &x, at % x.bins());
                let Some(numbers) = numbers.get(at) else {
                    bin.settle(values);
                    continue;
                };
                sources[at] = bin.settle_numbered(values, numbers, map_width);
            }
        }
        let store = Store::new(self.out, roi.roi, channels, first_row, values, self.stream);
        I::call(Deliver { store, group: self.channels.clone(), outbox });
        if let Some(argmax) = self.argmax {
            I::call(Store::sources(argmax, roi.roi, channels, first_row, sources, self.stream));
        }
    }
}
