//! From a row of features in any dtype and layout to `[column][16 channels]` in the compute type.

use crate::cpu::simd::{Isa, Kernel, LANES, Lanes};
use crate::cpu::window::Source;
use crate::element::Element;

/// Packs a run of columns of one row.
pub struct Pack<'a, E: Element> {
    from: *const u8,
    channel_stride: isize,
    column_stride: isize,
    channels: usize,
    to: &'a mut [Lanes<E::Compute>],
}

impl<'a, E: Element> Pack<'a, E> {
    /// Packs as many columns as `to` has pixels, starting with `column`.
    pub fn new(source: &Source<'_, E>, row: usize, column: usize, to: &'a mut [Lanes<E::Compute>]) -> Self {
        let [images, channels, height, width] = source.features.shape();
        assert!(source.image < images && source.channels.end <= channels && source.channels.len() <= LANES);
        assert!(row < height && column + to.len() <= width);
        let [_, channel_stride, _, column_stride] = source.features.strides();
        Self {
            from: source.features.pointer([source.image, source.channels.start, row, column]),
            channel_stride,
            column_stride,
            channels: source.channels.len(),
            to,
        }
    }

    #[inline(always)]
    fn read(&self, channel: usize, column: usize) -> E::Compute {
        let from = self
            .from
            .wrapping_offset(channel as isize * self.channel_stride + column as isize * self.column_stride);
        // SAFETY: `new` checked that the run and the channels lie inside the view, whose elements may be read.
        unsafe { from.cast::<E>().read_unaligned() }.widen()
    }
}

impl<E: Element> Kernel for Pack<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self) {
        let to = std::mem::take(&mut self.to);
        for (column, pixel) in to.iter_mut().enumerate() {
            for (channel, lane) in pixel.0[..self.channels].iter_mut().enumerate() {
                *lane = self.read(channel, column);
            }
        }
    }
}
