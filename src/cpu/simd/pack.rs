//! From a row of features in any dtype and layout to `[block][column][16 channels]` in the compute type.

use std::ops::Range;

use crate::cpu::blocks::around;
use crate::cpu::simd::prefetch::before_in_line;
use crate::cpu::simd::{Isa, Kernel, LANES, LINE, Lanes};
use crate::cpu::window::Source;
use crate::element::{Element, Real};

/// Packs a run of columns of one row.
pub struct Pack<'a, E: Element> {
    from: Planes<E>,
    columns: usize,
    to: &'a mut [Lanes<E::Compute>],
    apart: usize,
}

/// One row of some channels of one image.
struct Planes<E> {
    base: *const u8,
    channel_stride: isize,
    row_stride: isize,
    column_stride: isize,
    /// Those of the group, from the first one on, and those of the image. Behind the last one comes channel 0.
    first: usize,
    channels: usize,
    all_channels: usize,
    element: std::marker::PhantomData<E>,
}

impl<'a, E: Element> Pack<'a, E> {
    /// Packs some columns to where `to` begins; the pixels of each block of channels lie `apart` pixels behind those of
    /// the one before.
    #[inline(always)]
    pub fn new(
        source: &Source<'_, E>,
        row: usize,
        columns: Range<usize>,
        to: &'a mut [Lanes<E::Compute>],
        apart: usize,
    ) -> Self {
        let from = Planes::new(source, row, &columns);
        assert!((from.channels.div_ceil(LANES) - 1) * apart + columns.len() <= to.len());
        Self { from, columns: columns.len(), to, apart }
    }
}

impl<E: Element> Planes<E> {
    #[inline(always)]
    fn new(source: &Source<'_, E>, row: usize, columns: &Range<usize>) -> Self {
        let [images, channels, height, width] = source.features.shape();
        assert!(source.image < images && !source.channels.is_empty() && source.channels.start < 2 * channels);
        assert!(source.channels.len() <= channels);
        assert!(row < height && columns.end <= width);
        let [_, channel_stride, row_stride, column_stride] = source.features.strides();
        Self {
            base: source.features.pointer([source.image, 0, row, columns.start]),
            channel_stride,
            row_stride,
            column_stride,
            first: around(source.channels.start, channels),
            channels: source.channels.len(),
            all_channels: channels,
            element: std::marker::PhantomData,
        }
    }

    /// The same, 16 channels each.
    fn blocks(&self) -> impl Iterator<Item = Self> {
        (0..self.channels).step_by(LANES).map(|first| Self {
            first: around(self.first + first, self.all_channels),
            channels: LANES.min(self.channels - first),
            ..*self
        })
    }

    #[inline(always)]
    fn at(&self, channel: usize, column: usize) -> *const u8 {
        let channel = around(self.first + channel, self.all_channels);
        let offset = channel as isize * self.channel_stride + column as isize * self.column_stride;
        self.base.wrapping_offset(offset)
    }

    /// One element in each of eight lanes.
    ///
    /// # Safety
    /// The channel and the column must be inside.
    #[inline(always)]
    unsafe fn one<I: Isa>(&self, channel: usize, column: usize) -> E::Compute {
        // SAFETY: `new` checked that the run and the channels lie inside the view, whose elements may be read.
        E::widen::<I>([unsafe { self.at(channel, column).cast::<E>().read_unaligned() }; 8])[0]
    }
}

impl<E: Element> Kernel for Pack<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let size = size_of::<E>() as isize;
        let Self { from, columns, to, apart } = self;
        if from.channel_stride == size && from.column_stride != size {
            return pack_pixels::<I, E>(&from, columns, to, apart);
        }
        for (block, from) in from.blocks().enumerate() {
            let to = &mut to[block * apart..][..columns];
            if from.column_stride == size {
                pack_planes::<I, E>(&from, to);
            } else {
                for (column, pixel) in to.iter_mut().enumerate() {
                    for (channel, lane) in pixel.0[..from.channels].iter_mut().enumerate() {
                        // SAFETY: the loops end where the run and the channels end.
                        *lane = unsafe { from.one::<I>(channel, column) };
                    }
                }
            }
        }
    }
}

/// Rows of planes: transposed eight by eight.
#[inline(always)]
fn pack_planes<I: Isa, E: Element>(from: &Planes<E>, to: &mut [Lanes<E::Compute>]) {
    let (blocks, rest) = to.as_chunks_mut::<8>();
    let done = 8 * blocks.len();
    for half in 0..from.channels.div_ceil(8) {
        let channels = 8.min(from.channels - 8 * half);
        // Lanes without a channel repeat the last one; nobody looks at them.
        let mut planes = [from.base; 8];
        for (channel, plane) in planes.iter_mut().enumerate() {
            *plane = from.at(8 * half + channel.min(channels - 1), 0);
        }
        for (i, pixels) in blocks.iter_mut().enumerate() {
            let mut rows = [[E::Compute::ZERO; 8]; 8];
            for (plane, row) in planes.iter().zip(&mut rows) {
                // SAFETY: `new` checked that run and channels are inside; columns are neighbours.
                *row = E::widen::<I>(unsafe { plane.cast::<[E; 8]>().add(i).read_unaligned() });
            }
            // The next row is likely to be packed next.
            if i % (LINE / (8 * size_of::<E>())) == 0 {
                for plane in planes {
                    let block = plane.wrapping_add(i * 8 * size_of::<E>());
                    I::prefetch(block.wrapping_offset(from.row_stride));
                }
            }
            let columns = I::transpose(rows);
            for (pixel, column) in pixels.iter_mut().zip(columns) {
                pixel.0.as_chunks_mut::<8>().0[half] = column;
            }
        }
    }
    for (i, pixel) in rest.iter_mut().enumerate() {
        for (channel, lane) in pixel.0[..from.channels].iter_mut().enumerate() {
            // SAFETY: the rest and the channels are inside.
            *lane = unsafe { from.one::<I>(channel, done + i) };
        }
    }
}

/// Pixels whose channels are neighbours: copied.
#[inline(always)]
fn pack_pixels<I: Isa, E: Element>(
    from: &Planes<E>,
    columns: usize,
    to: &mut [Lanes<E::Compute>],
    apart: usize,
) {
    const PIXELS_AHEAD: usize = 24;
    const PIXELS_AT_ONCE: usize = 8;
    for first in (0..columns).step_by(PIXELS_AT_ONCE) {
        let count = PIXELS_AT_ONCE.min(columns - first);
        for column in first + PIXELS_AHEAD..columns.min(first + PIXELS_AHEAD + count) {
            let pixel = from.at(0, column);
            let before = before_in_line(pixel);
            for at in (0..before + from.channels * size_of::<E>()).step_by(LINE) {
                I::prefetch(pixel.wrapping_sub(before).wrapping_add(at));
            }
        }
        for (block, channel) in (0..from.channels).step_by(LANES).enumerate() {
            let channels = LANES.min(from.channels - channel);
            let to = &mut to[block * apart + first..][..count];
            let before_turn = from.all_channels - around(from.first + channel, from.all_channels);
            // SAFETY: `new` checked that run and channels are inside; channels are neighbours up to the last one.
            unsafe {
                if channels == LANES && before_turn >= LANES {
                    copy_pixels::<I, E>(from, channel, 0..LANES, first, to);
                } else {
                    let turn = before_turn.min(channels);
                    copy_pixels::<I, E>(from, channel, 0..turn, first, to);
                    copy_pixels::<I, E>(from, channel, turn..channels, first, to);
                }
            }
        }
    }
}

/// Copies some lanes of a block that begins at a channel, of some pixels.
///
/// # Safety
/// They must be inside, and the channels of these lanes neighbours.
#[inline(always)]
unsafe fn copy_pixels<I: Isa, E: Element>(
    from: &Planes<E>,
    channel: usize,
    lanes: Range<usize>,
    column: usize,
    to: &mut [Lanes<E::Compute>],
) {
    for (i, pixel) in to.iter_mut().enumerate() {
        let (halves, _) = pixel.0.as_chunks_mut::<8>();
        for (half, values) in halves.iter_mut().enumerate() {
            let first = 8 * half;
            if lanes.start <= first && first + 8 <= lanes.end {
                let at = from.at(channel + first, column + i);
                // SAFETY: the caller's promise.
                *values = E::widen::<I>(unsafe { at.cast::<[E; 8]>().read_unaligned() });
                continue;
            }
            for lane in lanes.start.max(first)..lanes.end.min(first + 8) {
                // SAFETY: as above.
                values[lane - first] = unsafe { from.one::<I>(channel + lane, column + i) };
            }
        }
    }
}
