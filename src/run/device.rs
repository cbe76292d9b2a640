//! Calls whose arrays lie on a device.

use super::{Boxes, Invalid, Pyramid, check_shape};
use crate::element::Real;
use crate::error::Result;
use crate::gpu;
use crate::ops::RoiOp;

/// Pools every box of features that lie on a device, where the result stays.
///
/// # Errors
/// As [`forward`], or if the device fails.
pub fn forward_on_device<B: Real>(
    op: &impl RoiOp,
    features: &gpu::Array,
    boxes: &Boxes<B>,
    argmax: bool,
    invalid: Invalid,
    threads: usize,
) -> Result<(gpu::Array, Option<gpu::Array>)> {
    let (pyramid, maps) = (Pyramid::one(op), [features.shape()]);
    let shape = pyramid.output_shape(&maps, boxes.corners.len())?;
    pyramid.check_boxes(&maps, boxes, invalid)?;
    let results = gpu::Results::new(&[features], shape, argmax)?;
    let pass = pyramid.boxes_per_pass(&maps);
    for together in results.rows() {
        for first in together.clone().step_by(pass) {
            let rows = first..together.end.min(first + pass);
            let plan_rows = rows.clone();
            if features.dtype() == gpu::Dtype::F64 {
                let plan = pyramid.plan::<B, f64>(&maps, boxes, plan_rows, invalid, threads)?;
                gpu::gather(&plan, &[features], &results, &rows)?;
            } else {
                let plan = pyramid.plan::<B, f32>(&maps, boxes, plan_rows, invalid, threads)?;
                gpu::gather(&plan, &[features], &results, &rows)?;
            }
        }
    }
    Ok((results.values, results.argmax))
}

/// Gradient for features of shape `features`, from gradients of pooled boxes that lie on a device.
///
/// `argmax` is what the forward pass gave for a mode that takes a maximum.
///
/// # Errors
/// As [`forward_on_device`].
pub fn backward_on_device<B: Real>(
    op: &impl RoiOp,
    grads: &gpu::Array,
    argmax: Option<&gpu::Array>,
    boxes: &Boxes<B>,
    features: [usize; 4],
    invalid: Invalid,
    threads: usize,
) -> Result<gpu::Array> {
    let (pyramid, maps) = (Pyramid::one(op), [features]);
    let shape = pyramid.output_shape(&maps, boxes.corners.len())?;
    check_shape("grad_output", shape, grads.shape())?;
    argmax.map_or(Ok(()), |argmax| check_shape("argmax", shape, argmax.shape()))?;
    pyramid.check_boxes(&maps, boxes, invalid)?;
    let mut gradient = gpu::Gradient::new(grads, argmax, &[features])?;
    let pass = pyramid.boxes_per_pass(&maps);
    let together = grads.rows();
    let parts = together
        .iter()
        .flat_map(|rows| rows.clone().step_by(pass).map(|first| first..rows.end.min(first + pass)));
    // Without boxes there is still a gradient to be written, of zeros.
    for rows in parts.chain(together.is_empty().then_some(0..0)) {
        let plan_rows = rows.clone();
        if grads.dtype() == gpu::Dtype::F64 {
            let plan = pyramid.plan::<B, f64>(&maps, boxes, plan_rows, invalid, threads)?;
            gradient.add(&plan, grads, argmax, &rows)?;
        } else {
            let plan = pyramid.plan::<B, f32>(&maps, boxes, plan_rows, invalid, threads)?;
            gradient.add(&plan, grads, argmax, &rows)?;
        }
    }
    Ok(gradient.maps.remove(0))
}
