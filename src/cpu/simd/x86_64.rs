//! What the compiler does not find by itself on x86-64: transposes, half floats, streaming stores, prefetch.

mod lanes;

#[allow(clippy::wildcard_imports, reason = "intrinsics carry their own prefix")]
use std::arch::x86_64::*;

use super::{Isa, Kernel, Lanes, put, turn_halves};
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
    fn widen_f16(values: [u16; 8]) -> [f32; 8] {
        // SAFETY: this level has F16C; arrays and vectors have the same bytes.
        unsafe { std::mem::transmute(_mm256_cvtph_ps(std::mem::transmute::<[u16; 8], __m128i>(values))) }
    }

    #[inline(always)]
    fn narrow_f16(values: [f32; 8]) -> [u16; 8] {
        // SAFETY: as above.
        unsafe {
            let values = std::mem::transmute::<[f32; 8], __m256>(values);
            std::mem::transmute(_mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(values))
        }
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
                std::mem::transmute_copy(&transpose_f32(std::mem::transmute_copy(&block)))
            } else {
                std::mem::transmute_copy(&transpose_f64(std::mem::transmute_copy(&block)))
            }
        }
    }

    #[inline(always)]
    unsafe fn turn<E: Element>(block: &[Lanes<E::Compute>; 8], to: *mut E, count: usize) {
        // SAFETY: the caller's promise; this level has AVX-512 if `WIDE`, and a `Real` of four bytes is `f32`.
        unsafe {
            if WIDE && size_of::<E::Compute>() == 4 {
                turn_f32::<Self, E>(&*(&raw const *block).cast(), to, count);
            } else {
                turn_halves::<Self, E>(block, to, count);
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

#[inline(always)]
unsafe fn transpose_f32(r: [__m256; 8]) -> [__m256; 8] {
    // SAFETY: the caller has AVX.
    unsafe {
        // Pairs of rows, quadruples inside each half of a register, then the halves.
        let (a0, a1) = (_mm256_unpacklo_ps(r[0], r[1]), _mm256_unpackhi_ps(r[0], r[1]));
        let (a2, a3) = (_mm256_unpacklo_ps(r[2], r[3]), _mm256_unpackhi_ps(r[2], r[3]));
        let (a4, a5) = (_mm256_unpacklo_ps(r[4], r[5]), _mm256_unpackhi_ps(r[4], r[5]));
        let (a6, a7) = (_mm256_unpacklo_ps(r[6], r[7]), _mm256_unpackhi_ps(r[6], r[7]));
        let (b0, b1) = (_mm256_shuffle_ps::<0x44>(a0, a2), _mm256_shuffle_ps::<0xee>(a0, a2));
        let (b2, b3) = (_mm256_shuffle_ps::<0x44>(a1, a3), _mm256_shuffle_ps::<0xee>(a1, a3));
        let (b4, b5) = (_mm256_shuffle_ps::<0x44>(a4, a6), _mm256_shuffle_ps::<0xee>(a4, a6));
        let (b6, b7) = (_mm256_shuffle_ps::<0x44>(a5, a7), _mm256_shuffle_ps::<0xee>(a5, a7));
        [
            _mm256_permute2f128_ps::<0x20>(b0, b4),
            _mm256_permute2f128_ps::<0x20>(b1, b5),
            _mm256_permute2f128_ps::<0x20>(b2, b6),
            _mm256_permute2f128_ps::<0x20>(b3, b7),
            _mm256_permute2f128_ps::<0x31>(b0, b4),
            _mm256_permute2f128_ps::<0x31>(b1, b5),
            _mm256_permute2f128_ps::<0x31>(b2, b6),
            _mm256_permute2f128_ps::<0x31>(b3, b7),
        ]
    }
}

/// Four blocks of 4 x 4: each is transposed, and two change places.
#[inline(always)]
unsafe fn transpose_f64(r: [[__m256d; 2]; 8]) -> [[__m256d; 2]; 8] {
    // SAFETY: the caller has AVX.
    unsafe {
        let left = [
            transpose_4x4_f64([r[0][0], r[1][0], r[2][0], r[3][0]]),
            transpose_4x4_f64([r[4][0], r[5][0], r[6][0], r[7][0]]),
        ];
        let right = [
            transpose_4x4_f64([r[0][1], r[1][1], r[2][1], r[3][1]]),
            transpose_4x4_f64([r[4][1], r[5][1], r[6][1], r[7][1]]),
        ];
        [
            [left[0][0], left[1][0]],
            [left[0][1], left[1][1]],
            [left[0][2], left[1][2]],
            [left[0][3], left[1][3]],
            [right[0][0], right[1][0]],
            [right[0][1], right[1][1]],
            [right[0][2], right[1][2]],
            [right[0][3], right[1][3]],
        ]
    }
}

#[inline(always)]
unsafe fn transpose_4x4_f64([a, b, c, d]: [__m256d; 4]) -> [__m256d; 4] {
    // SAFETY: the caller has AVX.
    unsafe {
        let (ab_low, ab_high) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
        let (cd_low, cd_high) = (_mm256_unpacklo_pd(c, d), _mm256_unpackhi_pd(c, d));
        [
            _mm256_permute2f128_pd::<0x20>(ab_low, cd_low),
            _mm256_permute2f128_pd::<0x20>(ab_high, cd_high),
            _mm256_permute2f128_pd::<0x31>(ab_low, cd_low),
            _mm256_permute2f128_pd::<0x31>(ab_high, cd_high),
        ]
    }
}

/// Eight pixels of sixteen lanes: quadruples of each four lanes first, then those of two registers side by side.
#[inline(always)]
unsafe fn turn_f32<I: Isa, E: Element>(r: &[__m512; 8], to: *mut E, count: usize) {
    // SAFETY: the caller has AVX-512 F, computes in `f32` and has room for eight elements of sixteen lanes.
    unsafe {
        let [a, b] = [quadruples_f32([r[0], r[1], r[2], r[3]]), quadruples_f32([r[4], r[5], r[6], r[7]])];
        let order =
            [_mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15)];
        for (lane, (a, b)) in a.into_iter().zip(b).enumerate() {
            for (half, order) in order.into_iter().enumerate() {
                // Of lanes `lane` and `lane + 4` in the one half, of those 8 further on in the other.
                let pair = _mm512_permutex2var_pd(_mm512_castps_pd(a), order, _mm512_castps_pd(b));
                let to = to.add((8 * half + lane) * count);
                let (first, second) = (_mm512_castpd512_pd256(pair), _mm512_extractf64x4_pd::<1>(pair));
                put::<I, E>(std::mem::transmute_copy(&first), to);
                put::<I, E>(std::mem::transmute_copy(&second), to.add(4 * count));
            }
        }
    }
}

/// Each quarter of the registers is a block of 4 x 4 and is transposed.
#[inline(always)]
unsafe fn quadruples_f32([a, b, c, d]: [__m512; 4]) -> [__m512; 4] {
    // SAFETY: the caller has AVX-512 F.
    unsafe {
        let (ab_low, ab_high) = (_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
        let (cd_low, cd_high) = (_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
        [
            _mm512_shuffle_ps::<0x44>(ab_low, cd_low),
            _mm512_shuffle_ps::<0xee>(ab_low, cd_low),
            _mm512_shuffle_ps::<0x44>(ab_high, cd_high),
            _mm512_shuffle_ps::<0xee>(ab_high, cd_high),
        ]
    }
}
