//! The backward pass: check → plan → the same taps, transposed.

use super::{Boxes, Invalid, Planner, Pooling, check_shape, wide};
use crate::cpu;
use crate::element::Element;
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
pub fn backward<E: Element>(
    pooling: Pooling<'_>,
    grad_output: &View<'_, E>,
    argmax: Option<&View<'_, i64>>,
    boxes: &Boxes,
    out: &[ViewMut<'_, E>],
    accumulate: bool,
    invalid: Invalid,
    settings: cpu::Settings<'_>,
) -> Result<()> {
    let maps: Vec<_> = out.iter().map(ViewMut::shape).collect();
    let grads = grad_output.shape();
    let planner = checked(pooling, &maps, grads, argmax, boxes, invalid, settings)?;
    if maps[0][0] == 0 || maps[0][1] == 0 {
        return Ok(());
    }
    let passes: Vec<_> = planner.passes(0..boxes.len()).collect();
    if passes.len() > 1 && size_of::<E>() < size_of::<E::Compute>() {
        let plans = passes.into_iter().map(|rows| planner.plan::<_, false>(rows));
        return wide::backward(plans, grad_output, argmax, out, accumulate, settings);
    }
    let mut accumulate = accumulate;
    for rows in passes {
        let plan = planner.plan::<_, false>(rows)?;
        cpu::scatter(&plan, grad_output, argmax, out, accumulate, settings)?;
        accumulate = true;
    }
    Ok(())
}

/// Validates the arguments of [`backward`] without computing. `grads` is the shape of the incoming gradient.
///
/// # Errors
/// As for [`backward`].
pub fn check_backward(
    pooling: Pooling<'_>,
    maps: &[[usize; 4]],
    grads: [usize; 4],
    argmax: Option<&View<'_, i64>>,
    boxes: &Boxes,
    invalid: Invalid,
    settings: cpu::Settings<'_>,
) -> Result<()> {
    checked(pooling, maps, grads, argmax, boxes, invalid, settings).map(|_| ())
}

/// The planner of a backward pass, if its arguments are valid.
fn checked<'a>(
    pooling: Pooling<'a>,
    maps: &'a [[usize; 4]],
    grads: [usize; 4],
    argmax: Option<&View<'_, i64>>,
    boxes: &'a Boxes,
    invalid: Invalid,
    settings: cpu::Settings<'a>,
) -> Result<Planner<'a>> {
    check_incoming(pooling, maps, boxes.len(), grads, argmax.map(View::shape))?;
    let planner = Planner::new(pooling, maps, boxes, invalid, settings)?;
    if let Some(argmax) = argmax.filter(|argmax| !argmax.shape().contains(&0)) {
        let widths: Vec<_> = maps.iter().map(|[.., width]| *width).collect();
        for rows in planner.passes(0..boxes.len()) {
            // Weights do not matter here.
            let plan = planner.plan::<f32, false>(rows)?;
            cpu::check_argmax(&plan, argmax, &widths, settings)?;
        }
    }
    Ok(planner)
}

/// Refuses gradients, and an argmax, that do not belong to such maps and so many boxes.
pub(super) fn check_incoming(
    pooling: Pooling<'_>,
    maps: &[[usize; 4]],
    boxes: usize,
    grads: [usize; 4],
    argmax: Option<[usize; 4]>,
) -> Result<()> {
    let shape = pooling.output_shape(maps, boxes)?;
    check_shape("grad_output", shape, grads)?;
    argmax.map_or(Ok(()), |argmax| check_shape("argmax", shape, argmax))?;
    let problem = match (pooling.op.reduce(), argmax) {
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
