//! One open device: its limits, its errors, and whether it is lost or closed.

use std::ops::Deref;
use std::process;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::gpu::adapters::{DeviceInfo, FLOAT64, adapters, choose, describe, forked};
use crate::gpu::buffers::Pool;
use crate::gpu::pipelines::Pipelines;
use crate::gpu::recorder::Recorder;
use crate::gpu::shaders::most_maps;

/// Locks a mutex, even if a thread panicked while it held the lock: no update is left half done.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Options for opening a device. The two limits lower those of the device, for tests.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Accept an adapter that computes on the CPU.
    pub allow_cpu: bool,
    /// Compile shaders with bounds checks.
    pub checked: bool,
    /// Maximum number of workgroups of a dispatch along each axis.
    pub max_workgroups: Option<u32>,
    /// Maximum size of a storage binding in bytes.
    pub max_binding_bytes: Option<u64>,
}

/// Handles of a driver. A forked child never releases them: the threads of the driver are missing there, and its locks
/// may be held for ever.
#[derive(Debug)]
pub struct Handles<T>(Option<T>, u32);

impl<T> Handles<T> {
    pub fn new(handles: T) -> Self {
        Self(Some(handles), process::id())
    }
}

impl<T> Deref for Handles<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("there until it is dropped")
    }
}

impl<T> Drop for Handles<T> {
    fn drop(&mut self) {
        if self.1 != process::id() {
            std::mem::forget(self.0.take());
        }
    }
}

/// An open device.
#[derive(Debug)]
pub struct Context {
    pub info: DeviceInfo,
    pub max_workgroups: u32,
    pub max_binding_bytes: u64,
    /// Most maps of a dispatch.
    pub max_maps: usize,
    pub pipelines: Handles<Pipelines>,
    pub pool: Arc<Pool>,
    pub recorder: Handles<Mutex<Recorder>>,
    pub queue: Handles<wgpu::Queue>,
    pub device: Handles<wgpu::Device>,
    /// The first error that no call has reported yet, and whether the device is lost or closed.
    faults: Arc<Mutex<Faults>>,
    owner: u32,
}

#[derive(Debug, Default)]
struct Faults {
    error: Option<String>,
    lost: Option<String>,
    closed: bool,
}

/// Features that are enabled if the device has them.
const WANTED: wgpu::Features = FLOAT64.union(wgpu::Features::TIMESTAMP_QUERY);

/// The smallest value of `max_binding_bytes`: the alignment of an offset.
const SMALLEST_BINDING: u64 = 256;

impl Context {
    /// Opens the adapter whose name contains `name`, or the best one for "auto".
    pub fn open(name: &str, options: &Options) -> Result<Arc<Self>> {
        let adapter = choose(adapters()?, name, options.allow_cpu)?;
        let info = describe(&adapter);
        let limits = adapter.limits();
        let failed =
            |error: &dyn std::fmt::Display| Error::Gpu(format!("cannot open {}: {error}", info.name));
        if !adapter.features().contains(wgpu::Features::IMMEDIATES) {
            return Err(failed(&"its driver has no push constants; update the driver, or use the CPU"));
        }
        let max_workgroups = options.max_workgroups.unwrap_or(u32::MAX);
        let max_binding_bytes = options.max_binding_bytes.unwrap_or(u64::MAX);
        if max_workgroups == 0 {
            return Err(too_small("max_workgroups", "at least 1", 0));
        }
        if max_binding_bytes < SMALLEST_BINDING {
            return Err(too_small("max_binding_bytes", "at least 256", max_binding_bytes));
        }
        let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("roialign_rs"),
            required_features: (WANTED & adapter.features()) | wgpu::Features::IMMEDIATES,
            required_limits: limits.clone(),
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..wgpu::DeviceDescriptor::default()
        }))
        .map_err(|error| failed(&error))?;
        let faults = Arc::new(Mutex::new(Faults::default()));
        let (errors, losses) = (Arc::clone(&faults), Arc::clone(&faults));
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            lock(&errors).error.get_or_insert(error.to_string());
        }));
        device.set_device_lost_callback(move |reason, message| {
            lock(&losses).lost.get_or_insert(format!("{reason:?}: {message}"));
        });
        Ok(Arc::new(Self {
            info,
            max_workgroups: max_workgroups.min(limits.max_compute_workgroups_per_dimension),
            max_binding_bytes: max_binding_bytes.min(limits.max_storage_buffer_binding_size) & !3,
            max_maps: most_maps(limits.max_storage_buffers_per_shader_stage),
            pipelines: Handles::new(Pipelines::new(options.checked || cfg!(debug_assertions))),
            pool: Arc::default(),
            recorder: Handles::new(Mutex::default()),
            queue: Handles::new(queue),
            device: Handles::new(device),
            faults,
            owner: process::id(),
        }))
    }

    /// Reports the first error that no call has reported yet. Fails if the device is lost, closed, or of a parent process.
    pub fn check(&self) -> Result<()> {
        if self.owner != process::id() {
            return Err(forked(self.owner));
        }
        let error = lock(&self.faults).error.take();
        if error.is_some() {
            // The error may follow from the loss of the device, which `poll` reports.
            let _ = self.device.poll(wgpu::PollType::Poll);
        }
        let name = &self.info.name;
        let (closed, lost) = {
            let faults = lock(&self.faults);
            (faults.closed, faults.lost.clone())
        };
        match (lost, error) {
            _ if closed => Err(Error::Gpu(format!(
                "the device {name} was closed; open a new Device and upload the arrays again"
            ))),
            (Some(reason), _) => Err(Error::Gpu(format!(
                "the device {name} was lost ({reason}); open a new Device and upload the arrays again"
            ))),
            (None, Some(error)) => Err(Error::Gpu(format!("{name}: {error}"))),
            (None, None) => Ok(()),
        }
    }

    /// Closes the device. Closing it again does nothing.
    pub fn close(&self) -> Result<()> {
        if self.owner != process::id() {
            return Err(forked(self.owner));
        }
        let closed = std::mem::replace(&mut lock(&self.faults).closed, true);
        if !closed {
            self.device.destroy();
            let _ = self.device.poll(wgpu::PollType::wait_indefinitely());
        }
        Ok(())
    }

    /// Destroys the device, which reports itself as lost from then on.
    pub fn destroy(&self) -> Result<()> {
        self.check()?;
        self.device.destroy();
        let _ = self.device.poll(wgpu::PollType::wait_indefinitely());
        Ok(())
    }
}

fn too_small(name: &'static str, expected: &'static str, got: u64) -> Error {
    Error::Value { name, expected, got: got.to_string() }
}
