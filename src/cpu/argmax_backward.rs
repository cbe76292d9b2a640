//! Gradients of maxima: each goes to where its maximum came from, by the same tables.

use std::ops::Range;

use crate::cpu::Settings;
use crate::cpu::channels::Channels;
use crate::cpu::maximum::{Maximum, Origin};
use crate::cpu::simd::Lanes;
use crate::cpu::threads;
use crate::element::Real;
use crate::error::{Error, Result};
use crate::taps::{AxisTaps, Invalid, Plan, Reduce};
use crate::view::View;

/// Work of looking at one maximum.
const ARGMAX_WORK: usize = 16;

/// Boxes that one thread looks at.
const BOXES_AT_ONCE: usize = 16;

/// Refuses an argmax that names anything but a candidate of its bin. `widths` are those of the maps.
pub fn check<T: Real>(
    plan: &Plan<T>,
    argmax: &View<'_, i64>,
    widths: &[usize],
    settings: Settings<'_>,
) -> Result<()> {
    let [_, channels, height, width] = argmax.shape();
    let wrong = threads::map(plan.boxes().div_ceil(BOXES_AT_ONCE), settings, |run| {
        let first = run * BOXES_AT_ONCE;
        let mut wrong: Option<[usize; 4]> = None;
        let mut watch = settings.watch();
        for at in first..plan.boxes().min(first + BOXES_AT_ONCE) {
            watch.step(channels * height * width * ARGMAX_WORK)?;
            let (roi, y, x) = plan.roi(at);
            let bins = (0..height).flat_map(|p| (0..width).map(move |q| (p, q)));
            for (p, q) in bins.filter(|_| roi.invalid == Invalid::Raise) {
                let bin = Maximum::new(plan.reduce, &y, p, &x, q);
                let is_wrong =
                    |&c: &usize| bin.origin(argmax.get([roi.roi, c, p, q]), widths[roi.stage]).is_none();
                if let Some(c) = (0..channels).find(is_wrong) {
                    let index = [roi.roi, c, p, q];
                    wrong = Some(wrong.map_or(index, |first| first.min(index)));
                }
            }
        }
        Ok(wrong)
    })?;
    match wrong.into_iter().flatten().min() {
        Some(index) => Err(Error::Argmax { index, got: argmax.get(index) }),
        None => Ok(()),
    }
}

/// The gradients of one box for some rows of the map.
pub struct ArgmaxBackward<'a, T> {
    pub reduce: Reduce,
    /// Gradients of some rows of bins.
    pub grads: &'a [Lanes<T>],
    /// These rows.
    pub bins: Range<usize>,
    pub y: AxisTaps<'a, T>,
    pub x: AxisTaps<'a, T>,
    pub argmax: &'a View<'a, i64>,
    /// Row of the output.
    pub roi: usize,
    pub channels: Channels,
    /// Rows of the map.
    pub rows: Range<usize>,
    /// Columns of the map.
    pub width: usize,
}

impl<T: Real> ArgmaxBackward<'_, T> {
    /// Calls `add` with row, column, lane and value.
    pub fn each(&self, mut add: impl FnMut(usize, usize, usize, T)) {
        let width = self.x.bins();
        for (at, grads) in self.grads.iter().enumerate() {
            let (p, q) = (self.bins.start + at / width, at % width);
            let bin = Maximum::new(self.reduce, &self.y, p, &self.x, q);
            for lane in 0..self.channels.count {
                let number = self.argmax.get([self.roi, self.channels.first + lane, p, q]);
                let Some(Origin::OnMap { y, x, corner }) = bin.origin(number, self.width) else { continue };
                self.candidate([p, q], [y, x], corner, |y, x, weight| {
                    if self.rows.contains(&y) {
                        add(y, x, lane, grads.0[lane] * weight);
                    }
                });
            }
        }
    }

    /// The pixels and weights that a candidate is made of.
    fn candidate(
        &self,
        [p, q]: [usize; 2],
        [y, x]: [usize; 2],
        corner: usize,
        mut add: impl FnMut(usize, usize, T),
    ) {
        let (y_pixels, x_pixels) = (self.y.indices(p..p + 1), self.x.indices(q..q + 1));
        if self.reduce == Reduce::MaxWindow {
            return add(y_pixels[0] as usize + y, x_pixels[0] as usize + x, T::from_i64(1));
        }
        let (y_weights, x_weights) = (self.y.values(p..p + 1), self.x.values(q..q + 1));
        for number in 0..4 {
            let (y, x) = (2 * y + number / 2, 2 * x + number % 2);
            let weight = y_weights[y] * x_weights[x];
            // A corner without weight has no gradient, whatever the gradient of its bin is.
            if (self.reduce == Reduce::MaxSample || number == corner) && weight != T::ZERO {
                add(y_pixels[y] as usize, x_pixels[x] as usize, weight);
            }
        }
    }
}
