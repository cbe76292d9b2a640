//! Calls whose arrays lie on a device.

use std::ops::Range;

use super::backward::check_incoming;
use super::{Boxes, Invalid, Pyramid};
use crate::cpu;
use crate::element::Real;
use crate::error::{Error, Result};
use crate::gpu::{self, Array, Dtype};
use crate::ops::RoiOp;
use crate::taps::Plan;

/// Pools every box from its map of a pyramid that lies on a device, where the result stays.
///
/// # Errors
/// As [`forward_pyramid`](super::forward_pyramid), or if the device fails.
pub fn forward_on_device<B: Real>(
    pyramid: Pyramid<'_, impl RoiOp>,
    features: &[&Array],
    boxes: &Boxes<B>,
    argmax: bool,
    invalid: Invalid,
    settings: cpu::Settings<'_>,
) -> Result<(Array, Option<Array>)> {
    let maps: Vec<_> = features.iter().map(|map| map.shape()).collect();
    let shape = pyramid.output_shape(&maps, boxes.corners.len())?;
    check_together("features_list", features)?;
    pyramid.check_boxes(&maps, boxes, invalid)?;
    let results = gpu::Results::new(features, shape, argmax)?;
    for rows in results.rows().iter().flat_map(|rows| pyramid.passes(&maps, boxes, rows.clone())) {
        if features[0].dtype() == Dtype::F64 {
            let plan = pyramid.plan::<B, f64>(&maps, boxes, rows.clone(), invalid, settings)?;
            gather(&plan, features, &results, &rows, settings)?;
        } else {
            let plan = pyramid.plan::<B, f32>(&maps, boxes, rows.clone(), invalid, settings)?;
            gather(&plan, features, &results, &rows, settings)?;
        }
    }
    Ok((results.values, results.argmax))
}

/// Pools the boxes of a plan, which are these rows of the results.
fn gather<T: gpu::Weight>(
    plan: &Plan<T>,
    features: &[&Array],
    results: &gpu::Results,
    rows: &Range<usize>,
    settings: cpu::Settings<'_>,
) -> Result<()> {
    if results.argmax.is_some() {
        let widths: Vec<_> = features.iter().map(|map| map.shape()[3]).collect();
        cpu::check_numbers(plan, &widths)?;
    }
    gpu::gather(plan, features, results, rows, settings)
}

/// Gradients for the maps from gradients of pooled boxes that lie on a device.
///
/// `argmax`, for the max modes, is what the forward pass gave. Every element of `out` is written; with `accumulate` it
/// is added to instead.
///
/// # Errors
/// As [`backward`](super::backward), or if the device fails; but nobody looks into `argmax`: what is no candidate of
/// its bin has no gradient.
#[allow(clippy::too_many_arguments, reason = "what one call of the backward pass is made of")]
pub fn backward_on_device<B: Real>(
    pyramid: Pyramid<'_, impl RoiOp>,
    grads: &Array,
    argmax: Option<&Array>,
    boxes: &Boxes<B>,
    out: &[&Array],
    accumulate: bool,
    invalid: Invalid,
    settings: cpu::Settings<'_>,
) -> Result<()> {
    let maps: Vec<_> = out.iter().map(|map| map.shape()).collect();
    check_incoming(&pyramid, &maps, boxes.corners.len(), grads.shape(), argmax.map(Array::shape))?;
    let values: Vec<_> = [grads].into_iter().chain(out.iter().copied()).collect();
    check_together("out", &values)?;
    if let Some(argmax) = argmax {
        gpu::check_same_device(&[grads, argmax])?;
        if argmax.dtype() != Dtype::I64 {
            let (got, hint) = (argmax.dtype().to_string(), "use what the forward call returned");
            return Err(Error::Dtype { name: "argmax", got, hint });
        }
    }
    pyramid.check_boxes(&maps, boxes, invalid)?;
    let incoming = gpu::Incoming { grads, argmax };
    let mut scatter = gpu::Scatter::new(incoming, out, accumulate);
    // Without boxes there is still a gradient to be written, of zeros.
    let mut together = incoming.rows();
    if together.is_empty() {
        together.push(0..0);
    }
    let mut passes = together.into_iter().flat_map(|rows| pyramid.passes(&maps, boxes, rows)).peekable();
    while let Some(rows) = passes.next() {
        let is_last = passes.peek().is_none();
        if grads.dtype() == Dtype::F64 {
            let plan = pyramid.plan::<B, f64>(&maps, boxes, rows.clone(), invalid, settings)?;
            scatter.add(&plan, &rows, is_last, settings)?;
        } else {
            let plan = pyramid.plan::<B, f32>(&maps, boxes, rows.clone(), invalid, settings)?;
            scatter.add(&plan, &rows, is_last, settings)?;
        }
    }
    Ok(())
}

fn check_together(name: &'static str, arrays: &[&Array]) -> Result<()> {
    gpu::check_same_device(arrays)?;
    match arrays.iter().find(|array| array.dtype() != arrays[0].dtype()) {
        Some(other) => {
            let hint = "all arrays of values must have the dtype of the first";
            Err(Error::Dtype { name, got: other.dtype().to_string(), hint })
        }
        None => Ok(()),
    }
}
