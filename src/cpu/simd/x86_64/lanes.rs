//! Arithmetic on 16 lanes, register by register. The compiler would find these instructions by itself, if it did not
//! find gathers over neighbouring pixels first.

#[allow(clippy::wildcard_imports, reason = "intrinsics carry their own prefix")]
use std::arch::x86_64::*;
use std::mem::transmute_copy;

use crate::cpu::simd::Lanes;
use crate::element::Real;

/// A register of floats. All functions need the instruction set that has it, and FMA.
trait Register: Copy {
    type Float;
    unsafe fn splat(value: Self::Float) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self;
}

macro_rules! register {
    ($register:ty, $float:ty, $splat:ident, $add:ident, $mul:ident, $mul_add:ident) => {
        impl Register for $register {
            type Float = $float;
            #[inline(always)]
            unsafe fn splat(value: $float) -> Self {
                // SAFETY: the caller has the instruction set.
                unsafe { $splat(value) }
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: as above.
                unsafe { $add(self, other) }
            }
            #[inline(always)]
            unsafe fn mul(self, other: Self) -> Self {
                // SAFETY: as above.
                unsafe { $mul(self, other) }
            }
            #[inline(always)]
            unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
                // SAFETY: as above.
                unsafe { $mul_add(self, factor, addend) }
            }
        }
    };
}

register!(__m256, f32, _mm256_set1_ps, _mm256_add_ps, _mm256_mul_ps, _mm256_fmadd_ps);
register!(__m512, f32, _mm512_set1_ps, _mm512_add_ps, _mm512_mul_ps, _mm512_fmadd_ps);
register!(__m256d, f64, _mm256_set1_pd, _mm256_add_pd, _mm256_mul_pd, _mm256_fmadd_pd);
register!(__m512d, f64, _mm512_set1_pd, _mm512_add_pd, _mm512_mul_pd, _mm512_fmadd_pd);

/// Runs a generic function on the registers that 16 lanes of `T` fill: of AVX-512 if `WIDE`.
macro_rules! by_register {
    ($function:ident, $float:ty, $wide:ident, $($argument:expr),*) => {
        match (size_of::<$float>() == 4, $wide) {
            (true, false) => $function::<__m256, $float, 2>($($argument),*),
            (true, true) => $function::<__m512, $float, 1>($($argument),*),
            (false, false) => $function::<__m256d, $float, 4>($($argument),*),
            (false, true) => $function::<__m512d, $float, 2>($($argument),*),
        }
    };
}

/// `weight * value`.
///
/// # Safety
/// The CPU must have AVX2 and FMA, and AVX-512 F if `WIDE`.
#[inline(always)]
pub unsafe fn scale<T: Real, const WIDE: bool>(weight: T, value: &Lanes<T>) -> Lanes<T> {
    #[inline(always)]
    unsafe fn each<R: Register, T: Real, const N: usize>(weight: T, value: &Lanes<T>) -> Lanes<T> {
        // SAFETY: N registers are as large as the lanes, and their floats are the lanes'.
        unsafe {
            let (weight, mut values): (_, [R; N]) =
                (R::splat(transmute_copy(&weight)), transmute_copy(value));
            for value in &mut values {
                *value = weight.mul(*value);
            }
            transmute_copy(&values)
        }
    }
    // SAFETY: the caller's promise.
    unsafe { by_register!(each, T, WIDE, weight, value) }
}

/// `sum + value`.
///
/// # Safety
/// As for [`scale`].
#[inline(always)]
pub unsafe fn add<T: Real, const WIDE: bool>(sum: &Lanes<T>, value: &Lanes<T>) -> Lanes<T> {
    #[inline(always)]
    unsafe fn each<R: Register, T: Real, const N: usize>(sum: &Lanes<T>, value: &Lanes<T>) -> Lanes<T> {
        // SAFETY: as in `scale`.
        unsafe {
            let (mut sums, values): ([R; N], [R; N]) = (transmute_copy(sum), transmute_copy(value));
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum = sum.add(value);
            }
            transmute_copy(&sums)
        }
    }
    // SAFETY: the caller's promise.
    unsafe { by_register!(each, T, WIDE, sum, value) }
}

/// `weight * value + sum`, rounded once.
///
/// # Safety
/// As for [`scale`].
#[inline(always)]
pub unsafe fn mul_add<T: Real, const WIDE: bool>(weight: T, value: &Lanes<T>, sum: &Lanes<T>) -> Lanes<T> {
    #[inline(always)]
    unsafe fn each<R: Register, T: Real, const N: usize>(
        weight: T,
        value: &Lanes<T>,
        sum: &Lanes<T>,
    ) -> Lanes<T> {
        // SAFETY: as in `scale`.
        unsafe {
            let weight = R::splat(transmute_copy(&weight));
            let (mut sums, values): ([R; N], [R; N]) = (transmute_copy(sum), transmute_copy(value));
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum = weight.mul_add(value, *sum);
            }
            transmute_copy(&sums)
        }
    }
    // SAFETY: the caller's promise.
    unsafe { by_register!(each, T, WIDE, weight, value, sum) }
}

/// `weights * values + sum`, lane by lane, rounded once.
///
/// # Safety
/// As for [`scale`].
#[inline(always)]
pub unsafe fn add_product<T: Real, const WIDE: bool>(
    weights: &Lanes<T>,
    values: &Lanes<T>,
    sum: &Lanes<T>,
) -> Lanes<T> {
    #[inline(always)]
    unsafe fn each<R: Register, T: Real, const N: usize>(
        weights: &Lanes<T>,
        values: &Lanes<T>,
        sum: &Lanes<T>,
    ) -> Lanes<T> {
        // SAFETY: as in `scale`.
        unsafe {
            let (weights, values): ([R; N], [R; N]) = (transmute_copy(weights), transmute_copy(values));
            let mut sums: [R; N] = transmute_copy(sum);
            for ((sum, weight), value) in sums.iter_mut().zip(weights).zip(values) {
                *sum = weight.mul_add(value, *sum);
            }
            transmute_copy(&sums)
        }
    }
    // SAFETY: the caller's promise.
    unsafe { by_register!(each, T, WIDE, weights, values, sum) }
}
