//! Assignment of boxes to the maps of a pyramid.

#![allow(clippy::too_many_arguments, reason = "Python's keywords, one by one")]

use numpy::PyArray1;
use pyo3::prelude::*;
use smallvec::smallvec;

use crate::geometry::Extent;
use crate::geometry::stages::{Rounding, StageRule};
use crate::python::arrays::{BoxTable, PerMap, integers};
use crate::python::operators::Operator;
use crate::python::scalars::{Arg, choose, integer, invalid, real, wrong_kind};
use crate::run::{self, Boxes, Maps, Pooling, Stages};

/// What Python gives for a pyramid: canonical size, canonical level, rule, and the map of each box if the caller chose it.
pub type Levels<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>, Option<Bound<'py, PyAny>>);

/// The scale of each map, and which map a box is pooled from.
pub struct Scales {
    each: PerMap<f64>,
    rule: StageRule,
    given: Option<Vec<i64>>,
    is_pyramid: bool,
}

impl Scales {
    /// Without levels it is one map, of one scale.
    pub fn new(spatial_scales: Arg<'_, '_>, levels: Option<Levels<'_>>) -> PyResult<Self> {
        let Some((canonical_size, canonical_level, rule, stages)) = levels else {
            let each = smallvec![real("spatial_scale", &spatial_scales.get_item(0)?)?];
            return Ok(Self { each, rule: StageRule::default(), given: None, is_pyramid: false });
        };
        let name = "spatial_scales";
        let items = spatial_scales
            .try_iter()
            .map_err(|_| wrong_kind(name, "a sequence of numbers", spatial_scales))?;
        let each = items.map(|scale| real(name, &scale?)).collect::<PyResult<PerMap<_>>>()?;
        let mut rule = StageRule {
            canonical_size: real("canonical_size", &canonical_size)?,
            canonical_level: integer("canonical_level", &canonical_level)?,
            rounding: rounding(&rule)?,
            ..StageRule::default()
        };
        let given = stages.map(|stages| integers("stages", &stages)).transpose()?;
        rule.check()?;
        if given.is_none() && each.len() > 1 {
            rule.min_level = run::finest_level(&each)?;
        }
        Ok(Self { each, rule, given, is_pyramid: true })
    }

    /// `names` are the argument that is one map, and that with an entry for each map.
    pub fn pooling<'a>(&'a self, op: &'a Operator, output: Extent, names: [&'static str; 2]) -> Pooling<'a> {
        let stages = self.given.as_deref().map_or(Stages::Rule(self.rule), Stages::Given);
        let maps = if self.is_pyramid { Maps::Each(names[1]) } else { Maps::One(names[0]) };
        Pooling { op: &op.0, output, scales: &self.each, stages, maps }
    }
}

fn rounding(rule: Arg<'_, '_>) -> PyResult<Rounding> {
    let choices = [("detectron2", Rounding::Detectron2), ("torchvision", Rounding::Torchvision)];
    choose("rule", rule, &choices, "\"detectron2\" or \"torchvision\"")
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
