//! Devices, arrays on them, and operators that run there.

#![allow(clippy::too_many_arguments, reason = "Python's keywords, one by one")]
#![allow(unsafe_code, reason = "typed views of arrays whose dtype was just matched")]

use std::sync::Arc;

use half::{bf16, f16};
use numpy::PyArrayDescr;
use pyo3::prelude::*;

use crate::cpu::Settings;
use crate::error::{Error, Result};
use crate::gpu::{self, Dtype, Options};
use crate::ops::RoiOp;
use crate::python::arrays::{self, AnyBoxes, Array4, BoxTable, Layout, Output};
use crate::run::{self, Invalid};
use crate::view::{View, ViewMut};

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

    fn synchronize(&self, py: Python<'_>) -> Result<()> {
        py.detach(|| self.0.synchronize())
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

/// Pools features that lie on a device; the result stays there.
pub fn forward<'py>(
    op: &impl RoiOp,
    features: &Bound<'py, DeviceArray>,
    rois: (&Bound<'py, PyAny>, Option<&Bound<'py, PyAny>>),
    return_argmax: bool,
    layout: Layout,
    has_out: bool,
    invalid: Invalid,
) -> PyResult<Py<PyAny>> {
    let py = features.py();
    let features = features.get();
    if has_out {
        let message =
            "out cannot be given for features on a device, where the result stays; use .numpy(out=...)";
        return Err(Error::Conflict(message.to_owned()).into());
    }
    if layout != features.layout {
        let message = format!("layout must be {:?}, which the features were uploaded in", features.layout());
        return Err(Error::Conflict(message).into());
    }
    let rois = BoxTable::new(rois.0, rois.1, features.array.shape()[0])?.read()?;
    let (values, argmax) = py.detach(|| run_on_device(op, &features.array, &rois, return_argmax, invalid))?;
    let array = |array| DeviceArray { array: Arc::new(array), layout };
    Ok(match argmax {
        Some(argmax) => (array(values), array(argmax)).into_pyobject(py)?.into_any().unbind(),
        None => array(values).into_pyobject(py)?.into_any().unbind(),
    })
}

/// Uploads, pools and downloads.
pub fn one_shot(
    py: Python<'_>,
    device: &Device,
    op: &impl RoiOp,
    features: &Array4<'_>,
    rois: &AnyBoxes,
    out: &Output<'_>,
    argmax: Option<&Output<'_>>,
    invalid: Invalid,
) -> PyResult<()> {
    let features = upload(py, &device.0, features)?;
    let return_argmax = argmax.is_some();
    let (values, sources) = py.detach(|| run_on_device(op, &features, rois, return_argmax, invalid))?;
    download(py, &values, out)?;
    sources.iter().zip(argmax).try_for_each(|(sources, argmax)| download(py, sources, argmax))
}

fn run_on_device(
    op: &impl RoiOp,
    features: &gpu::Array,
    rois: &AnyBoxes,
    argmax: bool,
    invalid: Invalid,
) -> Result<(gpu::Array, Option<gpu::Array>)> {
    let threads = Settings::current()?.threads;
    match rois {
        AnyBoxes::F32(boxes) => run::forward_on_device(op, features, boxes, argmax, invalid, threads),
        AnyBoxes::F64(boxes) => run::forward_on_device(op, features, boxes, argmax, invalid, threads),
    }
}

/// Uploads an array as what it is.
fn upload(py: Python<'_>, device: &gpu::Device, array: &Array4<'_>) -> PyResult<gpu::Array> {
    fn send<E: gpu::Transfer>(
        py: Python<'_>,
        device: &gpu::Device,
        view: View<'_, E>,
    ) -> PyResult<gpu::Array> {
        Ok(py.detach(|| device.upload(&view))?)
    }
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
        Ok(py.detach(|| array.download(view))?)
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
