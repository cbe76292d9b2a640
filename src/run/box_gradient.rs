//! Gradients for the boxes: check → plan with slopes → sums of gradient times features, weighted by the slopes.

use super::{Boxes, Invalid, Pyramid, check_shape};
use crate::cpu;
use crate::element::{Element, Real};
use crate::error::{Error, Result, reserve};
use crate::ops::RoiSlopes;
use crate::view::View;

/// Gradient for the coordinates `x1, y1, x2, y2` of each box, from the gradient for the pooled boxes. The operator
/// must take a mean (`Mode::Avg`).
///
/// The derivative is exact for a fixed number of samples. Where the result is not differentiable:
///
/// * A sample on a pixel centre takes the mean of the slopes on both sides.
/// * A sample that leaves the map contributes no jump.
/// * A box side that is widened to one cell moves with its first end alone.
///
/// Invalid boxes get zeros or NaN, as `invalid` says.
///
/// # Errors
/// As for [`forward`](super::forward).
pub fn box_gradient<E: Element, B: Real>(
    pyramid: Pyramid<'_, impl RoiSlopes>,
    grad_output: &View<'_, E::Output>,
    features: &[View<'_, E>],
    boxes: &Boxes<B>,
    invalid: Invalid,
    settings: cpu::Settings<'_>,
) -> Result<Vec<[f64; 4]>> {
    let shapes: Vec<_> = features.iter().map(View::shape).collect();
    let shape = pyramid.output_shape(&shapes, boxes.corners.len())?;
    check_shape("grad_output", shape, grad_output.shape())?;
    if pyramid.ops[0].reduce().has_argmax() {
        return Err(Error::Conflict("the gradient for boxes needs a mean; use Mode::Avg".to_owned()));
    }
    pyramid.check_boxes(&shapes, boxes, invalid)?;
    let mut gradients = Vec::new();
    reserve(&mut gradients, shape[0], "gradients of boxes")?;
    gradients.resize(shape[0], [0.0; 4]);
    if shape[0] > 0 {
        for rows in pyramid.passes(&shapes, boxes, 0..shape[0]) {
            let plan = pyramid.plan_with_slopes(&shapes, boxes, rows, invalid, settings);
            cpu::box_gradient(&plan?, grad_output, features, &mut gradients, settings)?;
        }
    }
    Ok(gradients)
}
