//! The plan: all tables of one call, sorted for the kernels.

use std::mem;
use std::ops::Range;

use super::{AxisTaps, MOST_COLUMNS, Reduce, RoiTaps, Table};
use crate::element::Real;
use crate::error::{Result, reserve_more};
use crate::geometry::Extent;
use crate::scratch::{self, Scratch};

/// Consecutive boxes of a plan that belong to one image of one map.
#[derive(Debug, Clone)]
pub struct Run {
    /// The boxes, sorted approximately by the last row that they read.
    pub rois: Range<usize>,
    /// Index of the feature map.
    pub stage: usize,
    /// Index of the image in that map.
    pub image: usize,
    /// Rows of the tallest box.
    pub tallest: usize,
    /// Columns of the widest box.
    pub widest: usize,
    /// Columns of the widest [part](AxisTaps::parts).
    pub widest_part: usize,
    /// Number of pixels of all boxes together.
    pub area: usize,
}

/// Number of boxes that share a table. One thread writes a table.
pub const BOXES_PER_TABLE: usize = 64;

/// A thread keeps no larger tables from call to call.
const MOST_SPARE_BYTES: usize = 2 << 20;

/// All taps of one call.
#[derive(Debug)]
pub struct Plan<T: Real> {
    /// How the taps of a bin become one value.
    pub reduce: Reduce,
    /// Number of bins of a box: height and width of the output.
    pub output: Extent,
    tables: Vec<Table<T>>,
}

impl<T: Real> Plan<T> {
    /// A plan of these tables. Each has [`BOXES_PER_TABLE`] boxes, the last one may have fewer.
    ///
    /// Boxes must be sorted by map, then by image, then approximately by the last row that they read. Tasks then read tables
    /// and rows from front to back.
    pub fn new(reduce: Reduce, output: Extent, tables: Vec<Table<T>>) -> Self {
        Self { reduce, output, tables }
    }

    /// Tables of this thread's last plan, whose memory the next plan can reuse.
    pub fn spare_tables() -> Vec<Table<T>> {
        scratch::take::<Spare<T>>().0
    }

    /// Number of boxes.
    pub fn boxes(&self) -> usize {
        self.tables.iter().map(|table| table.rois.len()).sum()
    }

    /// Divides the boxes into about `count` runs, each within one image of one map.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub fn runs(&self, count: usize) -> Result<Vec<Run>> {
        let boxes = self.boxes();
        let longest = boxes.div_ceil(count.max(1)).max(1);
        let mut runs: Vec<Run> = Vec::new();
        for at in 0..boxes {
            let (roi, y, x) = self.roi(at);
            let (stage, image) = (roi.stage, roi.image);
            let fits = |run: &Run| run.rois.len() < longest && (run.stage, run.image) == (stage, image);
            if !runs.last().is_some_and(fits) {
                reserve_more(&mut runs, 1, "runs of boxes")?;
                runs.push(Run { rois: at..at, stage, image, tallest: 0, widest: 0, widest_part: 0, area: 0 });
            }
            let Some(run) = runs.last_mut() else { continue };
            run.rois.end = at + 1;
            run.tallest = run.tallest.max(y.support().len());
            run.widest = run.widest.max(x.support().len());
            let part = match x.support().len() {
                few if few <= MOST_COLUMNS => few,
                _ => x.parts(MOST_COLUMNS).map(|part| part.support.len()).max().unwrap_or(0),
            };
            run.widest_part = run.widest_part.max(part);
            run.area += y.support().len() * x.support().len();
        }
        Ok(runs)
    }

    /// Index of the first box of an image of a map: the number of boxes before it.
    pub fn position(&self, stage: usize, image: usize) -> usize {
        let before = |roi: &RoiTaps| (roi.stage, roi.image) < (stage, image);
        let table = self.tables.partition_point(|table| table.rois.last().is_some_and(before));
        let rois = self.tables.get(table).map_or(0, |table| table.rois.partition_point(before));
        // Behind the last table, which need not be full, there are no more boxes than there are.
        (table * BOXES_PER_TABLE + rois).min(self.boxes())
    }

    /// A box, with its taps along y and x.
    #[inline]
    pub fn roi(&self, at: usize) -> (&RoiTaps, AxisTaps<'_, T>, AxisTaps<'_, T>) {
        let table = &self.tables[at / BOXES_PER_TABLE];
        let roi = &table.rois[at % BOXES_PER_TABLE];
        (roi, AxisTaps { span: &roi.y, table }, AxisTaps { span: &roi.x, table })
    }
}

impl<T: Real> Drop for Plan<T> {
    fn drop(&mut self) {
        let mut left = MOST_SPARE_BYTES;
        self.tables.retain(|table| {
            let fits = table.capacity() <= left;
            left -= if fits { table.capacity() } else { 0 };
            fits
        });
        scratch::keep(Spare(mem::take(&mut self.tables)));
    }
}

/// Tables of a plan that is gone.
struct Spare<T>(Vec<Table<T>>);

impl<T> Default for Spare<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Real> Scratch for Spare<T> {
    fn bytes(&self) -> usize {
        self.0.iter().map(Table::capacity).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::taps::{AxisWriter, Table};

    #[test]
    fn boxes_of_an_image_are_found_in_full_and_in_other_tables() {
        let output = Extent { height: 1, width: 1 };
        let axis = |mut taps: AxisWriter<'_, f32, false>| {
            taps.weight(0, 1.0, [0.0; 2]);
            taps.end_bin(0);
            taps.finish()
        };
        for boxes in [0, 1, 3, BOXES_PER_TABLE, BOXES_PER_TABLE + 1, 3 * BOXES_PER_TABLE - 1] {
            let rows: Vec<_> = (0..boxes).collect();
            let table = |rows: &[usize]| {
                let mut table = Table::new(Reduce::Sum, rows.len(), output, Table::default()).unwrap();
                // Two images, of which the first one has a third of the boxes.
                for &row in rows {
                    table.push(16, row, 0, usize::from(3 * row >= boxes), |_, taps| axis(taps)).unwrap();
                }
                table
            };
            let plan = Plan::new(Reduce::Sum, output, rows.chunks(BOXES_PER_TABLE).map(table).collect());
            assert_eq!([0, 1, 2].map(|image| plan.position(0, image)), [0, boxes.div_ceil(3), boxes]);
            assert_eq!(plan.position(1, 0), boxes);
        }
    }
}
