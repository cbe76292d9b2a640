//! Levels for which there are no intrinsics here: what the compiler makes of the target's baseline.

use crate::cpu::simd::{Isa, Kernel, Lanes};
use crate::element::{Conversions, Real};

/// `FUSED`, where the baseline has an instruction for it: multiply-add rounds once.
pub struct Baseline<const FUSED: bool>;

impl<const FUSED: bool> Conversions for Baseline<FUSED> {}

impl<const FUSED: bool> Isa for Baseline<FUSED> {
    #[inline(never)]
    fn call<K: Kernel>(kernel: K) -> K::Output {
        kernel.run::<Self>()
    }

    #[inline(always)]
    fn mul_add<T: Real>(weight: T, value: &Lanes<T>, mut sum: Lanes<T>) -> Lanes<T> {
        for (sum, &value) in sum.0.iter_mut().zip(&value.0) {
            *sum = mul_add::<T, FUSED>(weight, value, *sum);
        }
        sum
    }

    #[inline(always)]
    fn add_product<T: Real>(weights: &Lanes<T>, values: &Lanes<T>, mut sum: Lanes<T>) -> Lanes<T> {
        for ((sum, &weight), &value) in sum.0.iter_mut().zip(&weights.0).zip(&values.0) {
            *sum = mul_add::<T, FUSED>(weight, value, *sum);
        }
        sum
    }
}

#[inline(always)]
fn mul_add<T: Real, const FUSED: bool>(weight: T, value: T, sum: T) -> T {
    if FUSED { weight.mul_add(value, sum) } else { weight * value + sum }
}
