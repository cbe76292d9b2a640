//! How results reach memory: from `[block][bin][16 channels]` in the compute type to an array of any dtype and layout.
//!
//! A task computes some rows of bins of its one or two blocks, which stay in the first-level cache, and then writes them:
//!
//! * Bins are neighbours (NCHW): each block is transposed to `[channel][bin]` on the stack, then copied in long runs.
//! * Channels are neighbours (NHWC): the channels of a bin, those of both blocks, are one run.
//! * Neither: element by element.
//!
//! A large output is streamed: written with non-temporal stores, which neither read a cache line before it is overwritten nor
//! displace what the caches hold. The middle of a run is streamed line by line, or waits in a [`Queue`]. Its two ends share their
//! lines with other results, and are streamed in pieces of 16 bytes.

mod queued;
mod zeros;

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::slice;

use crate::cpu::channels::Channels;
use crate::cpu::simd::copy::copy;
use crate::cpu::simd::queue::Queue;
use crate::cpu::simd::{Isa, Kernel, LANES, LINE, Lanes, put};
use crate::element::{Element, Real};
use crate::view::ViewMut;

/// Bins that are transposed at once, so that they and their channels stay in the first-level cache.
pub const MOST_BINS: usize = 256;

const MOST_CHANNELS: usize = 2 * LANES;

/// Writes some rows of bins of one box, or some rows of one image of a gradient.
pub struct Write<'a, 'o, E: Element> {
    first: *mut u8,
    channel_stride: isize,
    row_stride: isize,
    column_stride: isize,
    channels: usize,
    /// Bins of a row, and of all rows.
    width: usize,
    bins: usize,
    values: Values<'a, E::Compute>,
    stream: bool,
    queue: Option<&'a mut Queue<'o>>,
    out: PhantomData<&'a E>,
}

#[derive(Clone, Copy)]
enum Values<'a, T> {
    Zeros,
    /// Bins of the blocks; those of the next block begin `apart` bins later.
    Blocks {
        bins: &'a [Lanes<T>],
        apart: usize,
    },
}

impl<'a, 'o, E: Element> Write<'a, 'o, E> {
    /// `values` has the bins of the first block, and `apart` bins later those of the second.
    #[inline(always)]
    pub fn new(
        out: &'a ViewMut<'_, E>,
        roi: usize,
        channels: Channels,
        rows: Range<usize>,
        values: &'a [Lanes<E::Compute>],
        apart: usize,
        stream: bool,
    ) -> Self {
        let write = Self {
            values: Values::Blocks { bins: values, apart },
            ..Self::zeros(out, roi, channels, rows, stream)
        };
        assert!((channels.blocks().len() - 1) * apart + write.bins <= values.len());
        write
    }

    #[inline(always)]
    pub fn zeros(
        out: &'a ViewMut<'_, E>,
        roi: usize,
        channels: Channels,
        rows: Range<usize>,
        stream: bool,
    ) -> Self {
        let [count, all_channels, height, width] = out.shape();
        assert!(roi < count && rows.end <= height && !rows.is_empty());
        assert!(
            (1..=MOST_CHANNELS).contains(&channels.count) && channels.first + channels.count <= all_channels
        );
        let [_, channel_stride, row_stride, column_stride] = out.strides();
        Self {
            first: out.pointer([roi, channels.first, rows.start, 0]),
            channel_stride,
            row_stride,
            column_stride,
            channels: channels.count,
            width,
            bins: rows.len() * width,
            values: Values::Zeros,
            stream,
            queue: None,
            out: PhantomData,
        }
    }

    /// Lets whole cache lines wait in a queue.
    #[inline(always)]
    pub fn through(self, queue: &'a mut Queue<'o>) -> Self {
        Self { queue: Some(queue), ..self }
    }
}

impl<'a> Write<'a, '_, f64> {
    /// Writes an argmax. Its numbers travel as `f64` of the same bits: they are moved and never computed with.
    pub fn argmax(
        out: &'a ViewMut<'_, i64>,
        roi: usize,
        channels: Channels,
        rows: Range<usize>,
        values: &'a [Lanes<i64>],
        stream: bool,
    ) -> Self {
        // SAFETY: both types have eight bytes, all of which may have any value.
        let (out, values): (&'a ViewMut<'_, f64>, &'a [Lanes<f64>]) = unsafe {
            (&*(&raw const *out).cast(), slice::from_raw_parts(values.as_ptr().cast(), values.len()))
        };
        Self::new(out, roi, channels, rows.clone(), values, values.len() / channels.blocks().len(), stream)
    }
}

impl<E: Element> Kernel for Write<'_, '_, E> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self) {
        let size = size_of::<E>() as isize;
        if self.column_stride == size && self.row_stride == size * self.width as isize {
            if matches!(self.values, Values::Zeros) {
                self.zero_planes::<I>();
            } else if !self.queue_planes::<I>() {
                self.planes::<I>();
            }
        } else if self.channel_stride == size {
            if !self.queue_pixels::<I>() {
                self.pixels::<I>();
            }
        } else {
            self.elements::<I>();
        }
    }
}

impl<E: Element> Write<'_, '_, E> {
    /// The bins of one block; none for zeros.
    #[inline(always)]
    fn block(&self, block: usize) -> Option<&[Lanes<E::Compute>]> {
        match self.values {
            Values::Zeros => None,
            Values::Blocks { bins, apart } => Some(&bins[block * apart..][..self.bins]),
        }
    }

    /// Whether each pixel is one or more cache lines, from the first byte on.
    #[inline(always)]
    fn has_whole_lines(&self) -> bool {
        let bytes = self.channels * size_of::<E>();
        [self.first.addr(), bytes, self.row_stride as usize, self.column_stride as usize]
            .iter()
            .all(|n| n % LINE == 0)
    }

    /// Bins that are neighbours: transposed on the stack, then written in runs as long as they are in memory.
    #[inline(always)]
    fn planes<I: Isa>(&self) {
        for block in 0..self.channels.div_ceil(LANES) {
            let channels = LANES.min(self.channels - block * LANES);
            let first = self.first.wrapping_offset((block * LANES) as isize * self.channel_stride);
            for at in (0..self.bins).step_by(MOST_BINS) {
                let bins = at..self.bins.min(at + MOST_BINS);
                let mut stage = [const { MaybeUninit::<E>::uninit() }; LANES * MOST_BINS];
                let stage = stage.as_mut_ptr().cast::<E>();
                let (to, bytes) = (first.wrapping_add(at * size_of::<E>()), bins.len() * size_of::<E>());
                // SAFETY: the stage has room for 16 channels of at most 256 bins, and is read as far as it was written;
                // `zeros` checked that the channels and the bins are inside; no other task writes them.
                unsafe {
                    if let Some(values) = self.block(block) {
                        transpose::<I, E>(&values[bins.clone()], stage);
                    }
                    if self.channel_stride == bytes as isize {
                        copy::<I>(stage.cast(), to, channels * bytes, self.stream);
                    } else {
                        for channel in 0..channels {
                            let to = to.wrapping_offset(channel as isize * self.channel_stride);
                            copy::<I>(stage.add(channel * bins.len()).cast(), to, bytes, self.stream);
                        }
                    }
                }
            }
        }
    }

    /// Channels that are neighbours: one run for each bin.
    #[inline(always)]
    fn pixels<I: Isa>(&self) {
        let bytes = self.channels * size_of::<E>();
        let whole_lines = self.stream && self.has_whole_lines();
        // Whole blocks that are not streamed need no stage.
        let in_place =
            !self.stream && self.channels.is_multiple_of(LANES) && !matches!(self.values, Values::Zeros);
        let mut stage = Pixel([const { MaybeUninit::<E>::uninit() }; MOST_CHANNELS]);
        let stage = stage.0.as_mut_ptr().cast::<E>();
        // SAFETY: all bytes zero are the element 0; there is room for them.
        unsafe { stage.write_bytes(0, MOST_CHANNELS) };
        for y in 0..self.bins / self.width {
            let mut to = self.first.wrapping_offset(y as isize * self.row_stride);
            for bin in y * self.width..(y + 1) * self.width {
                let pixel = if in_place { to.cast() } else { stage };
                // SAFETY: the stage has room for two blocks; `zeros` checked that the channels and the bins are inside; no other
                // task writes them. Whole lines begin where lines begin.
                unsafe {
                    for block in 0..self.channels.div_ceil(LANES) {
                        if let Some(values) = self.block(block) {
                            put_lanes::<I, E>(&values[bin], pixel.add(block * LANES));
                        }
                    }
                    if whole_lines {
                        for line in (0..bytes).step_by(LINE) {
                            I::stream_line(stage.cast::<u8>().add(line), to.add(line));
                        }
                    } else if !in_place {
                        copy::<I>(stage.cast(), to, bytes, self.stream);
                    }
                }
                to = to.wrapping_offset(self.column_stride);
            }
        }
    }

    #[inline(always)]
    fn elements<I: Isa>(&self) {
        for bin in 0..self.bins {
            let (y, x) = ((bin / self.width) as isize, (bin % self.width) as isize);
            let to = self.first.wrapping_offset(y * self.row_stride + x * self.column_stride);
            for channel in 0..self.channels {
                let value =
                    self.block(channel / LANES).map_or(Real::ZERO, |values| values[bin].0[channel % LANES]);
                let [element] = E::narrow::<I, 1>([value]);
                let to = to.wrapping_offset(channel as isize * self.channel_stride);
                // SAFETY: `zeros` checked that channels and bins are inside; no other task writes them.
                unsafe { to.cast::<E>().write_unaligned(element) };
            }
        }
    }
}

/// The channels of a bin, where a cache line begins.
#[repr(C, align(64))]
struct Pixel<E>([MaybeUninit<E>; MOST_CHANNELS]);

/// Bins of 16 channels become 16 channels of bins.
///
/// # Safety
/// There must be room for them.
#[inline(always)]
unsafe fn transpose<I: Isa, E: Element>(bins: &[Lanes<E::Compute>], to: *mut E) {
    let count = bins.len();
    if count < 8 {
        for (i, bin) in bins.iter().enumerate() {
            for (half, lanes) in bin.0.as_chunks::<8>().0.iter().enumerate() {
                for (lane, value) in E::narrow::<I, 8>(*lanes).into_iter().enumerate() {
                    // SAFETY: the caller's promise.
                    unsafe { to.add((8 * half + lane) * count + i).write(value) };
                }
            }
        }
        return;
    }
    for first in (0..count).step_by(8) {
        // The last eight overlap with bins that are done.
        let first = first.min(count - 8);
        let (blocks, _) = bins[first..].as_chunks::<8>();
        // SAFETY: the caller's promise.
        unsafe { I::store_transposed::<E>(&blocks[0], to.add(first), count) };
    }
}

/// Writes the 16 channels of a bin side by side.
///
/// # Safety
/// They must be writable.
#[inline(always)]
unsafe fn put_lanes<I: Isa, E: Element>(bin: &Lanes<E::Compute>, to: *mut E) {
    for (half, lanes) in bin.0.as_chunks::<8>().0.iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe { put::<I, E>(*lanes, to.add(8 * half)) };
    }
}
