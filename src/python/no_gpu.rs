//! What stands for devices in a build without them.

#![allow(
    clippy::too_many_arguments,
    clippy::unnecessary_wraps,
    reason = "those of the functions that it stands for"
)]

use std::convert::Infallible;

use pyo3::prelude::*;

use crate::error::{Error, Result};
use crate::python::arrays::{Array4, Indices4, Layout, Output};
use crate::run::{Boxes, Invalid, Pooling};

fn missing<T>() -> Result<T> {
    Err(Error::Gpu(
        "this build of roialign_rs has no GPU path; build it with the Cargo feature \"gpu\"".to_owned(),
    ))
}

#[pyfunction]
pub fn devices() -> Vec<()> {
    Vec::new()
}

/// An open device. This build has none.
#[pyclass(frozen, module = "roialign_rs._core")]
pub struct Device;

#[pymethods]
impl Device {
    #[new]
    #[pyo3(signature = (*_args))]
    fn new(_args: &Bound<'_, PyAny>) -> Result<Self> {
        missing()
    }
}

/// An array on a device. This build has none.
#[pyclass(frozen, module = "roialign_rs._core")]
pub struct DeviceArray(Infallible);

impl DeviceArray {
    pub fn logical_shape(&self) -> [usize; 4] {
        match self.0 {}
    }
}

pub fn on_device<'py>(
    _name: &str,
    _objects: &[Bound<'py, PyAny>],
) -> PyResult<Option<Vec<Bound<'py, DeviceArray>>>> {
    Ok(None)
}

pub fn forward<'py>(
    _pooling: Pooling<'_>,
    _maps: &[Bound<'py, DeviceArray>],
    _rois: (&Bound<'py, PyAny>, Option<&Bound<'py, PyAny>>),
    _return_argmax: bool,
    _layout: Layout,
    _has_out: bool,
    _invalid: Invalid,
    _device: Option<&Device>,
) -> PyResult<Py<PyAny>> {
    Ok(missing()?)
}

pub fn forward_once(
    _py: Python<'_>,
    _device: &Device,
    _pooling: Pooling<'_>,
    _maps: &[Array4<'_>],
    _rois: &Boxes,
    _out: &Output<'_>,
    _argmax: Option<&Output<'_>>,
    _invalid: Invalid,
) -> PyResult<()> {
    Ok(missing()?)
}

pub fn backward<'py>(
    _pooling: Pooling<'_>,
    _grads: &Bound<'py, DeviceArray>,
    _argmax: Option<&Bound<'py, PyAny>>,
    _rois: &Boxes,
    _shapes: &[[usize; 4]],
    _accumulate: bool,
    _outs: &[Option<&Bound<'py, PyAny>>],
    _layout: Layout,
    _invalid: Invalid,
    _device: Option<&Device>,
) -> PyResult<Vec<Py<PyAny>>> {
    Ok(missing()?)
}

pub fn backward_once(
    _py: Python<'_>,
    _device: &Device,
    _pooling: Pooling<'_>,
    _grads: &Array4<'_>,
    _argmax: Option<&Indices4<'_>>,
    _rois: &Boxes,
    _outs: &[Output<'_>],
    _accumulate: bool,
    _invalid: Invalid,
) -> PyResult<()> {
    Ok(missing()?)
}
