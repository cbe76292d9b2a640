//! From boxes to plans: which map each box is pooled from, in which order, and how many boxes are planned at once.

use std::iter;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::{Boxes, BoxesOf, Invalid, Pooling, Stages};
use crate::cpu;
use crate::element::Real;
use crate::error::{Error, Result, reserve, tuple};
use crate::geometry::{self, Axis, Extent, Side};
use crate::ops::RoiOp;
use crate::taps::{BOXES_PER_TABLE, Plan, Table};

/// A plan may take this much memory; boxes that need more are pooled in several passes.
const PLAN_BYTES: usize = 64 << 20;

/// Bytes of a tap, of a box in the list of a band, which may be one row high, and of a box besides.
const BYTES_PER_TAP: usize = 16;
const BYTES_PER_BAND: usize = 4;
const BOX_BYTES: usize = 256;

/// Cells by which taps may lie outside of a box; includes the pixel that "mmcv" adds.
const MARGIN: f64 = 4.0;

/// Makes the plans of one call.
#[derive(Clone, Copy)]
pub struct Planner<'a> {
    pooling: Pooling<'a>,
    maps: &'a [[usize; 4]],
    boxes: &'a Boxes,
    invalid: Invalid,
    settings: cpu::Settings<'a>,
}

impl<'a> Planner<'a> {
    /// Refuses boxes that cannot be pooled from maps of these shapes, unless `invalid` says how to fill their results.
    pub fn new(
        pooling: Pooling<'a>,
        maps: &'a [[usize; 4]],
        boxes: &'a Boxes,
        invalid: Invalid,
        settings: cpu::Settings<'a>,
    ) -> Result<Self> {
        let planner = Self { pooling, maps, boxes, invalid, settings };
        match boxes {
            Boxes::F32(boxes) => planner.check(boxes)?,
            Boxes::F64(boxes) => planner.check(boxes)?,
        }
        Ok(planner)
    }

    fn check<B: Real>(&self, boxes: &BoxesOf<B>) -> Result<()> {
        let expected = boxes.corners.len();
        let check = |name, got| match got {
            _ if got == expected => Ok(()),
            _ => Err(Error::Length { name, expected, got }),
        };
        check("batch_indices", boxes.images.len())?;
        if let Stages::Given(stages) = self.pooling.stages {
            check("stages", stages.len())?;
        }
        if self.invalid == Invalid::Raise {
            (0..expected).try_for_each(|row| self.stage(boxes, row).map(|_| ()))?;
        }
        Ok(())
    }

    /// The map of a box, or why it cannot be pooled.
    fn stage<B: Real>(&self, boxes: &BoxesOf<B>, row: usize) -> Result<usize> {
        let (corners, index, images) = (boxes.corners[row], boxes.images[row], self.maps[0][0]);
        if !corners.iter().all(|corner| corner.is_finite()) {
            return Err(Error::NotFinite { row, got: tuple(&corners) });
        }
        if !index.is_finite() || index.fract() != 0.0 {
            return Err(Error::FractionalBatchIndex { row, index });
        }
        if index < 0.0 || index >= images as f64 {
            return Err(Error::BatchIndex { row, index, images });
        }
        let stages = self.maps.len();
        let stage = match self.pooling.stages {
            Stages::Rule(rule) => {
                rule.stage(corners, stages).ok_or_else(|| Error::NoArea { row, got: tuple(&corners) })?
            }
            Stages::Given(given) => match usize::try_from(given[row]) {
                Ok(stage) if stage < stages => stage,
                _ => return Err(Error::Stage { row, stage: given[row], stages }),
            },
        };
        if !geometry::stays_finite(corners, B::from_f64(self.pooling.scales[stage])) {
            return Err(Error::Overflow { row, got: tuple(&corners) });
        }
        Ok(stage)
    }

    /// Side of a map in pixels.
    fn extent(&self, axis: Axis, stage: usize) -> usize {
        let [.., height, width] = self.maps[stage];
        Extent { height, width }.side(axis)
    }

    /// About how many taps a box has on both axes together, at most.
    fn most_taps(&self, corners: [f64; 4], stage: usize) -> usize {
        let on_axis = |axis| {
            let bins = self.pooling.output.side(axis);
            self.pooling.op.most_taps(axis, bins, self.reach(axis, corners, stage))
        };
        on_axis(Axis::Y) + on_axis(Axis::X)
    }

    /// About how many cells of a map's axis lie from a box's first tap to its last, at most.
    fn reach(&self, axis: Axis, corners: [f64; 4], stage: usize) -> usize {
        let ([start, end], scale) = (axis.ends(corners), self.pooling.scales[stage]);
        // Rounding, the half-pixel shift and the upper tap of the last sample reach less than `MARGIN` cells further.
        let cells = ((end - start).abs() * scale + MARGIN * scale.max(1.0)) as usize;
        cells.min(self.extent(axis, stage))
    }

    /// Cuts boxes into runs whose plans memory allows, as few as possible; no boxes are one run.
    pub fn passes(&self, rows: Range<usize>) -> impl Iterator<Item = Range<usize>> + use<'a> {
        let planner = *self;
        let bytes = move |row: usize| {
            let corners = planner.boxes.corners(row);
            let of_stage = |stage| {
                BYTES_PER_TAP * planner.most_taps(corners, stage)
                    + BYTES_PER_BAND * planner.reach(Axis::Y, corners, stage)
            };
            BOX_BYTES + (0..planner.maps.len()).map(of_stage).max().unwrap_or(0)
        };
        let mut next = Some(rows.start);
        iter::from_fn(move || {
            let first = next?;
            let (mut end, mut left) = (first, PLAN_BYTES);
            while end < rows.end {
                let needed = bytes(end);
                if needed > left && end > first {
                    break;
                }
                left = left.saturating_sub(needed);
                end += 1;
            }
            next = (end < rows.end).then_some(end);
            Some(first..end)
        })
    }

    /// Turns boxes into taps, if there is memory for them. With `SLOPES`, the taps have derivatives for the ends of the
    /// box.
    pub fn plan<T: Real, const SLOPES: bool>(&self, rows: Range<usize>) -> Result<Plan<T>> {
        match self.boxes {
            Boxes::F32(boxes) => self.plan_of::<_, T, SLOPES>(boxes, rows),
            Boxes::F64(boxes) => self.plan_of::<_, T, SLOPES>(boxes, rows),
        }
    }

    fn plan_of<B: Real, T: Real, const SLOPES: bool>(
        &self,
        boxes: &BoxesOf<B>,
        rows: Range<usize>,
    ) -> Result<Plan<T>> {
        let Self { pooling: Pooling { op, output, scales, .. }, settings, .. } = *self;
        let order = self.order(boxes, rows)?;
        let spare = Mutex::new(Plan::spare_tables());
        let tables = cpu::threads::map(order.len().div_ceil(BOXES_PER_TABLE), settings, |at| {
            let first = at * BOXES_PER_TABLE;
            let places = &order[first..order.len().min(first + BOXES_PER_TABLE)];
            let memory = spare.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
            let mut table = Table::new(op.reduce(), places.len(), output, memory)?;
            let mut watch = settings.watch();
            for &Place { stage, image, row, valid, .. } in places {
                if !valid {
                    table.push_invalid(row, self.invalid);
                    continue;
                }
                let (stage, corners) = (stage as usize, boxes.corners[row]);
                let most_taps = self.most_taps(corners.map(Real::to_f64), stage);
                watch.step(most_taps)?;
                table.push::<SLOPES>(most_taps, row, stage, image, |axis, taps| {
                    let (bins, extent) = (output.side(axis), self.extent(axis, stage));
                    let side = Side { axis, ends: axis.ends(corners), scale: scales[stage], bins, extent };
                    op.axis(side, taps)
                })?;
            }
            Ok(table)
        })?;
        Ok(Plan::new(op.reduce(), output, tables))
    }

    /// The boxes in the order of a plan.
    fn order<B: Real>(&self, boxes: &BoxesOf<B>, rows: Range<usize>) -> Result<Vec<Place>> {
        // Boxes that are sure to be good are not looked at twice.
        let known = (self.invalid == Invalid::Raise && self.maps.len() == 1).then_some(0);
        let place = |row: usize| match known.or_else(|| self.stage(boxes, row).ok()) {
            Some(stage) => {
                let [first, second] = Axis::Y.ends(boxes.corners[row]).map(Real::to_f64);
                let bottom = (first.max(second) * self.pooling.scales[stage]) as u32;
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
