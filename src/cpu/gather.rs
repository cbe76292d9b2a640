//! The forward pass: for each box, reduce the taps of its bins and write them.

use std::ops::Range;

use crate::cpu::Settings;
use crate::cpu::block::{Block, Lines};
use crate::cpu::channels::Channels;
use crate::cpu::interrupt::Watch;
use crate::cpu::maximum::Maximum;
use crate::cpu::simd::max::{Maxima, NONE};
use crate::cpu::simd::queue::{Line, Queue};
use crate::cpu::simd::write::{MOST_BINS, Write};
use crate::cpu::simd::{Isa, Kernel, LANES, Lanes};
use crate::cpu::source::Source;
use crate::cpu::window::{Shape, Window};
use crate::element::{Element, Real};
use crate::error::{Result, reserve};
use crate::geometry::Extent;
use crate::scratch::{self, bytes_of};
use crate::taps::{Invalid, MOST_COLUMNS, Plan, Reduce, Run};
use crate::view::{View, ViewMut};

/// A run of boxes times the channels of a task.
pub struct Task<'a, E: Element> {
    pub plan: &'a Plan<E::Compute>,
    pub run: &'a Run,
    pub features: &'a [View<'a, E>],
    pub channels: Channels,
    pub out: &'a ViewMut<'a, E::Output>,
    pub argmax: Option<&'a ViewMut<'a, i64>>,
    /// Whether to write past the caches.
    pub stream: bool,
}

/// Boxes that touch less than this part of a map are few.
pub const SPARSE_PART: usize = 4;

/// The blocks of a task are computed and written together, if they have no more bins than this.
const MOST_BINS_OF_BLOCKS: usize = 2048;

/// What a thread keeps from task to task and from call to call.
#[derive(Default)]
pub struct Scratch<T> {
    window: Window<T>,
    lines: Lines<T>,
    bins: Bins<T>,
    stage: Vec<Line>,
}

/// Some rows of bins of one box, `[block][row][column]`.
#[derive(Default)]
struct Bins<T> {
    values: Vec<Lanes<T>>,
    /// Of maxima, if it is asked for: first counted among the candidates of the bin, then as users know it.
    local_argmax: Vec<Lanes<u32>>,
    argmax: Vec<Lanes<i64>>,
}

impl<T> Bins<T> {
    fn resize(&mut self, count: usize, has_argmax: bool) -> Result<()>
    where
        T: Real,
    {
        const BINS: &str = "bins of a row";
        let indices = if has_argmax { count } else { 0 };
        if self.values.len() == count && self.argmax.len() == indices {
            return Ok(());
        }
        reserve(&mut self.values, count, BINS)?;
        reserve(&mut self.local_argmax, indices, BINS)?;
        reserve(&mut self.argmax, indices, BINS)?;
        self.values.resize(count, Lanes::splat(T::ZERO));
        self.local_argmax.resize(indices, Lanes::splat(NONE));
        self.argmax.resize(indices, Lanes::splat(-1));
        Ok(())
    }
}

impl<T: Real> scratch::Scratch for Scratch<T> {
    fn bytes(&self) -> usize {
        let Self { window, lines, bins: Bins { values, local_argmax, argmax }, stage } = self;
        bytes_of(stage)
            + window.bytes()
            + lines.bytes()
            + bytes_of(values)
            + bytes_of(local_argmax)
            + bytes_of(argmax)
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
        let Self { task, mut watch, scratch: Scratch { window, lines, bins, stage } } = self;
        let Run { rois, stage: map, image, tallest, widest_part, area, .. } = task.run.clone();
        let features = &task.features[map];
        let [_, _, height, width] = features.shape();
        let dense = area >= height * width / SPARSE_PART;
        window.reset(
            width,
            task.channels.count,
            Shape { rows: tallest, columns: widest_part.max(1), dense },
        )?;
        let source = Source { features, image, channels: task.channels };
        let mut queue = Queue::new(stage, task.out);
        let mut block = Block { source, window, number: 0, lines, queue: &mut queue };
        for at in rois {
            watch.step(task.channels.blocks().len() * task.plan.roi(at).0.work)?;
            task.roi::<I>(at, &mut block, bins)?;
        }
        queue.flush::<I>();
        I::fence();
        Ok(())
    }
}

impl<E: Element> Task<'_, E> {
    /// Computes the boxes one after the other.
    pub fn compute(self, scratch: &mut Scratch<E::Compute>, settings: Settings<'_>) -> Result<()> {
        settings.level.run(Compute { task: &self, watch: settings.watch(), scratch })
    }

    /// Computes a box, some rows of bins at a time.
    #[inline(always)]
    fn roi<I: Isa>(
        &self,
        at: usize,
        block: &mut Block<'_, '_, E>,
        bins: &mut Bins<E::Compute>,
    ) -> Result<()> {
        let Extent { height, width } = self.plan.output;
        let rows_at_once = if height * width <= MOST_BINS { height } else { (MOST_BINS / width).max(1) };
        let mut first = 0;
        while first < height {
            let rows = first..height.min(first + rows_at_once);
            first = rows.end;
            if rows.len() * width * self.channels.blocks().len() <= MOST_BINS_OF_BLOCKS {
                self.rows::<I>(at, rows, self.channels, block, bins)?;
            } else {
                for channels in self.channels.blocks() {
                    self.rows::<I>(at, rows.clone(), channels, block, bins)?;
                }
            }
        }
        Ok(())
    }

    /// Computes some rows of bins, and writes them.
    #[inline(always)]
    fn rows<I: Isa>(
        &self,
        at: usize,
        rows: Range<usize>,
        channels: Channels,
        block: &mut Block<'_, '_, E>,
        bins: &mut Bins<E::Compute>,
    ) -> Result<()> {
        let (roi, blocks, count) =
            (self.plan.roi(at).0.roi, channels.blocks().len(), rows.len() * self.plan.output.width);
        bins.resize(blocks * count, self.argmax.is_some())?;
        for i in 0..blocks {
            block.number = (channels.first - self.channels.first) / LANES + i;
            self.block::<I>(at, rows.clone(), block, bins, i * count..(i + 1) * count)?;
        }
        let Bins { values, argmax, .. } = bins;
        let write = Write::new(self.out, roi, channels, rows.clone(), values, count, self.stream);
        I::call(write.through(block.queue));
        if let Some(out) = self.argmax {
            I::call(Write::argmax(out, roi, channels, rows, argmax, self.stream));
        }
        Ok(())
    }

    /// Computes some rows of bins of one block.
    #[inline(always)]
    fn block<I: Isa>(
        &self,
        at: usize,
        rows: Range<usize>,
        block: &mut Block<'_, '_, E>,
        bins: &mut Bins<E::Compute>,
        place: Range<usize>,
    ) -> Result<()> {
        let (roi, y, x) = self.plan.roi(at);
        let reduce = self.plan.reduce;
        let (value, index) = match (roi.invalid, reduce) {
            (Invalid::Nan, _) => (Real::NAN, NONE),
            (Invalid::Zero, _) | (_, Reduce::Sum) => (Real::ZERO, NONE),
            (_, Reduce::MaxSample | Reduce::MaxCorner) => (Real::NEG_INFINITY, 0),
            (_, Reduce::MaxWindow) => (Real::LOWEST_F32, NONE),
        };
        let values = &mut bins.values[place.clone()];
        let mut best = Maxima { values, argmax: bins.local_argmax.get_mut(place.clone()) };
        if !(reduce == Reduce::Sum && y.are_nonempty(&rows) && x.are_nonempty(&(0..x.bins()))) {
            best.values.fill(Lanes::splat(value));
        }
        if let Some(argmax) = &mut best.argmax {
            argmax.fill(Lanes::splat(index));
            bins.argmax[place.clone()].fill(Lanes::splat(-1));
        }
        if roi.invalid != Invalid::Raise {
            return Ok(());
        }
        // Most boxes are one part. They share this loop with the others, so that the kernels are compiled once.
        let mut parts = (x.support().len() > MOST_COLUMNS).then(|| x.parts(MOST_COLUMNS));
        loop {
            let part = parts.as_mut().map(Iterator::next);
            let x = match &part {
                None => x,
                Some(Some(part)) => x.part(part),
                Some(None) => break,
            };
            match reduce {
                Reduce::Sum => block.sum::<I>(y, x, rows.clone(), best.values)?,
                reduce => block.max::<I>(reduce, y, x, rows.clone(), &mut best)?,
            }
            if parts.is_none() {
                break;
            }
        }
        if reduce != Reduce::Sum {
            self.finish(at, rows.start, bins, place);
        }
        Ok(())
    }

    /// Adds to maxima what kernels do not know: samples off the map, and the caller's argmax.
    #[inline(always)]
    fn finish(&self, at: usize, first_row: usize, bins: &mut Bins<E::Compute>, place: Range<usize>) {
        let (roi, y, x) = self.plan.roi(at);
        let map_width = self.features[roi.stage].shape()[3];
        if self.argmax.is_none() && y.is_whole() && x.is_whole() {
            return;
        }
        for (i, at) in place.enumerate() {
            let bin = Maximum::new(self.plan.reduce, &y, first_row + i / x.bins(), &x, i % x.bins());
            let values = &mut bins.values[at];
            match bins.local_argmax.get(at) {
                Some(local) => bins.argmax[at] = bin.finish_with_argmax(values, local, map_width),
                None => bin.finish(values),
            }
        }
    }
}
