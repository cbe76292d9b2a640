//! Levels for which there are no intrinsics here: what the compiler makes of the target's baseline.

use crate::cpu::simd::{Isa, Kernel, Lanes};
use crate::element::{Conversions, Real};

/// No fused multiply-add.
pub struct Plain;

impl Conversions for Plain {}

impl Isa for Plain {
    #[inline(never)]
    fn call<K: Kernel>(kernel: K) -> K::Output {
        kernel.run::<Self>()
    }

    #[inline(always)]
    fn mul_add<T: Real>(weight: T, value: &Lanes<T>, mut sum: Lanes<T>) -> Lanes<T> {
        for (sum, &value) in sum.0.iter_mut().zip(&value.0) {
            *sum = weight * value + *sum;
        }
        sum
    }

    #[inline(always)]
    fn add_product<T: Real>(weights: &Lanes<T>, values: &Lanes<T>, mut sum: Lanes<T>) -> Lanes<T> {
        for ((sum, &weight), &value) in sum.0.iter_mut().zip(&weights.0).zip(&values.0) {
            *sum = weight * value + *sum;
        }
        sum
    }
}

/// Fused multiply-add, and whatever else the compiler finds.
pub struct Fused;

impl Conversions for Fused {}

impl Isa for Fused {
    #[inline(never)]
    fn call<K: Kernel>(kernel: K) -> K::Output {
        kernel.run::<Self>()
    }

    #[inline(always)]
    fn mul_add<T: Real>(weight: T, value: &Lanes<T>, mut sum: Lanes<T>) -> Lanes<T> {
        for (sum, &value) in sum.0.iter_mut().zip(&value.0) {
            *sum = weight.mul_add(value, *sum);
        }
        sum
    }

    #[inline(always)]
    fn add_product<T: Real>(weights: &Lanes<T>, values: &Lanes<T>, mut sum: Lanes<T>) -> Lanes<T> {
        for ((sum, &weight), &value) in sum.0.iter_mut().zip(&weights.0).zip(&values.0) {
            *sum = weight.mul_add(value, *sum);
        }
        sum
    }
}
