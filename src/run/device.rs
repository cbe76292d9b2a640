//! Calls whose arrays lie on a device.

use std::ops::Range;

use super::backward::check_incoming;
use super::{Boxes, Invalid, Planner, Pooling};
use crate::cpu;
use crate::error::{Error, Result};
use crate::gpu::{self, Array, Dtype};
use crate::taps::Plan;

/// Pools each box from one map on a device. The result stays on the device.
///
/// # Errors
/// As for [`forward`](super::forward), or if the device fails.
pub fn forward_on_device(
    pooling: Pooling<'_>,
    features: &[&Array],
    boxes: &Boxes,
    argmax: bool,
    invalid: Invalid,
    settings: cpu::Settings<'_>,
) -> Result<(Array, Option<Array>)> {
    let maps: Vec<_> = features.iter().map(|map| map.shape()).collect();
    let shape = pooling.output_shape(&maps, boxes.len())?;
    check_together("features_list", features)?;
    let planner = Planner::new(pooling, &maps, boxes, invalid, settings)?;
    let results = gpu::Results::new(features, shape, argmax)?;
    for rows in results.rows().iter().flat_map(|rows| planner.passes(rows.clone())) {
        if features[0].dtype() == Dtype::F64 {
            let plan = planner.plan::<f64, false>(rows.clone())?;
            gather(&plan, features, &results, &rows, settings)?;
        } else {
            let plan = planner.plan::<f32, false>(rows.clone())?;
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
        cpu::check_candidates(plan, &widths)?;
    }
    gpu::gather(plan, features, results, rows, settings)
}

/// Gradient for the maps, from the gradient for the pooled boxes, on a device.
///
/// The max modes need the `argmax` of the forward pass. Every element of `out` is overwritten, or added to with
/// `accumulate`. The values of `argmax` are not validated: one that is out of range for its bin contributes nothing.
///
/// # Errors
/// As for [`backward`](super::backward), or if the device fails.
#[allow(clippy::too_many_arguments, reason = "what one call of the backward pass is made of")]
pub fn backward_on_device(
    pooling: Pooling<'_>,
    grads: &Array,
    argmax: Option<&Array>,
    boxes: &Boxes,
    out: &[&Array],
    accumulate: bool,
    invalid: Invalid,
    settings: cpu::Settings<'_>,
) -> Result<()> {
    let maps: Vec<_> = out.iter().map(|map| map.shape()).collect();
    check_incoming(pooling, &maps, boxes.len(), grads.shape(), argmax.map(Array::shape))?;
    let values: Vec<_> = [grads].into_iter().chain(out.iter().copied()).collect();
    check_together("out", &values)?;
    if let Some(argmax) = argmax {
        gpu::check_same_device(&[grads, argmax])?;
        if argmax.dtype() != Dtype::I64 {
            let (got, hint) = (argmax.dtype().to_string(), "use what the forward call returned");
            return Err(Error::Dtype { name: "argmax", got, hint });
        }
    }
    let planner = Planner::new(pooling, &maps, boxes, invalid, settings)?;
    let incoming = gpu::Incoming { grads, argmax };
    let mut scatter = gpu::Scatter::new(incoming, out, accumulate);
    // Without boxes there is still a gradient to be written, of zeros.
    let mut together = incoming.rows();
    if together.is_empty() {
        together.push(0..0);
    }
    let mut passes = together.into_iter().flat_map(|rows| planner.passes(rows)).peekable();
    while let Some(rows) = passes.next() {
        let is_last = passes.peek().is_none();
        if grads.dtype() == Dtype::F64 {
            let plan = planner.plan::<f64, false>(rows.clone())?;
            scatter.add(&plan, &rows, is_last, settings)?;
        } else {
            let plan = planner.plan::<f32, false>(rows.clone())?;
            scatter.add(&plan, &rows, is_last, settings)?;
        }
    }
    Ok(())
}

fn check_together(name: &'static str, arrays: &[&Array]) -> Result<()> {
    gpu::check_same_device(arrays)?;
    match arrays.iter().find(|array| array.dtype() != arrays[0].dtype()) {
        Some(other) => {
            let hint = "use the same dtype for all arrays of the call";
            Err(Error::Dtype { name, got: other.dtype().to_string(), hint })
        }
        None => Ok(()),
    }
}
