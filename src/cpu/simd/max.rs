//! Maxima of window pixels: over samples, over their weighted corners, over windows.

use crate::cpu::simd::{Isa, Kernel, LANES, Lanes};
use crate::cpu::window::{Loaded, Row};
use crate::element::Real;
use crate::taps::AxisTaps;

/// The number of a maximum that is nowhere.
pub const NONE: u32 = u32::MAX;

/// Where the maxima of a row of bins are kept.
pub struct Maxima<'a, T> {
    /// The values.
    pub values: &'a mut [Lanes<T>],
    /// Which of the bin's candidates they are, counted from the first one on the map, if that is wanted.
    pub numbers: Option<&'a mut [Lanes<u32>]>,
}

/// A larger value wins, the first of equal ones stays. `NAN_WINS`: so does the first NaN.
#[inline(always)]
fn offer<T: Real, const NAN_WINS: bool>(best: &mut Lanes<T>, candidate: &Lanes<T>) {
    for (old, &new) in best.0.iter_mut().zip(&candidate.0) {
        // The order of the operands is that of the max instructions, which keep an old NaN.
        let larger = if new > *old { new } else { *old };
        *old = if NAN_WINS && is_nan(new) { new } else { larger };
    }
}

/// As [`offer`], with the candidate's number.
#[inline(always)]
fn offer_numbered<T: Real, const NAN_WINS: bool>(
    best: &mut Lanes<T>,
    numbers: &mut Lanes<u32>,
    candidate: &Lanes<T>,
    number: u32,
) {
    for lane in 0..LANES {
        let (new, old) = (candidate.0[lane], best.0[lane]);
        let wins = new > old || (NAN_WINS && is_nan(new) && !is_nan(old));
        best.0[lane] = if wins { new } else { old };
        numbers.0[lane] = if wins { number } else { numbers.0[lane] };
    }
}

#[allow(clippy::eq_op, reason = "NaN differs from itself")]
#[inline(always)]
fn is_nan<T: Real>(value: T) -> bool {
    value != value
}

/// Samples of one row of bins.
pub struct MaxSamples<'a, T> {
    /// Two rows for each of the samples on y.
    pub window: Loaded<'a, T>,
    /// Their weights.
    pub y_weights: &'a [T],
    /// Number of the first of these samples on y, counted from the bin's first one on the map.
    pub first: usize,
    /// The taps on x.
    pub x: AxisTaps<'a, T>,
    /// Whether the corners count, and not the interpolated values.
    pub corners: bool,
    /// The maxima so far.
    pub best: Maxima<'a, T>,
}

/// The four pixels around a sample and their weights.
struct Sample<'w, T> {
    rows: [Row<'w, T>; 2],
    y_weights: [T; 2],
    columns: [u32; 2],
    x_weights: [T; 2],
}

impl<T: Real> Kernel for MaxSamples<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        match (self.corners, self.best.numbers.is_some()) {
            (false, false) => self.bins::<I, false, false>(),
            (false, true) => self.bins::<I, false, true>(),
            (true, false) => self.bins::<I, true, false>(),
            (true, true) => self.bins::<I, true, true>(),
        }
    }
}

impl<T: Real> MaxSamples<'_, T> {
    #[inline(always)]
    fn bins<I: Isa, const CORNERS: bool, const NUMBERED: bool>(mut self) {
        assert!(self.window.covers(&self.x.hull()) && self.window.len() == self.y_weights.len());
        let (y_weights, _) = self.y_weights.as_chunks::<2>();
        for bin in self.x.live() {
            let (columns, _) = self.x.pixels(bin..bin + 1).as_chunks::<2>();
            let (x_weights, _) = self.x.weights(bin..bin + 1).as_chunks::<2>();
            let mut best = self.best.values[bin];
            let mut numbers = self.best.numbers.as_ref().map_or(Lanes::splat(NONE), |numbers| numbers[bin]);
            for (i, &y_weights) in y_weights.iter().enumerate() {
                let rows = [self.window.row(2 * i), self.window.row(2 * i + 1)];
                let first = (self.first + i) * columns.len();
                for (j, (&columns, &x_weights)) in columns.iter().zip(x_weights).enumerate() {
                    let sample = Sample { rows, y_weights, columns, x_weights };
                    let number = (first + j) as u32;
                    match (CORNERS, NUMBERED) {
                        // SAFETY: checked above; every pixel of an axis lies in its hull.
                        (false, false) => offer::<T, true>(&mut best, &unsafe { sample.interpolated::<I>() }),
                        (false, true) => {
                            // SAFETY: as above.
                            let value = unsafe { sample.interpolated::<I>() };
                            offer_numbered::<T, true>(&mut best, &mut numbers, &value, number);
                        }
                        // SAFETY: as above.
                        (true, false) => offer::<T, true>(&mut best, &unsafe { sample.largest_corner() }),
                        (true, true) => {
                            for corner in 0..4 {
                                // SAFETY: as above.
                                let value = unsafe { sample.corner(corner / 2, corner % 2) };
                                let number = 4 * number + corner as u32;
                                offer_numbered::<T, true>(&mut best, &mut numbers, &value, number);
                            }
                        }
                    }
                }
            }
            self.best.values[bin] = best;
            if let Some(out) = self.best.numbers.as_deref_mut() {
                out[bin] = numbers;
            }
        }
    }
}

impl<T: Real> Sample<'_, T> {
    /// The interpolated value.
    ///
    /// # Safety
    /// The columns must be covered by the rows' window.
    #[inline(always)]
    unsafe fn interpolated<I: Isa>(&self) -> Lanes<T> {
        let Self { rows: [top, bottom], y_weights: wy, columns: [left, right], x_weights: wx } = *self;
        // SAFETY: the caller's promise.
        let (a, b, c, d) =
            unsafe { (top.pixel(left), top.pixel(right), bottom.pixel(left), bottom.pixel(right)) };
        let top = I::mul_add(wx[1], b, I::scale(wx[0], a));
        let bottom = I::mul_add(wx[1], d, I::scale(wx[0], c));
        I::mul_add(wy[1], &bottom, I::scale(wy[0], &top))
    }

    /// A weighted corner; one without weight is 0, whatever its pixel holds.
    ///
    /// # Safety
    /// As for [`Self::interpolated`].
    #[inline(always)]
    unsafe fn corner(&self, y: usize, x: usize) -> Lanes<T> {
        let (wy, wx) = (self.y_weights[y], self.x_weights[x]);
        let mut value = Lanes::splat(T::ZERO);
        if wy != T::ZERO && wx != T::ZERO {
            // SAFETY: the caller's promise.
            let pixel = unsafe { self.rows[y].pixel(self.columns[x]) };
            for lane in 0..LANES {
                value.0[lane] = wy * (wx * pixel.0[lane]);
            }
        }
        value
    }

    /// The largest of the four.
    ///
    /// # Safety
    /// As for [`Self::interpolated`].
    #[inline(always)]
    unsafe fn largest_corner(&self) -> Lanes<T> {
        // SAFETY: the caller's promise.
        unsafe {
            let mut best = self.corner(0, 0);
            offer::<T, true>(&mut best, &self.corner(0, 1));
            offer::<T, true>(&mut best, &self.corner(1, 0));
            offer::<T, true>(&mut best, &self.corner(1, 1));
            best
        }
    }
}

/// Rows of the windows of one row of bins.
pub struct MaxWindow<'a, T> {
    /// The rows.
    pub window: Loaded<'a, T>,
    /// Number of the first of them, counted from the window's first one.
    pub first: usize,
    /// The windows on x.
    pub x: AxisTaps<'a, T>,
    /// The maxima so far.
    pub best: Maxima<'a, T>,
}

impl<T: Real> Kernel for MaxWindow<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self) {
        assert!(self.window.covers(&self.x.hull()));
        for bin in self.x.live() {
            let &[first, last] = self.x.pixels(bin..bin + 1) else { continue };
            let mut best = self.best.values[bin];
            if let Some(out) = self.best.numbers.as_deref_mut() {
                let width = (last - first + 1) as usize;
                for row in 0..self.window.len() {
                    let (pixels, number) = (self.window.row(row), ((self.first + row) * width) as u32);
                    for column in first..=last {
                        // SAFETY: checked above; every pixel of an axis lies in its hull.
                        let pixel = unsafe { pixels.pixel(column) };
                        offer_numbered::<T, false>(&mut best, &mut out[bin], pixel, number + column - first);
                    }
                }
            } else {
                for row in 0..self.window.len() {
                    let pixels = self.window.row(row);
                    for column in first..=last {
                        // SAFETY: as above.
                        offer::<T, false>(&mut best, unsafe { pixels.pixel(column) });
                    }
                }
            }
            self.best.values[bin] = best;
        }
    }
}
