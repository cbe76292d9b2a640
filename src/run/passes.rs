//! How many boxes are planned at once, so that tables take bounded memory.

use std::iter;
use std::ops::Range;

use super::{Boxes, Pyramid};
use crate::element::Real;
use crate::geometry::Axis;
use crate::ops::RoiOp;

/// A plan may take this much memory; boxes that need more are pooled in several passes.
const PLAN_BYTES: usize = 64 << 20;

/// Bytes of a tap, of a box in the list of a band, which may be one row high, and of a box besides.
const BYTES_PER_TAP: usize = 16;
const BYTES_PER_BAND: usize = 4;
const BOX_BYTES: usize = 256;

/// Cells by which taps may lie outside of a box; includes the pixel that "mmcv" adds.
const MARGIN: f64 = 4.0;

impl<O: RoiOp> Pyramid<'_, O> {
    /// About how many taps a box has on both axes together, at most.
    pub(super) fn most_taps<B: Real>(&self, corners: [B; 4], stage: usize, map: [usize; 4]) -> usize {
        let on_axis = |axis, side| self.ops[stage].most_taps(axis, self.reach(axis, corners, stage, side));
        on_axis(Axis::Y, map[2]) + on_axis(Axis::X, map[3])
    }

    /// About how many of the `side` cells of a map's axis lie from a box's first tap to its last, at most.
    fn reach<B: Real>(&self, axis: Axis, corners: [B; 4], stage: usize, side: usize) -> usize {
        let [start, end] = axis.ends(corners).map(Real::to_f64);
        let scale = self.ops[stage].spatial_scale();
        // Rounding, the half-pixel shift and the upper tap of the last sample reach less than `MARGIN` cells further.
        side.min(((end - start).abs() * scale + MARGIN * scale.max(1.0)) as usize)
    }

    /// Cuts boxes into runs whose plans memory allows, as few as possible; no boxes are one run.
    pub(super) fn passes<B: Real>(
        &self,
        maps: &[[usize; 4]],
        boxes: &Boxes<B>,
        rows: Range<usize>,
    ) -> impl Iterator<Item = Range<usize>> {
        let bytes = move |row: usize| {
            let corners = boxes.corners[row];
            let of_stage = |(stage, map): (usize, &[usize; 4])| {
                BYTES_PER_TAP * self.most_taps(corners, stage, *map)
                    + BYTES_PER_BAND * self.reach(Axis::Y, corners, stage, map[2])
            };
            BOX_BYTES + maps.iter().enumerate().map(of_stage).max().unwrap_or(0)
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
}
