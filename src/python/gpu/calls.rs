//! Operators on arrays that lie on a device, or that go there for one call.

use std::sync::Arc;

use pyo3::prelude::*;

use super::{Device, download, send, upload};
use crate::error::{Error, tuple};
use crate::gpu::Array;
use crate::python::arrays::{Array4, DeviceArray, Indices4, Layout, Output};
use crate::python::interrupt::interruptible;
use crate::run::{self, Boxes, Invalid, Pooling};

/// A call on a device, without its arrays.
#[derive(Clone, Copy)]
pub struct Call<'a, 'py> {
    pub py: Python<'py>,
    pub pooling: Pooling<'a>,
    pub boxes: &'a Boxes,
    pub invalid: Invalid,
}

impl<'py> Call<'_, 'py> {
    /// Pools maps that lie on a device; the result stays there.
    pub fn forward(
        self,
        maps: &[Bound<'_, DeviceArray>],
        layout: Layout,
        argmax: bool,
    ) -> PyResult<Py<PyAny>> {
        let maps: Vec<_> = maps.iter().map(|map| &*map.get().array).collect();
        let array = |array| DeviceArray { array: Arc::new(array), layout };
        Ok(match self.pool(&maps, argmax)? {
            (values, Some(argmax)) => {
                (array(values), array(argmax)).into_pyobject(self.py)?.into_any().unbind()
            }
            (values, None) => array(values).into_pyobject(self.py)?.into_any().unbind(),
        })
    }

    /// Uploads, pools and downloads.
    pub fn forward_once(
        self,
        device: &Device,
        maps: &[Array4<'_>],
        out: &Output<'_>,
        argmax: Option<&Output<'_>>,
    ) -> PyResult<()> {
        let maps = maps.iter().map(|map| upload(self.py, &device.0, map)).collect::<PyResult<Vec<_>>>()?;
        let (values, places) = self.pool(&maps.iter().collect::<Vec<_>>(), argmax.is_some())?;
        download(self.py, &values, out)?;
        places.iter().zip(argmax).try_for_each(|(places, argmax)| download(self.py, places, argmax))
    }

    fn pool(self, maps: &[&Array], argmax: bool) -> PyResult<(Array, Option<Array>)> {
        let Self { py, pooling, boxes, invalid } = self;
        interruptible(py, |settings| run::forward_on_device(pooling, maps, boxes, argmax, invalid, settings))
    }

    /// Gradients for maps of these shapes from gradients that lie on a device, where the result stays.
    pub fn backward(
        self,
        grads: &DeviceArray,
        argmax: Option<&Bound<'py, PyAny>>,
        shapes: &[[usize; 4]],
        accumulate: bool,
        outs: &[Option<&Bound<'py, PyAny>>],
    ) -> PyResult<Vec<Py<PyAny>>> {
        let (grads, layout) = (&grads.array, grads.layout);
        let argmax = match argmax {
            None => None,
            Some(argmax) => Some(if let Ok(argmax) = argmax.cast::<DeviceArray>() {
                argmax.get().check(layout, None)?;
                Arc::clone(&argmax.get().array)
            } else {
                let argmax = Indices4::new("argmax", argmax, layout)?;
                self.check(shapes, grads.shape(), Some(&argmax))?;
                Arc::new(send(self.py, &grads.device(), argmax.view())?)
            }),
        };
        let mut inputs = vec![grads];
        inputs.extend(&argmax);
        let mut results = Vec::with_capacity(outs.len());
        for (&shape, out) in shapes.iter().zip(outs) {
            results.push(match out {
                None => {
                    let array = Arc::new(grads.room_for_gradient(shape)?);
                    Bound::new(self.py, DeviceArray { array, layout })?
                }
                Some(out) => given(out, shape, layout, &inputs, &results)?,
            });
        }
        let maps: Vec<_> = results.iter().map(|map| &*map.get().array).collect();
        self.scatter(grads, argmax.as_deref(), &maps, accumulate)?;
        Ok(results.into_iter().map(|map| map.into_any().unbind()).collect())
    }

    /// Uploads, goes back and downloads.
    pub fn backward_once(
        self,
        device: &Device,
        grads: &Array4<'_>,
        argmax: Option<&Indices4<'_>>,
        outs: &[Output<'_>],
        accumulate: bool,
    ) -> PyResult<()> {
        let shapes: Vec<_> = outs.iter().map(Output::shape).collect();
        self.check(&shapes, grads.shape(), argmax)?;
        let grads = upload(self.py, &device.0, grads)?;
        let argmax = argmax.map(|argmax| send(self.py, &device.0, argmax.view())).transpose()?;
        let room = |out: &Output<'_>| {
            if accumulate {
                return upload(self.py, &device.0, &out.as_input()?);
            }
            Ok(grads.room_for_gradient(out.shape())?)
        };
        let maps = outs.iter().map(room).collect::<PyResult<Vec<_>>>()?;
        self.scatter(&grads, argmax.as_ref(), &maps.iter().collect::<Vec<_>>(), accumulate)?;
        maps.iter().zip(outs).try_for_each(|(map, out)| download(self.py, map, out))
    }

    /// Looks at what comes in while it is on the host.
    fn check(self, shapes: &[[usize; 4]], grads: [usize; 4], argmax: Option<&Indices4<'_>>) -> PyResult<()> {
        let Self { py, pooling, boxes, invalid } = self;
        let argmax = argmax.map(Indices4::view);
        interruptible(py, |settings| {
            run::check_backward(pooling, shapes, grads, argmax.as_ref(), boxes, invalid, settings)
        })
    }

    fn scatter(
        self,
        grads: &Array,
        argmax: Option<&Array>,
        maps: &[&Array],
        accumulate: bool,
    ) -> PyResult<()> {
        let Self { py, pooling, boxes, invalid } = self;
        interruptible(py, |settings| {
            run::backward_on_device(pooling, grads, argmax, boxes, maps, accumulate, invalid, settings)
        })
    }
}

/// The caller's array for a result on a device.
fn given<'py>(
    out: &Bound<'py, PyAny>,
    shape: [usize; 4],
    layout: Layout,
    inputs: &[&Arc<Array>],
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
