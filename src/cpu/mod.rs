//! The CPU engine: how a call's work is cut into tasks.
//!
//! A task of the forward pass owns one image, a group of one or two blocks of 16 channels and a run of the image's
//! boxes; a task of the backward pass owns a band of the image's rows instead of the boxes. Nobody else writes what it
//! writes, and which thread runs it changes nothing in the result.

mod block;
mod blocks;
mod chosen;
mod contract;
mod dots;
pub(crate) mod gather;
mod maximum;
pub(crate) mod pool;
mod scatter;
pub(crate) mod simd;
pub(crate) mod window;

use std::ops::Range;

use crate::element::{Element, Real};
use crate::error::Result;
use crate::taps::transposed::Transposed;
use crate::taps::{BOXES_PER_TABLE, Invalid, MOST_UNROLLED_TAPS, Plan};
use crate::view::{View, ViewMut};

use blocks::{blocks, groups, groups_by_lines, is_interleaved};
pub(crate) use chosen::check as check_argmax;
use contract::Contract;
use dots::Dots;
pub use pool::{limit_threads, num_threads, set_num_threads};
use scatter::{Band, Scatter};
use simd::Lanes;
pub use simd::Level;
use simd::dot::FEWEST_CHANNELS;

/// How a call is computed. It does not change the result, but for the last bits of levels without fused
/// multiply-add.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The instruction set.
    pub level: Level,
    /// Most threads to use.
    pub threads: usize,
}

impl Settings {
    /// What the process is set to.
    ///
    /// # Errors
    /// If an environment variable that sets it is wrong.
    pub fn current() -> Result<Self> {
        Ok(Self { level: Level::current()?, threads: num_threads()? })
    }
}

/// Fewer results than this are computed faster than another thread wakes up.
const RESULTS_WORTH_A_THREAD: usize = 64 << 10;

/// A smaller output stays in the caches, for whoever reads it next.
const BYTES_WORTH_STREAMING: usize = 4 << 20;

/// With so many tasks a thread, no thread is left waiting long for the last one.
const TASKS_PER_THREAD: usize = 4;

/// Into how many parts boxes or rows are cut, so that there are tasks enough.
fn parts_of_groups(groups: &[Range<usize>], threads: usize) -> usize {
    if threads == 1 { 1 } else { (TASKS_PER_THREAD * threads).div_ceil(groups.len().max(1)) }
}

/// Applies a plan: the forward pass of every operator.
pub(crate) fn gather<E: Element>(
    plan: &Plan<E::Compute>,
    features: &[View<'_, E>],
    out: &ViewMut<'_, E::Output>,
    argmax: Option<&ViewMut<'_, i64>>,
    settings: Settings,
) -> Result<()> {
    let [rois, channels, height, width] = out.shape();
    let results = rois * channels * height * width;
    let threads = settings.threads.min(1 + results / RESULTS_WORTH_A_THREAD);
    let stream = results * size_of::<E::Output>() > BYTES_WORTH_STREAMING;
    let interleaved = features.iter().any(is_interleaved) || is_interleaved(&out.written());
    let groups = groups_by_lines(channels, interleaved, out, stream);
    let runs = plan.runs(parts_of_groups(&groups, threads));
    pool::map(runs.len() * groups.len(), threads, |task| {
        gather::Task {
            plan,
            run: &runs[task / groups.len()],
            features,
            channels: groups[task % groups.len()].clone(),
            out,
            argmax,
            stream,
        }
        .compute(settings.level)
    })
    .into_iter()
    .collect()
}

/// Applies a plan with slopes to gradients and features: the gradient of each box, `x1, y1, x2, y2`, goes to its row of
/// `out`.
pub(crate) fn contract<E: Element>(
    plan: &Plan<E::Compute>,
    grad_output: &View<'_, E::Output>,
    features: &[View<'_, E>],
    out: &mut [[f64; 4]],
    settings: Settings,
) -> Result<()> {
    let results: usize = grad_output.shape().iter().product();
    let settings =
        Settings { threads: settings.threads.min(1 + results / RESULTS_WORTH_A_THREAD), ..settings };
    let interleaved = is_interleaved(grad_output) && features.iter().all(is_interleaved);
    if interleaved && grad_output.shape()[1] >= FEWEST_CHANNELS {
        contract_pixels(plan, grad_output, features, out, settings);
    } else {
        contract_blocks(plan, grad_output, features, out, settings)?;
    }
    for at in 0..plan.boxes() {
        let (roi, ..) = plan.roi(at);
        if roi.invalid == Invalid::Nan {
            out[roi.roi] = [f64::NAN; 4];
        }
    }
    Ok(())
}

/// Where many channels are neighbours: box by box.
fn contract_pixels<E: Element>(
    plan: &Plan<E::Compute>,
    grad_output: &View<'_, E::Output>,
    features: &[View<'_, E>],
    out: &mut [[f64; 4]],
    settings: Settings,
) {
    let Settings { level, threads } = settings;
    let readers = transposed(plan, 0, threads);
    let boxes_at_once = plan.boxes().div_ceil(TASKS_PER_THREAD * threads).max(1);
    let parts = pool::map(plan.boxes().div_ceil(boxes_at_once), threads, |task| {
        let first = task * boxes_at_once;
        let boxes = first..plan.boxes().min(first + boxes_at_once);
        Dots { plan, readers: &readers, grad_output, features, boxes }.compute(level)
    });
    for (at, gradient) in parts.into_iter().flatten().enumerate() {
        let (roi, ..) = plan.roi(at);
        out[roi.roi] = gradient;
    }
}

/// In any layout: block by block.
fn contract_blocks<E: Element>(
    plan: &Plan<E::Compute>,
    grad_output: &View<'_, E::Output>,
    features: &[View<'_, E>],
    out: &mut [[f64; 4]],
    settings: Settings,
) -> Result<()> {
    let Settings { level, threads } = settings;
    let [_, channels, ..] = grad_output.shape();
    let interleaved = features.iter().any(is_interleaved) || is_interleaved(grad_output);
    let groups = groups::<E>(channels, interleaved);
    let runs = plan.runs(parts_of_groups(&groups, threads));
    let readers = transposed(plan, MOST_UNROLLED_TAPS, threads);
    let parts = pool::map(runs.len() * groups.len(), threads, |task| {
        let (run, channels) = (&runs[task / groups.len()], groups[task % groups.len()].clone());
        Contract { plan, readers: &readers, run, grad_output, features, channels }.compute(level)
    });
    for (task, part) in parts.into_iter().enumerate() {
        let (run, blocks) = (&runs[task / groups.len()], blocks(&groups[task % groups.len()]).len());
        for (at, gradients) in run.rois.clone().zip(part?.chunks(blocks)) {
            let (roi, ..) = plan.roi(at);
            // Block by block, whatever the groups are.
            for gradient in gradients {
                out[roi.roi].iter_mut().zip(gradient).for_each(|(sum, value)| *sum += value);
            }
        }
    }
    Ok(())
}

/// For each block, a band of the gradient may take this much of the second-level cache; the gradients of the bins take
/// the rest.
const BAND_BYTES: usize = 512 << 10;

/// Applies a plan transposed: the backward pass of every operator. `out` has one gradient a map, and every element
/// is written, or, with `accumulate`, added to. `argmax` is there for maxima, and was checked.
pub(crate) fn scatter<E: Element>(
    plan: &Plan<E::Compute>,
    grad_output: &View<'_, E>,
    argmax: Option<&View<'_, i64>>,
    out: &[ViewMut<'_, E>],
    accumulate: bool,
    settings: Settings,
) -> Result<()> {
    let results: usize = out.iter().map(|out| out.shape().iter().product::<usize>()).sum();
    let threads = settings.threads.min(1 + results / RESULTS_WORTH_A_THREAD);
    let readers = if argmax.is_some() { Vec::new() } else { transposed(plan, MOST_UNROLLED_TAPS, threads) };
    let [_, channels, ..] = grad_output.shape();
    let stream = results * size_of::<E>() > BYTES_WORTH_STREAMING;
    let interleaved = is_interleaved(grad_output) || out.iter().any(|out| is_interleaved(&out.written()));
    let groups = groups_by_lines(channels, interleaved, &out[0], stream);
    let bands = bands(plan, out, parts_of_groups(&groups, threads));
    let scatter = Scatter { plan, readers: &readers, grad_output, argmax, out, accumulate, stream };
    pool::map(bands.len() * groups.len(), threads, |task| {
        scatter.run(&bands[task / groups.len()], &groups[task % groups.len()], settings.level)
    })
    .into_iter()
    .collect()
}

/// The taps of sums turned round, [`BOXES_PER_TABLE`] boxes in each table, for loops that are unrolled over so many readers
/// of a column.
fn transposed<T: Real>(plan: &Plan<T>, most_unrolled: usize, threads: usize) -> Vec<Transposed<T>> {
    pool::map(plan.boxes().div_ceil(BOXES_PER_TABLE), threads, |table| {
        let first = table * BOXES_PER_TABLE;
        Transposed::new(plan, first..plan.boxes().min(first + BOXES_PER_TABLE), most_unrolled)
    })
}

/// Cuts every map of every image into bands, at least `count` in all if there are rows enough.
fn bands<E: Element>(plan: &Plan<E::Compute>, out: &[ViewMut<'_, E>], count: usize) -> Vec<Band> {
    let maps: usize = out.iter().map(|out| out.shape()[0]).sum();
    let mut bands = Vec::new();
    // Where the bands of a map's first image start, how many an image has, and how high they are.
    let mut stages = Vec::with_capacity(out.len());
    for (stage, out) in out.iter().enumerate() {
        let [images, _, height, width] = out.shape();
        let cached = BAND_BYTES / (width.max(1) * size_of::<Lanes<E::Compute>>());
        let rows = cached.min(height.div_ceil(count.div_ceil(maps))).max(1);
        let height = if width > 0 { height } else { 0 };
        stages.push((bands.len(), height.div_ceil(rows), rows));
        for image in 0..images {
            bands.extend((0..height).step_by(rows).map(|first| {
                let rows = first..height.min(first + rows);
                Band { stage, image, rows, rois: Vec::new() }
            }));
        }
    }
    for at in 0..plan.boxes() {
        let (roi, y, x) = plan.roi(at);
        let (first, per_image, rows) = stages[roi.stage];
        if roi.invalid == Invalid::Raise && !y.hull().is_empty() && !x.hull().is_empty() {
            let first = first + roi.image * per_image;
            let touched = first + y.hull().start / rows..=first + (y.hull().end - 1) / rows;
            bands[touched].iter_mut().for_each(|band| band.rois.push(at as u32));
        }
    }
    bands
}
