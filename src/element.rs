//! Element types of arrays, and the type that each is computed in.

use std::fmt::{Debug, Display};
use std::ops::{Add, AddAssign, Div, Mul, Sub};

use half::{bf16, f16};

/// Applies `f` to each value. Unlike `array::map` it is always inlined, and so compiled for the instruction set of its
/// caller.
#[inline(always)]
pub(crate) fn each<A: Copy, B: Copy + Default, const N: usize>(values: [A; N], f: impl Fn(A) -> B) -> [B; N] {
    let mut results = [B::default(); N];
    for (result, value) in results.iter_mut().zip(values) {
        *result = f(value);
    }
    results
}

/// Conversions that some instruction sets have in hardware.
pub trait Conversions {
    /// Half floats, as bits, to `f32`.
    #[inline(always)]
    fn widen_f16<const N: usize>(values: [u16; N]) -> [f32; N] {
        each(values, |bits| f16::from_bits(bits).to_f32())
    }

    /// `f32` to half floats, as bits, rounded to nearest even.
    #[inline(always)]
    fn narrow_f16<const N: usize>(values: [f32; N]) -> [u16; N] {
        each(values, |value| f16::from_f32(value).to_bits())
    }
}

/// An element type of features and outputs: `u8`, `f16`, `bf16`, `f32` or `f64`.
pub trait Element: Copy + Send + Sync + Debug + PartialEq + 'static {
    /// The type of the arithmetic: `f64` for `f64`, otherwise `f32`.
    type Compute: Real;
    /// The type of the result: `f32` for `u8`, otherwise the same type.
    type Output: Element<Compute = Self::Compute>;
    /// Converts to the compute type, exactly.
    fn widen<C: Conversions, const N: usize>(values: [Self; N]) -> [Self::Compute; N];
    /// Converts from the compute type, rounded to nearest.
    fn narrow<C: Conversions, const N: usize>(values: [Self::Compute; N]) -> [Self; N];
}

macro_rules! element {
    ($type:ty, $compute:ty, $output:ty, $conversions:ident, $widen:expr, $narrow:expr) => {
        impl Element for $type {
            type Compute = $compute;
            type Output = $output;
            #[inline(always)]
            fn widen<$conversions: Conversions, const N: usize>(values: [Self; N]) -> [$compute; N] {
                $widen(values)
            }
            #[inline(always)]
            fn narrow<$conversions: Conversions, const N: usize>(values: [$compute; N]) -> [Self; N] {
                $narrow(values)
            }
        }
    };
}

element!(f32, f32, f32, C, |values| values, |values| values);
element!(f64, f64, f64, C, |values| values, |values| values);
element!(f16, f32, f16, C, |values: [f16; N]| C::widen_f16::<N>(each(values, f16::to_bits)), |values| each(
    C::narrow_f16::<N>(values),
    f16::from_bits
));
element!(bf16, f32, bf16, C, |values: [bf16; N]| each(values, widen_bf16), |values: [f32; N]| each(
    values,
    narrow_bf16
));
element!(u8, f32, f32, C, |values: [u8; N]| each(values, f32::from), |values: [f32; N]| each(
    values,
    |value| value.round() as u8
));

/// A bfloat16 is the upper half of an `f32`. The `half` crate branches on NaN, so loops over it are not vectorised.
#[inline(always)]
fn widen_bf16(value: bf16) -> f32 {
    f32::from_bits(u32::from(value.to_bits()) << 16)
}

/// Rounds to nearest even: adds half a unit of the last kept bit, and 1 less than that if the bit is 0, so that ties go to
/// even. NaN keeps its sign and becomes quiet.
#[inline(always)]
fn narrow_bf16(value: f32) -> bf16 {
    let bits = value.to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
    let kept = if value.is_nan() { bits | 0x40_0000 } else { rounded };
    bf16::from_bits((kept >> 16) as u16)
}

/// A type of arithmetic: `f32` or `f64`. Boxes and weights have one of these types.
pub trait Real:
    Element<Compute = Self, Output = Self>
    + Default
    + Display
    + PartialOrd
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
{
    /// 0.
    const ZERO: Self;
    /// NaN.
    const NAN: Self;
    /// Negative infinity.
    const NEG_INFINITY: Self;
    /// The lowest finite `f32`: where the maximum of RoI pooling starts, as in torchvision.
    const LOWEST_F32: Self;

    /// Converts from `f64`, rounded to nearest.
    fn from_f64(value: f64) -> Self;
    /// Converts to `f64`, exactly.
    fn to_f64(self) -> f64;
    /// Converts from an integer, rounded to nearest.
    fn from_i64(value: i64) -> Self;
    /// Converts to an integer: rounds towards zero and saturates. NaN gives 0.
    fn to_i64(self) -> i64;
    /// Rounds down.
    fn floor(self) -> Self;
    /// Rounds up.
    fn ceil(self) -> Self;
    /// Rounds to nearest, halves away from zero.
    fn round(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Logarithm to base 2. For `f32` it is computed in `f64` and rounded, which is correctly rounded for all but one value
    /// in 10^8. PyTorch agrees at the boundaries of pyramid levels.
    fn log2(self) -> Self;
    /// `self * factor + addend`, rounded once.
    fn mul_add(self, factor: Self, addend: Self) -> Self;
    /// Whether the value is neither infinite nor NaN.
    fn is_finite(self) -> bool;
    /// Whether the value is NaN.
    fn is_nan(self) -> bool;
}

macro_rules! real {
    ($type:ty) => {
        impl Real for $type {
            const ZERO: Self = 0.0;
            const NAN: Self = <$type>::NAN;
            const NEG_INFINITY: Self = <$type>::NEG_INFINITY;
            const LOWEST_F32: Self = f32::MIN as $type;

            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as $type
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline(always)]
            fn from_i64(value: i64) -> Self {
                value as $type
            }
            #[inline(always)]
            fn to_i64(self) -> i64 {
                self as i64
            }
            #[inline(always)]
            fn floor(self) -> Self {
                self.floor()
            }
            #[inline(always)]
            fn ceil(self) -> Self {
                self.ceil()
            }
            #[inline(always)]
            fn round(self) -> Self {
                self.round()
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                self.sqrt()
            }
            #[inline(always)]
            fn log2(self) -> Self {
                f64::from(self).log2() as $type
            }
            #[inline(always)]
            fn mul_add(self, factor: Self, addend: Self) -> Self {
                self.mul_add(factor, addend)
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                self.is_finite()
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                self.is_nan()
            }
        }
    };
}

real!(f32);
real!(f64);

#[cfg(test)]
mod tests {
    use super::*;

    struct Portable;
    impl Conversions for Portable {}

    #[test]
    fn bfloat16_agrees_with_the_half_crate() {
        let special =
            [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN_POSITIVE, 0.0, -0.0];
        let all_exponents = (0..1 << 16).map(|i| f32::from_bits(i * 65_521));
        for value in all_exponents.chain(special) {
            let [ours] = bf16::narrow::<Portable, 1>([value]);
            assert_eq!(ours.to_bits(), bf16::from_f32(value).to_bits(), "{value}");
            let [widened, ..] = bf16::widen::<Portable, 1>([ours]);
            assert!(widened.is_nan() && value.is_nan() || widened == ours.to_f32(), "{value}");
        }
    }
}
