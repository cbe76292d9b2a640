//! RoI Align on the maps of a feature pyramid.

#![allow(
    clippy::too_many_arguments,
    clippy::fn_params_excessive_bools,
    clippy::needless_pass_by_value,
    reason = "Python's keywords, one by one"
)]
#![allow(unsafe_code, reason = "typed views of arrays whose dtype was just matched")]

use numpy::PyArray1;
use pyo3::prelude::*;

use crate::cpu::Settings;
use crate::element::Element;
use crate::error::Error;
use crate::geometry::Extent;
use crate::geometry::grid::SamplePoints;
use crate::geometry::stages::{Rounding, StageRule};
use crate::ops::{Mode, Operator, RoiAlign};
use crate::python::arrays::{Array4, BoxTable, Output, WithFeatures, integers, with_features};
use crate::python::backward::{Grads, Shape, backward_pyramid};
use crate::python::gpu::{self, Device};
use crate::python::interrupt::interruptible;
use crate::python::process::settings;
use crate::python::scalars::{Arg, choose, extent, flag, integer, invalid, layout, pair, real, reals};
use crate::run::{self, Boxes, Invalid, Maps, Pooling, Stages};
use crate::view::View;

fn rounding(rule: Arg<'_, '_>) -> PyResult<Rounding> {
    let choices = [("detectron2", Rounding::Detectron2), ("torchvision", Rounding::Torchvision)];
    choose("rule", rule, &choices, "\"detectron2\" or \"torchvision\"")
}

/// What a pyramid is made of.
struct Levels {
    op: Operator,
    scales: Vec<f64>,
    rule: StageRule,
    given: Option<Vec<i64>>,
}

impl Levels {
    fn new(
        spatial_scales: Arg<'_, '_>,
        sampling_ratio: Arg<'_, '_>,
        aligned: Arg<'_, '_>,
        canonical_size: Arg<'_, '_>,
        canonical_level: Arg<'_, '_>,
        rule: Arg<'_, '_>,
        stages: Option<Arg<'_, '_>>,
    ) -> PyResult<Self> {
        let scales = reals("spatial_scales", spatial_scales)?;
        let sampling_ratio = pair("sampling_ratio", sampling_ratio)?.into();
        let aligned = flag("aligned", aligned)?;
        let canonical_size = real("canonical_size", canonical_size)?;
        let canonical_level = integer("canonical_level", canonical_level)?;
        let rounding = rounding(rule)?;
        let (mode, sample_points) = (Mode::Avg, SamplePoints::Center);
        let op = RoiAlign { sampling_ratio, aligned, mode, sample_points }.into();
        let given = stages.map(|stages| integers("stages", stages)).transpose()?;
        let mut rule = StageRule { canonical_size, canonical_level, rounding, ..StageRule::default() };
        rule.check()?;
        if given.is_none() && scales.len() > 1 {
            rule.min_level = run::finest_level(&scales)?;
        }
        Ok(Self { op, scales, rule, given })
    }

    /// `maps` is the argument with an entry for each map.
    fn pooling(&self, output: Extent, maps: &'static str) -> Pooling<'_> {
        let stages = self.given.as_deref().map_or(Stages::Rule(self.rule), Stages::Given);
        Pooling { op: &self.op, output, scales: &self.scales, stages, maps: Maps::Each(maps) }
    }
}

#[pyfunction]
pub fn multiscale_roi_align<'py>(
    py: Python<'py>,
    features_list: Vec<Bound<'py, PyAny>>,
    boxes: Arg<'_, 'py>,
    batch_indices: Option<Arg<'_, 'py>>,
    output_size: Arg<'_, 'py>,
    spatial_scales: Arg<'_, 'py>,
    sampling_ratio: Arg<'_, 'py>,
    aligned: Arg<'_, 'py>,
    canonical_size: Arg<'_, 'py>,
    canonical_level: Arg<'_, 'py>,
    rule: Arg<'_, 'py>,
    stages: Option<Arg<'_, 'py>>,
    layout: Arg<'_, 'py>,
    out: Option<Arg<'_, 'py>>,
    invalid: Arg<'_, 'py>,
    device: Option<&Device>,
) -> PyResult<Py<PyAny>> {
    let (layout, invalid) = (self::layout(layout)?, self::invalid(invalid)?);
    let output = extent(output_size)?;
    let levels =
        Levels::new(spatial_scales, sampling_ratio, aligned, canonical_size, canonical_level, rule, stages)?;
    let pooling = levels.pooling(output, "features_list");
    if let Some(maps) = gpu::on_device("features_list", &features_list)? {
        let rois = (boxes, batch_indices);
        return gpu::forward(pooling, &maps, rois, false, layout, out.is_some(), invalid, device);
    }
    let arrays = features_list
        .iter()
        .map(|map| Array4::new("features_list", map, layout))
        .collect::<PyResult<Vec<_>>>()?;
    let shapes: Vec<_> = arrays.iter().map(Array4::shape).collect();
    let table = BoxTable::new(boxes, batch_indices, shapes.first().map_or(0, |shape| shape[0]))?;
    let shape = pooling.output_shape(&shapes, table.len())?;
    arrays.iter().try_for_each(|map| map.check_same_dtype("features_list", &arrays[0]))?;
    let inputs: Vec<_> = features_list.iter().chain([boxes]).chain(batch_indices).collect();
    let out = Output::values(&arrays[0], &inputs, shape, out)?;
    let rois = table.read()?;
    if let Some(device) = device {
        gpu::forward_once(py, device, pooling, &arrays, &rois, &out, None, invalid)?;
    } else {
        let settings = settings()?;
        let call = Forward { py, pooling, arrays: &arrays, rois, out: &out, invalid, settings };
        with_features(&arrays[0], call)?;
    }
    Ok(out.array.into_any().unbind())
}

struct Forward<'a, 'py> {
    py: Python<'py>,
    pooling: Pooling<'a>,
    arrays: &'a [Array4<'py>],
    rois: Boxes,
    out: &'a Output<'py>,
    invalid: Invalid,
    settings: Settings<'a>,
}

impl<'py> WithFeatures<'py> for Forward<'_, 'py> {
    type Output = ();

    fn run<E: Element>(self, _: View<'_, E>) -> PyResult<()> {
        let Self { py, pooling, arrays, rois, out, invalid, settings } = self;
        // SAFETY: the maps were checked to have the dtype of the first one, for which this was called, and
        // `Output` made or checked the array for it.
        let (maps, out) = unsafe {
            (arrays.iter().map(|map| map.view::<E>()).collect::<Vec<_>>(), out.view::<E::Output>())
        };
        interruptible(py, settings, |settings| {
            run::forward(pooling, &maps, &rois, &out, None, invalid, settings)
        })?;
        Ok(())
    }
}

#[pyfunction]
pub fn multiscale_roi_align_backward<'py>(
    grad_output: Arg<'_, 'py>,
    boxes: Arg<'_, 'py>,
    batch_indices: Option<Arg<'_, 'py>>,
    input_shapes: Vec<Shape>,
    spatial_scales: Arg<'_, 'py>,
    sampling_ratio: Arg<'_, 'py>,
    aligned: Arg<'_, 'py>,
    canonical_size: Arg<'_, 'py>,
    canonical_level: Arg<'_, 'py>,
    rule: Arg<'_, 'py>,
    stages: Option<Arg<'_, 'py>>,
    accumulate: Arg<'_, 'py>,
    layout: Arg<'_, 'py>,
    out: Option<Vec<Bound<'py, PyAny>>>,
    invalid: Arg<'_, 'py>,
    device: Option<&Device>,
) -> PyResult<Vec<Py<PyAny>>> {
    let (layout, invalid) = (self::layout(layout)?, self::invalid(invalid)?);
    let accumulate = flag("accumulate", accumulate)?;
    let levels =
        Levels::new(spatial_scales, sampling_ratio, aligned, canonical_size, canonical_level, rule, stages)?;
    let grads = Grads::new(grad_output, layout)?;
    let outs = match &out {
        Some(outs) => outs.iter().map(Some).collect(),
        None => vec![None; input_shapes.len()],
    };
    if outs.len() != input_shapes.len() {
        let (got, expected) = (outs.len(), input_shapes.len());
        let message = format!("out has {got} arrays for {expected} maps; pass one array for each map");
        return Err(Error::Conflict(message).into());
    }
    let (pooling, rois) = (levels.pooling(grads.output(), "input_shapes"), (boxes, batch_indices));
    backward_pyramid(pooling, &grads, None, rois, &input_shapes, accumulate, &outs, invalid, device)
}

#[pyfunction]
pub fn assign_stages<'py>(
    py: Python<'py>,
    boxes: Arg<'_, 'py>,
    num_stages: Arg<'_, 'py>,
    min_level: Arg<'_, 'py>,
    canonical_size: Arg<'_, 'py>,
    canonical_level: Arg<'_, 'py>,
    rule: Arg<'_, 'py>,
    invalid: Arg<'_, 'py>,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let num_stages = integer("num_stages", num_stages)?;
    let rule = StageRule {
        min_level: integer("min_level", min_level)?,
        canonical_size: real("canonical_size", canonical_size)?,
        canonical_level: integer("canonical_level", canonical_level)?,
        rounding: rounding(rule)?,
    };
    let invalid = self::invalid(invalid)?;
    let rois = BoxTable::new(boxes, None, 1)?.read()?;
    let stages = py.detach(|| match rois {
        Boxes::F32(boxes) => run::assign_stages(rule, &boxes.corners, num_stages, invalid),
        Boxes::F64(boxes) => run::assign_stages(rule, &boxes.corners, num_stages, invalid),
    })?;
    Ok(PyArray1::from_vec(py, stages))
}
