//! The backward pass: check → plan → the same taps, transposed.

use super::{Boxes, Invalid, Pyramid, check_shape};
use crate::cpu;
use crate::element::{Element, Real};
use crate::error::{Error, Result};
use crate::ops::RoiOp;
use crate::view::{View, ViewMut};

/// Gradients for the maps from the gradients of the pooled boxes.
///
/// `argmax`, for the max modes, is what the forward pass gave.
///
/// Every element of `out` is written; with `accumulate` it is added to instead. Boxes that cannot be pooled, if
/// `invalid` lets them pass, have no gradient.
///
/// # Errors
/// As for [`forward`](super::forward), or if there is an argmax too much, too little, or one that is no candidate of
/// its bin. Nothing was written then.
#[allow(clippy::too_many_arguments, reason = "what one call of the backward pass is made of")]
pub fn backward<E: Element, B: Real>(
    pyramid: Pyramid<'_, impl RoiOp>,
    grad_output: &View<'_, E>,
    argmax: Option<&View<'_, i64>>,
    boxes: &Boxes<B>,
    out: &[ViewMut<'_, E>],
    accumulate: bool,
    invalid: Invalid,
    settings: cpu::Settings,
) -> Result<()> {
    let shapes: Vec<_> = out.iter().map(ViewMut::shape).collect();
    let shape = pyramid.output_shape(&shapes, boxes.corners.len())?;
    check_shape("grad_output", shape, grad_output.shape())?;
    argmax.map_or(Ok(()), |argmax| check_shape("argmax", shape, argmax.shape()))?;
    let takes_maximum = pyramid.ops[0].reduce().has_argmax();
    if takes_maximum != argmax.is_some() {
        let problem = if takes_maximum { "is needed for" } else { "must be None unless the mode takes" };
        return Err(Error::Conflict(format!("argmax {problem} a maximum")));
    }
    pyramid.check_boxes(&shapes, boxes, invalid)?;
    if shapes[0][0] == 0 || shapes[0][1] == 0 {
        return Ok(());
    }
    let plans = || {
        let passes = pyramid.passes(&shapes, boxes.corners.len());
        passes.map(|rows| pyramid.plan(&shapes, boxes, rows, invalid, settings.threads))
    };
    if let Some(argmax) = argmax {
        let widths: Vec<_> = shapes.iter().map(|[.., width]| *width).collect();
        plans().try_for_each(|plan| cpu::check_argmax(&plan?, argmax, &widths, settings.threads))?;
    }
    let mut accumulate = accumulate;
    for plan in plans() {
        cpu::scatter(&plan?, grad_output, argmax, out, accumulate, settings)?;
        accumulate = true;
    }
    Ok(())
}
