//! Where results go: rows of bins of a box, or rows of a map.

use std::marker::PhantomData;
use std::ops::Range;

use crate::cpu::blocks::around;
use crate::view::ViewMut;

/// Where some rows of bins of one box go.
pub struct Target<E> {
    base: *mut u8,
    pub channel_stride: isize,
    pub row_stride: isize,
    pub column_stride: isize,
    /// Those of the group, from the first one on, and those of the output. Behind the last one comes channel 0.
    pub first: usize,
    pub channels: usize,
    pub all_channels: usize,
    pub width: usize,
    element: PhantomData<E>,
}

impl<E> Target<E> {
    /// From `row` on, for a block of channels.
    #[inline(always)]
    pub fn new(out: &ViewMut<'_, E>, roi: usize, block: &Range<usize>, row: usize, bins: usize) -> Self {
        let [rois, channels, height, width] = out.shape();
        assert!(roi < rois && block.start < 2 * channels && block.len() <= channels);
        assert!(row + bins.div_ceil(width) <= height);
        let [_, channel_stride, row_stride, column_stride] = out.strides();
        Self {
            base: out.pointer([roi, 0, row, 0]),
            channel_stride,
            row_stride,
            column_stride,
            first: around(block.start, channels),
            channels: block.len(),
            all_channels: channels,
            width,
            element: PhantomData,
        }
    }

    #[inline(always)]
    pub fn at(&self, channel: usize, bin: usize) -> *mut u8 {
        let (y, x) = (bin / self.width, bin % self.width);
        let channel = around(self.first + channel, self.all_channels);
        let offset = channel as isize * self.channel_stride
            + y as isize * self.row_stride
            + x as isize * self.column_stride;
        self.base.wrapping_offset(offset)
    }

    /// The channels before channel 0 comes, and those from there on.
    #[inline(always)]
    pub fn runs(&self) -> [Range<usize>; 2] {
        let turn = self.channels.min(self.all_channels - self.first);
        [0..turn, turn..self.channels]
    }

    /// Whether the channels of a bin are neighbours in memory, those of each of the [`Self::runs`].
    #[inline(always)]
    pub fn has_dense_pixels(&self) -> bool {
        self.channel_stride == size_of::<E>() as isize
    }

    /// Whether the bins of a channel are neighbours in memory, row after row.
    pub fn has_dense_maps(&self) -> bool {
        let size = size_of::<E>() as isize;
        self.column_stride == size && self.row_stride == size * self.width as isize
    }
}
