//! The CPU engine: how a call's work is cut into tasks.
//!
//! A task owns one image, one block of 16 channels and a run of the image's boxes, and nobody else writes
//! what it writes. Which thread runs it changes nothing in the result.

pub(crate) mod gather;
mod maximum;
pub(crate) mod pool;
pub(crate) mod simd;
pub(crate) mod window;

use crate::element::Element;
use crate::error::Result;
use crate::taps::Plan;
use crate::view::{View, ViewMut};

pub use pool::{num_threads, set_num_threads};
use simd::LANES;
pub use simd::Level;

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
const RESULTS_WORTH_A_THREAD: usize = 128 << 10;

/// A smaller output stays in the caches, for whoever reads it next.
const BYTES_WORTH_STREAMING: usize = 4 << 20;

/// With so many tasks a thread, no thread is left waiting long for the last one.
const TASKS_PER_THREAD: usize = 4;

/// Applies a plan: the forward pass of every operator.
pub(crate) fn gather<E: Element>(
    plan: &Plan<E::Compute>,
    features: &[View<'_, E>],
    out: &ViewMut<'_, E::Output>,
    argmax: Option<&ViewMut<'_, i64>>,
    settings: Settings,
) {
    let [rois, channels, height, width] = out.shape();
    let results = rois * channels * height * width;
    let threads = settings.threads.min(1 + results / RESULTS_WORTH_A_THREAD);
    let first_block = channels.min(channels_before_line(out));
    let blocks = 1 + (channels - first_block).div_ceil(LANES);
    let runs = plan.runs(if threads == 1 { 1 } else { (TASKS_PER_THREAD * threads).div_ceil(blocks) });
    pool::for_each(runs.len() * blocks, threads, |task| {
        let block = task % blocks;
        let first = if block == 0 { 0 } else { first_block + (block - 1) * LANES };
        let end = channels.min(first_block + block * LANES);
        gather::Task {
            plan,
            run: &runs[task / blocks],
            features,
            channels: first..end,
            out,
            argmax,
            level: settings.level,
            stream: results * size_of::<E::Output>() > BYTES_WORTH_STREAMING,
        }
        .compute();
    });
}

/// Channels of the first block, such that the others begin where cache lines begin if channels are neighbours in
/// the output: half-written lines cost much more than one block more.
fn channels_before_line<E>(out: &ViewMut<'_, E>) -> usize {
    const LINE: usize = 64;
    let [_, channel_stride, _, column_stride] = out.strides();
    if channel_stride == size_of::<E>() as isize && column_stride.unsigned_abs().is_multiple_of(LINE) {
        let channels = out.pointer([0; 4]).align_offset(LINE) / size_of::<E>();
        if (1..LANES).contains(&channels) {
            return channels;
        }
    }
    LANES
}
