//! Dot products over the channels of pixels that are neighbours in memory.

use std::marker::PhantomData;

use crate::cpu::simd::{Isa, LANES, Lanes};
use crate::element::{Element, Real};
use crate::view::View;

/// Of fewer channels there is more to do around the products than for them.
pub const FEWEST_CHANNELS: usize = 2 * LANES;

/// The channels of a pixel, or of a bin.
#[derive(Debug, Clone, Copy)]
pub struct Pixel<'a, E> {
    first: *const E,
    channels: usize,
    borrow: PhantomData<&'a [E]>,
}

impl<'a, E: Element> Pixel<'a, E> {
    /// A pixel of an array whose channels are neighbours.
    #[inline(always)]
    pub fn new(array: &View<'a, E>, image: usize, row: usize, column: usize) -> Self {
        let [images, channels, height, width] = array.shape();
        assert!(image < images && row < height && column < width);
        assert!(array.strides()[1] == size_of::<E>() as isize);
        Self { first: array.pointer([image, 0, row, column]).cast(), channels, borrow: PhantomData }
    }

    /// [`LANES`] channels.
    ///
    /// # Safety
    /// There must be so many from the first one on.
    #[inline(always)]
    unsafe fn lanes<I: Isa>(self, first: usize) -> Lanes<E::Compute> {
        // SAFETY: `new` checked that the pixel lies inside the array; the caller's promise.
        Lanes(E::widen::<I, LANES>(unsafe { self.first.add(first).cast::<[E; LANES]>().read_unaligned() }))
    }

    /// The last [`LANES`] channels, with zeros before this one.
    ///
    /// # Safety
    /// There must be so many.
    #[inline(always)]
    unsafe fn last_lanes<I: Isa>(self, first: usize) -> Lanes<E::Compute> {
        let before = self.channels - LANES;
        // SAFETY: the caller's promise.
        let mut lanes = unsafe { self.lanes::<I>(before) };
        for (i, lane) in lanes.0.iter_mut().enumerate() {
            *lane = if before + i < first { E::Compute::ZERO } else { *lane };
        }
        lanes
    }
}

/// Pixels and bins that are multiplied with each other at once: what is loaded is used twice.
pub const AT_ONCE: usize = 2;

/// The products of each pixel with each bin, [`LANES`] partial sums each.
#[inline(always)]
pub fn dots<I: Isa, E: Element>(
    pixels: [Pixel<'_, E>; AT_ONCE],
    bins: [Pixel<'_, E::Output>; AT_ONCE],
) -> [[Lanes<E::Compute>; AT_ONCE]; AT_ONCE] {
    let channels = bins[0].channels;
    assert!(channels >= FEWEST_CHANNELS);
    assert!(pixels.iter().all(|pixel| pixel.channels == channels));
    assert!(bins.iter().all(|bin| bin.channels == channels));
    let mut sums = [[Lanes::splat(E::Compute::ZERO); AT_ONCE]; AT_ONCE];
    let mut grads = [Lanes::splat(E::Compute::ZERO); AT_ONCE];
    let whole = channels / LANES * LANES;
    for first in (0..whole).step_by(LANES) {
        for (grad, bin) in grads.iter_mut().zip(bins) {
            // SAFETY: all have so many channels.
            *grad = unsafe { bin.lanes::<I>(first) };
        }
        for (sums, pixel) in sums.iter_mut().zip(pixels) {
            // SAFETY: as above.
            add_products::<I, _>(sums, &unsafe { pixel.lanes::<I>(first) }, &grads);
        }
    }
    if whole < channels {
        for (grad, bin) in grads.iter_mut().zip(bins) {
            // SAFETY: as above.
            *grad = unsafe { bin.last_lanes::<I>(whole) };
        }
        for (sums, pixel) in sums.iter_mut().zip(pixels) {
            // SAFETY: as above.
            add_products::<I, _>(sums, &unsafe { pixel.last_lanes::<I>(whole) }, &grads);
        }
    }
    sums
}

/// Adds the products of a pixel with each bin.
#[inline(always)]
fn add_products<I: Isa, T: Real>(
    sums: &mut [Lanes<T>; AT_ONCE],
    values: &Lanes<T>,
    grads: &[Lanes<T>; AT_ONCE],
) {
    for (sum, grad) in sums.iter_mut().zip(grads) {
        *sum = I::add_product(values, grad, *sum);
    }
}
