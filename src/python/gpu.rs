//! Devices, and arrays on them.

#![allow(clippy::doc_markdown, reason = "docstrings of Python, in numpydoc's form")]
#![allow(clippy::too_many_arguments, reason = "Python's keywords, one by one")]
#![allow(unsafe_code, reason = "typed views of arrays whose dtype was just matched")]

mod calls;

use std::sync::Arc;

use half::{bf16, f16};
use numpy::PyArrayDescr;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::error::{Error, Result};
use crate::gpu::{self, Dtype, Options};
use crate::python::arrays::{Array4, DeviceArray, Layout, Output, for_dtype};
use crate::python::interrupt::interruptible;
use crate::python::scalars::{Arg, flag, integer, wrong_kind};
use crate::view::{View, ViewMut};

pub use calls::Call;

/// What `devices` tells of an adapter.
type Info = (String, &'static str, &'static str, String, bool);

fn tell(info: &gpu::DeviceInfo) -> Info {
    (info.name.clone(), info.kind, info.backend, info.driver.clone(), info.float64)
}

/// List the adapters of this machine.
#[pyfunction]
pub fn devices(py: Python<'_>) -> Result<Vec<Info>> {
    py.detach(|| Ok(gpu::devices()?.iter().map(tell).collect()))
}

/// An open device.
#[pyclass(frozen, module = "roialign_rs._core")]
pub struct Device(pub gpu::Device);

#[pymethods]
impl Device {
    #[new]
    fn new(
        py: Python<'_>,
        name: Arg<'_, '_>,
        allow_cpu: Arg<'_, '_>,
        checked: Arg<'_, '_>,
        max_workgroups: Option<Arg<'_, '_>>,
        max_binding_bytes: Option<Arg<'_, '_>>,
    ) -> PyResult<Self> {
        const NAME: &str = "\"auto\" or part of the name of an adapter in roialign_rs.gpu.devices()";
        let text = name.cast::<PyString>().map_err(|_| wrong_kind("name", NAME, name))?.to_string_lossy();
        let options = Options {
            allow_cpu: flag("allow_cpu", allow_cpu)?,
            checked: flag("checked", checked)?,
            max_workgroups: limit("max_workgroups", max_workgroups)?
                .map(|most| u32::try_from(most).unwrap_or(u32::MAX)),
            max_binding_bytes: limit("max_binding_bytes", max_binding_bytes)?,
        };
        Ok(py.detach(|| gpu::Device::open(&text, &options)).map(Self)?)
    }

    fn info(&self) -> Info {
        tell(self.0.info())
    }

    fn features(&self, py: Python<'_>, array: Arg<'_, '_>, layout: Arg<'_, '_>) -> PyResult<DeviceArray> {
        let layout = Layout::named(layout)?;
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
        interruptible(py, |settings| self.0.synchronize(settings))
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

    fn close(&self, py: Python<'_>) -> Result<()> {
        py.detach(|| self.0.close())
    }
}

/// A limit that is lower than the device's own.
fn limit(name: &'static str, most: Option<Arg<'_, '_>>) -> PyResult<Option<u64>> {
    let Some(most) = most else { return Ok(None) };
    let most = integer(name, most)?;
    match u64::try_from(most) {
        Ok(most) => Ok(Some(most)),
        Err(_) => Err(Error::Value { name, expected: "positive", got: most.to_string() }.into()),
    }
}

#[pymethods]
impl DeviceArray {
    /// Shape of the array, in the order of its layout: tuple of four ints.
    #[getter]
    fn shape(&self) -> (usize, usize, usize, usize) {
        let [a, b, c, d] = self.layout.stored(self.array.shape());
        (a, b, c, d)
    }

    /// Number of axes: always 4.
    #[getter]
    #[allow(clippy::unused_self, reason = "a property, which can have a docstring")]
    fn ndim(&self) -> usize {
        4
    }

    /// Dtype of the array that `numpy` returns.
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

    /// Order of the axes: "NCHW" or "NHWC".
    #[getter]
    fn layout(&self) -> &'static str {
        self.layout.name()
    }

    fn __len__(&self) -> usize {
        self.array.shape()[0]
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let dtype = self.dtype(py)?;
        Ok(format!("DeviceArray(shape={:?}, dtype={dtype}, layout={})", self.shape(), self.layout()))
    }

    /// Download the array, after all earlier calls on its device have finished.
    ///
    /// Parameters
    /// ----------
    /// out : array, optional
    ///     Array of the same shape and dtype to write to, with any strides. By default a new array is returned.
    ///
    /// Returns
    /// -------
    /// array
    ///     The values: ``out`` if it was passed.
    ///
    /// Raises
    /// ------
    /// GpuError
    ///     If the device is closed or lost, or if an earlier call failed.
    /// ValueError
    ///     If ``out`` has another shape or dtype, or is read-only.
    /// KeyboardInterrupt
    ///     On Ctrl-C, if the call comes from the main thread.
    #[pyo3(signature = (out=None))]
    fn numpy<'py>(&self, py: Python<'py>, out: Option<&Bound<'py, PyAny>>) -> PyResult<Py<PyAny>> {
        let out = Output::new(self.dtype(py)?, self.layout, &[], self.array.shape(), out)?;
        download(py, &self.array, &out)?;
        Ok(out.array.into_any().unbind())
    }

    /// Download the array for ``numpy.asarray``. This always copies, so ``copy=False`` raises a ValueError.
    #[pyo3(signature = (dtype=None, copy=None))]
    fn __array__<'py>(
        &self,
        py: Python<'py>,
        dtype: Option<&Bound<'py, PyAny>>,
        copy: Option<bool>,
    ) -> PyResult<Py<PyAny>> {
        if copy == Some(false) {
            let message = "copy=False: the array is on a device, and reading it makes a copy; leave copy out";
            return Err(Error::Conflict(message.to_owned()).into());
        }
        let array = self.numpy(py, None)?;
        match dtype {
            Some(dtype) => array.call_method1(py, "astype", (dtype,)),
            None => Ok(array),
        }
    }
}

fn send<E: gpu::Transfer>(py: Python<'_>, device: &gpu::Device, view: View<'_, E>) -> PyResult<gpu::Array> {
    interruptible(py, |settings| device.upload(&view, settings))
}

/// Uploads an array as what it is.
fn upload(py: Python<'_>, device: &gpu::Device, array: &Array4<'_>) -> PyResult<gpu::Array> {
    // A call of several parts, each too short to be interrupted, is interrupted between them.
    py.check_signals()?;
    // SAFETY: `E` is the type that the dtype stands for.
    for_dtype!(array.dtype, E => send(py, device, unsafe { array.view::<E>() }))
}

/// Downloads an array into one that was made for its dtype.
fn download(py: Python<'_>, array: &gpu::Array, out: &Output<'_>) -> PyResult<()> {
    fn fetch<E: gpu::Transfer>(py: Python<'_>, array: &gpu::Array, view: &ViewMut<'_, E>) -> PyResult<()> {
        interruptible(py, |settings| array.download(view, settings))
    }
    py.check_signals()?;
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
