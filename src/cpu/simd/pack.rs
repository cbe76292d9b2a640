//! From a row of features in any dtype and layout to `[block][column][16 channels]` in the compute type.

use std::ops::Range;

use crate::cpu::channels::Channels;
use crate::cpu::simd::prefetch::before_in_line;
use crate::cpu::simd::{Isa, Kernel, LANES, LINE, Lanes};
use crate::cpu::source::Source;
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
    channels: usize,
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
        let Channels { first, count } = source.channels;
        assert!(source.image < images && count > 0 && first + count <= channels);
        assert!(row < height && columns.end <= width);
        let [_, channel_stride, row_stride, column_stride] = source.features.strides();
        Self {
            base: source.features.pointer([source.image, first, row, columns.start]),
            channel_stride,
            row_stride,
            column_stride,
            channels: count,
            element: std::marker::PhantomData,
        }
    }

    /// The same, 16 channels each.
    fn blocks(&self) -> impl Iterator<Item = Self> {
        (0..self.channels).step_by(LANES).map(|first| Self {
            base: self.at(first, 0),
            channels: LANES.min(self.channels - first),
            ..*self
        })
    }

    #[inline(always)]
    fn at(&self, channel: usize, column: usize) -> *const u8 {
        let offset = channel as isize * self.channel_stride + column as isize * self.column_stride;
        self.base.wrapping_offset(offset)
    }

    /// One element.
    ///
    /// # Safety
    /// The channel and the column must be inside.
    #[inline(always)]
    unsafe fn one<I: Isa>(&self, channel: usize, column: usize) -> E::Compute {
        // SAFETY: `new` checked that the run and the channels lie inside the view, whose elements may be read.
        E::widen::<I, 1>([unsafe { self.at(channel, column).cast::<E>().read_unaligned() }])[0]
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
                *row = E::widen::<I, 8>(unsafe { plane.cast::<[E; 8]>().add(i).read_unaligned() });
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
    // Memory gives the same line of some pixels, then the next line of these, faster than pixel by pixel.
    const PIXELS_AT_ONCE: usize = 8;
    let whole_blocks = from.channels / LANES;
    let stride = from.column_stride;
    let mut pixel = from.at(0, 0);
    let lines = (before_in_line(pixel) + from.channels * size_of::<E>()).div_ceil(LINE);
    for first in (0..columns).step_by(PIXELS_AT_ONCE) {
        let end = columns.min(first + PIXELS_AT_ONCE);
        let mut ahead = pixel.wrapping_offset(PIXELS_AHEAD as isize * stride);
        for _ in first + PIXELS_AHEAD..columns.min(end + PIXELS_AHEAD) {
            for line in 0..lines {
                I::prefetch(ahead.wrapping_add(line * LINE));
            }
            ahead = ahead.wrapping_offset(stride);
        }
        for block in 0..whole_blocks {
            let mut block_of_pixel = pixel.wrapping_add(block * LANES * size_of::<E>());
            for to in &mut to[block * apart..][first..end] {
                // SAFETY: `new` checked that run and channels are inside; those of the block are neighbours.
                let elements = unsafe { block_of_pixel.cast::<[E; LANES]>().read_unaligned() };
                to.0 = E::widen::<I, LANES>(elements);
                block_of_pixel = block_of_pixel.wrapping_offset(stride);
            }
        }
        pixel = pixel.wrapping_offset(PIXELS_AT_ONCE as isize * stride);
    }
    let (first, rest) = (whole_blocks * LANES, from.channels % LANES);
    if rest > 0 {
        // SAFETY: the last channels are inside and neighbours.
        unsafe { copy_lanes::<I, E>(from, first, rest, &mut to[whole_blocks * apart..][..columns]) };
    }
}

/// Copies the first `count` lanes of a block that begins at a channel.
///
/// # Safety
/// They must be inside, and neighbours.
#[inline(always)]
unsafe fn copy_lanes<I: Isa, E: Element>(
    from: &Planes<E>,
    channel: usize,
    count: usize,
    to: &mut [Lanes<E::Compute>],
) {
    for (column, pixel) in to.iter_mut().enumerate() {
        let mut done = 0;
        if count >= 8 {
            let at = from.at(channel, column);
            // SAFETY: the caller's promise.
            let values = unsafe { at.cast::<[E; 8]>().read_unaligned() };
            pixel.0.as_chunks_mut::<8>().0[0] = E::widen::<I, 8>(values);
            done = 8;
        }
        for lane in done..count {
            // SAFETY: as above.
            pixel.0[lane] = unsafe { from.one::<I>(channel + lane, column) };
        }
    }
}
