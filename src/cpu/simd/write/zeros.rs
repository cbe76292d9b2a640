//! Zeros: the rows of a gradient that no box has reached.

use super::Write;
use crate::cpu::simd::copy::copy;
use crate::cpu::simd::queue::Line;
use crate::cpu::simd::{Isa, LINE};
use crate::element::Element;

/// Zeros that are copied at once.
const ZERO_LINES: usize = 64;

impl<E: Element> Write<'_, '_, E> {
    /// Zeros whose bins are neighbours: copied as long runs.
    #[inline(always)]
    pub(super) fn zero_planes<I: Isa>(&self) {
        let zeros = [Line([0; LINE]); ZERO_LINES];
        for channel in 0..self.channels {
            let to = self.first.wrapping_offset(channel as isize * self.channel_stride);
            let bytes = self.bins * size_of::<E>();
            for at in (0..bytes).step_by(size_of_val(&zeros)) {
                let bytes = size_of_val(&zeros).min(bytes - at);
                // SAFETY: `zeros` checked that the channels and the bins are inside; no other task writes them.
                unsafe { copy::<I>(zeros.as_ptr().cast(), to.wrapping_add(at), bytes, self.stream) };
            }
        }
    }
}
