//! The operators as Python objects, each made from its own options.

use pyo3::prelude::*;

use crate::geometry::grid::SamplePoints;
use crate::ops::{self, Mode, PoolMode, Quantization};
use crate::python::scalars::{Arg, choose, flag, pair};

/// An operator with its options. Python compares and hashes it, so that frameworks can find compiled programs again.
#[pyclass(frozen, eq, hash, module = "roialign_rs._core")]
#[derive(PartialEq, Eq, Hash)]
pub struct Operator(pub ops::Operator);

#[pymethods]
impl Operator {
    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }
}

#[pyfunction]
#[pyo3(name = "RoiAlign")]
pub fn roi_align(
    sampling_ratio: Arg<'_, '_>,
    aligned: Arg<'_, '_>,
    mode: Arg<'_, '_>,
    sample_points: Arg<'_, '_>,
) -> PyResult<Operator> {
    let modes = [("avg", Mode::Avg), ("max", Mode::Max), ("onnx_max", Mode::OnnxMax)];
    let op = ops::RoiAlign {
        sampling_ratio: pair("sampling_ratio", sampling_ratio)?.into(),
        aligned: flag("aligned", aligned)?,
        mode: choose("mode", mode, &modes, "\"avg\", \"max\" or \"onnx_max\"")?,
        sample_points: self::sample_points(sample_points)?,
    };
    Ok(Operator(op.into()))
}

#[pyfunction]
#[pyo3(name = "RoiPool")]
pub fn roi_pool(mode: Arg<'_, '_>, quantization: Arg<'_, '_>) -> PyResult<Operator> {
    let modes = [("max", PoolMode::Max), ("avg", PoolMode::Avg)];
    let op = ops::RoiPool {
        mode: choose("mode", mode, &modes, "\"max\" or \"avg\"")?,
        quantization: self::quantization(quantization)?,
    };
    Ok(Operator(op.into()))
}

#[pyfunction]
#[pyo3(name = "PrRoiPool")]
pub fn prroi_pool() -> Operator {
    Operator(ops::PrRoiPool.into())
}

pub fn sample_points(value: Arg<'_, '_>) -> PyResult<SamplePoints> {
    let choices = [("center", SamplePoints::Center), ("interior", SamplePoints::Interior)];
    choose("sample_points", value, &choices, "\"center\" or \"interior\"")
}

pub fn quantization(value: Arg<'_, '_>) -> PyResult<Quantization> {
    let choices = [
        ("caffe", Quantization::Caffe),
        ("mmcv", Quantization::Mmcv),
        ("floor", Quantization::Floor),
        ("truncate", Quantization::Truncate),
    ];
    choose("quantization", value, &choices, "\"caffe\", \"mmcv\", \"floor\" or \"truncate\"")
}
