//! Products of gradients, weights and window pixels, summed over columns, over rows, and over the taps' slopes.

use std::ops::Range;

use crate::cpu::simd::spread::add_lanes;
use crate::cpu::simd::sum::accumulate;
use crate::cpu::simd::{Isa, Kernel, LANES, Lanes};
use crate::cpu::window::Loaded;
use crate::element::Real;
use crate::taps::AxisTaps;

/// Lane by lane, a product is added to a sum.
#[inline(always)]
fn add_product<I: Isa, T: Real>(sum: &mut Lanes<T>, a: &Lanes<T>, b: &Lanes<T>) {
    for ((sum, &a), &b) in sum.0.iter_mut().zip(&a.0).zip(&b.0) {
        *sum = I::mul_add(a, b, *sum);
    }
}

#[inline(always)]
fn scaled<T: Real>(lanes: &Lanes<T>, factor: T) -> Lanes<T> {
    let mut product = *lanes;
    product.0.iter_mut().for_each(|value| *value = factor * *value);
    product
}

/// Adds what a tap with these slopes has for the two ends. One without a slope has nothing, whatever its sum is.
#[inline(always)]
fn add_slopes<I: Isa, T: Real>(ends: &mut [Lanes<T>; 2], slopes: [T; 2], sum: &Lanes<T>) {
    for (end, slope) in ends.iter_mut().zip(slopes) {
        if slope != T::ZERO {
            accumulate::<I, T>(end, slope, sum);
        }
    }
}

/// The bins of a box whose taps are so few that the loops over them are unrolled. All have weight.
pub struct ContractUnrolled<'a, T> {
    /// The rows of the bins' y taps, in their order.
    pub window: Loaded<'a, T>,
    /// The bins' taps on y.
    pub y: AxisTaps<'a, T>,
    /// Their range, all live.
    pub y_bins: Range<usize>,
    /// The taps on x.
    pub x: AxisTaps<'a, T>,
    /// Gradients of all bins of these rows, and more.
    pub grads: &'a [Lanes<T>],
    /// What the box has for its ends on y.
    pub down: &'a mut [Lanes<T>; 2],
    /// What each tap on x would add if its weight grew.
    pub across: &'a mut [Lanes<T>],
}

impl<T: Real> Kernel for ContractUnrolled<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        macro_rules! unrolled {
            ($($y:literal $x:literal),*) => {
                match (self.y.uniform(), self.x.uniform()) {
                    $(($y, $x) => self.bins::<I, $y, $x>(),)*
                    (y, x) => unreachable!("{y} x {x} taps are not unrolled"),
                }
            };
        }
        unrolled!(1 1, 1 2, 1 3, 1 4, 2 1, 2 2, 2 3, 2 4, 3 1, 3 2, 3 3, 3 4, 4 1, 4 2, 4 3, 4 4);
    }
}

impl<T: Real> ContractUnrolled<'_, T> {
    #[inline(always)]
    fn bins<I: Isa, const Y: usize, const X: usize>(self) {
        let x_bins = self.x.live();
        let (columns, _) = self.x.pixels(x_bins.clone()).as_chunks::<X>();
        let (x_weights, _) = self.x.weights(x_bins.clone()).as_chunks::<X>();
        let (y_weights, _) = self.y.weights(self.y_bins.clone()).as_chunks::<Y>();
        let (y_slopes, _) = self.y.slopes(self.y_bins.clone()).as_chunks::<Y>();
        let (across, _) = self.across.as_chunks_mut::<X>();
        assert!(self.window.covers(&self.x.hull()) && self.window.len() >= Y * y_weights.len());
        let rows = self.grads.chunks_exact(self.x.bins());
        for (p, ((y_weights, y_slopes), grads)) in y_weights.iter().zip(y_slopes).zip(rows).enumerate() {
            let mut window = [self.window.row(p * Y); Y];
            for (j, row) in window.iter_mut().enumerate() {
                *row = self.window.row(p * Y + j);
            }
            let mut sums = [Lanes::splat(T::ZERO); Y];
            let bins = grads[x_bins.clone()].iter().zip(columns).zip(x_weights).zip(&mut *across);
            for (((grad, columns), x_weights), across) in bins {
                for ((&column, &x_weight), across) in columns.iter().zip(x_weights).zip(across) {
                    // SAFETY: checked above; every pixel of an axis lies in its hull.
                    let mut pixels = [unsafe { window[0].pixel(column) }; Y];
                    for (pixel, row) in pixels.iter_mut().zip(&window) {
                        // SAFETY: as above.
                        *pixel = unsafe { row.pixel(column) };
                    }
                    // One loop over the lanes around all of it: the compiler keeps the sums in registers then.
                    let (grad, mut sum) = (*grad, *across);
                    for lane in 0..LANES {
                        let grad = grad.0[lane];
                        let product = grad * x_weight;
                        let mut vertical = T::ZERO;
                        for j in 0..Y {
                            let pixel = pixels[j].0[lane];
                            vertical = I::mul_add(y_weights[j], pixel, vertical);
                            sums[j].0[lane] = I::mul_add(product, pixel, sums[j].0[lane]);
                        }
                        sum.0[lane] = I::mul_add(grad, vertical, sum.0[lane]);
                    }
                    *across = sum;
                }
            }
            for (sum, &slopes) in sums.iter().zip(y_slopes) {
                add_slopes::<I, T>(self.down, slopes, sum);
            }
        }
    }
}

/// Gradients of a row of bins times the weights of their taps on x.
pub struct Products<'a, T> {
    /// The gradients of all bins of the row.
    pub grads: &'a [Lanes<T>],
    /// The taps.
    pub x: AxisTaps<'a, T>,
    /// One for each tap that has weight.
    pub products: &'a mut Vec<Lanes<T>>,
}

impl<T: Real> Kernel for Products<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        self.products.clear();
        for bin in self.x.live() {
            for &weight in self.x.weights(bin..bin + 1) {
                if weight != T::ZERO {
                    self.products.push(scaled(&self.grads[bin], weight));
                }
            }
        }
    }
}

/// Rows that are summed in registers.
const ROWS_IN_REGISTERS: usize = 8;

/// Some rows of one row of bins.
pub struct ContractRows<'a, T> {
    /// The rows.
    pub window: Loaded<'a, T>,
    /// One for each row.
    pub weights: &'a [T],
    /// As many.
    pub slopes: &'a [[T; 2]],
    /// All columns of the box.
    pub hull: Range<usize>,
    /// One for each of them: weighted rows are added.
    pub columns: &'a mut [Lanes<T>],
    /// The column of each tap on x that has weight.
    pub pixels: &'a [u32],
    /// As many, from [`Products`].
    pub products: &'a [Lanes<T>],
    /// What the box has for its ends on y.
    pub down: &'a mut [Lanes<T>; 2],
}

impl<T: Real> Kernel for ContractRows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let Self { window, weights, slopes, hull, columns, pixels, products, down } = self;
        assert!(window.covers(&hull) && window.len() == weights.len());
        assert!(pixels.iter().all(|&pixel| hull.contains(&(pixel as usize))));
        for first in (0..weights.len()).step_by(ROWS_IN_REGISTERS) {
            let count = ROWS_IN_REGISTERS.min(weights.len() - first);
            let mut rows = [window.row(first); ROWS_IN_REGISTERS];
            for (j, row) in rows[..count].iter_mut().enumerate() {
                *row = window.row(first + j);
            }
            // A pixel without weight must not be read, for it may be NaN.
            let (mut weighty, mut weighty_rows) = ([(T::ZERO, rows[0]); ROWS_IN_REGISTERS], 0);
            for (&row, &weight) in rows.iter().zip(&weights[first..first + count]) {
                if weight != T::ZERO {
                    weighty[weighty_rows] = (weight, row);
                    weighty_rows += 1;
                }
            }
            for (column, sum) in hull.clone().zip(columns.iter_mut()) {
                let mut vertical = Lanes::splat(T::ZERO);
                for (weight, row) in &weighty[..weighty_rows] {
                    // SAFETY: checked above.
                    accumulate::<I, T>(&mut vertical, *weight, unsafe { row.pixel(column as u32) });
                }
                add_lanes(sum, &vertical);
            }
            let mut sums = [Lanes::splat(T::ZERO); ROWS_IN_REGISTERS];
            for (&pixel, product) in pixels.iter().zip(products) {
                for (sum, row) in sums.iter_mut().zip(&rows) {
                    // SAFETY: as above.
                    add_product::<I, T>(sum, product, unsafe { row.pixel(pixel) });
                }
            }
            for (sum, &slopes) in sums.iter().zip(&slopes[first..first + count]) {
                add_slopes::<I, T>(down, slopes, sum);
            }
        }
    }
}

/// Adds a row of bins to what each tap on x would add if its weight grew.
pub struct ContractColumns<'a, T> {
    /// One for each column of the hull of `x`.
    pub columns: &'a [Lanes<T>],
    /// The taps on x.
    pub x: AxisTaps<'a, T>,
    /// The gradients of all bins of the row.
    pub grads: &'a [Lanes<T>],
    /// One for each tap of the live bins.
    pub across: &'a mut [Lanes<T>],
}

impl<T: Real> Kernel for ContractColumns<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let first = self.x.hull().start;
        let mut across = self.across.iter_mut();
        for bin in self.x.live() {
            let grad = self.grads[bin];
            for (&pixel, sum) in self.x.pixels(bin..bin + 1).iter().zip(&mut across) {
                let mut local = *sum;
                add_product::<I, T>(&mut local, &grad, &self.columns[pixel as usize - first]);
                *sum = local;
            }
        }
    }
}

/// What the taps of an axis have for the two ends.
pub struct ApplySlopes<'a, T> {
    /// One for each tap.
    pub slopes: &'a [[T; 2]],
    /// As many.
    pub sums: &'a [Lanes<T>],
}

impl<T: Real> Kernel for ApplySlopes<'_, T> {
    type Output = [Lanes<T>; 2];

    #[inline(always)]
    fn run<I: Isa>(self) -> [Lanes<T>; 2] {
        let mut ends = [Lanes::splat(T::ZERO); 2];
        for (sum, &slopes) in self.sums.iter().zip(self.slopes) {
            add_slopes::<I, T>(&mut ends, slopes, sum);
        }
        ends
    }
}
