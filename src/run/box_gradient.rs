//! Gradients for the boxes: check → plan with slopes → sums of gradient times features, weighted by the slopes.

use super::{Boxes, Invalid, Planner, Pooling, check_shape};
use crate::cpu;
use crate::element::Element;
use crate::error::{Result, reserve};
use crate::ops::RoiOp;
use crate::view::View;

/// Gradient for the coordinates `x1, y1, x2, y2` of each box, from the gradient for the pooled boxes. The operator
/// must have one ([`RoiOp::check_box_gradient`]).
///
/// Invalid boxes get zeros or NaN, as `invalid` says.
///
/// # Errors
/// As for [`forward`](super::forward).
pub fn box_gradient<E: Element>(
    pooling: Pooling<'_>,
    grad_output: &View<'_, E::Output>,
    features: &[View<'_, E>],
    boxes: &Boxes,
    invalid: Invalid,
    settings: cpu::Settings<'_>,
) -> Result<Vec<[f64; 4]>> {
    let maps: Vec<_> = features.iter().map(View::shape).collect();
    let shape = pooling.output_shape(&maps, boxes.len())?;
    check_shape("grad_output", shape, grad_output.shape())?;
    pooling.op.check_box_gradient()?;
    let planner = Planner::new(pooling, &maps, boxes, invalid, settings)?;
    let mut gradients = Vec::new();
    reserve(&mut gradients, shape[0], "gradients of boxes")?;
    gradients.resize(shape[0], [0.0; 4]);
    if shape[0] > 0 {
        for rows in planner.passes(0..shape[0]) {
            let plan = planner.plan::<_, true>(rows);
            cpu::box_gradient(&plan?, grad_output, features, &mut gradients, settings)?;
        }
    }
    Ok(gradients)
}
