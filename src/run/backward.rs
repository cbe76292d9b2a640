//! The backward pass: check → plan → the same taps, transposed.

use super::{Boxes, Invalid, Pyramid, check_shape};
use crate::cpu;
use crate::element::{Element, Real};
use crate::error::Result;
use crate::ops::RoiOp;
use crate::view::{View, ViewMut};

/// Gradients for the maps from the gradients of the pooled boxes.
///
/// Every element of `out` is written; with `accumulate` it is added to instead. Boxes that cannot be pooled, if
/// `invalid` lets them pass, have no gradient.
///
/// # Errors
/// As for [`forward`](super::forward).
pub fn backward<E: Element, B: Real>(
    pyramid: Pyramid<'_, impl RoiOp>,
    grad_output: &View<'_, E>,
    boxes: &Boxes<B>,
    out: &[ViewMut<'_, E>],
    accumulate: bool,
    invalid: Invalid,
    settings: cpu::Settings,
) -> Result<()> {
    let shapes: Vec<_> = out.iter().map(ViewMut::shape).collect();
    let shape = pyramid.output_shape(&shapes, boxes.corners.len())?;
    check_shape("grad_output", shape, grad_output.shape())?;
    pyramid.check_boxes(&shapes, boxes, invalid)?;
    if shapes[0][0] == 0 || shapes[0][1] == 0 {
        return Ok(());
    }
    let mut accumulate = accumulate;
    let mut pass = |rows| {
        let plan = pyramid.plan(&shapes, boxes, rows, invalid, settings.threads);
        cpu::scatter(&plan, grad_output, out, accumulate, settings);
        accumulate = true;
    };
    if boxes.corners.is_empty() {
        pass(0..0);
    }
    pyramid.passes(&shapes, boxes.corners.len()).for_each(pass);
    Ok(())
}
