//! One call of an operator: validate the arguments, make the plan, run the kernels.

mod backward;
mod box_gradient;
mod boxes;
#[cfg(feature = "gpu")]
mod device;
mod planner;
mod pooling;
mod stages;
mod wide;

use crate::cpu;
use crate::element::Element;
use crate::error::{Error, Result, tuple};
use crate::view::{View, ViewMut};
use planner::Planner;

pub use crate::taps::Invalid;
pub use backward::{backward, check_backward};
pub use box_gradient::box_gradient;
pub use boxes::{Boxes, BoxesOf};
#[cfg(feature = "gpu")]
pub use device::{backward_on_device, forward_on_device};
pub use pooling::{Maps, Pooling, Stages};
pub use stages::{assign_stages, finest_level};

/// Pools each box from one map: the forward pass.
///
/// `argmax` is for the max modes. It receives the index of the sample or pixel that each value came from, or -1 if the bin
/// has none.
///
/// # Errors
/// If a parameter or a shape is not valid, or if a box is not valid and `invalid` is [`Invalid::Raise`]. These are found
/// before `out` is written. After [`Error::Candidates`], [`Error::NoMemory`] or [`Error::Interrupted`], `out` may be partly
/// written.
pub fn forward<E: Element>(
    pooling: Pooling<'_>,
    features: &[View<'_, E>],
    boxes: &Boxes,
    out: &ViewMut<'_, E::Output>,
    argmax: Option<&ViewMut<'_, i64>>,
    invalid: Invalid,
    settings: cpu::Settings<'_>,
) -> Result<()> {
    let maps: Vec<_> = features.iter().map(View::shape).collect();
    let shape = pooling.output_shape(&maps, boxes.len())?;
    check_shape("out", shape, out.shape())?;
    argmax.map_or(Ok(()), |argmax| check_shape("argmax", shape, argmax.shape()))?;
    let planner = Planner::new(pooling, &maps, boxes, invalid, settings)?;
    if shape[0] == 0 || shape[1] == 0 {
        return Ok(());
    }
    let widths: Vec<_> = maps.iter().map(|[.., width]| *width).collect();
    for rows in planner.passes(0..shape[0]) {
        let plan = planner.plan::<_, false>(rows)?;
        if argmax.is_some() {
            cpu::check_candidates(&plan, &widths)?;
        }
        cpu::gather(&plan, features, out, argmax, settings)?;
    }
    Ok(())
}

fn check_shape(name: &'static str, expected: [usize; 4], got: [usize; 4]) -> Result<()> {
    if expected == got {
        return Ok(());
    }
    Err(Error::Shape { name, expected: tuple(&expected), got: tuple(&got) })
}
