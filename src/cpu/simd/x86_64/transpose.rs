//! Rows of registers become columns.

#[allow(clippy::wildcard_imports, reason = "intrinsics carry their own prefix")]
use std::arch::x86_64::*;

use crate::cpu::simd::{Isa, put};
use crate::element::Element;

#[inline(always)]
pub unsafe fn square_f32(r: [__m256; 8]) -> [__m256; 8] {
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
pub unsafe fn square_f64(r: [[__m256d; 2]; 8]) -> [[__m256d; 2]; 8] {
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
pub unsafe fn store_f32<I: Isa, E: Element>(r: &[__m512; 8], to: *mut E, count: usize) {
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

/// Eight pixels of sixteen lanes of two bytes: pairs of rows, quadruples, then those of the first four rows and of the last
/// four side by side.
///
/// # Safety
/// The caller has AVX-512 F and BW, and room for eight neighbours at `to` and at 15 multiples of `count` behind it.
#[inline(always)]
pub unsafe fn store_16_bits(pixels: [__m256i; 8], to: *mut u16, count: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut rows = [_mm512_setzero_si512(); 4];
        for (i, rows) in rows.iter_mut().enumerate() {
            *rows = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(pixels[i]), pixels[i + 4]);
        }
        let ab_low = _mm512_unpacklo_epi16(rows[0], rows[1]);
        let ab_high = _mm512_unpackhi_epi16(rows[0], rows[1]);
        let cd_low = _mm512_unpacklo_epi16(rows[2], rows[3]);
        let cd_high = _mm512_unpackhi_epi16(rows[2], rows[3]);
        let quadruples = [
            _mm512_unpacklo_epi32(ab_low, cd_low),
            _mm512_unpackhi_epi32(ab_low, cd_low),
            _mm512_unpacklo_epi32(ab_high, cd_high),
            _mm512_unpackhi_epi32(ab_high, cd_high),
        ];
        let order = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
        for (pair, quadruples) in quadruples.into_iter().enumerate() {
            // Two neighbours, and those eight lanes further on.
            let lanes = _mm512_permutexvar_epi64(order, quadruples);
            let to = to.add(2 * pair * count);
            _mm_storeu_si128(to.cast(), _mm512_castsi512_si128(lanes));
            _mm_storeu_si128(to.add(count).cast(), _mm512_extracti32x4_epi32::<1>(lanes));
            _mm_storeu_si128(to.add(8 * count).cast(), _mm512_extracti32x4_epi32::<2>(lanes));
            _mm_storeu_si128(to.add(9 * count).cast(), _mm512_extracti32x4_epi32::<3>(lanes));
        }
    }
}
