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
    /// The other one stays if neither is larger.
    unsafe fn max(self, other: Self) -> Self;
    /// This one if it is NaN.
    unsafe fn if_nan_or(self, other: Self) -> Self;
}

macro_rules! register {
    ($register:ty, $float:ty, $splat:ident, $add:ident, $mul:ident, $mul_add:ident, $max:ident, $unordered:ident) => {
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
            #[inline(always)]
            unsafe fn max(self, other: Self) -> Self {
                // SAFETY: as above.
                unsafe { $max(self, other) }
            }
            #[inline(always)]
            unsafe fn if_nan_or(self, other: Self) -> Self {
                // SAFETY: as above.
                unsafe { $unordered(self, other) }
            }
        }
    };
}

register!(
    __m256,
    f32,
    _mm256_set1_ps,
    _mm256_add_ps,
    _mm256_mul_ps,
    _mm256_fmadd_ps,
    _mm256_max_ps,
    if_nan_ps
);
register!(
    __m512,
    f32,
    _mm512_set1_ps,
    _mm512_add_ps,
    _mm512_mul_ps,
    _mm512_fmadd_ps,
    _mm512_max_ps,
    if_nan_wide_ps
);
register!(
    __m256d,
    f64,
    _mm256_set1_pd,
    _mm256_add_pd,
    _mm256_mul_pd,
    _mm256_fmadd_pd,
    _mm256_max_pd,
    if_nan_pd
);
register!(
    __m512d,
    f64,
    _mm512_set1_pd,
    _mm512_add_pd,
    _mm512_mul_pd,
    _mm512_fmadd_pd,
    _mm512_max_pd,
    if_nan_wide_pd
);

#[inline(always)]
unsafe fn if_nan_ps(value: __m256, other: __m256) -> __m256 {
    // SAFETY: the caller has AVX.
    unsafe { _mm256_blendv_ps(other, value, _mm256_cmp_ps::<_CMP_UNORD_Q>(value, value)) }
}

#[inline(always)]
unsafe fn if_nan_pd(value: __m256d, other: __m256d) -> __m256d {
    // SAFETY: as above.
    unsafe { _mm256_blendv_pd(other, value, _mm256_cmp_pd::<_CMP_UNORD_Q>(value, value)) }
}

/// For `fixupimm`, what becomes of quiet and of signalling NaN: itself, made quiet. All else stays what it was.
const KEEP_NAN: i32 = 0x22;

#[inline(always)]
unsafe fn if_nan_wide_ps(value: __m512, other: __m512) -> __m512 {
    // SAFETY: the caller has AVX-512 F.
    unsafe { _mm512_fixupimm_ps::<0>(other, value, _mm512_set1_epi32(KEEP_NAN)) }
}

#[inline(always)]
unsafe fn if_nan_wide_pd(value: __m512d, other: __m512d) -> __m512d {
    // SAFETY: as above.
    unsafe { _mm512_fixupimm_pd::<0>(other, value, _mm512_set1_epi64(i64::from(KEEP_NAN))) }
}

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

/// A function of two values in every lane.
macro_rules! of_two {
    ($(#[$doc:meta])* $function:ident, $old:ident, $value:ident, $result:expr) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// As for [`scale`].
        #[inline(always)]
        pub unsafe fn $function<T: Real, const WIDE: bool>(old: &Lanes<T>, value: &Lanes<T>) -> Lanes<T> {
            #[inline(always)]
            unsafe fn each<R: Register, T: Real, const N: usize>(
                old: &Lanes<T>,
                value: &Lanes<T>,
            ) -> Lanes<T> {
                // SAFETY: as in `scale`.
                unsafe {
                    let (mut results, values): ([R; N], [R; N]) = (transmute_copy(old), transmute_copy(value));
                    for (result, $value) in results.iter_mut().zip(values) {
                        let $old = *result;
                        *result = $result;
                    }
                    transmute_copy(&results)
                }
            }
            // SAFETY: the caller's promise.
            unsafe { by_register!(each, T, WIDE, old, value) }
        }
    };
}

of_two!(
    /// `sum + value`.
    add, sum, value, sum.add(value)
);
of_two!(
    /// The larger of both; `best` stays beside an equal one and beside NaN.
    max, best, value, value.max(best)
);
of_two!(
    /// The larger of both; NaN is larger than all.
    max_or_nan, best, value, value.if_nan_or(value.max(best))
);

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
