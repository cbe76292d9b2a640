//! One thin function per operator.

#![allow(
    clippy::too_many_arguments,
    clippy::fn_params_excessive_bools,
    reason = "Python's keywords, one by one"
)]
#![allow(unsafe_code, reason = "typed views of arrays whose dtype was just matched")]

use std::slice;

use pyo3::prelude::*;

use crate::cpu::Settings;
use crate::element::Element;
use crate::error::Error;
use crate::ops::{RoiAlign, RoiOp, RoiPool};
use crate::python::arrays::{Array4, BoxTable, Output, WithFeatures, with_features};
use crate::python::gpu::{self, Device};
use crate::python::interrupt::interruptible;
use crate::python::process::settings;
use crate::python::scalars::{
    Arg, align_mode, extent, flag, invalid, layout, pair, pool_mode, quantization, real, sample_points,
};
use crate::run::{self, Boxes, Invalid, Pooling};
use crate::view::View;

#[pyfunction]
pub fn roi_align<'py>(
    features: Arg<'_, 'py>,
    boxes: Arg<'_, 'py>,
    batch_indices: Option<Arg<'_, 'py>>,
    output_size: Arg<'_, 'py>,
    spatial_scale: Arg<'_, 'py>,
    sampling_ratio: Arg<'_, 'py>,
    aligned: Arg<'_, 'py>,
    mode: Arg<'_, 'py>,
    sample_points: Arg<'_, 'py>,
    return_argmax: Arg<'_, 'py>,
    layout: Arg<'_, 'py>,
    out: Option<Arg<'_, 'py>>,
    invalid: Arg<'_, 'py>,
    device: Option<&Device>,
) -> PyResult<Py<PyAny>> {
    let (output, scale) = (extent(output_size)?, real("spatial_scale", spatial_scale)?);
    let op = RoiAlign {
        sampling_ratio: pair("sampling_ratio", sampling_ratio)?.into(),
        aligned: flag("aligned", aligned)?,
        mode: align_mode(mode)?,
        sample_points: self::sample_points(sample_points)?,
    };
    let op = op.into();
    let pooling = Pooling::one(&op, output, &scale);
    forward(pooling, features, boxes, batch_indices, return_argmax, layout, out, invalid, device)
}

#[pyfunction]
pub fn roi_pool<'py>(
    features: Arg<'_, 'py>,
    boxes: Arg<'_, 'py>,
    batch_indices: Option<Arg<'_, 'py>>,
    output_size: Arg<'_, 'py>,
    spatial_scale: Arg<'_, 'py>,
    mode: Arg<'_, 'py>,
    quantization: Arg<'_, 'py>,
    return_argmax: Arg<'_, 'py>,
    layout: Arg<'_, 'py>,
    out: Option<Arg<'_, 'py>>,
    invalid: Arg<'_, 'py>,
    device: Option<&Device>,
) -> PyResult<Py<PyAny>> {
    let (output, scale) = (extent(output_size)?, real("spatial_scale", spatial_scale)?);
    let op = RoiPool { mode: pool_mode(mode)?, quantization: self::quantization(quantization)? };
    let op = op.into();
    let pooling = Pooling::one(&op, output, &scale);
    forward(pooling, features, boxes, batch_indices, return_argmax, layout, out, invalid, device)
}

fn forward<'py>(
    pooling: Pooling<'_>,
    features: Arg<'_, 'py>,
    boxes: Arg<'_, 'py>,
    batch_indices: Option<Arg<'_, 'py>>,
    return_argmax: Arg<'_, 'py>,
    layout: Arg<'_, 'py>,
    out: Option<Arg<'_, 'py>>,
    invalid: Arg<'_, 'py>,
    device: Option<&Device>,
) -> PyResult<Py<PyAny>> {
    let (layout, invalid) = (self::layout(layout)?, self::invalid(invalid)?);
    let return_argmax = flag("return_argmax", return_argmax)?;
    if return_argmax && !pooling.op.reduce().has_argmax() {
        let message =
            "return_argmax must be False for mode=\"avg\", which has no argmax; or use mode=\"max\"";
        return Err(Error::Conflict(message.to_owned()).into());
    }
    if let Some(maps) = gpu::on_device("features", slice::from_ref(features))? {
        let rois = (boxes, batch_indices);
        return gpu::forward(pooling, &maps, rois, return_argmax, layout, out.is_some(), invalid, device);
    }
    let array = Array4::new("features", features, layout)?;
    let settings = settings()?;
    let table = BoxTable::new(boxes, batch_indices, array.shape()[0])?;
    let shape = pooling.output_shape(&[array.shape()], table.len())?;
    let inputs = [features, boxes, batch_indices.unwrap_or(boxes)];
    let out = Output::values(&array, &inputs, shape, out)?;
    let argmax = return_argmax.then(|| Output::argmax(&array, shape)).transpose()?;
    let rois = table.read()?;
    if let Some(device) = device {
        let (py, maps) = (features.py(), slice::from_ref(&array));
        gpu::forward_once(py, device, pooling, maps, &rois, &out, argmax.as_ref(), invalid)?;
    } else {
        let call = Forward {
            py: features.py(),
            pooling,
            rois,
            out: &out,
            argmax: argmax.as_ref(),
            invalid,
            settings,
        };
        with_features(&array, call)?;
    }
    Ok(match argmax {
        Some(argmax) => (out.array, argmax.array).into_pyobject(features.py())?.into_any().unbind(),
        None => out.array.into_any().unbind(),
    })
}

struct Forward<'a, 'py> {
    py: Python<'py>,
    pooling: Pooling<'a>,
    rois: Boxes,
    out: &'a Output<'py>,
    argmax: Option<&'a Output<'py>>,
    invalid: Invalid,
    settings: Settings<'a>,
}

impl<'py> WithFeatures<'py> for Forward<'_, 'py> {
    type Output = ();

    fn run<E: Element>(self, features: View<'_, E>) -> PyResult<()> {
        let Self { py, pooling, rois, out, argmax, invalid, settings } = self;
        // SAFETY: `Output` made or checked the arrays for this type of features.
        let (out, argmax) = unsafe { (out.view::<E::Output>(), argmax.map(|argmax| argmax.view::<i64>())) };
        let argmax = argmax.as_ref();
        interruptible(py, settings, |settings| {
            run::forward(pooling, &[features], &rois, &out, argmax, invalid, settings)
        })?;
        Ok(())
    }
}
