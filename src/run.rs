//! One call of an operator: validate the arguments, make the plan, run the kernels.

mod backward;
mod box_gradient;
#[cfg(feature = "gpu")]
mod device;
mod passes;
mod pyramid;
mod stages;
mod wide;

use crate::cpu;
use crate::element::{Element, Real};
use crate::error::{Error, Result, tuple};
use crate::ops::RoiOp;
use crate::view::{View, ViewMut};

pub use crate::taps::Invalid;
pub use backward::{backward, check_backward};
pub use box_gradient::box_gradient;
#[cfg(feature = "gpu")]
pub use device::{backward_on_device, forward_on_device};
pub use pyramid::{Maps, Pyramid, Stages};
pub use stages::{assign_stages, finest_level};

/// The boxes of one call.
#[derive(Debug, Clone, Default)]
pub struct Boxes<B> {
    /// `x1, y1, x2, y2` in image pixels.
    pub corners: Vec<[B; 4]>,
    /// Batch index of each box, from 0 to `images - 1`. A box with any other value is invalid. Floats, because tables of
    /// shape (K, 5) hold them as such.
    pub images: Vec<f64>,
}

/// Shape of an operator's result: (boxes, channels, bins along y, bins along x).
///
/// # Errors
/// If a parameter is out of range, or if there are boxes but the map has no pixels.
pub fn output_shape(op: &impl RoiOp, features: [usize; 4], boxes: usize) -> Result<[usize; 4]> {
    Pyramid::one(op).output_shape(&[features], boxes)
}

/// Pools every box from one map: the forward pass.
///
/// `argmax` is for the max modes. It receives the index of the sample or pixel that each value came from, or -1 if the bin
/// has none.
///
/// # Errors
/// If a parameter or a shape is not valid, or if a box is not valid and `invalid` is [`Invalid::Raise`]. These are found
/// before `out` is written. After [`Error::Candidates`], [`Error::NoMemory`] or [`Error::Interrupted`], `out` may be partly
/// written.
pub fn forward<E: Element, B: Real>(
    op: &impl RoiOp,
    features: &View<'_, E>,
    boxes: &Boxes<B>,
    out: &ViewMut<'_, E::Output>,
    argmax: Option<&ViewMut<'_, i64>>,
    invalid: Invalid,
    settings: cpu::Settings<'_>,
) -> Result<()> {
    forward_pyramid(Pyramid::one(op), &[*features], boxes, out, argmax, invalid, settings)
}

/// Pools each box from one map of a pyramid: the forward pass.
///
/// # Errors
/// As for [`forward`].
pub fn forward_pyramid<E: Element, B: Real>(
    pyramid: Pyramid<'_, impl RoiOp>,
    features: &[View<'_, E>],
    boxes: &Boxes<B>,
    out: &ViewMut<'_, E::Output>,
    argmax: Option<&ViewMut<'_, i64>>,
    invalid: Invalid,
    settings: cpu::Settings<'_>,
) -> Result<()> {
    let shapes: Vec<_> = features.iter().map(View::shape).collect();
    let shape = pyramid.output_shape(&shapes, boxes.corners.len())?;
    check_shape("out", shape, out.shape())?;
    argmax.map_or(Ok(()), |argmax| check_shape("argmax", shape, argmax.shape()))?;
    pyramid.check_boxes(&shapes, boxes, invalid)?;
    if shape[0] == 0 || shape[1] == 0 {
        return Ok(());
    }
    let widths: Vec<_> = shapes.iter().map(|[.., width]| *width).collect();
    for rows in pyramid.passes(&shapes, boxes, 0..boxes.corners.len()) {
        let plan = pyramid.plan(&shapes, boxes, rows, invalid, settings)?;
        if argmax.is_some() {
            cpu::check_numbers(&plan, &widths)?;
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
