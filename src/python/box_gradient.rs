//! One thin function per operator that has a gradient for its boxes.

#![allow(clippy::too_many_arguments, reason = "Python's keywords, one by one")]
#![allow(unsafe_code, reason = "typed views of arrays whose dtype was just matched")]

use pyo3::prelude::*;

use crate::cpu::Settings;
use crate::element::Element;
use crate::geometry::Extent;
use crate::geometry::grid::SamplePoints;
use crate::ops::{Mode, RoiAlign};
use crate::python::arrays::{Array4, BoxOutput, BoxTable, WithFeatures, with_features};
use crate::python::interrupt::interruptible;
use crate::python::process::settings;
use crate::python::scalars::{Arg, flag, invalid, layout, pair, real};
use crate::run::{self, Boxes, Invalid, Pooling};
use crate::view::View;

#[pyfunction]
pub fn roi_align_box_gradient<'py>(
    grad_output: Arg<'_, 'py>,
    features: Arg<'_, 'py>,
    boxes: Arg<'_, 'py>,
    batch_indices: Option<Arg<'_, 'py>>,
    spatial_scale: Arg<'_, 'py>,
    sampling_ratio: Arg<'_, 'py>,
    aligned: Arg<'_, 'py>,
    layout: Arg<'_, 'py>,
    out: Option<Arg<'_, 'py>>,
    invalid: Arg<'_, 'py>,
) -> PyResult<Py<PyAny>> {
    let (layout, invalid) = (self::layout(layout)?, self::invalid(invalid)?);
    let scale = real("spatial_scale", spatial_scale)?;
    let op = RoiAlign {
        sampling_ratio: pair("sampling_ratio", sampling_ratio)?.into(),
        aligned: flag("aligned", aligned)?,
        mode: Mode::Avg,
        sample_points: SamplePoints::Center,
    };
    let (py, settings) = (features.py(), settings()?);
    let maps = Array4::new("features", features, layout)?;
    let grads = Array4::new("grad_output", grad_output, layout)?;
    grads.check_dtype_of_result("grad_output", &maps)?;
    let [_, _, height, width] = grads.shape();
    let op = op.into();
    let pooling = Pooling::one(&op, Extent { height, width }, &scale);
    let table = BoxTable::new(boxes, batch_indices, maps.shape()[0])?;
    pooling.output_shape(&[maps.shape()], table.len())?;
    let inputs = [grad_output, features, boxes, batch_indices.unwrap_or(boxes)];
    let out = BoxOutput::new(py, &table, &inputs, out)?;
    let rois = table.read()?;
    let call = BoxGradient { py, pooling, grads: &grads, rois: &rois, invalid, settings };
    out.write(&with_features(&maps, call)?);
    Ok(out.array.into_any().unbind())
}

struct BoxGradient<'a, 'py> {
    py: Python<'py>,
    pooling: Pooling<'a>,
    grads: &'a Array4<'py>,
    rois: &'a Boxes,
    invalid: Invalid,
    settings: Settings<'a>,
}

impl<'py> WithFeatures<'py> for BoxGradient<'_, 'py> {
    type Output = Vec<[f64; 4]>;

    fn run<E: Element>(self, features: View<'_, E>) -> PyResult<Vec<[f64; 4]>> {
        let Self { py, pooling, grads, rois, invalid, settings } = self;
        // SAFETY: the gradients were checked to have the dtype of the result for these features.
        let grads = unsafe { grads.view::<E::Output>() };
        interruptible(py, settings, |settings| {
            run::box_gradient(pooling, &grads, &[features], rois, invalid, settings)
        })
    }
}
