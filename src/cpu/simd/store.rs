//! From `[bin][16 channels]` in the compute type to the output, in any dtype and layout.

use crate::cpu::simd::{Isa, Kernel, LANES, Lanes};
use crate::view::ViewMut;

/// Writes some rows of bins of one box.
pub struct Store<'a, T, E, F> {
    to: *mut u8,
    channel_stride: isize,
    row_stride: isize,
    column_stride: isize,
    channels: usize,
    width: usize,
    bins: &'a [Lanes<T>],
    narrow: F,
    element: std::marker::PhantomData<E>,
}

impl<'a, T: Copy, E: Copy, F: Fn(T) -> E> Store<'a, T, E, F> {
    /// Writes `bins`, the rows from `row` on, to as many channels as there are, at most 16, from `channel` on.
    ///
    /// `narrow` makes an element of the output from a value.
    pub fn new(
        out: &ViewMut<'_, E>,
        roi: usize,
        channel: usize,
        row: usize,
        bins: &'a [Lanes<T>],
        narrow: F,
    ) -> Self {
        let [rois, channels, height, width] = out.shape();
        assert!(roi < rois && channel < channels && row + bins.len() / width <= height);
        let [_, channel_stride, row_stride, column_stride] = out.strides();
        Self {
            to: out.pointer([roi, channel, row, 0]),
            channel_stride,
            row_stride,
            column_stride,
            channels: LANES.min(channels - channel),
            width,
            bins,
            narrow,
            element: std::marker::PhantomData,
        }
    }
}

impl<T: Copy, E: Copy, F: Fn(T) -> E> Kernel for Store<'_, T, E, F> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        for channel in 0..self.channels {
            for (y, row) in self.bins.chunks_exact(self.width).enumerate() {
                let to = self
                    .to
                    .wrapping_offset(channel as isize * self.channel_stride + y as isize * self.row_stride);
                for (x, bin) in row.iter().enumerate() {
                    let to = to.wrapping_offset(x as isize * self.column_stride);
                    // SAFETY: `new` checked that the bins and channels lie inside the view; no other task
                    // writes this box's channels.
                    unsafe { to.cast::<E>().write_unaligned((self.narrow)(bin.0[channel])) };
                }
            }
        }
    }
}
