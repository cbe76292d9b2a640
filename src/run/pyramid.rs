//! The maps of a call, and the assignment of boxes to them.

use std::ops::Range;
use std::slice;
use std::sync::{Mutex, PoisonError};

use super::{Boxes, Invalid};
use crate::cpu;
use crate::element::Real;
use crate::error::{Error, Result, reserve, tuple};
use crate::geometry::stages::StageRule;
use crate::geometry::{self, Axis};
use crate::ops::{RoiOp, RoiSlopes};
use crate::taps::{AxisSpan, AxisWriter, BOXES_PER_TABLE, Plan, SlopeWriter, Table};

/// How boxes are assigned to the maps of a pyramid.
#[derive(Debug, Clone, Copy)]
pub enum Stages<'a> {
    /// By the size of the box.
    Rule(StageRule),
    /// By the caller: index of the map of each box.
    Given(&'a [i64]),
}

/// The argument that holds the maps, for error messages.
#[derive(Debug, Clone, Copy)]
pub enum Maps {
    /// An argument that is one map.
    One(&'static str),
    /// An argument that is a list of maps.
    Each(&'static str),
}

impl Maps {
    /// The name of one map: `features` or `features_list[2]`.
    pub fn name(self, stage: usize) -> String {
        match self {
            Self::One(name) => name.to_owned(),
            Self::Each(name) => format!("{name}[{stage}]"),
        }
    }
}

/// One feature map, or several maps of the same images at different resolutions.
#[derive(Debug)]
pub struct Pyramid<'a, O> {
    /// The operator for each map. They differ in `spatial_scale` alone.
    pub ops: &'a [O],
    /// How boxes are assigned to maps.
    pub stages: Stages<'a>,
    /// The argument that holds the maps.
    pub maps: Maps,
}

impl<O> Clone for Pyramid<'_, O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<O> Copy for Pyramid<'_, O> {}

impl<'a, O: RoiOp> Pyramid<'a, O> {
    /// A pyramid of one map, from which every box is pooled.
    pub fn one(op: &'a O) -> Self {
        Self {
            ops: slice::from_ref(op),
            stages: Stages::Rule(StageRule::default()),
            maps: Maps::One("features"),
        }
    }

    /// Shape of the result: (boxes, channels, bins along y, bins along x).
    ///
    /// # Errors
    /// If a parameter is out of range, if maps differ in images or channels, or if there are boxes but a map has no pixels.
    pub fn output_shape(&self, maps: &[[usize; 4]], boxes: usize) -> Result<[usize; 4]> {
        self.ops.iter().try_for_each(RoiOp::check)?;
        let (Some(op), Some(&[images, channels, ..])) = (self.ops.first(), maps.first()) else {
            return Err(Error::Conflict("there must be at least one map, got none".to_owned()));
        };
        if self.ops.len() != maps.len() {
            let (expected, got) = (maps.len(), self.ops.len());
            return Err(Error::Conflict(format!(
                "spatial_scales has {got} entries for {expected} maps; pass one scale for each map"
            )));
        }
        for (stage, map) in maps.iter().enumerate() {
            if map[..2] != [images, channels] {
                return Err(Error::Conflict(format!(
                    "{} has {} images of {} channels, {} has {images} of {channels}; all maps need the same images and \
                     channels",
                    self.maps.name(stage),
                    map[0],
                    map[1],
                    self.maps.name(0)
                )));
            }
            if boxes > 0 && (map[0] == 0 || map[2] == 0 || map[3] == 0) {
                return Err(Error::NoPixels { name: self.maps.name(stage), boxes, shape: tuple(map) });
            }
            if map[2].max(map[3]) > i32::MAX as usize {
                return Err(Error::TooManyPixels { name: self.maps.name(stage), shape: tuple(map) });
            }
        }
        Ok([boxes, channels, op.output().height, op.output().width])
    }

    /// Refuses boxes that cannot be pooled, if they are to be refused.
    pub(super) fn check_boxes<B: Real>(
        &self,
        maps: &[[usize; 4]],
        boxes: &Boxes<B>,
        invalid: Invalid,
    ) -> Result<()> {
        let expected = boxes.corners.len();
        let check = |name, got| match got {
            _ if got == expected => Ok(()),
            _ => Err(Error::Length { name, expected, got }),
        };
        check("batch_indices", boxes.images.len())?;
        if let Stages::Given(stages) = self.stages {
            check("stages", stages.len())?;
        }
        if invalid == Invalid::Raise {
            (0..expected).try_for_each(|row| self.stage(boxes, row, maps[0][0]).map(|_| ()))?;
        }
        Ok(())
    }

    /// The map of a box, or why it cannot be pooled.
    fn stage<B: Real>(&self, boxes: &Boxes<B>, row: usize, images: usize) -> Result<usize> {
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
        let stages = self.ops.len();
        let stage = match self.stages {
            Stages::Rule(rule) => {
                rule.stage(corners, stages).ok_or_else(|| Error::NoArea { row, got: tuple(&corners) })?
            }
            Stages::Given(given) => match usize::try_from(given[row]) {
                Ok(stage) if stage < stages => stage,
                _ => return Err(Error::Stage { row, stage: given[row], stages }),
            },
        };
        if !geometry::stays_finite(corners, B::from_f64(self.ops[stage].spatial_scale())) {
            return Err(Error::Overflow { row, got: tuple(&corners) });
        }
        Ok(stage)
    }

    /// Turns boxes into taps, if there is memory for them.
    pub(super) fn plan<B: Real, T: Real>(
        &self,
        maps: &[[usize; 4]],
        boxes: &Boxes<B>,
        rows: Range<usize>,
        invalid: Invalid,
        settings: cpu::Settings<'_>,
    ) -> Result<Plan<T>> {
        self.plan_by(maps, boxes, rows, invalid, settings, false, O::axis)
    }

    /// As [`Self::plan`], `axis` being what writes the taps.
    #[allow(clippy::too_many_arguments, reason = "those of a plan, and the two kinds of it")]
    fn plan_by<B: Real, T: Real>(
        &self,
        maps: &[[usize; 4]],
        boxes: &Boxes<B>,
        rows: Range<usize>,
        invalid: Invalid,
        settings: cpu::Settings<'_>,
        has_slopes: bool,
        axis: impl Fn(&O, Axis, [B; 2], usize, AxisWriter<'_, T>) -> AxisSpan + Sync,
    ) -> Result<Plan<T>> {
        let (reduce, output) = (self.ops[0].reduce(), self.ops[0].output());
        let order = self.order(maps, boxes, rows, invalid)?;
        let spare = Mutex::new(Plan::spare_tables());
        let tables = cpu::pool::map(order.len().div_ceil(BOXES_PER_TABLE), settings, |at| {
            let first = at * BOXES_PER_TABLE;
            let places = &order[first..order.len().min(first + BOXES_PER_TABLE)];
            let memory = spare.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
            let mut table = Table::new(reduce, has_slopes, places.len(), output, memory)?;
            let mut watch = settings.watch();
            for &Place { stage, image, row, valid, .. } in places {
                if !valid {
                    table.push_invalid(row, invalid);
                    continue;
                }
                let (op, [_, _, height, width]) = (&self.ops[stage as usize], maps[stage as usize]);
                let corners = boxes.corners[row];
                let most_taps = self.most_taps(corners, stage as usize, maps[stage as usize]);
                watch.step(most_taps)?;
                table.push(
                    most_taps,
                    row,
                    stage as usize,
                    image,
                    |taps| axis(op, Axis::Y, Axis::Y.ends(corners), height, taps),
                    |taps| axis(op, Axis::X, Axis::X.ends(corners), width, taps),
                )?;
            }
            Ok(table)
        })?;
        Ok(Plan::new(reduce, output, tables))
    }

    /// The boxes in the order of a plan.
    fn order<B: Real>(
        &self,
        maps: &[[usize; 4]],
        boxes: &Boxes<B>,
        rows: Range<usize>,
        invalid: Invalid,
    ) -> Result<Vec<Place>> {
        // Boxes that are sure to be good are not looked at twice.
        let known = (invalid == Invalid::Raise && maps.len() == 1).then_some(0);
        let place = |row: usize| match known.or_else(|| self.stage(boxes, row, maps[0][0]).ok()) {
            Some(stage) => {
                let [first, second] = Axis::Y.ends(boxes.corners[row]).map(Real::to_f64);
                let bottom = (first.max(second) * self.ops[stage].spatial_scale()) as u32;
                let (stage, image) = (stage as u32, boxes.images[row] as usize);
                Place { stage, image, bottom, row, valid: true }
            }
            None => Place { stage: 0, image: 0, bottom: 0, row, valid: false },
        };
        let mut order = Vec::new();
        reserve(&mut order, rows.len(), "boxes")?;
        order.extend(rows.map(place));
        order.sort_unstable();
        Ok(order)
    }
}

impl<O: RoiSlopes> Pyramid<'_, O> {
    /// Turns boxes into taps with slopes.
    pub(super) fn plan_with_slopes<B: Real, T: Real>(
        &self,
        maps: &[[usize; 4]],
        boxes: &Boxes<B>,
        rows: Range<usize>,
        invalid: Invalid,
        settings: cpu::Settings<'_>,
    ) -> Result<Plan<T>> {
        self.plan_by(maps, boxes, rows, invalid, settings, true, |op, axis, ends, side, taps| {
            op.slopes(axis, ends, side, SlopeWriter::new(taps))
        })
    }
}

/// Where a box comes in a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    stage: u32,
    image: usize,
    /// About the last row that it reads: an order that is not quite that of the rows costs a little time, no more.
    bottom: u32,
    row: usize,
    valid: bool,
}
