//! What a bin of maxima needs beyond the pixels that were read: the samples off the map, which count as 0, and the argmax in
//! the user's terms.

use crate::cpu::simd::Lanes;
use crate::cpu::simd::max::NONE;
use crate::element::Real;
use crate::error::{Error, Result};
use crate::taps::{AxisTaps, Plan, Reduce};

/// The candidates of one bin on one axis.
#[derive(Clone, Copy)]
struct Side {
    /// Number of the first one on the map; for windows, its pixel.
    first: i64,
    /// How many are on the map.
    on_map: i64,
    /// How many there are.
    all: i64,
}

/// Where a maximum came from.
pub enum Origin {
    /// A candidate on the map, counted on each axis from the bin's first one there; `corner` is which of the four of
    /// a sample, where they are candidates.
    OnMap { y: usize, x: usize, corner: usize },
    /// A sample off the map, or nothing at all.
    Nowhere,
}

/// One bin.
#[derive(Clone, Copy)]
pub struct Maximum {
    reduce: Reduce,
    y: Side,
    x: Side,
}

impl Side {
    fn new<T>(reduce: Reduce, taps: &AxisTaps<'_, T>, bin: usize) -> Self {
        match (reduce, taps.indices(bin..bin + 1)) {
            (Reduce::MaxWindow, &[first, last]) => {
                let on_map = i64::from(last - first) + 1;
                Self { first: i64::from(first), on_map, all: on_map }
            }
            (Reduce::MaxWindow, _) => Self { first: 0, on_map: 0, all: 0 },
            (_, pixels) => {
                Self { first: taps.first_sample(bin), on_map: pixels.len() as i64 / 2, all: taps.samples() }
            }
        }
    }
}

/// Refuses boxes with a bin of 2^32 or more candidates, which kernels count in 32 bits. `widths` are those of the maps.
pub fn check_candidates<T: Real>(plan: &Plan<T>, widths: &[usize]) -> Result<()> {
    // If the whole box has at most 2^30 candidates, each bin has.
    const FEW: u64 = 1 << 30;
    for at in 0..plan.boxes() {
        let (roi, y, x) = plan.roi(at);
        let corners = if plan.reduce == Reduce::MaxCorner { 4 } else { 1 };
        let (rows, columns) = match plan.reduce {
            Reduce::MaxWindow => (y.support().len(), widths[roi.stage]),
            _ => (y.indices(y.nonempty_bins()).len(), x.indices(x.nonempty_bins()).len()),
        };
        if rows as u64 * columns as u64 <= FEW / corners {
            continue;
        }
        let most = |taps: &AxisTaps<'_, T>| {
            let on_map = |bin| Side::new(plan.reduce, taps, bin).on_map as u64;
            taps.nonempty_bins().map(on_map).max().unwrap_or(0)
        };
        let row = if plan.reduce == Reduce::MaxWindow { columns as u64 } else { most(&x) };
        let candidates = most(&y) * row * corners;
        if candidates > u64::from(NONE) {
            return Err(Error::Candidates { row: roi.roi, candidates });
        }
    }
    Ok(())
}

impl Maximum {
    pub fn new<T>(
        reduce: Reduce,
        y: &AxisTaps<'_, T>,
        y_bin: usize,
        x: &AxisTaps<'_, T>,
        x_bin: usize,
    ) -> Self {
        Self { reduce, y: Side::new(reduce, y, y_bin), x: Side::new(reduce, x, x_bin) }
    }

    fn is_empty(self) -> bool {
        self.y.on_map == 0 || self.x.on_map == 0
    }

    /// The index of the first sample off the map, if there is one: its value is 0.
    fn first_off_map(self) -> Option<i64> {
        let (y, x) = (self.y, self.x);
        if y.all == 0 || x.all == 0 || (y.on_map == y.all && x.on_map == x.all) {
            None
        } else if self.is_empty() || y.first > 0 || x.first > 0 {
            Some(0)
        } else if x.on_map < x.all {
            Some(x.on_map)
        } else {
            Some(y.on_map * x.all)
        }
    }

    /// From the *local argmax*, which kernels count, to the *argmax* that users know: the index of a pixel in the plane, or of a
    /// sample in the bin (times four plus the corner, for corners). Kernels count pixels from the bin's first one, and samples
    /// without those off the map.
    #[inline(always)]
    fn global(self, local: u32, map_width: usize) -> i64 {
        let (corners, width) = (self.corners(), self.width(map_width));
        let local = i64::from(local);
        let first = (self.y.first * width + self.x.first) * corners;
        if self.reduce == Reduce::MaxWindow || self.x.on_map == self.x.all {
            return first + local;
        }
        let (sample, corner) = (local / corners, local % corners);
        first + (sample / self.x.on_map * width + sample % self.x.on_map) * corners + corner
    }

    /// Candidates in a sample.
    fn corners(self) -> i64 {
        if self.reduce == Reduce::MaxCorner { 4 } else { 1 }
    }

    /// Samples, or pixels, in a row.
    fn width(self, map_width: usize) -> i64 {
        if self.reduce == Reduce::MaxWindow { map_width as i64 } else { self.x.all }
    }

    /// Where an argmax lies, if it names a candidate of this bin. The inverse of
    /// [`Self::global`].
    pub fn origin(self, index: i64, map_width: usize) -> Option<Origin> {
        if index == -1 {
            return Some(Origin::Nowhere);
        }
        let (corners, width) = (self.corners(), self.width(map_width));
        if index < 0 || width == 0 {
            return None;
        }
        let (candidate, corner) = (index / corners, index % corners);
        let (y, x) = (candidate / width - self.y.first, candidate % width - self.x.first);
        if (0..self.y.on_map).contains(&y) && (0..self.x.on_map).contains(&x) {
            return Some(Origin::OnMap { y: y as usize, x: x as usize, corner: corner as usize });
        }
        let off_map = self.reduce != Reduce::MaxWindow && candidate / width < self.y.all;
        off_map.then_some(Origin::Nowhere)
    }

    /// Makes the final values from the largest of the candidates on the map.
    #[inline(always)]
    pub fn finish<T: Real>(self, values: &mut Lanes<T>) {
        if self.is_empty() {
            *values = Lanes::splat(T::ZERO);
        } else if self.first_off_map().is_some() {
            for value in &mut values.0 {
                *value = if *value < T::ZERO { T::ZERO } else { *value };
            }
        }
    }

    /// Makes the final values from the largest of the candidates on the map, and returns their argmax; -1 if there is none.
    #[inline(always)]
    pub fn finish_with_argmax<T: Real>(
        self,
        values: &mut Lanes<T>,
        local: &Lanes<u32>,
        map_width: usize,
    ) -> Lanes<i64> {
        let zero = self.first_off_map().map(|sample| sample * self.corners());
        if self.is_empty() {
            *values = Lanes::splat(T::ZERO);
            return Lanes::splat(zero.unwrap_or(-1));
        }
        let mut argmax = Lanes::splat(-1);
        for (global, &local) in argmax.0.iter_mut().zip(&local.0) {
            *global = if local == NONE { -1 } else { self.global(local, map_width) };
        }
        if let Some(zero) = zero {
            for (value, index) in values.0.iter_mut().zip(&mut argmax.0) {
                if *value < T::ZERO || (*value == T::ZERO && zero < *index) {
                    (*value, *index) = (T::ZERO, zero);
                }
            }
        }
        argmax
    }
}
