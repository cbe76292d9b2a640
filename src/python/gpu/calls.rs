//! Operators on arrays that lie on a device, or that go there for one call.

use std::sync::Arc;

use pyo3::prelude::*;

use super::{Device, DeviceArray, download, layout_name, send, upload};
use crate::error::{Error, Result, tuple};
use crate::gpu;
use crate::python::arrays::{Array4, BoxTable, Indices4, Layout, Output};
use crate::python::interrupt::interruptible;
use crate::python::process::settings;
use crate::run::{self, Boxes, Invalid, Pooling};

/// The arrays, if they lie on a device.
pub fn on_device<'py>(
    name: &str,
    objects: &[Bound<'py, PyAny>],
) -> PyResult<Option<Vec<Bound<'py, DeviceArray>>>> {
    let arrays: Vec<_> =
        objects.iter().filter_map(|object| object.cast::<DeviceArray>().ok().cloned()).collect();
    if arrays.is_empty() {
        return Ok(None);
    }
    if arrays.len() < objects.len() {
        return Err(Error::Conflict(format!(
            "{name}: some arrays are on a device and some are not; upload all of them with Device.features"
        ))
        .into());
    }
    Ok(Some(arrays))
}

impl DeviceArray {
    /// (images, channels, rows, columns).
    pub fn logical_shape(&self) -> [usize; 4] {
        self.array.shape()
    }

    /// Refuses a layout and a device that are not the array's.
    fn check(&self, layout: Layout, device: Option<&Device>) -> Result<()> {
        if layout != self.layout {
            let (expected, got) = (layout_name(self.layout), layout_name(layout));
            let message =
                format!("layout must be {expected:?}, that of the arrays on the device, got {got:?}");
            return Err(Error::Conflict(message));
        }
        match device {
            Some(Device(device)) if !self.array.is_on(device) => {
                let message =
                    "device must be the one that holds the arrays; leave it out for arrays on a device";
                Err(Error::Conflict(message.to_owned()))
            }
            _ => Ok(()),
        }
    }
}

/// Pools maps that lie on a device; the result stays there.
pub fn forward<'py>(
    pooling: Pooling<'_>,
    maps: &[Bound<'py, DeviceArray>],
    (boxes, batch_indices): (&Bound<'py, PyAny>, Option<&Bound<'py, PyAny>>),
    return_argmax: bool,
    layout: Layout,
    has_out: bool,
    invalid: Invalid,
    device: Option<&Device>,
) -> PyResult<Py<PyAny>> {
    let py = boxes.py();
    if has_out {
        let message = "out cannot be given for features on a device, because the result stays there; leave it \
                       out and download with .numpy(out=...)";
        return Err(Error::Conflict(message.to_owned()).into());
    }
    maps.iter().try_for_each(|map| map.get().check(layout, device))?;
    let maps: Vec<_> = maps.iter().map(|map| &*map.get().array).collect();
    let rois = BoxTable::new(boxes, batch_indices, maps[0].shape()[0])?.read()?;
    let (values, argmax) = run_forward(py, pooling, &maps, &rois, return_argmax, invalid)?;
    let array = |array| DeviceArray { array: Arc::new(array), layout };
    Ok(match argmax {
        Some(argmax) => (array(values), array(argmax)).into_pyobject(py)?.into_any().unbind(),
        None => array(values).into_pyobject(py)?.into_any().unbind(),
    })
}

/// Uploads, pools and downloads.
pub fn forward_once(
    py: Python<'_>,
    device: &Device,
    pooling: Pooling<'_>,
    maps: &[Array4<'_>],
    rois: &Boxes,
    out: &Output<'_>,
    argmax: Option<&Output<'_>>,
    invalid: Invalid,
) -> PyResult<()> {
    let maps = maps.iter().map(|map| upload(py, &device.0, map)).collect::<PyResult<Vec<_>>>()?;
    let maps: Vec<_> = maps.iter().collect();
    let return_argmax = argmax.is_some();
    let (values, sources) = run_forward(py, pooling, &maps, rois, return_argmax, invalid)?;
    download(py, &values, out)?;
    sources.iter().zip(argmax).try_for_each(|(sources, argmax)| download(py, sources, argmax))
}

fn run_forward(
    py: Python<'_>,
    pooling: Pooling<'_>,
    maps: &[&gpu::Array],
    rois: &Boxes,
    argmax: bool,
    invalid: Invalid,
) -> PyResult<(gpu::Array, Option<gpu::Array>)> {
    interruptible(py, settings()?, |settings| {
        run::forward_on_device(pooling, maps, rois, argmax, invalid, settings)
    })
}

/// Gradients for maps of these shapes from gradients that lie on a device, where the result stays.
pub fn backward<'py>(
    pooling: Pooling<'_>,
    grads: &Bound<'py, DeviceArray>,
    argmax: Option<&Bound<'py, PyAny>>,
    rois: &Boxes,
    shapes: &[[usize; 4]],
    accumulate: bool,
    outs: &[Option<&Bound<'py, PyAny>>],
    layout: Layout,
    invalid: Invalid,
    device: Option<&Device>,
) -> PyResult<Vec<Py<PyAny>>> {
    let (py, grads) = (grads.py(), grads.get());
    grads.check(layout, device)?;
    let argmax = match argmax {
        None => None,
        Some(argmax) => Some(if let Ok(argmax) = argmax.cast::<DeviceArray>() {
            argmax.get().check(layout, None)?;
            Arc::clone(&argmax.get().array)
        } else {
            let argmax = Indices4::new("argmax", argmax, layout)?;
            check(py, pooling, shapes, grads.array.shape(), Some(&argmax), rois, invalid)?;
            Arc::new(send(py, &grads.array.device(), argmax.view())?)
        }),
    };
    let mut inputs = vec![&grads.array];
    inputs.extend(&argmax);
    let mut results = Vec::with_capacity(outs.len());
    for (&shape, out) in shapes.iter().zip(outs) {
        results.push(match out {
            None => {
                let array = grads.array.room_for_gradient(shape)?;
                Bound::new(py, DeviceArray { array: Arc::new(array), layout })?
            }
            Some(out) => given(out, shape, layout, &inputs, &results)?,
        });
    }
    let maps: Vec<_> = results.iter().map(|map| &*map.get().array).collect();
    run_backward(py, pooling, &grads.array, argmax.as_deref(), rois, &maps, accumulate, invalid)?;
    Ok(results.into_iter().map(|map| map.into_any().unbind()).collect())
}

/// The caller's array for a result on a device.
fn given<'py>(
    out: &Bound<'py, PyAny>,
    shape: [usize; 4],
    layout: Layout,
    inputs: &[&Arc<gpu::Array>],
    others: &[Bound<'py, DeviceArray>],
) -> PyResult<Bound<'py, DeviceArray>> {
    let Ok(out) = out.cast::<DeviceArray>() else {
        let message = "out must be an array on the device, like grad_output; upload it, or leave it out and \
                       download the result with .numpy(out=...)";
        return Err(Error::Conflict(message.to_owned()).into());
    };
    let there = out.get();
    there.check(layout, None)?;
    if there.array.shape() != shape {
        let (expected, got) = (layout.stored(shape), layout.stored(there.array.shape()));
        return Err(Error::Shape { name: "out", expected: tuple(&expected), got: tuple(&got) }.into());
    }
    let mut arrays = inputs.iter().copied().chain(others.iter().map(|other| &other.get().array));
    if arrays.any(|array| Arc::ptr_eq(array, &there.array)) {
        return Err(Error::Conflict("out shares memory with an input; pass another array".to_owned()).into());
    }
    Ok(out.clone())
}

/// Uploads, goes back and downloads.
pub fn backward_once(
    py: Python<'_>,
    device: &Device,
    pooling: Pooling<'_>,
    grads: &Array4<'_>,
    argmax: Option<&Indices4<'_>>,
    rois: &Boxes,
    outs: &[Output<'_>],
    accumulate: bool,
    invalid: Invalid,
) -> PyResult<()> {
    let shapes: Vec<_> = outs.iter().map(Output::shape).collect();
    check(py, pooling, &shapes, grads.shape(), argmax, rois, invalid)?;
    let grads = upload(py, &device.0, grads)?;
    let argmax = argmax.map(|argmax| send(py, &device.0, argmax.view())).transpose()?;
    let room = |out: &Output<'_>| {
        if accumulate {
            return upload(py, &device.0, &out.as_input()?);
        }
        Ok(grads.room_for_gradient(out.shape())?)
    };
    let maps = outs.iter().map(room).collect::<PyResult<Vec<_>>>()?;
    let references: Vec<_> = maps.iter().collect();
    run_backward(py, pooling, &grads, argmax.as_ref(), rois, &references, accumulate, invalid)?;
    maps.iter().zip(outs).try_for_each(|(map, out)| download(py, map, out))
}

/// Looks at what comes in while it is on the host.
fn check(
    py: Python<'_>,
    pooling: Pooling<'_>,
    shapes: &[[usize; 4]],
    grads: [usize; 4],
    argmax: Option<&Indices4<'_>>,
    rois: &Boxes,
    invalid: Invalid,
) -> PyResult<()> {
    let argmax = argmax.map(Indices4::view);
    let argmax = argmax.as_ref();
    interruptible(py, settings()?, |settings| {
        run::check_backward(pooling, shapes, grads, argmax, rois, invalid, settings)
    })
}

fn run_backward(
    py: Python<'_>,
    pooling: Pooling<'_>,
    grads: &gpu::Array,
    argmax: Option<&gpu::Array>,
    rois: &Boxes,
    maps: &[&gpu::Array],
    accumulate: bool,
    invalid: Invalid,
) -> PyResult<()> {
    interruptible(py, settings()?, |settings| {
        run::backward_on_device(pooling, grads, argmax, rois, maps, accumulate, invalid, settings)
    })
}
