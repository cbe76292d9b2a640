//! One thin function per operator and direction, and the process's settings.

#![allow(
    clippy::too_many_arguments,
    clippy::fn_params_excessive_bools,
    reason = "Python's keywords, one by one"
)]
#![allow(unsafe_code, reason = "typed views of arrays whose dtype was just matched")]

use std::slice;

use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;

use crate::cpu::{self, Level, Settings};
use crate::element::Element;
use crate::error::{Error, Result};
use crate::geometry::Extent;
use crate::geometry::grid::SamplePoints;
use crate::ops::{Mode, PoolMode, Quantization, RoiAlign, RoiOp, RoiPool};
use crate::python::arrays::{AnyBoxes, Array4, BoxTable, Layout, Output, WithFeatures, with_features};
use crate::python::gpu::{self, Device};
use crate::python::interrupt::interruptible;
use crate::python::recycle;
use crate::run::{self, Invalid, Pyramid};
use crate::scratch;
use crate::view::View;

/// Picks a variant by its name.
pub fn choose<T: Copy>(
    name: &'static str,
    got: &str,
    choices: &[(&str, T)],
    expected: &'static str,
) -> Result<T> {
    let found = choices.iter().find(|(choice, _)| *choice == got);
    found.map(|&(_, value)| value).ok_or_else(|| Error::Value { name, expected, got: format!("{got:?}") })
}

pub fn sample_points(got: &str) -> Result<SamplePoints> {
    let choices = [("center", SamplePoints::Center), ("interior", SamplePoints::Interior)];
    choose("sample_points", got, &choices, "\"center\" or \"interior\"")
}

pub fn align_mode(got: &str) -> Result<Mode> {
    let choices = [("avg", Mode::Avg), ("max", Mode::Max), ("onnx_max", Mode::OnnxMax)];
    choose("mode", got, &choices, "\"avg\", \"max\" or \"onnx_max\"")
}

pub fn pool_mode(got: &str) -> Result<PoolMode> {
    choose("mode", got, &[("max", PoolMode::Max), ("avg", PoolMode::Avg)], "\"max\" or \"avg\"")
}

pub fn quantization(got: &str) -> Result<Quantization> {
    let choices = [
        ("caffe", Quantization::Caffe),
        ("mmcv", Quantization::Mmcv),
        ("floor", Quantization::Floor),
        ("truncate", Quantization::Truncate),
    ];
    choose("quantization", got, &choices, "\"caffe\", \"mmcv\", \"floor\" or \"truncate\"")
}

pub fn layout(got: &str) -> Result<Layout> {
    choose("layout", got, &[("NCHW", Layout::Nchw), ("NHWC", Layout::Nhwc)], "\"NCHW\" or \"NHWC\"")
}

pub fn invalid(got: &str) -> Result<Invalid> {
    let choices = [("raise", Invalid::Raise), ("zero", Invalid::Zero), ("nan", Invalid::Nan)];
    choose("invalid", got, &choices, "\"raise\", \"zero\" or \"nan\"")
}

/// An integer of any size: beyond the range of `i64` it is as far as that goes, which no argument allows.
#[derive(Clone, Copy)]
pub struct Int(pub i64);

impl<'py> FromPyObject<'_, 'py> for Int {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        object.extract().map(Self).or_else(|error| {
            if !error.is_instance_of::<PyOverflowError>(object.py()) {
                return Err(error);
            }
            Ok(Self(if object.lt(0)? { i64::MIN } else { i64::MAX }))
        })
    }
}

/// One integer for both axes, or (y, x).
#[pyfunction]
pub fn pair(name: &str, value: &Bound<'_, PyAny>) -> PyResult<(i64, i64)> {
    if let Ok(Int(both)) = value.extract() {
        return Ok((both, both));
    }
    if let Ok((Int(y), Int(x))) = value.extract() {
        return Ok((y, x));
    }
    match value.extract::<Vec<Int>>().as_deref() {
        Ok(&[Int(y), Int(x)]) => Ok((y, x)),
        _ => Err(Error::NotAPair { name: name.to_owned(), got: value.repr()?.to_string() }.into()),
    }
}

pub fn extent(output_size: &Bound<'_, PyAny>) -> PyResult<Extent> {
    let (height, width) = pair("output_size", output_size)?;
    if let (Ok(height), Ok(width)) = (usize::try_from(height), usize::try_from(width)) {
        return Ok(Extent { height, width });
    }
    let got = format!("({height}, {width})");
    Err(Error::Value { name: "output_size", expected: "positive", got }.into())
}

#[pyfunction]
pub fn roi_align<'py>(
    features: &Bound<'py, PyAny>,
    boxes: &Bound<'py, PyAny>,
    batch_indices: Option<&Bound<'py, PyAny>>,
    output_size: &Bound<'py, PyAny>,
    spatial_scale: f64,
    sampling_ratio: &Bound<'py, PyAny>,
    aligned: bool,
    mode: &str,
    sample_points: &str,
    return_argmax: bool,
    layout: &str,
    out: Option<&Bound<'py, PyAny>>,
    invalid: &str,
    device: Option<&Device>,
) -> PyResult<Py<PyAny>> {
    let op = RoiAlign {
        output: extent(output_size)?,
        spatial_scale,
        sampling_ratio: pair("sampling_ratio", sampling_ratio)?.into(),
        aligned,
        mode: align_mode(mode)?,
        sample_points: self::sample_points(sample_points)?,
    };
    forward(&op, features, boxes, batch_indices, return_argmax, layout, out, invalid, device)
}

#[pyfunction]
pub fn roi_pool<'py>(
    features: &Bound<'py, PyAny>,
    boxes: &Bound<'py, PyAny>,
    batch_indices: Option<&Bound<'py, PyAny>>,
    output_size: &Bound<'py, PyAny>,
    spatial_scale: f64,
    mode: &str,
    quantization: &str,
    return_argmax: bool,
    layout: &str,
    out: Option<&Bound<'py, PyAny>>,
    invalid: &str,
    device: Option<&Device>,
) -> PyResult<Py<PyAny>> {
    let op = RoiPool {
        output: extent(output_size)?,
        spatial_scale,
        mode: pool_mode(mode)?,
        quantization: self::quantization(quantization)?,
    };
    forward(&op, features, boxes, batch_indices, return_argmax, layout, out, invalid, device)
}

fn forward<'py>(
    op: &impl RoiOp,
    features: &Bound<'py, PyAny>,
    boxes: &Bound<'py, PyAny>,
    batch_indices: Option<&Bound<'py, PyAny>>,
    return_argmax: bool,
    layout: &str,
    out: Option<&Bound<'py, PyAny>>,
    invalid: &str,
    device: Option<&Device>,
) -> PyResult<Py<PyAny>> {
    let (layout, invalid) = (self::layout(layout)?, self::invalid(invalid)?);
    if return_argmax && !op.reduce().has_argmax() {
        return Err(Error::Conflict("return_argmax needs a mode that takes a maximum".to_owned()).into());
    }
    let pyramid = Pyramid::one(op);
    if let Some(maps) = gpu::on_device("features", slice::from_ref(features))? {
        let rois = (boxes, batch_indices);
        return gpu::forward(pyramid, &maps, rois, return_argmax, layout, out.is_some(), invalid, device);
    }
    let array = Array4::new("features", features, layout)?;
    let settings = Settings::current()?;
    let table = BoxTable::new(boxes, batch_indices, array.shape()[0])?;
    let shape = run::output_shape(op, array.shape(), table.len())?;
    let inputs = [features, boxes, batch_indices.unwrap_or(boxes)];
    let out = Output::values(&array, &inputs, shape, out)?;
    let argmax = return_argmax.then(|| Output::argmax(&array, shape)).transpose()?;
    let rois = table.read()?;
    if let Some(device) = device {
        let (py, maps) = (features.py(), slice::from_ref(&array));
        gpu::forward_once(py, device, pyramid, maps, &rois, &out, argmax.as_ref(), invalid)?;
    } else {
        let call =
            Forward { py: features.py(), op, rois, out: &out, argmax: argmax.as_ref(), invalid, settings };
        with_features(&array, call)?;
    }
    Ok(match argmax {
        Some(argmax) => (out.array, argmax.array).into_pyobject(features.py())?.into_any().unbind(),
        None => out.array.into_any().unbind(),
    })
}

struct Forward<'a, 'py, O> {
    py: Python<'py>,
    op: &'a O,
    rois: AnyBoxes,
    out: &'a Output<'py>,
    argmax: Option<&'a Output<'py>>,
    invalid: Invalid,
    settings: Settings<'a>,
}

impl<'py, O: RoiOp> WithFeatures<'py> for Forward<'_, 'py, O> {
    type Output = ();

    fn run<E: Element>(self, features: View<'_, E>) -> PyResult<()> {
        let Self { py, op, rois, out, argmax, invalid, settings } = self;
        // SAFETY: `Output` made or checked the arrays for this type of features.
        let (out, argmax) = unsafe { (out.view::<E::Output>(), argmax.map(|argmax| argmax.view::<i64>())) };
        let argmax = argmax.as_ref();
        interruptible(py, settings, |settings| match rois {
            AnyBoxes::F32(boxes) => run::forward(op, &features, &boxes, &out, argmax, invalid, settings),
            AnyBoxes::F64(boxes) => run::forward(op, &features, &boxes, &out, argmax, invalid, settings),
        })?;
        Ok(())
    }
}

#[pyfunction]
pub fn get_num_threads() -> Result<usize> {
    cpu::num_threads()
}

#[pyfunction]
pub fn set_num_threads(n: Int) -> Result<()> {
    cpu::set_num_threads(n.0)
}

/// Give back memory that is kept for later calls and that nothing uses now.
///
/// Result buffers of 1 MB and more are kept when their array is gone (256 MB at most, or ``ROIALIGN_RECYCLE_MB``), and each
/// thread keeps scratch memory (256 MB at most in all threads together). Arrays that are alive, and calls that other
/// threads are in, keep theirs. The next call is a little slower.
///
/// Returns
/// -------
/// int
///     Bytes released.
///
/// Examples
/// --------
/// >>> import roialign_rs as ra
/// >>> released = ra.release_memory()
/// >>> ra.release_memory()
/// 0
#[pyfunction]
pub fn release_memory(py: Python<'_>) -> usize {
    py.detach(|| recycle::release() + scratch::release())
}

/// Limits the threads of calls from the calling Python thread; gives the limit before.
#[pyfunction]
pub fn limit_threads(n: usize) -> usize {
    cpu::limit_threads(n)
}

#[pyfunction]
pub fn simd_level() -> Result<&'static str> {
    Level::current().map(Level::name)
}
