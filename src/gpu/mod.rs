//! The GPU engine, on any vendor's GPU: the tables that the CPU engine applies, applied by shaders.
//!
//! Everything discontinuous is decided on the host and sent as integers, so that the two engines differ by
//! rounding only. Features and results lie channel-last on the device; an invocation makes four channels of one
//! bin, and neighbours in a workgroup read neighbouring channels. Only this module knows `wgpu`.

mod adapters;
mod array;
mod buffers;
mod chunks;
mod context;
mod gather;
mod kernel;
mod limits;
mod pipelines;
mod readers;
mod recorder;
mod scatter;
mod shaders;
mod storage;
mod tables;
mod timing;
mod transfer;

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
    pub fn upload<E: Transfer>(&self, view: &View<'_, E>, settings: Settings<'_>) -> Result<Array> {
        Array::upload(&self.0, view, settings)
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
    pub fn synchronize(&self, settings: Settings<'_>) -> Result<()> {
        self.0.check()?;
        self.0.finish(settings)
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

    /// Gives up the device and all that was made on it, on purpose. Later calls are refused; closing again does nothing.
    ///
    /// # Errors
    /// In a forked child.
    pub fn close(&self) -> Result<()> {
        self.0.close()
    }
}
