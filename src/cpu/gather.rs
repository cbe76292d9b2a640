//! The forward pass: for each box, load the window, reduce the taps of its bins, store them.

use std::mem;
use std::ops::Range;

use crate::cpu::maximum::Maximum;
use crate::cpu::scratch;
use crate::cpu::simd::max::{MaxSamples, MaxWindow, Maxima, NONE};
use crate::cpu::simd::outbox::{Deliver, Line, Outbox};
use crate::cpu::simd::store::{MOST_BINS, Store, store_sources};
use crate::cpu::simd::sum::{Columns, SumColumns, SumRows};
use crate::cpu::simd::{Isa, Kernel, Lanes, Level};
use crate::cpu::window::{Loaded, Shape, Source, Window};
use crate::element::{Element, Real};
use crate::error::{Result, reserve};
use crate::taps::{AxisTaps, Invalid, Plan, Reduce, Run};
use crate::view::{View, ViewMut};

/// Some blocks of channels of a run of boxes.
pub struct Task<'a, E: Element> {
    pub plan: &'a Plan<E::Compute>,
    pub run: &'a Run,
    pub features: &'a [View<'a, E>],
    /// At most 16 channels each, taken in turns box by box.
    pub blocks: &'a [Range<usize>],
    pub out: &'a ViewMut<'a, E::Output>,
    pub argmax: Option<&'a ViewMut<'a, i64>>,
    /// Whether to write past the caches.
    pub stream: bool,
}

/// Boxes that touch less than this part of a map are few.
pub const SPARSE_PART: usize = 4;

/// Columns of bins that are summed at once, so that they stay in the first-level cache.
const MOST_SUMS: usize = 384;

/// What a thread keeps from task to task and from call to call.
#[derive(Default)]
struct Scratch<T> {
    windows: Vec<Window<T>>,
    values: Vec<Lanes<T>>,
    numbers: Vec<Lanes<u32>>,
    sources: Vec<Lanes<i64>>,
    sums: Vec<Lanes<T>>,
    rows: Vec<u32>,
    stage: Vec<Line>,
}

impl<T> Scratch<T> {
    /// Makes room for some bins, or says that there is no memory.
    fn reserve(&mut self, bins: usize, argmax: bool) -> Result<()> {
        const BINS: &str = "bins of a row at once";
        reserve(&mut self.values, bins, BINS)?;
        if argmax {
            reserve(&mut self.numbers, bins, BINS)?;
            reserve(&mut self.sources, bins, BINS)?;
        }
        Ok(())
    }
}

/// A block of channels, and the window that it is read through.
struct Block<'a, E: Element> {
    source: Source<'a, E>,
    window: &'a mut Window<E::Compute>,
}

impl<E: Element> Block<'_, E> {
    #[inline(always)]
    fn load<I: Isa>(&mut self, rows: &[u32], columns: Range<usize>) -> Loaded<'_, E::Compute> {
        self.window.load::<I, E>(&self.source, rows, columns)
    }
}

/// A task that has what it needs.
struct Compute<'a, E: Element> {
    task: &'a Task<'a, E>,
    scratch: &'a mut Scratch<E::Compute>,
}

impl<E: Element> Kernel for Compute<'_, E> {
    type Output = Result<()>;

    #[inline(always)]
    fn run<I: Isa>(self) -> Result<()> {
        let Self { task, scratch } = self;
        let Run { rois, stage, image, tallest, widest, area } = task.run.clone();
        let features = &task.features[stage];
        let [_, _, height, width] = features.shape();
        let dense = area >= height * width / SPARSE_PART;
        let shape = Shape { rows: tallest, columns: widest.max(1), dense };
        let mut windows = mem::take(&mut scratch.windows);
        windows.resize_with(windows.len().max(task.blocks.len()), Window::default);
        let mut blocks = Vec::with_capacity(task.blocks.len());
        for (window, channels) in windows.iter_mut().zip(task.blocks) {
            window.reset(width, shape)?;
            blocks.push(Block { source: Source { features, image, channels: channels.clone() }, window });
        }
        scratch.reserve(task.rows_at_once() * task.plan.output.width, task.argmax.is_some())?;
        let mut stage = mem::take(&mut scratch.stage);
        let mut outbox = Outbox::new(&mut stage, task.out);
        for at in rois {
            for block in &mut blocks {
                task.roi::<I>(at, block, scratch, &mut outbox);
            }
        }
        outbox.write::<I>(usize::MAX);
        I::fence();
        scratch.stage = stage;
        scratch.windows = windows;
        Ok(())
    }
}

impl<E: Element> Task<'_, E> {
    /// Computes the boxes one after the other.
    pub fn compute(self, level: Level) -> Result<()> {
        scratch::with(|scratch: &mut Scratch<E::Compute>| level.run(Compute { task: &self, scratch }))
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
        scratch: &mut Scratch<E::Compute>,
        outbox: &mut Outbox<'_>,
    ) {
        let (roi, y, x) = self.plan.roi(at);
        let size = self.plan.output;
        let rows_at_once = self.rows_at_once();
        for first in (0..size.height).step_by(rows_at_once) {
            let rows = first..size.height.min(first + rows_at_once);
            let (value, number) = match (roi.invalid, self.plan.reduce) {
                (Invalid::Nan, _) => (Real::NAN, NONE),
                (Invalid::Zero, _) | (_, Reduce::Sum) => (Real::ZERO, NONE),
                (_, Reduce::MaxSample | Reduce::MaxCorner) => (Real::NEG_INFINITY, 0),
                (_, Reduce::MaxWindow) => (Real::LOWEST_F32, NONE),
            };
            let count = rows.len() * size.width;
            scratch.values.resize(count, Lanes::splat(value));
            if !(self.plan.reduce == Reduce::Sum && y.is_live(&rows) && x.is_live(&(0..size.width))) {
                scratch.values.fill(Lanes::splat(value));
            }
            scratch.numbers.clear();
            if self.argmax.is_some() {
                scratch.numbers.resize(count, Lanes::splat(number));
            }
            if roi.invalid == Invalid::Raise {
                match self.plan.reduce {
                    Reduce::Sum => self.sum::<I>(y, x, rows.clone(), block, scratch, outbox),
                    Reduce::MaxSample | Reduce::MaxCorner => {
                        self.max_samples::<I>(y, x, rows.clone(), block, scratch);
                    }
                    Reduce::MaxWindow => self.max_windows::<I>(y, x, rows.clone(), block, scratch),
                }
            }
            self.store::<I>(at, first, &block.source.channels, scratch, outbox);
        }
    }

    #[inline(always)]
    fn sum<I: Isa>(
        &self,
        y: AxisTaps<'_, E::Compute>,
        x: AxisTaps<'_, E::Compute>,
        bins: Range<usize>,
        block: &mut Block<'_, E>,
        scratch: &mut Scratch<E::Compute>,
        outbox: &mut Outbox<'_>,
    ) {
        let Scratch { values, sums, .. } = scratch;
        let live = y.live().start.max(bins.start)..y.live().end.min(bins.end);
        if live.is_empty() || x.live().is_empty() {
            return;
        }
        let columns = Columns::of(&x);
        let (capacity, width, count) = (block.window.capacity(), x.bins(), columns.len());
        let fits = y.hull().len() <= capacity;
        let bins_at_once = if fits { (MOST_SUMS / count).max(1) } else { 1 };
        for first in live.clone().step_by(bins_at_once) {
            let bins_now = first..live.end.min(first + bins_at_once);
            let needed = bins_now.len() * count;
            if sums.len() < needed {
                sums.resize(needed, Lanes::splat(Real::ZERO));
            }
            let sums = &mut sums[..needed];
            let (rows, weights) = (y.pixels(bins_now.clone()), y.weights(bins_now.clone()));
            // The rows of a box that does not fit come piece by piece.
            let rows_at_once = if fits { rows.len().max(1) } else { capacity };
            for (i, rows) in rows.chunks(rows_at_once).enumerate() {
                let bounds = if fits { y.bounds(bins_now.clone()) } else { &[0, rows.len()] };
                I::call(SumRows {
                    window: block.load::<I>(rows, x.hull()),
                    weights: &weights[i * rows_at_once..][..rows.len()],
                    bounds,
                    uniform: if fits { y.uniform() } else { 0 },
                    fresh: i == 0,
                    columns: columns.clone(),
                    hull: x.hull(),
                    sums,
                    outbox,
                });
            }
            if rows.is_empty() {
                continue;
            }
            let out = &mut values[(bins_now.start - bins.start) * width..(bins_now.end - bins.start) * width];
            I::call(SumColumns { columns: columns.clone(), sums, x, out });
        }
    }

    #[inline(always)]
    fn max_samples<I: Isa>(
        &self,
        y: AxisTaps<'_, E::Compute>,
        x: AxisTaps<'_, E::Compute>,
        bins: Range<usize>,
        block: &mut Block<'_, E>,
        scratch: &mut Scratch<E::Compute>,
    ) {
        let pairs_at_once = block.window.capacity() / 2 * 2;
        for bin in bins.clone().filter(|_| !x.live().is_empty()) {
            let (rows, weights) = (y.pixels(bin..bin + 1), y.weights(bin..bin + 1));
            for (chunk, (rows, y_weights)) in
                rows.chunks(pairs_at_once).zip(weights.chunks(pairs_at_once)).enumerate()
            {
                let window = block.load::<I>(rows, x.hull());
                I::call(MaxSamples {
                    window,
                    y_weights,
                    first: chunk * pairs_at_once / 2,
                    x,
                    corners: self.plan.reduce == Reduce::MaxCorner,
                    best: maxima(&mut scratch.values, &mut scratch.numbers, bin - bins.start, x.bins()),
                });
            }
        }
    }

    #[inline(always)]
    fn max_windows<I: Isa>(
        &self,
        y: AxisTaps<'_, E::Compute>,
        x: AxisTaps<'_, E::Compute>,
        bins: Range<usize>,
        block: &mut Block<'_, E>,
        scratch: &mut Scratch<E::Compute>,
    ) {
        let rows_at_once = block.window.capacity();
        for bin in bins.clone().filter(|_| !x.live().is_empty()) {
            let &[top, bottom] = y.pixels(bin..bin + 1) else { continue };
            scratch.rows.clear();
            scratch.rows.extend(top..=bottom);
            for (chunk, rows) in scratch.rows.chunks(rows_at_once).enumerate() {
                let window = block.load::<I>(rows, x.hull());
                I::call(MaxWindow {
                    window,
                    first: chunk * rows_at_once,
                    x,
                    best: maxima(&mut scratch.values, &mut scratch.numbers, bin - bins.start, x.bins()),
                });
            }
        }
    }

    /// Settles the bins that kernels know nothing of, and writes all.
    #[inline(always)]
    fn store<I: Isa>(
        &self,
        at: usize,
        first_row: usize,
        channels: &Range<usize>,
        scratch: &mut Scratch<E::Compute>,
        outbox: &mut Outbox<'_>,
    ) {
        let (roi, y, x) = self.plan.roi(at);
        let Scratch { values, numbers, sources, .. } = scratch;
        sources.clear();
        sources.resize(numbers.len(), Lanes::splat(-1));
        if self.plan.reduce != Reduce::Sum && roi.invalid == Invalid::Raise {
            let map_width = self.features[roi.stage].shape()[3];
            for (at, values) in values.iter_mut().enumerate() {
                let bin = Maximum::new(self.plan.reduce, &y, first_row + at / x.bins(), &x, at % x.bins());
                if numbers.is_empty() && bin.is_whole() {
                    continue;
                }
                for (lane, value) in values.0.iter_mut().enumerate() {
                    let number = numbers.get(at).map_or(NONE, |numbers| numbers.0[lane]);
                    let from = bin.settle(value, number, map_width);
                    if let Some(sources) = sources.get_mut(at) {
                        sources.0[lane] = from;
                    }
                }
            }
        }
        let store = Store::new(self.out, roi.roi, channels, first_row, values, self.stream);
        I::call(Deliver { store, outbox });
        if let Some(argmax) = self.argmax {
            store_sources(argmax, roi.roi, channels, first_row, sources);
        }
    }
}

/// One row of bins of the maxima that are kept.
fn maxima<'a, T>(
    values: &'a mut [Lanes<T>],
    numbers: &'a mut [Lanes<u32>],
    row: usize,
    width: usize,
) -> Maxima<'a, T> {
    let bins = row * width..(row + 1) * width;
    Maxima { values: &mut values[bins.clone()], numbers: numbers.get_mut(bins) }
}
