//! The CPU engine: divides a call into tasks and runs them on threads.
//!
//! # Tasks
//!
//! A *forward* task is a run of boxes of one image, times one or two blocks of 16 channels. It reads the rows of the map that its
//! boxes need, and writes the bins of these boxes and channels. A *backward* task is a band of rows of one image, times such
//! blocks. It reads the gradients of all bins that touch its rows, and writes these rows.
//!
//! Tasks write disjoint elements and share nothing else, so no lock or atomic addition is needed. What a task computes does not
//! depend on how the boxes or rows were cut: results are the same for any number of threads. There are about four tasks for
//! each thread, so that no thread waits long for the last one.

mod argmax_backward;
mod bands;
mod block;
mod box_gradient;
mod channels;
pub(crate) mod gather;
mod interrupt;
mod loaded;
mod maximum;
mod scatter;
pub(crate) mod simd;
mod source;
pub(crate) mod threads;
pub(crate) mod window;

use crate::element::{Element, Real};
use crate::error::Result;
use crate::taps::transposed::Transposed;
use crate::taps::{BOXES_PER_TABLE, Invalid, MOST_UNROLLED_TAPS, Plan};
use crate::view::{View, ViewMut};

pub(crate) use argmax_backward::check as check_argmax;
use bands::Bands;
use box_gradient::BoxGradient;
use channels::{Channels, channels_before_line, is_interleaved};
#[cfg(feature = "gpu")]
pub(crate) use interrupt::POLL_INTERVAL;
use interrupt::Watch;
pub use interrupt::{Answer, Interrupt};
pub(crate) use maximum::check_candidates;
use scatter::Scatter;
pub use simd::Level;
pub use threads::{limit_threads, num_threads, set_num_threads};

/// How a call is computed: instruction set, threads and interrupts.
///
/// Settings do not change results, except in the last bits on a level without fused multiply-add.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'a> {
    /// Instruction set.
    pub level: Level,
    /// Maximum number of threads.
    pub threads: usize,
    /// Polled by calls that last longer than 0.2 s. It may end them.
    pub interrupt: Option<&'a Interrupt<'a>>,
}

impl Settings<'_> {
    /// The settings of this process, without an interrupt.
    ///
    /// # Errors
    /// If `ROIALIGN_LEVEL` or `ROIALIGN_NUM_THREADS` has a value that is not accepted.
    pub fn current() -> Result<Self> {
        Ok(Self { level: Level::current()?, threads: num_threads()?, interrupt: None })
    }

    /// Caps `threads` at what so many results are worth.
    fn for_results(self, results: usize) -> Self {
        Self { threads: self.threads.min(1 + results / RESULTS_WORTH_A_THREAD).max(1), ..self }
    }

    /// Polls the interrupt.
    #[cfg(feature = "gpu")]
    pub(crate) fn look(&self) -> Result<()> {
        self.interrupt.map_or(Ok(()), Interrupt::look)
    }

    /// For a task of the call.
    #[inline]
    pub(crate) fn watch(&self) -> Watch<'_> {
        Watch::new(self.interrupt)
    }
}

/// Fewer results than this are computed faster than another thread wakes up.
const RESULTS_WORTH_A_THREAD: usize = 64 << 10;

/// A smaller output stays in the caches, for whoever reads it next.
const BYTES_WORTH_STREAMING: usize = 4 << 20;

/// With so many tasks a thread, no thread is left waiting long for the last one.
const TASKS_PER_THREAD: usize = 4;

/// Into how many parts boxes or rows are cut, so that there are tasks enough.
fn parts_of_groups(groups: &[Channels], threads: usize) -> usize {
    if threads == 1 { 1 } else { (TASKS_PER_THREAD * threads).div_ceil(groups.len().max(1)) }
}

/// Applies a plan: the forward pass of every operator.
pub(crate) fn gather<E: Element>(
    plan: &Plan<E::Compute>,
    features: &[View<'_, E>],
    out: &ViewMut<'_, E::Output>,
    argmax: Option<&ViewMut<'_, i64>>,
    settings: Settings<'_>,
) -> Result<()> {
    let [rois, channels, height, width] = out.shape();
    let results = rois * channels * height * width;
    let settings = settings.for_results(results);
    let stream = results * size_of::<E::Output>() > BYTES_WORTH_STREAMING;
    let interleaved = features.iter().any(is_interleaved) || is_interleaved(&out.written());
    let first = if stream { channels_before_line(out) } else { 0 };
    let groups = Channels::of_tasks::<E::Output>(channels, interleaved, first)?;
    let runs = plan.runs(parts_of_groups(&groups, settings.threads))?;
    threads::for_each_with(runs.len() * groups.len(), settings, |task, scratch| {
        let (run, channels) = (&runs[task / groups.len()], groups[task % groups.len()]);
        gather::Task { plan, run, features, channels, out, argmax, stream }.compute(scratch, settings)
    })
}

/// Applies a plan with slopes to gradients and features: the gradient of each box, `x1, y1, x2, y2`, goes to its row of
/// `out`.
pub(crate) fn box_gradient<E: Element>(
    plan: &Plan<E::Compute>,
    grad_output: &View<'_, E::Output>,
    features: &[View<'_, E>],
    out: &mut [[f64; 4]],
    settings: Settings<'_>,
) -> Result<()> {
    let [_, channels, ..] = grad_output.shape();
    let settings = settings.for_results(grad_output.shape().iter().product());
    let interleaved = features.iter().any(is_interleaved) || is_interleaved(grad_output);
    let groups = Channels::of_tasks::<E>(channels, interleaved, 0)?;
    let runs = plan.runs(parts_of_groups(&groups, settings.threads))?;
    let transposed = transposed(plan, MOST_UNROLLED_TAPS, settings)?;
    let parts = threads::map(runs.len() * groups.len(), settings, |task| {
        let (run, channels) = (&runs[task / groups.len()], groups[task % groups.len()]);
        BoxGradient { plan, transposed: &transposed, run, grad_output, features, channels }.compute(settings)
    })?;
    for (task, part) in parts.into_iter().enumerate() {
        let (run, blocks) = (&runs[task / groups.len()], groups[task % groups.len()].blocks().len());
        for (at, gradients) in run.rois.clone().zip(part.chunks(blocks)) {
            let (roi, ..) = plan.roi(at);
            // Block by block, so that the sum is the same for one block a task and for two.
            for gradient in gradients {
                out[roi.roi].iter_mut().zip(gradient).for_each(|(sum, value)| *sum += value);
            }
        }
    }
    for at in 0..plan.boxes() {
        let (roi, ..) = plan.roi(at);
        if roi.invalid == Invalid::Nan {
            out[roi.roi] = [f64::NAN; 4];
        }
    }
    Ok(())
}

/// Applies a plan transposed: the backward pass of every operator. `out` has one gradient a map, and every element
/// is written, or, with `accumulate`, added to. `argmax` is there for maxima, and was checked.
pub(crate) fn scatter<E: Element, O: Element<Compute = E::Compute>>(
    plan: &Plan<E::Compute>,
    grad_output: &View<'_, E>,
    argmax: Option<&View<'_, i64>>,
    out: &[ViewMut<'_, O>],
    accumulate: bool,
    settings: Settings<'_>,
) -> Result<()> {
    let results: usize = out.iter().map(|out| out.shape().iter().product::<usize>()).sum();
    let settings = settings.for_results(results);
    let transposed =
        if argmax.is_some() { Vec::new() } else { transposed(plan, MOST_UNROLLED_TAPS, settings)? };
    let [_, channels, ..] = grad_output.shape();
    let stream = results * size_of::<O>() > BYTES_WORTH_STREAMING;
    let interleaved = is_interleaved(grad_output) || out.iter().any(|out| is_interleaved(&out.written()));
    let first = if stream { channels_before_line(&out[0]) } else { 0 };
    let groups = Channels::of_tasks::<O>(channels, interleaved, first)?;
    let bands = Bands::new(plan, out, parts_of_groups(&groups, settings.threads), settings)?;
    let scatter = Scatter { plan, transposed: &transposed, grad_output, argmax, out, accumulate, stream };
    threads::for_each_with(bands.len() * groups.len(), settings, |task, scratch| {
        scatter.run(&bands.get(task / groups.len()), groups[task % groups.len()], scratch, settings)
    })
}

/// The transposed taps of sums, [`BOXES_PER_TABLE`] boxes in each table. The columns of a box that at most `most_unrolled` bins
/// read are padded to the same number of bins, for unrolled loops.
fn transposed<T: Real>(
    plan: &Plan<T>,
    most_unrolled: usize,
    settings: Settings<'_>,
) -> Result<Vec<Transposed<T>>> {
    threads::map(plan.boxes().div_ceil(BOXES_PER_TABLE), settings, |table| {
        let first = table * BOXES_PER_TABLE;
        Transposed::new(plan, first..plan.boxes().min(first + BOXES_PER_TABLE), most_unrolled)
    })
}
