//! The GPU engine, on any vendor's GPU: the tables that the CPU engine applies, applied by shaders.
//!
//! Everything discontinuous is decided on the host and sent as integers, so that the two engines differ by
//! rounding only. Features and results lie channel-last on the device; an invocation makes four channels of one
//! bin, and neighbours in a workgroup read neighbouring channels. Only this module knows `wgpu`.

mod array;
mod buffers;
mod chunks;
mod context;
mod pipelines;
mod readers;
mod recorder;
mod scatter;
mod shaders;
mod tables;
mod timing;
mod transfer;

use std::ops::Range;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::taps::Plan;

use array::Grid;
pub use array::{Array, Dtype, Transfer};
use buffers::Use;
use context::Context;
pub use context::{DeviceInfo, Options, devices};
use recorder::Dispatch;
pub(crate) use scatter::Gradient;
use shaders::{Kernel, Shader};
pub use tables::Weight;
use tables::{Packed, Placing, most_taps};

use crate::view::View;

/// An open device. Clones share it.
#[derive(Debug, Clone)]
pub struct Device(Arc<Context>);

impl Device {
    /// Opens the adapter whose name contains `name`, or the best one for "auto".
    ///
    /// # Errors
    /// If there is none, or it cannot be opened.
    pub fn open(name: &str, options: &Options) -> Result<Self> {
        Context::open(name, options).map(Self)
    }

    /// What it is.
    pub fn info(&self) -> &DeviceInfo {
        &self.0.info
    }

    /// Uploads an array.
    ///
    /// # Errors
    /// If the device cannot hold it.
    pub fn upload<E: Transfer>(&self, view: &View<'_, E>) -> Result<Array> {
        Array::upload(&self.0, view)
    }

    /// Uploads an array that is used beside another one of its shape.
    ///
    /// # Errors
    /// If the device cannot hold it.
    pub fn upload_like<E: Transfer>(&self, view: &View<'_, E>, other: &Array) -> Result<Array> {
        Array::upload_cut(&self.0, view, other.grid().clone())
    }

    /// Holds back submissions until [`Self::end_batch`].
    ///
    /// # Errors
    /// If the device is gone.
    pub fn begin_batch(&self) -> Result<()> {
        self.0.begin_batch()
    }

    /// Submits what a batch has collected, if it is the outermost one.
    ///
    /// # Errors
    /// If the device is gone, or something in the batch failed.
    pub fn end_batch(&self) -> Result<()> {
        self.0.end_batch()
    }

    /// Waits until everything that was asked for is done.
    ///
    /// # Errors
    /// If the device is gone, or something failed.
    pub fn synchronize(&self) -> Result<()> {
        self.0.check()?;
        self.0.finish()
    }

    /// Starts to measure device time.
    ///
    /// # Errors
    /// If the device cannot.
    pub fn start_timer(&self) -> Result<()> {
        self.0.check()?;
        self.0.start_timer()
    }

    /// Seconds that each shader ran since [`Self::start_timer`], in order.
    ///
    /// # Errors
    /// If the device is gone.
    pub fn stop_timer(&self) -> Result<Vec<(String, f64)>> {
        self.0.check()?;
        self.0.stop_timer()
    }

    /// Gives the device up at once: what was made on it is lost.
    ///
    /// # Errors
    /// If it is gone already.
    pub fn destroy(&self) -> Result<()> {
        self.0.destroy()
    }
}

/// What a forward pass writes.
#[derive(Debug)]
pub(crate) struct Results {
    /// The values.
    pub values: Array,
    /// Where each came from, if wanted.
    pub argmax: Option<Array>,
}

impl Results {
    /// Room for results of pooling these maps.
    pub fn new(maps: &[&Array], shape: [usize; 4], argmax: bool) -> Result<Self> {
        let features = maps[0];
        let context = &features.context;
        // Both are cut alike, so that a shader finds them at the same places.
        let largest = if argmax { Dtype::I64 } else { features.dtype() };
        let bytes = largest.storage().bytes();
        let grid = Grid::new(shape, &array::common_channels(maps), bytes, context.max_binding_bytes)?;
        let argmax = argmax.then(|| Array::new(context, shape, Dtype::I64, grid.clone())).transpose()?;
        Ok(Self { values: Array::new(context, shape, features.dtype(), grid)?, argmax })
    }

    /// Rows that lie together; a plan must not reach over them.
    pub fn rows(&self) -> &[Range<usize>] {
        &self.values.grid().items
    }
}

/// Applies a plan whose boxes are `rows` of the results: the forward pass of every operator.
pub(crate) fn gather<T: Weight>(
    plan: &Plan<T>,
    maps: &[&Array],
    results: &Results,
    rows: &Range<usize>,
) -> Result<()> {
    let target = results.rows().iter().position(|all| all.contains(&rows.start)).unwrap_or(0);
    for (stage, features) in maps.iter().enumerate() {
        gather_stage(plan, stage, features, results, target)?;
    }
    results.values.context.end_call()
}

fn gather_stage<T: Weight>(
    plan: &Plan<T>,
    stage: usize,
    features: &Array,
    results: &Results,
    target: usize,
) -> Result<()> {
    let context = &features.context;
    let [_, _, height, width] = features.shape();
    for (items, images) in features.grid().items.iter().enumerate() {
        let placing = Placing { images: images.clone(), rows: results.rows()[target].clone(), height, width };
        // Boxes come map by map and image by image; those that are filled are in the first one.
        let of_images = plan.position(stage, images.start)..plan.position(stage, images.end);
        let (spread, alone): (Vec<_>, Vec<_>) = of_images.partition(|&at| {
            let [rows, columns] = most_taps(plan, at);
            rows * columns > MOST_TAPS_ALONE
        });
        for (spread, mut left) in [(true, &spread[..]), (false, &alone[..])] {
            while !left.is_empty() {
                let packed = Packed::new(plan, left, &placing, context.max_binding_bytes)?;
                let now;
                (now, left) = left.split_at(packed.rois);
                let most =
                    now.iter().map(|&at| most_taps(plan, at)).reduce(|a, b| [a[0].max(b[0]), a[1].max(b[1])]);
                let pass = Pass {
                    packed: &packed,
                    most_taps: most.unwrap_or([0; 2]),
                    spread,
                    source: items,
                    target,
                };
                pass.record(plan, features, results)?;
            }
        }
    }
    Ok(())
}

/// Bins of more taps than this are spread over a workgroup.
const MOST_TAPS_ALONE: usize = 4096;

/// Software drivers end a shader after 65535 rounds of all its loops, of which a tap takes one or a little more.
const MOST_ROUNDS_ON_CPU: usize = 50_000;

/// Some boxes of one part of the features and one of the results.
struct Pass<'a, T> {
    packed: &'a Packed<T>,
    /// Rows and columns of the largest bin.
    most_taps: [usize; 2],
    spread: bool,
    /// Which images of the features.
    source: usize,
    /// Which rows of the results.
    target: usize,
}

impl<T: Weight> Pass<'_, T> {
    fn record(&self, plan: &Plan<T>, features: &Array, results: &Results) -> Result<()> {
        let (context, packed) = (&features.context, self.packed);
        let kernel = Kernel::forward(plan.reduce, results.argmax.is_some());
        let bins = (plan.output.height * plan.output.width) as u32;
        let table = context.table(bytemuck::cast_slice(&packed.words))?;
        let weights = context.table(bytemuck::cast_slice(&packed.weights))?;
        for (at, channels) in results.values.grid().channels.iter().enumerate() {
            let source = features.grid().channels.iter().position(|all| all.contains(&channels.start));
            let source = features.part(self.source, source.expect("results are cut within features"));
            let target = results.values.part(self.target, at);
            let argmax = results.argmax.as_ref().map(|argmax| argmax.part(self.target, at));
            let mut buffers = vec![&table, &weights, source.buffer, target.buffer];
            buffers.extend(argmax.as_ref().map(|argmax| argmax.buffer));
            let shader = Shader::new(kernel, features.dtype().storage(), target.quads(), self.spread);
            let [rows, columns] = self.most_taps;
            if context.info.kind == "cpu"
                && rows.div_ceil(shader.lanes() as usize) * (columns + 1) > MOST_ROUNDS_ON_CPU
            {
                return Err(Error::Gpu(format!(
                    "{} cannot make bins of {rows} x {columns} taps; use the CPU path",
                    context.info.name
                )));
            }
            let dispatch = Dispatch {
                shader,
                buffers: &buffers,
                items: 0..packed.rois as u32 * bins,
                quads: target.quads(),
            };
            context.dispatch(&dispatch, |items, first_quad| {
                vec![
                    items.start,
                    items.end,
                    bins,
                    plan.output.width as u32,
                    first_quad,
                    target.quads(),
                    ((channels.start - source.channels.start) / array::QUAD) as u32,
                    source.quads(),
                    packed.pixels,
                ]
            });
        }
        Ok(())
    }
}

impl Context {
    /// A small table on the device.
    fn table(&self, bytes: &[u8]) -> Result<Arc<buffers::Buffer>> {
        let buffer = self.buffer(Use::Storage, bytes.len() as u64)?;
        if !bytes.is_empty() {
            self.queue.write_buffer(buffer.raw(), 0, bytes);
        }
        Ok(buffer)
    }
}
