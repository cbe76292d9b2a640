//! The three functions that compute, for every operator: on one map or a pyramid, on NumPy arrays or arrays on a device.

#![allow(
    clippy::needless_pass_by_value,
    clippy::too_many_arguments,
    reason = "Python's keywords, one by one"
)]
#![allow(unsafe_code, reason = "typed views of arrays whose dtype was just matched")]

use pyo3::prelude::*;
use pyo3::types::PyList;
use smallvec::SmallVec;

use crate::element::Element;
use crate::error::{Error, Result, tuple};
use crate::geometry::Extent;
use crate::ops::RoiOp;
use crate::python::arrays::{
    Array4, BoxOutput, BoxTable, DeviceArray, Indices4, Layout, Output, PerMap, for_dtype, on_device,
};
use crate::python::gpu::{self, Device};
use crate::python::interrupt::interruptible;
use crate::python::operators::Operator;
use crate::python::scalars::{Arg, Int, extent, flag, invalid};
use crate::python::stages::{Levels, Scales};
use crate::run::{self, Pooling};

/// A shape as Python gives it.
type Shape = (Int, Int, Int, Int);

#[pyfunction]
pub fn forward<'py>(
    op: &Operator,
    maps: &Bound<'py, PyList>,
    boxes: Arg<'_, 'py>,
    batch_indices: Option<Arg<'_, 'py>>,
    output_size: Arg<'_, 'py>,
    spatial_scales: Arg<'_, 'py>,
    levels: Option<Levels<'py>>,
    return_argmax: Arg<'_, 'py>,
    layout: Arg<'_, 'py>,
    out: Option<Arg<'_, 'py>>,
    invalid: Arg<'_, 'py>,
    device: Option<&Device>,
) -> PyResult<Py<PyAny>> {
    let py = boxes.py();
    let (layout, invalid) = (Layout::named(layout)?, self::invalid(invalid)?);
    let return_argmax = flag("return_argmax", return_argmax)?;
    if return_argmax && !op.0.reduce().has_argmax() {
        let message =
            "return_argmax must be False for mode=\"avg\", which has no argmax; or use mode=\"max\"";
        return Err(Error::Conflict(message.to_owned()).into());
    }
    let name = if levels.is_some() { "features_list" } else { "features" };
    let (output, scales) = (extent(output_size)?, Scales::new(spatial_scales, levels)?);
    let pooling = scales.pooling(op, output, ["features", "features_list"]);
    let maps: PerMap<_> = maps.iter().collect();
    if let Some(maps) = on_device(name, &maps)? {
        if out.is_some() {
            let message = "out cannot be given for features on a device, because the result stays there; leave it \
                           out and download with .numpy(out=...)";
            return Err(Error::Conflict(message.to_owned()).into());
        }
        maps.iter().try_for_each(|map| map.get().check(layout, device.map(|device| &device.0)))?;
        let images = maps[0].get().array.shape()[0];
        let boxes = &BoxTable::new(boxes, batch_indices, images)?.read()?;
        return gpu::Call { py, pooling, boxes, invalid }.forward(&maps, layout, return_argmax);
    }
    let (arrays, table, shape) = host_maps(pooling, name, &maps, boxes, batch_indices, layout)?;
    let inputs: SmallVec<[_; 4]> = maps.iter().chain([boxes]).chain(batch_indices).collect();
    let out = Output::values(&arrays[0], &inputs, shape, out)?;
    let argmax = return_argmax.then(|| Output::argmax(&arrays[0], shape)).transpose()?;
    let boxes = &table.read()?;
    if let Some(device) = device {
        let call = gpu::Call { py, pooling, boxes, invalid };
        call.forward_once(device, &arrays, &out, argmax.as_ref())?;
    } else {
        for_dtype!(arrays[0].dtype, E => {
            // SAFETY: the maps have the dtype that `E` stands for, and `Output` made or checked the arrays for it.
            let (maps, out, argmax) = unsafe {
                let maps: PerMap<_> = arrays.iter().map(|map| map.view::<E>()).collect();
                (maps, out.view::<<E as Element>::Output>(), argmax.as_ref().map(|argmax| argmax.view::<i64>()))
            };
            interruptible(py, |settings| {
                run::forward(pooling, &maps, boxes, &out, argmax.as_ref(), invalid, settings)
            })
        })?;
    }
    Ok(match argmax {
        Some(argmax) => (out.array, argmax.array).into_pyobject(py)?.into_any().unbind(),
        None => out.array.into_any().unbind(),
    })
}

/// The maps of a call as arrays, its boxes, and the shape of what is pooled.
fn host_maps<'py>(
    pooling: Pooling<'_>,
    name: &'static str,
    maps: &[Bound<'py, PyAny>],
    boxes: Arg<'_, 'py>,
    batch_indices: Option<Arg<'_, 'py>>,
    layout: Layout,
) -> PyResult<(PerMap<Array4<'py>>, BoxTable<'py>, [usize; 4])> {
    let arrays = maps.iter().map(|map| Array4::new(name, map, layout)).collect::<PyResult<PerMap<_>>>()?;
    let shapes: PerMap<_> = arrays.iter().map(Array4::shape).collect();
    let table = BoxTable::new(boxes, batch_indices, shapes.first().map_or(0, |shape| shape[0]))?;
    let shape = pooling.output_shape(&shapes, table.len())?;
    arrays.iter().try_for_each(|map| map.check_same_dtype(name, &arrays[0]))?;
    Ok((arrays, table, shape))
}

#[pyfunction]
pub fn backward<'py>(
    op: &Operator,
    grad_output: Arg<'_, 'py>,
    boxes: Arg<'_, 'py>,
    batch_indices: Option<Arg<'_, 'py>>,
    input_shapes: Vec<Shape>,
    spatial_scales: Arg<'_, 'py>,
    levels: Option<Levels<'py>>,
    argmax: Option<Arg<'_, 'py>>,
    accumulate: Arg<'_, 'py>,
    layout: Arg<'_, 'py>,
    outs: Option<Vec<Bound<'py, PyAny>>>,
    invalid: Arg<'_, 'py>,
    device: Option<&Device>,
) -> PyResult<Vec<Py<PyAny>>> {
    let py = boxes.py();
    let (layout, invalid) = (Layout::named(layout)?, self::invalid(invalid)?);
    let accumulate = flag("accumulate", accumulate)?;
    let scales = Scales::new(spatial_scales, levels)?;
    let outs: Vec<_> = match &outs {
        Some(outs) => outs.iter().map(Some).collect(),
        None => vec![None; input_shapes.len()],
    };
    let grads = Grads::new(grad_output, layout)?;
    if outs.len() != input_shapes.len() {
        let (got, expected) = (outs.len(), input_shapes.len());
        let message = format!("out has {got} arrays for {expected} maps; pass one array for each map");
        return Err(Error::Conflict(message).into());
    }
    if accumulate && outs.iter().any(Option::is_none) {
        return Err(Error::Conflict("accumulate=True needs out, the array to add to".to_owned()).into());
    }
    let pooling = scales.pooling(op, grads.bins(), ["input_shape", "input_shapes"]);
    let shapes = input_shapes.iter().enumerate();
    let shapes = shapes
        .map(|(stage, &shape)| map_shape(pooling.maps.name(stage), shape, layout))
        .collect::<Result<Vec<_>>>()?;
    let table = BoxTable::new(boxes, batch_indices, shapes.first().map_or(0, |shape| shape[0]))?;
    pooling.output_shape(&shapes, table.len())?;
    let grads = match grads {
        Grads::Host(array) => array,
        Grads::Device(array) => {
            let (grads, boxes) = (array.get(), &table.read()?);
            grads.check(layout, device.map(|device| &device.0))?;
            let call = gpu::Call { py, pooling, boxes, invalid };
            return call.backward(grads, argmax, &shapes, accumulate, &outs);
        }
    };
    let places = argmax.map(|argmax| Indices4::new("argmax", argmax, layout)).transpose()?;
    let mut inputs: Vec<_> = [grad_output, boxes].into_iter().chain(batch_indices).chain(argmax).collect();
    let mut results = Vec::with_capacity(outs.len());
    for (&shape, &out) in shapes.iter().zip(&outs) {
        results.push(Output::values(&grads, &inputs, shape, out)?);
        // What one of them writes must not be another's.
        inputs.extend(out);
    }
    let boxes = &table.read()?;
    if let Some(device) = device {
        let call = gpu::Call { py, pooling, boxes, invalid };
        call.backward_once(device, &grads, places.as_ref(), &results, accumulate)?;
    } else {
        for_dtype!(grads.dtype, E => {
            // SAFETY: `Output` made or checked the arrays for the dtype of the gradients, which is no integer.
            let (grads, outs) = unsafe {
                (grads.view::<E>(), results.iter().map(|out| out.view::<E>()).collect::<Vec<_>>())
            };
            let places = places.as_ref().map(Indices4::view);
            interruptible(py, |settings| {
                run::backward(pooling, &grads, places.as_ref(), boxes, &outs, accumulate, invalid, settings)
            })
        })?;
    }
    Ok(results.into_iter().map(|result| result.array.into_any().unbind()).collect())
}

/// The gradients that come in.
enum Grads<'py> {
    Host(Array4<'py>),
    Device(Bound<'py, DeviceArray>),
}

impl<'py> Grads<'py> {
    fn new(object: Arg<'_, 'py>, layout: Layout) -> PyResult<Self> {
        if let Ok(array) = object.cast::<DeviceArray>() {
            return Ok(Self::Device(array.clone()));
        }
        let array = Array4::new("grad_output", object, layout)?;
        array.check_float("grad_output")?;
        Ok(Self::Host(array))
    }

    /// Bins of a box.
    fn bins(&self) -> Extent {
        let [_, _, height, width] = match self {
            Self::Host(array) => array.shape(),
            Self::Device(array) => array.get().array.shape(),
        };
        Extent { height, width }
    }
}

/// A map's shape, in the order (image, channel, row, column).
fn map_shape(name: String, (Int(a), Int(b), Int(c), Int(d)): Shape, layout: Layout) -> Result<[usize; 4]> {
    let sides = layout.logical([a, b, c, d]);
    if sides.iter().any(|&side| side < 0) {
        let got = tuple(&[a, b, c, d]);
        return Err(Error::NegativeSide { name, got });
    }
    Ok(sides.map(|side| side as usize))
}

#[pyfunction]
pub fn box_gradient<'py>(
    op: &Operator,
    grad_output: Arg<'_, 'py>,
    maps: &Bound<'py, PyList>,
    boxes: Arg<'_, 'py>,
    batch_indices: Option<Arg<'_, 'py>>,
    spatial_scales: Arg<'_, 'py>,
    levels: Option<Levels<'py>>,
    layout: Arg<'_, 'py>,
    out: Option<Arg<'_, 'py>>,
    invalid: Arg<'_, 'py>,
) -> PyResult<Py<PyAny>> {
    let py = boxes.py();
    let (layout, invalid) = (Layout::named(layout)?, self::invalid(invalid)?);
    let name = if levels.is_some() { "features_list" } else { "features" };
    let scales = Scales::new(spatial_scales, levels)?;
    let maps: PerMap<_> = maps.iter().collect();
    let grads = Array4::new("grad_output", grad_output, layout)?;
    let [_, _, height, width] = grads.shape();
    let pooling = scales.pooling(op, Extent { height, width }, ["features", "features_list"]);
    let (arrays, table, _) = host_maps(pooling, name, &maps, boxes, batch_indices, layout)?;
    grads.check_dtype_of_result("grad_output", &arrays[0])?;
    let inputs: SmallVec<[_; 4]> = maps.iter().chain([grad_output, boxes]).chain(batch_indices).collect();
    let out = BoxOutput::new(py, &table, &inputs, out)?;
    let boxes = &table.read()?;
    out.write(&for_dtype!(arrays[0].dtype, E => {
        // SAFETY: the maps have the dtype that `E` stands for; the gradients were checked to have that of its results.
        let (maps, grads) = unsafe {
            let maps: PerMap<_> = arrays.iter().map(|map| map.view::<E>()).collect();
            (maps, grads.view::<<E as Element>::Output>())
        };
        interruptible(py, |settings| {
            run::box_gradient(pooling, &grads, &maps, boxes, invalid, settings)
        })
    })?);
    Ok(out.array.into_any().unbind())
}
