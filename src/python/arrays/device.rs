//! Arrays in the memory of a device.

use std::sync::Arc;

use pyo3::prelude::*;

use super::Layout;
use crate::error::{Error, Result};
use crate::gpu;

/// An array in the memory of a GPU: features, a result or a gradient.
///
/// `Device.features` creates one from a NumPy array. Operators accept it as features, and return their results as a
/// `DeviceArray` on the same device. Download it with `numpy` or ``numpy.asarray``. The GPU path is experimental: it has
/// been tested on Mesa's software Vulkan driver lavapipe alone, not on a hardware GPU.
#[pyclass(frozen, module = "roialign_rs._core")]
pub struct DeviceArray {
    pub array: Arc<gpu::Array>,
    pub layout: Layout,
}

impl DeviceArray {
    /// Refuses a layout and a device that are not the array's.
    pub fn check(&self, layout: Layout, device: Option<&gpu::Device>) -> Result<()> {
        if layout != self.layout {
            let (expected, got) = (self.layout.name(), layout.name());
            let message =
                format!("layout must be {expected:?}, that of the arrays on the device, got {got:?}");
            return Err(Error::Conflict(message));
        }
        match device {
            Some(device) if !self.array.is_on(device) => {
                let message =
                    "device must be the one that holds the arrays; leave it out for arrays on a device";
                Err(Error::Conflict(message.to_owned()))
            }
            _ => Ok(()),
        }
    }
}

/// The arrays, if they lie on a device.
pub fn on_device<'py>(
    name: &str,
    objects: &[Bound<'py, PyAny>],
) -> PyResult<Option<Vec<Bound<'py, DeviceArray>>>> {
    let arrays: Vec<_> =
        objects.iter().filter_map(|object| object.cast::<DeviceArray>().ok().cloned()).collect();
    if arrays.is_empty() {
        return Ok(None);
    }
    if arrays.len() < objects.len() {
        return Err(Error::Conflict(format!(
            "{name}: some arrays are on a device and some are not; upload all of them with Device.features"
        ))
        .into());
    }
    Ok(Some(arrays))
}
