//! One call: check → plan → kernels.

use crate::cpu;
use crate::element::{Element, Real};
use crate::error::{Error, Result, tuple};
use crate::geometry::{self, Axis};
#[cfg(feature = "gpu")]
use crate::gpu;
use crate::ops::RoiOp;
use crate::taps::{Plan, Table};
use crate::view::{View, ViewMut};

pub use crate::taps::Invalid;

/// The boxes of one call.
#[derive(Debug, Clone, Default)]
pub struct Boxes<B> {
    /// `x1, y1, x2, y2` in image pixels.
    pub corners: Vec<[B; 4]>,
    /// Which image each belongs to. A float, because that is how it comes in a table of boxes; anything that
    /// is not the number of an image makes the box invalid.
    pub images: Vec<f64>,
}

/// Shape of an operator's result.
///
/// # Errors
/// If a parameter has no meaning, or if there are boxes but no pixels.
pub fn output_shape(op: &impl RoiOp, features: [usize; 4], boxes: usize) -> Result<[usize; 4]> {
    op.check()?;
    let [images, channels, height, width] = features;
    if boxes > 0 && (images == 0 || height == 0 || width == 0) {
        return Err(Error::NoPixels { boxes, shape: tuple(&features) });
    }
    if height.max(width) > i32::MAX as usize {
        return Err(Error::TooManyPixels { shape: tuple(&features) });
    }
    Ok([boxes, channels, op.output().height, op.output().width])
}

/// Pools every box.
///
/// `argmax`, for the max modes: where each value came from, -1 if from nowhere.
///
/// # Errors
/// If a parameter, a shape or, unless `invalid` says otherwise, a box is not valid. Nothing was written then.
pub fn forward<E: Element, B: Real>(
    op: &impl RoiOp,
    features: &View<'_, E>,
    boxes: &Boxes<B>,
    out: &ViewMut<'_, E::Output>,
    argmax: Option<&ViewMut<'_, i64>>,
    invalid: Invalid,
    settings: cpu::Settings,
) -> Result<()> {
    let shape = output_shape(op, features.shape(), boxes.corners.len())?;
    check_shape("out", shape, out.shape())?;
    argmax.map_or(Ok(()), |argmax| check_shape("argmax", shape, argmax.shape()))?;
    check_boxes(op, boxes, features.shape()[0], invalid)?;
    if shape[0] == 0 || shape[1] == 0 {
        return Ok(());
    }
    let pass = boxes_per_pass(op, features.shape());
    for first in (0..boxes.corners.len()).step_by(pass) {
        let rows = first..boxes.corners.len().min(first + pass);
        let plan = plan(op, features.shape(), boxes, rows, invalid, settings.threads);
        cpu::gather(&plan, &[*features], out, argmax, settings)?;
    }
    Ok(())
}

/// Pools every box of features that lie on a device, where the result stays.
///
/// # Errors
/// As [`forward`], or if the device fails.
#[cfg(feature = "gpu")]
pub fn forward_on_device<B: Real>(
    op: &impl RoiOp,
    features: &gpu::Array,
    boxes: &Boxes<B>,
    argmax: bool,
    invalid: Invalid,
    threads: usize,
) -> Result<(gpu::Array, Option<gpu::Array>)> {
    let shape = output_shape(op, features.shape(), boxes.corners.len())?;
    check_boxes(op, boxes, features.shape()[0], invalid)?;
    let results = gpu::Results::new(&[features], shape, argmax)?;
    let pass = boxes_per_pass(op, features.shape());
    for together in results.rows() {
        for first in together.clone().step_by(pass) {
            let rows = first..together.end.min(first + pass);
            let plan_rows = rows.clone();
            if features.dtype() == gpu::Dtype::F64 {
                let plan = plan::<B, f64>(op, features.shape(), boxes, plan_rows, invalid, threads);
                gpu::gather(&plan, &[features], &results, &rows)?;
            } else {
                let plan = plan::<B, f32>(op, features.shape(), boxes, plan_rows, invalid, threads);
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
#[cfg(feature = "gpu")]
pub fn backward_on_device<B: Real>(
    op: &impl RoiOp,
    grads: &gpu::Array,
    argmax: Option<&gpu::Array>,
    boxes: &Boxes<B>,
    features: [usize; 4],
    invalid: Invalid,
    threads: usize,
) -> Result<gpu::Array> {
    let shape = output_shape(op, features, boxes.corners.len())?;
    check_shape("grad_output", shape, grads.shape())?;
    argmax.map_or(Ok(()), |argmax| check_shape("argmax", shape, argmax.shape()))?;
    check_boxes(op, boxes, features[0], invalid)?;
    let mut gradient = gpu::Gradient::new(grads, argmax, &[features])?;
    let pass = boxes_per_pass(op, features);
    let together = grads.rows();
    let parts = together
        .iter()
        .flat_map(|rows| rows.clone().step_by(pass).map(|first| first..rows.end.min(first + pass)));
    // Without boxes there is still a gradient to be written, of zeros.
    for rows in parts.chain(together.is_empty().then_some(0..0)) {
        let plan_rows = rows.clone();
        if grads.dtype() == gpu::Dtype::F64 {
            let plan = plan::<B, f64>(op, features, boxes, plan_rows, invalid, threads);
            gradient.add(&plan, grads, argmax, &rows)?;
        } else {
            let plan = plan::<B, f32>(op, features, boxes, plan_rows, invalid, threads);
            gradient.add(&plan, grads, argmax, &rows)?;
        }
    }
    Ok(gradient.maps.remove(0))
}

/// Refuses boxes that cannot be pooled, unless they are to be filled.
fn check_boxes<B: Real>(op: &impl RoiOp, boxes: &Boxes<B>, images: usize, invalid: Invalid) -> Result<()> {
    if boxes.images.len() != boxes.corners.len() {
        let (expected, got) = (boxes.corners.len(), boxes.images.len());
        return Err(Error::Length { name: "batch_indices", expected, got });
    }
    match invalid {
        Invalid::Raise => (0..boxes.corners.len()).try_for_each(|row| check_box(op, boxes, row, images)),
        _ => Ok(()),
    }
}

fn check_shape(name: &'static str, expected: [usize; 4], got: [usize; 4]) -> Result<()> {
    if expected == got {
        return Ok(());
    }
    Err(Error::Shape { name, expected: tuple(&expected), got: tuple(&got) })
}

/// Why a box cannot be pooled, if so.
fn check_box<B: Real>(op: &impl RoiOp, boxes: &Boxes<B>, row: usize, images: usize) -> Result<()> {
    let corners = boxes.corners[row];
    let index = boxes.images[row];
    if !corners.iter().all(|corner| corner.is_finite()) {
        return Err(Error::NotFinite { row, got: tuple(&corners) });
    }
    if !index.is_finite() || index.fract() != 0.0 {
        return Err(Error::FractionalBatchIndex { row, index });
    }
    if index < 0.0 || index >= images as f64 {
        return Err(Error::BatchIndex { row, index, images });
    }
    if !geometry::stays_finite(corners, B::from_f64(op.spatial_scale())) {
        return Err(Error::Overflow { row, got: tuple(&corners) });
    }
    Ok(())
}

/// Boxes that share a table, and that one thread turns into taps.
const BOXES_PER_TABLE: usize = 64;

/// A plan may take this much memory; boxes that need more are pooled in several passes.
const PLAN_BYTES: usize = 64 << 20;

fn boxes_per_pass(op: &impl RoiOp, [_, _, height, width]: [usize; 4]) -> usize {
    let taps = op.most_taps(Axis::Y, height) + op.most_taps(Axis::X, width);
    (PLAN_BYTES / (16 * taps)).max(BOXES_PER_TABLE)
}

/// Turns boxes into taps.
fn plan<B: Real, T: Real>(
    op: &impl RoiOp,
    features: [usize; 4],
    boxes: &Boxes<B>,
    rows: std::ops::Range<usize>,
    invalid: Invalid,
    threads: usize,
) -> Plan<T> {
    let [images, _, height, width] = features;
    let tables = rows.len().div_ceil(BOXES_PER_TABLE);
    let tables = cpu::pool::map(tables, threads, |at| {
        let first = rows.start + at * BOXES_PER_TABLE;
        let end = rows.end.min(first + BOXES_PER_TABLE);
        let mut table = Table::new(op.reduce(), end - first, op.output());
        for row in first..end {
            if invalid != Invalid::Raise && check_box(op, boxes, row, images).is_err() {
                table.push_invalid(row, invalid);
                continue;
            }
            let corners = boxes.corners[row];
            table.push(
                row,
                0,
                boxes.images[row] as usize,
                |taps| op.axis(Axis::Y, Axis::Y.ends(corners), height, taps),
                |taps| op.axis(Axis::X, Axis::X.ends(corners), width, taps),
            );
        }
        table
    });
    Plan::new(op.reduce(), op.output(), tables)
}
