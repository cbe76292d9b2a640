//! From a row of features in any dtype and layout to `[column][16 channels]` in the compute type.

use crate::cpu::simd::{Isa, Kernel, LANES, Lanes};
use crate::cpu::window::Source;
use crate::element::{Element, Real};

/// Bytes that come from memory together.
const CACHE_LINE: usize = 64;

/// Packs a run of columns of one row.
pub struct Pack<'a, E: Element> {
    from: Planes<E>,
    to: &'a mut [Lanes<E::Compute>],
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
    /// Packs as many columns as `to` has pixels, starting with `column`.
    pub fn new(source: &Source<'_, E>, row: usize, column: usize, to: &'a mut [Lanes<E::Compute>]) -> Self {
        Self { from: Planes::new(source, row, column, to.len()), to }
    }
}

impl<E: Element> Planes<E> {
    fn new(source: &Source<'_, E>, row: usize, column: usize, columns: usize) -> Self {
        let [images, channels, height, width] = source.features.shape();
        assert!(source.image < images && source.channels.end <= channels && source.channels.len() <= LANES);
        assert!(row < height && column + columns <= width);
        let [_, channel_stride, row_stride, column_stride] = source.features.strides();
        Self {
            base: source.features.pointer([source.image, source.channels.start, row, column]),
            channel_stride,
            row_stride,
            column_stride,
            channels: source.channels.len(),
            element: std::marker::PhantomData,
        }
    }

    #[inline(always)]
    fn at(&self, channel: usize, column: usize) -> *const u8 {
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
        let Self { from, to } = self;
        if from.column_stride == size {
            pack_planes::<I, E>(&from, to);
        } else if from.channel_stride == size {
            pack_pixels::<I, E>(&from, to);
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
            if i % (CACHE_LINE / (8 * size_of::<E>())) == 0 {
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
fn pack_pixels<I: Isa, E: Element>(from: &Planes<E>, to: &mut [Lanes<E::Compute>]) {
    const PIXELS_AHEAD: usize = 32;
    let whole = from.channels / 8;
    for (column, pixel) in to.iter_mut().enumerate() {
        I::prefetch(from.at(0, column + PIXELS_AHEAD));
        let (halves, _) = pixel.0.as_chunks_mut::<8>();
        for (i, half) in halves[..whole].iter_mut().enumerate() {
            // SAFETY: `new` checked that run and channels are inside; channels are neighbours.
            *half = E::widen::<I>(unsafe { from.at(8 * i, column).cast::<[E; 8]>().read_unaligned() });
        }
        for (channel, lane) in pixel.0[..from.channels].iter_mut().enumerate().skip(8 * whole) {
            // SAFETY: as above.
            *lane = unsafe { from.one::<I>(channel, column) };
        }
    }
}
