//! Devices, and arrays on them.

#![allow(clippy::too_many_arguments, reason = "Python's keywords, one by one")]
#![allow(unsafe_code, reason = "typed views of arrays whose dtype was just matched")]

mod calls;

use std::sync::Arc;

use half::{bf16, f16};
use numpy::PyArrayDescr;
use pyo3::prelude::*;

use crate::cpu::Settings;
use crate::error::Result;
use crate::gpu::{self, Dtype, Options};
use crate::python::arrays::{self, Array4, Layout, Output};
use crate::python::interrupt::interruptible;
use crate::view::{View, ViewMut};

pub use calls::{backward, backward_once, forward, forward_once, on_device};

/// What `devices` tells of an adapter.
type Info = (String, &'static str, &'static str, String, bool);

fn tell(info: &gpu::DeviceInfo) -> Info {
    (info.name.clone(), info.kind, info.backend, info.driver.clone(), info.float64)
}

#[pyfunction]
pub fn devices(py: Python<'_>) -> Result<Vec<Info>> {
    py.detach(|| Ok(gpu::devices()?.iter().map(tell).collect()))
}

/// An open device.
#[pyclass(frozen, module = "roialign_rs._core")]
pub struct Device(gpu::Device);

#[pymethods]
impl Device {
    #[new]
    fn new(
        py: Python<'_>,
        name: &str,
        allow_cpu: bool,
        checked: bool,
        max_workgroups: Option<u32>,
        max_binding_bytes: Option<u64>,
    ) -> Result<Self> {
        let options = Options { allow_cpu, checked, max_workgroups, max_binding_bytes };
        py.detach(|| gpu::Device::open(name, &options)).map(Self)
    }

    fn info(&self) -> Info {
        tell(self.0.info())
    }

    fn features(&self, py: Python<'_>, array: &Bound<'_, PyAny>, layout: &str) -> PyResult<DeviceArray> {
        let layout = crate::python::ops::layout(layout)?;
        let array = Array4::new("features", array, layout)?;
        Ok(DeviceArray { array: Arc::new(upload(py, &self.0, &array)?), layout })
    }

    fn begin_batch(&self, py: Python<'_>) -> Result<()> {
        py.detach(|| self.0.begin_batch())
    }

    fn end_batch(&self, py: Python<'_>) -> Result<()> {
        py.detach(|| self.0.end_batch())
    }

    fn synchronize(&self, py: Python<'_>) -> PyResult<()> {
        interruptible(py, Settings::current()?, |settings| self.0.synchronize(settings))
    }

    fn start_timer(&self, py: Python<'_>) -> Result<()> {
        py.detach(|| self.0.start_timer())
    }

    fn stop_timer(&self, py: Python<'_>) -> Result<Vec<(String, f64)>> {
        py.detach(|| self.0.stop_timer())
    }

    fn destroy(&self, py: Python<'_>) -> Result<()> {
        py.detach(|| self.0.destroy())
    }
}

/// Features or a result that lie on a device.
#[pyclass(frozen, module = "roialign_rs._core")]
pub struct DeviceArray {
    array: Arc<gpu::Array>,
    layout: Layout,
}

#[pymethods]
impl DeviceArray {
    /// Lengths of the axes, in the order of the array's layout.
    #[getter]
    fn shape(&self) -> (usize, usize, usize, usize) {
        let [a, b, c, d] = self.layout.stored(self.array.shape());
        (a, b, c, d)
    }

    /// Number of axes.
    #[classattr]
    fn ndim() -> usize {
        4
    }

    /// The dtype of what `numpy` returns.
    #[getter]
    fn dtype<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArrayDescr>> {
        match self.array.dtype() {
            Dtype::F16 => Ok(numpy::dtype::<f16>(py)),
            Dtype::F32 => Ok(numpy::dtype::<f32>(py)),
            Dtype::F64 => Ok(numpy::dtype::<f64>(py)),
            Dtype::I64 => Ok(numpy::dtype::<i64>(py)),
            Dtype::Bf16 => PyArrayDescr::new(py, py.import("ml_dtypes")?.getattr("bfloat16")?),
        }
    }

    /// "NCHW" or "NHWC".
    #[getter]
    fn layout(&self) -> &'static str {
        match self.layout {
            Layout::Nchw => "NCHW",
            Layout::Nhwc => "NHWC",
        }
    }

    fn __len__(&self) -> usize {
        self.array.shape()[0]
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let dtype = self.dtype(py)?;
        Ok(format!("DeviceArray(shape={:?}, dtype={dtype}, layout={})", self.shape(), self.layout()))
    }

    /// Downloads the array, into `out` if it is given, once everything before it is done.
    #[pyo3(signature = (out=None))]
    fn numpy<'py>(&self, py: Python<'py>, out: Option<&Bound<'py, PyAny>>) -> PyResult<Py<PyAny>> {
        let out = Output::new(self.dtype(py)?, self.layout, &[], self.array.shape(), out)?;
        download(py, &self.array, &out)?;
        Ok(out.array.into_any().unbind())
    }
}

fn send<E: gpu::Transfer>(py: Python<'_>, device: &gpu::Device, view: View<'_, E>) -> PyResult<gpu::Array> {
    interruptible(py, Settings::current()?, |settings| device.upload(&view, settings))
}

/// Uploads an array as what it is.
fn upload(py: Python<'_>, device: &gpu::Device, array: &Array4<'_>) -> PyResult<gpu::Array> {
    // SAFETY: each arm names the type that the dtype stands for.
    unsafe {
        match array.dtype {
            arrays::Dtype::U8 => send(py, device, array.view::<u8>()),
            arrays::Dtype::F16 => send(py, device, array.view::<f16>()),
            arrays::Dtype::Bf16 => send(py, device, array.view::<bf16>()),
            arrays::Dtype::F32 => send(py, device, array.view::<f32>()),
            arrays::Dtype::F64 => send(py, device, array.view::<f64>()),
        }
    }
}

/// Downloads an array into one that was made for its dtype.
fn download(py: Python<'_>, array: &gpu::Array, out: &Output<'_>) -> PyResult<()> {
    fn fetch<E: gpu::Transfer>(py: Python<'_>, array: &gpu::Array, view: &ViewMut<'_, E>) -> PyResult<()> {
        interruptible(py, Settings::current()?, |settings| array.download(view, settings))
    }
    // SAFETY: each arm names the type that the dtype stands for.
    unsafe {
        match array.dtype() {
            Dtype::F16 => fetch(py, array, &out.view::<f16>()),
            Dtype::Bf16 => fetch(py, array, &out.view::<bf16>()),
            Dtype::F32 => fetch(py, array, &out.view::<f32>()),
            Dtype::F64 => fetch(py, array, &out.view::<f64>()),
            Dtype::I64 => fetch(py, array, &out.view::<i64>()),
        }
    }
}
