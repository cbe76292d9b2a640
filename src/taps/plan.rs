//! The tables of one call, in the order in which kernels want the boxes.

use std::ops::Range;

use super::{AxisTaps, Reduce, RoiTaps, Table};
use crate::element::Real;
use crate::geometry::Extent;

/// Boxes that follow each other and belong to one image of one map.
#[derive(Debug, Clone)]
pub struct Run {
    /// The boxes, in the order in which rows are first read.
    pub rois: Range<usize>,
    /// Which of the feature maps.
    pub stage: usize,
    /// Which image of that map.
    pub image: usize,
    /// Rows of the tallest box.
    pub tallest: usize,
    /// Columns of the widest box.
    pub widest: usize,
    /// Pixels of all boxes together.
    pub area: usize,
}

/// All taps of one call.
#[derive(Debug)]
pub struct Plan<T> {
    /// How the taps of a bin become one value.
    pub reduce: Reduce,
    /// Bins of a box.
    pub output: Extent,
    tables: Vec<Table<T>>,
    order: Vec<(u32, u32)>,
}

impl<T: Real> Plan<T> {
    /// Puts the boxes of the tables in the order in which their rows are first read.
    pub fn new(reduce: Reduce, output: Extent, tables: Vec<Table<T>>) -> Self {
        let mut order = Vec::with_capacity(tables.iter().map(|table| table.rois.len()).sum());
        for (t, table) in tables.iter().enumerate() {
            order.extend(table.rois.iter().enumerate().map(|(i, roi)| {
                (roi.stage as u32, roi.image as u32, roi.y.hull.start as u32, t as u32, i as u32)
            }));
        }
        order.sort_unstable();
        let order = order.into_iter().map(|(.., table, at)| (table, at)).collect();
        Self { reduce, output, tables, order }
    }

    /// Number of boxes.
    pub fn boxes(&self) -> usize {
        self.order.len()
    }

    /// Cuts the boxes into about `count` runs, each of one image of one map.
    pub fn runs(&self, count: usize) -> Vec<Run> {
        let longest = self.order.len().div_ceil(count.max(1)).max(1);
        let mut runs: Vec<Run> = Vec::new();
        for at in 0..self.order.len() {
            let (roi, y, x) = self.roi(at);
            let (stage, image) = (roi.stage, roi.image);
            let fits = |run: &Run| run.rois.len() < longest && (run.stage, run.image) == (stage, image);
            if !runs.last().is_some_and(fits) {
                runs.push(Run { rois: at..at, stage, image, tallest: 0, widest: 0, area: 0 });
            }
            let Some(run) = runs.last_mut() else { continue };
            run.rois.end = at + 1;
            run.tallest = run.tallest.max(y.hull().len());
            run.widest = run.widest.max(x.hull().len());
            run.area += y.hull().len() * x.hull().len();
        }
        runs
    }

    /// How many boxes come before those of an image of a map, in the order in which rows are first read.
    pub fn position(&self, stage: usize, image: usize) -> usize {
        let roi = |&(table, at): &(u32, u32)| &self.tables[table as usize].rois[at as usize];
        self.order.partition_point(|at| (roi(at).stage, roi(at).image) < (stage, image))
    }

    /// A box, counted in the order in which rows are first read, with its taps on y and x.
    pub fn roi(&self, at: usize) -> (&RoiTaps, AxisTaps<'_, T>, AxisTaps<'_, T>) {
        let (table, at) = self.order[at];
        let table = &self.tables[table as usize];
        let roi = &table.rois[at as usize];
        (roi, AxisTaps { span: &roi.y, table }, AxisTaps { span: &roi.x, table })
    }
}
