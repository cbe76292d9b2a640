//! The GPU engine: shaders that apply the tables of taps, through Vulkan, Metal or Direct3D 12.
//!
//! It is experimental: it has been tested on Mesa's software Vulkan driver lavapipe alone, not on a hardware GPU.
//!
//! The host decides everything discontinuous and sends integers, so CPU and GPU results differ by rounding only. Arrays
//! on the device are channel-last, with four channels (a quad) side by side. An invocation computes four channels of one
//! bin, and neighbours in a workgroup read neighbouring channels. Only this module uses `wgpu`.

mod adapters;
mod array;
mod buffers;
mod chunks;
mod context;
mod gather;
mod kernel;
mod limits;
mod pipelines;
mod recorder;
mod scatter;
mod shaders;
mod storage;
mod tables;
mod timing;
mod transfer;
mod transposed;

use std::sync::Arc;

use crate::cpu::Settings;
use crate::error::Result;
use crate::view::View;

pub use adapters::{DeviceInfo, devices};
pub use array::{Array, Dtype, Transfer};
use context::Context;
pub use context::Options;
pub(crate) use gather::{Results, gather};
pub(crate) use scatter::{Incoming, Scatter, check_same_device};
pub use tables::Weight;

/// An open GPU. Clones share it.
#[derive(Debug, Clone)]
pub struct Device(Arc<Context>);

impl Device {
    /// Opens the adapter whose name contains `name` (case-insensitive). "auto" opens the best one.
    ///
    /// # Errors
    /// If no adapter matches, or if it cannot be opened.
    pub fn open(name: &str, options: &Options) -> Result<Self> {
        Context::open(name, options).map(Self)
    }

    /// Name, kind, backend and driver of the device.
    pub fn info(&self) -> &DeviceInfo {
        &self.0.info
    }

    /// Uploads an array.
    ///
    /// # Errors
    /// If the device is out of memory, or lacks the dtype.
    pub fn upload<E: Transfer>(&self, view: &View<'_, E>, settings: Settings<'_>) -> Result<Array> {
        Array::upload(&self.0, view, settings)
    }

    /// Delays submissions to the device until [`Self::end_batch`].
    ///
    /// # Errors
    /// If the device is closed or lost.
    pub fn begin_batch(&self) -> Result<()> {
        self.0.begin_batch()
    }

    /// Ends a batch. The outermost batch submits the work of all calls in it.
    ///
    /// # Errors
    /// If the device is closed or lost, or if a call in the batch failed.
    pub fn end_batch(&self) -> Result<()> {
        self.0.end_batch()
    }

    /// Waits until all calls on the device have finished.
    ///
    /// # Errors
    /// If the device is closed or lost, or if a call failed.
    pub fn synchronize(&self, settings: Settings<'_>) -> Result<()> {
        self.0.check()?;
        self.0.finish(settings)
    }

    /// Starts to measure the device time of shaders.
    ///
    /// # Errors
    /// If the device has no timestamp queries.
    pub fn start_timer(&self) -> Result<()> {
        self.0.check()?;
        self.0.start_timer()
    }

    /// Name and seconds of each shader that ran since [`Self::start_timer`], in order.
    ///
    /// # Errors
    /// If the device is closed or lost.
    pub fn stop_timer(&self) -> Result<Vec<(String, f64)>> {
        self.0.check()?;
        self.0.stop_timer()
    }

    /// Destroys the device, as if the driver had lost it. Used to test how a lost device is reported.
    ///
    /// # Errors
    /// If the device is closed or lost already.
    pub fn destroy(&self) -> Result<()> {
        self.0.destroy()
    }

    /// Closes the device and frees all arrays on it. Later calls return an error. Closing again does nothing.
    ///
    /// # Errors
    /// In a child process that was forked after the device was opened.
    pub fn close(&self) -> Result<()> {
        self.0.close()
    }
}
