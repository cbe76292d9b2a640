//! What stands for devices in a build without them.

#![allow(clippy::too_many_arguments, reason = "those of the functions that it stands for")]

use pyo3::prelude::*;

use crate::error::{Error, Result};
use crate::ops::RoiOp;
use crate::python::arrays::{AnyBoxes, Array4, Layout, Output};
use crate::run::Invalid;

fn missing<T>() -> Result<T> {
    Err(Error::Gpu("this build of roialign_rs has no GPU path; build it with the feature \"gpu\"".to_owned()))
}

#[pyfunction]
pub fn devices() -> Result<()> {
    missing()
}

/// An open device: there is none.
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

/// An array on a device: there is none.
#[pyclass(frozen, module = "roialign_rs._core")]
pub struct DeviceArray;

pub fn forward<'py>(
    _op: &impl RoiOp,
    _features: &Bound<'py, DeviceArray>,
    _rois: (&Bound<'py, PyAny>, Option<&Bound<'py, PyAny>>),
    _return_argmax: bool,
    _layout: Layout,
    _has_out: bool,
    _invalid: Invalid,
) -> PyResult<Py<PyAny>> {
    Ok(missing()?)
}

pub fn one_shot(
    _py: Python<'_>,
    _device: &Device,
    _op: &impl RoiOp,
    _features: &Array4<'_>,
    _rois: &AnyBoxes,
    _out: &Output<'_>,
    _argmax: Option<&Output<'_>>,
    _invalid: Invalid,
) -> PyResult<()> {
    Ok(missing()?)
}
