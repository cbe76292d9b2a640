//! Element types: what may lie in an array, and the type it is computed in.

use std::fmt::{Debug, Display};
use std::ops::{Add, AddAssign, Div, Mul, Sub};

use half::{bf16, f16};

/// A type that features and outputs may have.
pub trait Element: Copy + Send + Sync + Debug + PartialEq + 'static {
    /// The type that taps are applied in.
    type Compute: Real;
    /// The type of the result for features of this type.
    type Output: Element<Compute = Self::Compute>;
    /// To the compute type, exactly.
    fn widen(self) -> Self::Compute;
    /// From the compute type, rounded to nearest.
    fn narrow(value: Self::Compute) -> Self;
}

macro_rules! element {
    ($type:ty, $compute:ty, $output:ty, $widen:expr, $narrow:expr) => {
        impl Element for $type {
            type Compute = $compute;
            type Output = $output;
            #[inline(always)]
            fn widen(self) -> $compute {
                $widen(self)
            }
            #[inline(always)]
            fn narrow(value: $compute) -> Self {
                $narrow(value)
            }
        }
    };
}

element!(f32, f32, f32, |v| v, |v| v);
element!(f64, f64, f64, |v| v, |v| v);
element!(f16, f32, f16, f16::to_f32, f16::from_f32);
element!(bf16, f32, bf16, bf16::to_f32, bf16::from_f32);
element!(u8, f32, f32, f32::from, |v: f32| v.round() as u8);

/// A type to compute in: `f32` or `f64`. Boxes have one, weights have one.
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
    /// Nought.
    const ZERO: Self;
    /// Not a number.
    const NAN: Self;
    /// Below every number.
    const NEG_INFINITY: Self;
    /// The lowest finite `f32`, where `RoI` pooling starts in every peer and dtype.
    const LOWEST_F32: Self;

    /// From `f64`, rounded to nearest.
    fn from_f64(value: f64) -> Self;
    /// To `f64`, exactly.
    fn to_f64(self) -> f64;
    /// From an integer, rounded to nearest.
    fn from_i64(value: i64) -> Self;
    /// To an integer, towards zero, saturating; NaN gives 0.
    fn to_i64(self) -> i64;
    /// The largest integer that is not larger.
    fn floor(self) -> Self;
    /// The smallest integer that is not smaller.
    fn ceil(self) -> Self;
    /// The nearest integer, halves away from zero.
    fn round(self) -> Self;
    /// `self * factor + addend`, rounded once.
    fn mul_add(self, factor: Self, addend: Self) -> Self;
    /// Neither infinite nor NaN.
    fn is_finite(self) -> bool;
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
            fn mul_add(self, factor: Self, addend: Self) -> Self {
                self.mul_add(factor, addend)
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                self.is_finite()
            }
        }
    };
}

real!(f32);
real!(f64);
