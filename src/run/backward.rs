//! The backward pass: check → plan → the same taps, transposed.

use super::{Boxes, Invalid, Pyramid, check_shape, wide};
use crate::cpu;
use crate::element::{Element, Real};
use crate::error::{Error, Result};
use crate::ops::RoiOp;
use crate::taps::Reduce;
use crate::view::{View, ViewMut};

/// Gradient for the maps, from the gradient for the pooled boxes.
///
/// The max modes need the `argmax` of the forward pass; `Avg` takes none. Every element of `out` is overwritten, or added
/// to with `accumulate`. Invalid boxes contribute nothing, unless `invalid` is [`Invalid::Raise`].
///
/// # Errors
/// As for [`forward`](super::forward); also if `argmax` is missing, superfluous or out of range for a bin.
#[allow(clippy::too_many_arguments, reason = "what one call of the backward pass is made of")]
pub fn backward<E: Element, B: Real>(
    pyramid: Pyramid<'_, impl RoiOp>,
    grad_output: &View<'_, E>,
    argmax: Option<&View<'_, i64>>,
    boxes: &Boxes<B>,
    out: &[ViewMut<'_, E>],
    accumulate: bool,
    invalid: Invalid,
    settings: cpu::Settings<'_>,
) -> Result<()> {
    let shapes: Vec<_> = out.iter().map(ViewMut::shape).collect();
    check_backward(pyramid, &shapes, grad_output.shape(), argmax, boxes, invalid, settings)?;
    if shapes[0][0] == 0 || shapes[0][1] == 0 {
        return Ok(());
    }
    let passes: Vec<_> = pyramid.passes(&shapes, boxes, 0..boxes.corners.len()).collect();
    if passes.len() > 1 && size_of::<E>() < size_of::<E::Compute>() {
        let plans = passes.into_iter().map(|rows| pyramid.plan(&shapes, boxes, rows, invalid, settings));
        return wide::backward(plans, grad_output, argmax, out, accumulate, settings);
    }
    let mut accumulate = accumulate;
    for rows in passes {
        let plan = pyramid.plan(&shapes, boxes, rows, invalid, settings)?;
        cpu::scatter(&plan, grad_output, argmax, out, accumulate, settings)?;
        accumulate = true;
    }
    Ok(())
}

/// Validates the arguments of [`backward`] without computing. `grads` is the shape of the incoming gradient.
///
/// # Errors
/// As for [`backward`].
pub fn check_backward<B: Real>(
    pyramid: Pyramid<'_, impl RoiOp>,
    maps: &[[usize; 4]],
    grads: [usize; 4],
    argmax: Option<&View<'_, i64>>,
    boxes: &Boxes<B>,
    invalid: Invalid,
    settings: cpu::Settings<'_>,
) -> Result<()> {
    let count = boxes.corners.len();
    check_incoming(&pyramid, maps, count, grads, argmax.map(View::shape))?;
    pyramid.check_boxes(maps, boxes, invalid)?;
    let Some(argmax) = argmax.filter(|argmax| !argmax.shape().contains(&0)) else { return Ok(()) };
    let widths: Vec<_> = maps.iter().map(|[.., width]| *width).collect();
    pyramid.passes(maps, boxes, 0..count).try_for_each(|rows| {
        // Weights do not matter here.
        let plan = pyramid.plan::<B, f32>(maps, boxes, rows, invalid, settings)?;
        cpu::check_argmax(&plan, argmax, &widths, settings)
    })
}

/// Refuses gradients, and an argmax, that do not belong to such maps and so many boxes.
pub(super) fn check_incoming(
    pyramid: &Pyramid<'_, impl RoiOp>,
    maps: &[[usize; 4]],
    boxes: usize,
    grads: [usize; 4],
    argmax: Option<[usize; 4]>,
) -> Result<()> {
    let shape = pyramid.output_shape(maps, boxes)?;
    check_shape("grad_output", shape, grads)?;
    argmax.map_or(Ok(()), |argmax| check_shape("argmax", shape, argmax))?;
    let problem = match (pyramid.ops[0].reduce(), argmax) {
        (Reduce::Sum, None) | (Reduce::MaxSample | Reduce::MaxCorner | Reduce::MaxWindow, Some(_)) => {
            return Ok(());
        }
        (Reduce::Sum, Some(_)) => {
            "argmax must be None for mode=\"avg\"; leave it out, or pass the mode of the forward call"
                .to_owned()
        }
        (Reduce::MaxSample | Reduce::MaxWindow, None) => needs_argmax("max"),
        (Reduce::MaxCorner, None) => needs_argmax("onnx_max"),
    };
    Err(Error::Conflict(problem))
}

fn needs_argmax(mode: &str) -> String {
    format!(
        "argmax is needed for mode=\"{mode}\": pass what the forward call returns with return_argmax=True"
    )
}
