//! Zeros, written straight to an array of any dtype and layout.

use std::ops::Range;

use crate::cpu::simd::store::write;
use crate::cpu::simd::target::Target;
use crate::cpu::simd::{Isa, Kernel};
use crate::element::{Element, Real};
use crate::view::ViewMut;

/// Zeros that are written together.
const AT_ONCE: usize = 1024;

/// Writes zeros to some rows of a group of channels.
pub struct Clear<E> {
    target: Target<E>,
    pixels: usize,
    stream: bool,
}

impl<E> Clear<E> {
    /// So many pixels of an image, from `row` on. `stream`: past the caches.
    pub fn new(
        out: &ViewMut<'_, E>,
        image: usize,
        group: &Range<usize>,
        row: usize,
        pixels: usize,
        stream: bool,
    ) -> Self {
        Self { target: Target::new(out, image, group, row, pixels), pixels, stream }
    }
}

impl<E: Element> Kernel for Clear<E> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let Self { target, pixels, stream } = self;
        let [zero] = E::narrow::<I, 1>([E::Compute::ZERO]);
        let zeros = [zero; AT_ONCE];
        let from = zeros.as_ptr().cast();
        let put = |channel: usize, pixel: usize, elements: usize| {
            // SAFETY: `Target::new` checked that pixels and channels are inside; no other task writes them. The
            // callers below name elements that are neighbours, at most as many as there are zeros.
            unsafe { write::<I>(from, target.at(channel, pixel), elements * size_of::<E>(), stream) };
        };
        if target.has_dense_maps() {
            for channel in 0..target.channels {
                for first in (0..pixels).step_by(AT_ONCE) {
                    put(channel, first, AT_ONCE.min(pixels - first));
                }
            }
        } else if target.has_dense_pixels() {
            for run in target.runs() {
                (0..pixels).for_each(|pixel| put(run.start, pixel, run.len()));
            }
        } else {
            for channel in 0..target.channels {
                (0..pixels).for_each(|pixel| put(channel, pixel, 1));
            }
        }
    }
}
