//! Maxima of window pixels: over samples, over their weighted corners, over windows.

use crate::cpu::simd::{Isa, Kernel, LANES, Lanes};
use crate::cpu::window::Loaded;
use crate::element::Real;
use crate::taps::AxisTaps;

/// Which of the candidates of a bin is the largest, counted from its first one on the map; or none.
pub const NONE: u32 = u32::MAX;

/// Where the maxima of a row of bins are kept.
pub struct Maxima<'a, T> {
    /// The values.
    pub values: &'a mut [Lanes<T>],
    /// Their numbers, if wanted.
    pub numbers: Option<&'a mut [Lanes<u32>]>,
}

/// A running maximum.
struct Best<'a, T> {
    value: Lanes<T>,
    number: Lanes<u32>,
    out: &'a mut Lanes<T>,
    out_number: Option<&'a mut Lanes<u32>>,
}

impl<T: Real> Maxima<'_, T> {
    #[inline(always)]
    fn bin(&mut self, bin: usize) -> Best<'_, T> {
        let out = &mut self.values[bin];
        let out_number = self.numbers.as_deref_mut().map(|numbers| &mut numbers[bin]);
        let number = out_number.as_deref().map_or(Lanes::splat(NONE), |number| *number);
        Best { value: *out, number, out, out_number }
    }
}

impl<T: Real> Best<'_, T> {
    /// A larger value wins, the first of equal ones stays. `NAN_WINS`: so does the first NaN.
    #[inline(always)]
    fn offer<const NAN_WINS: bool>(&mut self, candidate: &Lanes<T>, number: u32) {
        for lane in 0..LANES {
            let (new, old) = (candidate.0[lane], self.value.0[lane]);
            #[allow(clippy::eq_op, reason = "NaN differs from itself")]
            let wins = new > old || (NAN_WINS && new != new && old == old);
            self.value.0[lane] = if wins { new } else { old };
            self.number.0[lane] = if wins { number } else { self.number.0[lane] };
        }
    }

    #[inline(always)]
    fn keep(self) {
        *self.out = self.value;
        if let Some(out) = self.out_number {
            *out = self.number;
        }
    }
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

impl<T: Real> Kernel for MaxSamples<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        if self.corners { self.bins::<I, true>() } else { self.bins::<I, false>() }
    }
}

impl<T: Real> MaxSamples<'_, T> {
    #[inline(always)]
    fn bins<I: Isa, const CORNERS: bool>(mut self) {
        assert!(self.window.covers(&self.x.hull()) && self.window.len() == self.y_weights.len());
        let (y_weights, _) = self.y_weights.as_chunks::<2>();
        for bin in self.x.live() {
            let (columns, _) = self.x.pixels(bin..bin + 1).as_chunks::<2>();
            let (x_weights, _) = self.x.weights(bin..bin + 1).as_chunks::<2>();
            let mut best = self.best.bin(bin);
            for (i, wy) in y_weights.iter().enumerate() {
                let first = (self.first + i) * columns.len();
                let window = [self.window.row(2 * i), self.window.row(2 * i + 1)];
                for (j, (columns, wx)) in columns.iter().zip(x_weights).enumerate() {
                    let number = (first + j) as u32;
                    // SAFETY: checked above; every pixel of an axis lies in its hull.
                    let pixel = |y: usize, x: usize| unsafe { window[y].pixel(columns[x]) };
                    if CORNERS {
                        for corner in 0..4 {
                            let (y, x) = (corner / 2, corner % 2);
                            let weighted = corner_value(wy[y], wx[x], || pixel(y, x));
                            best.offer::<true>(&weighted, 4 * number + corner as u32);
                        }
                    } else {
                        let mut value = Lanes::splat(T::ZERO);
                        for lane in 0..LANES {
                            let row = |y| {
                                let (left, right) = (pixel(y, 0).0[lane], pixel(y, 1).0[lane]);
                                I::mul_add(wx[1], right, wx[0] * left)
                            };
                            value.0[lane] = I::mul_add(wy[1], row(1), wy[0] * row(0));
                        }
                        best.offer::<true>(&value, number);
                    }
                }
            }
            best.keep();
        }
    }
}

/// A corner without weight is 0, whatever its pixel holds.
#[inline(always)]
fn corner_value<'a, T: Real>(wy: T, wx: T, pixel: impl FnOnce() -> &'a Lanes<T>) -> Lanes<T> {
    let mut value = Lanes::splat(T::ZERO);
    if wy != T::ZERO && wx != T::ZERO {
        let pixel = pixel();
        for lane in 0..LANES {
            value.0[lane] = wy * (wx * pixel.0[lane]);
        }
    }
    value
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
            let width = (last - first + 1) as usize;
            let mut best = self.best.bin(bin);
            for row in 0..self.window.len() {
                let number = (self.first + row) * width;
                let window = self.window.row(row);
                for column in first..=last {
                    // SAFETY: checked above; every pixel of an axis lies in its hull.
                    let pixel = unsafe { window.pixel(column) };
                    best.offer::<false>(pixel, (number + (column - first) as usize) as u32);
                }
            }
            best.keep();
        }
    }
}
