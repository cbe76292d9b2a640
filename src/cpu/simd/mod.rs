//! Instruction sets: which there are, which one is used, and how generic code is compiled for each.
//!
//! A kernel is written once, over arrays of [`LANES`] channels, and compiled for every [`Level`]: the compiler
//! turns those arrays into registers of whatever width the level has. Only what it cannot find by itself
//! stands in a file of the architecture.

#![allow(unsafe_code, reason = "calling code that is compiled for another instruction set")]

mod baseline;
pub mod box_gradient;
mod copy;
pub mod max;
pub mod pack;
pub mod prefetch;
pub mod queue;
pub mod scatter;
pub mod sum;
pub mod write;
#[cfg(target_arch = "x86_64")]
mod x86_64;

use std::sync::OnceLock;

use crate::element::{Conversions, Element, Real, each};
use crate::env::variable;
use crate::error::{Error, Result};

use baseline::Baseline;

/// Channels that are computed side by side.
pub const LANES: usize = 16;

/// Bytes that memory moves together: a cache line.
pub const LINE: usize = 64;

/// One pixel of [`LANES`] channels.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Lanes<T>(pub [T; LANES]);

impl<T: Copy> Lanes<T> {
    /// The same value in every lane.
    #[inline(always)]
    pub fn splat(value: T) -> Self {
        Self([value; LANES])
    }
}

/// An instruction set that this CPU has and that the kernels are compiled for.
///
/// ```
/// use roialign_rs::cpu::Level;
/// let names: Vec<_> = Level::available().map(Level::name).collect();
/// assert_eq!(names[0], "scalar");
/// ```
///
/// Its variants are private, so that safe code cannot select an instruction set that the CPU lacks:
///
/// ```compile_fail,E0599
/// use roialign_rs::cpu::{Level, Settings};
/// let settings = Settings { level: Level::Avx512, ..Settings::current().unwrap() };
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level(Kind);

/// The instruction sets that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// What every CPU of the target has.
    Scalar,
    /// x86-64 with AVX2, FMA and F16C.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL besides.
    Avx512,
    /// 64-bit ARM, where it is part of the target; unlike `Scalar`, with fused multiply-add.
    Neon,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Scalar, Self::Avx2, Self::Avx512, Self::Neon];

    /// Whether this CPU has it.
    fn is_available(self) -> bool {
        match self {
            Self::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => x86_64::has_avx2(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => x86_64::has_avx512(),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => true,
            #[allow(unreachable_patterns, reason = "all arms of the target stand above")]
            _ => false,
        }
    }
}

impl Level {
    /// The name of the level, as `ROIALIGN_LEVEL` takes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Scalar => "scalar",
            Kind::Avx2 => "avx2",
            Kind::Avx512 => "avx512",
            Kind::Neon => "neon",
        }
    }

    /// The levels of this CPU, from the slowest to the fastest.
    pub fn available() -> impl Iterator<Item = Self> {
        Kind::ALL.into_iter().filter(|kind| kind.is_available()).map(Self)
    }

    /// The level in use: the one that `ROIALIGN_LEVEL` names, else the fastest of this CPU.
    ///
    /// # Errors
    /// If the environment variable names no level, or one that this CPU does not have.
    pub fn current() -> Result<Self> {
        static CURRENT: OnceLock<Result<Level>> = OnceLock::new();
        CURRENT
            .get_or_init(|| match variable("ROIALIGN_LEVEL") {
                Some(name) => Self::by_name(&name),
                None => Ok(Self::best()),
            })
            .clone()
    }

    fn by_name(name: &str) -> Result<Self> {
        Self::available().find(|level| level.name() == name).ok_or_else(|| Error::Level {
            available: Self::available().map(Self::name).collect::<Vec<_>>().join(", "),
            got: name.to_owned(),
        })
    }

    fn best() -> Self {
        Self::available().last().unwrap_or(Self(Kind::Scalar))
    }

    /// Runs a kernel compiled for this level.
    #[inline(always)]
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: levels are made in `available` alone, which asked the CPU.
            Kind::Avx2 => unsafe { x86_64::avx2(kernel) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Kind::Avx512 => unsafe { x86_64::avx512(kernel) },
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => Baseline::<true>::call(kernel),
            // `Scalar`: levels of other architectures are never available.
            _ => Baseline::<false>::call(kernel),
        }
    }
}

/// Code to compile for every level. `run` and all that it calls must be `#[inline(always)]`, or it would be
/// compiled for the target's baseline.
pub trait Kernel {
    /// What it returns.
    type Output;
    /// The code.
    fn run<I: Isa>(self) -> Self::Output;
}

/// What kernels may ask of a level.
pub trait Isa: Conversions {
    /// Runs a kernel as a function of its own, compiled for the level that the caller was entered at.
    fn call<K: Kernel>(kernel: K) -> K::Output;

    /// `weight * value` in every lane.
    #[inline(always)]
    fn scale<T: Real>(weight: T, value: &Lanes<T>) -> Lanes<T> {
        Lanes(each(value.0, |value| weight * value))
    }

    /// `sum + value` in every lane.
    #[inline(always)]
    fn add<T: Real>(mut sum: Lanes<T>, value: &Lanes<T>) -> Lanes<T> {
        for (sum, &value) in sum.0.iter_mut().zip(&value.0) {
            *sum += value;
        }
        sum
    }

    /// `weight * value + sum` in every lane, fused where the level has an instruction for it: as a library call it would
    /// be ten times slower.
    fn mul_add<T: Real>(weight: T, value: &Lanes<T>, sum: Lanes<T>) -> Lanes<T>;

    /// As [`Isa::mul_add`], with a weight for each lane.
    fn add_product<T: Real>(weights: &Lanes<T>, values: &Lanes<T>, sum: Lanes<T>) -> Lanes<T>;

    /// The larger one in every lane; `best` stays beside an equal one and beside NaN.
    #[inline(always)]
    fn max<T: Real>(mut best: Lanes<T>, value: &Lanes<T>) -> Lanes<T> {
        for (best, &value) in best.0.iter_mut().zip(&value.0) {
            *best = if value > *best { value } else { *best };
        }
        best
    }

    /// As [`Isa::max`], but NaN is larger than all.
    #[inline(always)]
    fn max_or_nan<T: Real>(best: Lanes<T>, value: &Lanes<T>) -> Lanes<T> {
        let mut larger = Self::max(best, value);
        for (larger, &value) in larger.0.iter_mut().zip(&value.0) {
            *larger = if value.is_nan() { value } else { *larger };
        }
        larger
    }

    /// Rows become columns.
    #[inline(always)]
    fn transpose<T: Real>(block: [[T; 8]; 8]) -> [[T; 8]; 8] {
        let mut columns = [[T::ZERO; 8]; 8];
        for (r, row) in block.into_iter().enumerate() {
            for (c, value) in row.into_iter().enumerate() {
                columns[c][r] = value;
            }
        }
        columns
    }

    /// Writes each lane of eight pixels as eight neighbours, lanes `count` elements apart.
    ///
    /// # Safety
    /// Eight elements must be writable at `to` and at 15 multiples of `count` behind it.
    #[inline(always)]
    unsafe fn store_transposed<E: Element>(block: &[Lanes<E::Compute>; 8], to: *mut E, count: usize)
    where
        Self: Sized,
    {
        // SAFETY: the caller's promise.
        unsafe { store_transposed_halves::<Self, E>(block, to, count) };
    }

    /// Writes 16 bytes past the caches, if the level can.
    ///
    /// # Safety
    /// 16 bytes must be readable at `from`, and writable at `to`, which must be a multiple of 16.
    #[inline(always)]
    unsafe fn stream_16(from: *const u8, to: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { to.copy_from_nonoverlapping(from, 16) }
    }

    /// Writes a cache line past the caches, if the level can.
    ///
    /// # Safety
    /// As for 16 bytes, with 64.
    #[inline(always)]
    unsafe fn stream_line(from: *const u8, to: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { to.copy_from_nonoverlapping(from, 64) }
    }

    /// Makes streamed bytes visible to other threads.
    #[inline(always)]
    fn fence() {}

    /// Starts to bring a cache line nearer.
    #[inline(always)]
    fn prefetch(_from: *const u8) {}
}

/// Eight lanes at a time.
///
/// # Safety
/// As for [`Isa::store_transposed`].
#[inline(always)]
unsafe fn store_transposed_halves<I: Isa, E: Element>(
    block: &[Lanes<E::Compute>; 8],
    to: *mut E,
    count: usize,
) {
    for half in 0..2 {
        let mut pixels = [[E::Compute::ZERO; 8]; 8];
        for (pixel, lanes) in pixels.iter_mut().zip(block) {
            *pixel = lanes.0.as_chunks::<8>().0[half];
        }
        for (lane, values) in I::transpose(pixels).into_iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { put::<I, E>(values, to.add((8 * half + lane) * count)) };
        }
    }
}

/// Writes eight neighbours.
///
/// # Safety
/// They must be writable.
#[inline(always)]
unsafe fn put<I: Isa, E: Element>(values: [E::Compute; 8], to: *mut E) {
    // SAFETY: the caller's promise.
    unsafe { to.cast::<[E; 8]>().write_unaligned(E::narrow::<I, 8>(values)) };
}
