//! One thin function per operator that has a gradient for its features.

#![allow(
    clippy::too_many_arguments,
    clippy::fn_params_excessive_bools,
    reason = "Python's keywords, one by one"
)]
#![allow(unsafe_code, reason = "typed views of arrays whose dtype was just matched")]

use pyo3::prelude::*;

use crate::cpu::Settings;
use crate::element::Element;
use crate::error::{Error, Result, tuple};
use crate::geometry::Extent;
use crate::ops::{RoiAlign, RoiPool};
use crate::python::arrays::{Array4, BoxTable, Indices4, Layout, Output, WithFeatures, with_features};
use crate::python::gpu::{self, Device, DeviceArray};
use crate::python::interrupt::interruptible;
use crate::python::process::settings;
use crate::python::scalars::{
    Arg, Int, align_mode, flag, invalid, layout, pair, pool_mode, quantization, real, sample_points,
};
use crate::run::{self, Boxes, Invalid, Maps, Pooling};
use crate::view::{View, ViewMut};

/// A shape as Python gives it.
pub type Shape = (Int, Int, Int, Int);

#[pyfunction]
pub fn roi_align_backward<'py>(
    grad_output: Arg<'_, 'py>,
    boxes: Arg<'_, 'py>,
    batch_indices: Option<Arg<'_, 'py>>,
    input_shape: Shape,
    spatial_scale: Arg<'_, 'py>,
    sampling_ratio: Arg<'_, 'py>,
    aligned: Arg<'_, 'py>,
    mode: Arg<'_, 'py>,
    sample_points: Arg<'_, 'py>,
    argmax: Option<Arg<'_, 'py>>,
    accumulate: Arg<'_, 'py>,
    layout: Arg<'_, 'py>,
    out: Option<Arg<'_, 'py>>,
    invalid: Arg<'_, 'py>,
    device: Option<&Device>,
) -> PyResult<Py<PyAny>> {
    let (layout, invalid) = (self::layout(layout)?, self::invalid(invalid)?);
    let accumulate = flag("accumulate", accumulate)?;
    let scale = real("spatial_scale", spatial_scale)?;
    let op = RoiAlign {
        sampling_ratio: pair("sampling_ratio", sampling_ratio)?.into(),
        aligned: flag("aligned", aligned)?,
        mode: align_mode(mode)?,
        sample_points: self::sample_points(sample_points)?,
    };
    let grads = Grads::new(grad_output, layout)?;
    let op = op.into();
    let pooling = Pooling::one(&op, grads.output(), &scale);
    backward(pooling, &grads, boxes, batch_indices, input_shape, argmax, accumulate, out, invalid, device)
}

#[pyfunction]
pub fn roi_pool_backward<'py>(
    grad_output: Arg<'_, 'py>,
    boxes: Arg<'_, 'py>,
    batch_indices: Option<Arg<'_, 'py>>,
    input_shape: Shape,
    argmax: Option<Arg<'_, 'py>>,
    spatial_scale: Arg<'_, 'py>,
    mode: Arg<'_, 'py>,
    quantization: Arg<'_, 'py>,
    accumulate: Arg<'_, 'py>,
    layout: Arg<'_, 'py>,
    out: Option<Arg<'_, 'py>>,
    invalid: Arg<'_, 'py>,
    device: Option<&Device>,
) -> PyResult<Py<PyAny>> {
    let (layout, invalid) = (self::layout(layout)?, self::invalid(invalid)?);
    let accumulate = flag("accumulate", accumulate)?;
    let scale = real("spatial_scale", spatial_scale)?;
    let op = RoiPool { mode: pool_mode(mode)?, quantization: self::quantization(quantization)? };
    let grads = Grads::new(grad_output, layout)?;
    let op = op.into();
    let pooling = Pooling::one(&op, grads.output(), &scale);
    backward(pooling, &grads, boxes, batch_indices, input_shape, argmax, accumulate, out, invalid, device)
}

/// The gradients that come in.
pub struct Grads<'a, 'py> {
    object: &'a Bound<'py, PyAny>,
    array: Place<'py>,
    layout: Layout,
}

/// Where they lie.
enum Place<'py> {
    Host(Array4<'py>),
    Device(Bound<'py, DeviceArray>),
}

impl<'a, 'py> Grads<'a, 'py> {
    pub fn new(object: &'a Bound<'py, PyAny>, layout: Layout) -> PyResult<Self> {
        let array = if let Ok(array) = object.cast::<DeviceArray>() {
            Place::Device(array.clone())
        } else {
            let array = Array4::new("grad_output", object, layout)?;
            array.check_float("grad_output")?;
            Place::Host(array)
        };
        Ok(Self { object, array, layout })
    }

    /// Bins of a box.
    pub fn output(&self) -> Extent {
        let [_, _, height, width] = match &self.array {
            Place::Host(array) => array.shape(),
            Place::Device(array) => array.get().logical_shape(),
        };
        Extent { height, width }
    }

    /// A map's shape, in the order (image, channel, row, column).
    fn shape(&self, name: String, (Int(a), Int(b), Int(c), Int(d)): Shape) -> Result<[usize; 4]> {
        let sides = self.layout.logical([a, b, c, d]);
        if sides.iter().any(|&side| side < 0) {
            let got = tuple(&[a, b, c, d]);
            return Err(Error::NegativeSide { name, got });
        }
        Ok(sides.map(|side| side as usize))
    }
}

fn backward<'py>(
    pooling: Pooling<'_>,
    grads: &Grads<'_, 'py>,
    boxes: Arg<'_, 'py>,
    batch_indices: Option<Arg<'_, 'py>>,
    input_shape: Shape,
    argmax: Option<Arg<'_, 'py>>,
    accumulate: bool,
    out: Option<Arg<'_, 'py>>,
    invalid: Invalid,
    device: Option<&Device>,
) -> PyResult<Py<PyAny>> {
    let pooling = Pooling { maps: Maps::One("input_shape"), ..pooling };
    let rois = (boxes, batch_indices);
    let (shapes, outs) = ([input_shape], [out]);
    let mut outs =
        backward_pyramid(pooling, grads, argmax, rois, &shapes, accumulate, &outs, invalid, device)?;
    Ok(outs.remove(0))
}

pub fn backward_pyramid<'py>(
    pooling: Pooling<'_>,
    grads: &Grads<'_, 'py>,
    argmax: Option<Arg<'_, 'py>>,
    (boxes, batch_indices): (Arg<'_, 'py>, Option<Arg<'_, 'py>>),
    input_shapes: &[Shape],
    accumulate: bool,
    outs: &[Option<Arg<'_, 'py>>],
    invalid: Invalid,
    device: Option<&Device>,
) -> PyResult<Vec<Py<PyAny>>> {
    if accumulate && outs.iter().any(Option::is_none) {
        return Err(Error::Conflict("accumulate=True needs out, the array to add to".to_owned()).into());
    }
    let shapes = input_shapes.iter().enumerate();
    let shapes = shapes
        .map(|(stage, &shape)| grads.shape(pooling.maps.name(stage), shape))
        .collect::<Result<Vec<_>>>()?;
    let table = BoxTable::new(boxes, batch_indices, shapes.first().map_or(0, |shape| shape[0]))?;
    pooling.output_shape(&shapes, table.len())?;
    let layout = grads.layout;
    let array = match &grads.array {
        Place::Host(array) => array,
        Place::Device(array) => {
            let rois = table.read()?;
            return gpu::backward(
                pooling, array, argmax, &rois, &shapes, accumulate, outs, layout, invalid, device,
            );
        }
    };
    let sources = argmax.map(|argmax| Indices4::new("argmax", argmax, layout)).transpose()?;
    let mut inputs: Vec<_> = [grads.object, boxes].into_iter().chain(batch_indices).chain(argmax).collect();
    let mut results = Vec::with_capacity(outs.len());
    for (&shape, &out) in shapes.iter().zip(outs) {
        results.push(Output::values(array, &inputs, shape, out)?);
        // What one of them writes must not be another's.
        inputs.extend(out);
    }
    let (py, argmax, rois) = (grads.object.py(), sources.as_ref(), table.read()?);
    if let Some(device) = device {
        gpu::backward_once(py, device, pooling, array, argmax, &rois, &results, accumulate, invalid)?;
    } else {
        let settings = settings()?;
        let call = Backward { py, pooling, rois, argmax, outs: &results, accumulate, invalid, settings };
        with_features(array, call)?;
    }
    Ok(results.into_iter().map(|result| result.array.into_any().unbind()).collect())
}

struct Backward<'a, 'py> {
    py: Python<'py>,
    pooling: Pooling<'a>,
    rois: Boxes,
    argmax: Option<&'a Indices4<'py>>,
    outs: &'a [Output<'py>],
    accumulate: bool,
    invalid: Invalid,
    settings: Settings<'a>,
}

impl<'py> WithFeatures<'py> for Backward<'_, 'py> {
    type Output = ();

    fn run<E: Element>(self, grads: View<'_, E>) -> PyResult<()> {
        let Self { py, pooling, rois, argmax, outs, accumulate, invalid, settings } = self;
        // SAFETY: `Output` made or checked the arrays for the dtype of the gradients, which is no integer.
        let outs: Vec<ViewMut<'_, E>> = outs.iter().map(|out| unsafe { out.view::<E>() }).collect();
        let argmax = argmax.map(Indices4::view);
        let argmax = argmax.as_ref();
        interruptible(py, settings, |settings| {
            run::backward(pooling, &grads, argmax, &rois, &outs, accumulate, invalid, settings)
        })?;
        Ok(())
    }
}
