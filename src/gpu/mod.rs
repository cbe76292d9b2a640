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
mod recorder;
mod tables;
mod timing;
mod transfer;

use std::ops::Range;
use std::sync::Arc;

use crate::error::Result;
use crate::taps::Plan;

use array::Grid;
pub use array::{Array, Dtype, Transfer};
use buffers::Use;
use context::Context;
pub use context::{DeviceInfo, Options, devices};
use pipelines::{Kernel, Shader};
use recorder::Dispatch;
pub use tables::Weight;
use tables::{Packed, Placing};

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
    /// Room for results of pooling these features.
    pub fn new(features: &Array, shape: [usize; 4], argmax: bool) -> Result<Self> {
        let context = &features.context;
        // Both are cut alike, so that a shader finds them at the same places.
        let largest = if argmax { Dtype::I64 } else { features.dtype() };
        let bytes = largest.storage().bytes();
        let grid = Grid::new(shape, &features.grid().channels, bytes, context.max_binding_bytes)?;
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
    features: &Array,
    results: &Results,
    rows: &Range<usize>,
) -> Result<()> {
    let context = &features.context;
    let kernel = Kernel::forward(plan.reduce, results.argmax.is_some());
    let [_, _, height, width] = features.shape();
    let out_items = results.rows().iter().position(|all| all.contains(&rows.start)).unwrap_or(0);
    for (items, images) in features.grid().items.iter().enumerate() {
        let placing =
            Placing { images: images.clone(), rows: results.rows()[out_items].clone(), height, width };
        // Boxes come image by image; those that are filled are in the first one.
        let mut left = plan.position(images.start)..plan.position(images.end);
        while !left.is_empty() {
            let packed = Packed::new(plan, left.clone(), &placing, context.max_binding_bytes)?;
            left.start = packed.rois.end;
            let table = context.table(bytemuck::cast_slice(&packed.words))?;
            let weights = context.table(bytemuck::cast_slice(&packed.weights))?;
            for (out_channels, channels) in results.values.grid().channels.iter().enumerate() {
                let source = features.grid().channels.iter().position(|all| all.contains(&channels.start));
                let source = features.part(items, source.expect("results are cut within features"));
                let target = results.values.part(out_items, out_channels);
                let argmax = results.argmax.as_ref().map(|argmax| argmax.part(out_items, out_channels));
                let mut buffers = vec![&table, &weights, source.buffer, target.buffer];
                buffers.extend(argmax.as_ref().map(|argmax| argmax.buffer));
                let bins = (plan.output.height * plan.output.width) as u32;
                let dispatch = Dispatch {
                    shader: Shader::new(kernel, features.dtype().storage(), target.quads()),
                    buffers: &buffers,
                    items: 0..packed.rois.len() as u32 * bins,
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
        }
    }
    context.end_call()
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
