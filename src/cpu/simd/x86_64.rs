//! What the compiler does not find by itself on x86-64: arithmetic on whole registers, transposes, half floats, streaming
//! stores, prefetch.

mod lanes;
mod transpose;

#[allow(clippy::wildcard_imports, reason = "intrinsics carry their own prefix")]
use std::arch::x86_64::*;

use super::{Isa, Kernel, LANES, Lanes, store_transposed_halves};
use crate::element::{Conversions, Element, Real};

pub fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c")
}

pub fn has_avx512() -> bool {
    has_avx2()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
}

#[target_feature(enable = "avx2,fma,f16c")]
#[inline(never)]
pub fn avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx<false>>()
}

#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl")]
#[inline(never)]
pub fn avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx<true>>()
}

/// What [`avx2`] and, `WIDE`, [`avx512`] pass to the kernels that they run, and nobody else to any. The compiler
/// widens to AVX-512 by itself whatever is not an intrinsic.
pub struct Avx<const WIDE: bool>;

impl<const WIDE: bool> Conversions for Avx<WIDE> {
    #[inline(always)]
    fn widen_f16<const N: usize>(values: [u16; N]) -> [f32; N] {
        let mut results = [0.0; N];
        for (results, values) in results.chunks_mut(8).zip(values.chunks(8)) {
            let mut padded = [0; 8];
            padded[..values.len()].copy_from_slice(values);
            // SAFETY: this level has F16C; arrays and vectors have the same bytes.
            let wide: [f32; 8] = unsafe {
                std::mem::transmute(_mm256_cvtph_ps(std::mem::transmute::<[u16; 8], __m128i>(padded)))
            };
            results.copy_from_slice(&wide[..results.len()]);
        }
        results
    }

    #[inline(always)]
    fn narrow_f16<const N: usize>(values: [f32; N]) -> [u16; N] {
        let mut results = [0; N];
        for (results, values) in results.chunks_mut(8).zip(values.chunks(8)) {
            let mut padded = [0.0; 8];
            padded[..values.len()].copy_from_slice(values);
            // SAFETY: as above.
            let narrow: [u16; 8] = unsafe {
                let values = std::mem::transmute::<[f32; 8], __m256>(padded);
                std::mem::transmute(_mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(values))
            };
            results.copy_from_slice(&narrow[..results.len()]);
        }
        results
    }
}

impl<const WIDE: bool> Isa for Avx<WIDE> {
    #[inline(always)]
    fn call<K: Kernel>(kernel: K) -> K::Output {
        // SAFETY: the type's only user was entered at this level.
        unsafe { if WIDE { avx512(kernel) } else { avx2(kernel) } }
    }

    #[inline(always)]
    fn scale<T: Real>(weight: T, value: &Lanes<T>) -> Lanes<T> {
        // SAFETY: the level that passes this type has what it needs.
        unsafe { lanes::scale::<T, WIDE>(weight, value) }
    }

    #[inline(always)]
    fn add<T: Real>(sum: Lanes<T>, value: &Lanes<T>) -> Lanes<T> {
        // SAFETY: as above.
        unsafe { lanes::add::<T, WIDE>(&sum, value) }
    }

    #[inline(always)]
    fn mul_add<T: Real>(weight: T, value: &Lanes<T>, sum: Lanes<T>) -> Lanes<T> {
        // SAFETY: as above.
        unsafe { lanes::mul_add::<T, WIDE>(weight, value, &sum) }
    }

    #[inline(always)]
    fn add_product<T: Real>(weights: &Lanes<T>, values: &Lanes<T>, sum: Lanes<T>) -> Lanes<T> {
        // SAFETY: as above.
        unsafe { lanes::add_product::<T, WIDE>(weights, values, &sum) }
    }

    #[inline(always)]
    fn max<T: Real>(best: Lanes<T>, value: &Lanes<T>) -> Lanes<T> {
        // SAFETY: as above.
        unsafe { lanes::max::<T, WIDE>(&best, value) }
    }

    #[inline(always)]
    fn max_or_nan<T: Real>(best: Lanes<T>, value: &Lanes<T>) -> Lanes<T> {
        // SAFETY: as above.
        unsafe { lanes::max_or_nan::<T, WIDE>(&best, value) }
    }

    #[inline(always)]
    fn transpose<T: Real>(block: [[T; 8]; 8]) -> [[T; 8]; 8] {
        // SAFETY: this level has AVX, and a `Real` of four bytes is `f32`, one of eight is `f64`.
        unsafe {
            if size_of::<T>() == 4 {
                std::mem::transmute_copy(&transpose::square_f32(std::mem::transmute_copy(&block)))
            } else {
                std::mem::transmute_copy(&transpose::square_f64(std::mem::transmute_copy(&block)))
            }
        }
    }

    #[inline(always)]
    unsafe fn store_transposed<E: Element>(block: &[Lanes<E::Compute>; 8], to: *mut E, count: usize) {
        // SAFETY: the caller's promise; this level has AVX-512 if `WIDE`, a `Real` of four bytes is `f32`, and 16 elements of
        // two bytes fill a register.
        unsafe {
            match (size_of::<E>(), size_of::<E::Compute>()) {
                (2, _) if WIDE => {
                    let mut narrow = [_mm256_setzero_si256(); 8];
                    for (narrow, lanes) in narrow.iter_mut().zip(block) {
                        *narrow = std::mem::transmute_copy(&E::narrow::<Self, LANES>(lanes.0));
                    }
                    transpose::store_16_bits(narrow, to.cast(), count);
                }
                (_, 4) if WIDE => {
                    transpose::store_f32::<Self, E>(&*(&raw const *block).cast(), to, count);
                }
                _ => store_transposed_halves::<Self, E>(block, to, count),
            }
        }
    }

    #[inline(always)]
    unsafe fn stream_16(from: *const u8, to: *mut u8) {
        // SAFETY: the caller gives 16 readable bytes, and 16 writable ones that are aligned.
        unsafe { _mm_stream_si128(to.cast(), _mm_loadu_si128(from.cast())) }
    }

    #[inline(always)]
    unsafe fn stream_line(from: *const u8, to: *mut u8) {
        // SAFETY: as above, with 64.
        unsafe {
            if WIDE {
                _mm512_stream_si512(to.cast(), _mm512_loadu_si512(from.cast()));
            } else {
                for half in [0, 32] {
                    let value = _mm256_loadu_si256(from.add(half).cast());
                    _mm256_stream_si256(to.add(half).cast(), value);
                }
            }
        }
    }

    #[inline(always)]
    fn fence() {
        // SAFETY: every x86-64 CPU has it.
        unsafe { _mm_sfence() }
    }

    #[inline(always)]
    fn prefetch(from: *const u8) {
        // SAFETY: a prefetch may name any address.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(from.cast()) }
    }
}
