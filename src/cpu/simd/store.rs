//! From `[bin][16 channels]` in the compute type to the output, in any dtype and layout.

use std::mem::MaybeUninit;
use std::ops::Range;

use crate::cpu::simd::{Isa, Kernel, LANES, Lanes};
use crate::element::Element;
use crate::view::ViewMut;

/// Bins that are turned at once, so that what is staged stays in the first-level cache.
pub const MOST_BINS: usize = 256;

/// Where some rows of bins of one box go.
pub(super) struct Target<E> {
    base: *mut u8,
    pub(super) channel_stride: isize,
    row_stride: isize,
    column_stride: isize,
    pub(super) channels: usize,
    width: usize,
    element: std::marker::PhantomData<E>,
}

impl<E> Target<E> {
    /// From `row` on, for a block of channels.
    pub(super) fn new(
        out: &ViewMut<'_, E>,
        roi: usize,
        block: &Range<usize>,
        row: usize,
        bins: usize,
    ) -> Self {
        let [rois, channels, height, width] = out.shape();
        assert!(roi < rois && block.start < channels && block.end <= channels && block.len() <= LANES);
        assert!(row + bins.div_ceil(width) <= height);
        let [_, channel_stride, row_stride, column_stride] = out.strides();
        Self {
            base: out.pointer([roi, block.start, row, 0]),
            channel_stride,
            row_stride,
            column_stride,
            channels: block.len(),
            width,
            element: std::marker::PhantomData,
        }
    }

    #[inline(always)]
    pub(super) fn at(&self, channel: usize, bin: usize) -> *mut u8 {
        let (y, x) = (bin / self.width, bin % self.width);
        let offset = channel as isize * self.channel_stride
            + y as isize * self.row_stride
            + x as isize * self.column_stride;
        self.base.wrapping_offset(offset)
    }

    /// Whether the bins of a channel are neighbours in memory, row after row.
    pub(super) fn has_dense_maps(&self) -> bool {
        let size = size_of::<E>() as isize;
        self.column_stride == size && self.row_stride == size * self.width as isize
    }
}

/// Writes some rows of bins of one box.
pub struct Store<'a, E: Element> {
    target: Target<E>,
    bins: &'a [Lanes<E::Compute>],
    stream: bool,
}

impl<'a, E: Element> Store<'a, E> {
    /// The rows from `row` on. `stream`: past the caches, for an output that they could not hold.
    pub fn new(
        out: &ViewMut<'_, E>,
        roi: usize,
        block: &Range<usize>,
        row: usize,
        bins: &'a [Lanes<E::Compute>],
        stream: bool,
    ) -> Self {
        Self { target: Target::new(out, roi, block, row, bins.len()), bins, stream }
    }
}

impl<E: Element> Kernel for Store<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let Self { target, bins, stream } = self;
        if target.has_dense_maps() {
            for (i, bins) in bins.chunks(MOST_BINS).enumerate() {
                store_maps::<I, E>(&target, i * MOST_BINS, bins, stream);
            }
        } else if target.channel_stride == size_of::<E>() as isize {
            store_pixels::<I, E>(&target, bins, stream);
        } else {
            for channel in 0..target.channels {
                for (at, bin) in bins.iter().enumerate() {
                    let [value, ..] = E::narrow::<I>([bin.0[channel]; 8]);
                    // SAFETY: `Target::new` checked that bins and channels are inside; no other task writes them.
                    unsafe { target.at(channel, at).cast::<E>().write_unaligned(value) };
                }
            }
        }
    }
}

/// Maps whose bins are neighbours: turned in a stage, then written in runs as long as they are in memory.
#[inline(always)]
fn store_maps<I: Isa, E: Element>(
    target: &Target<E>,
    first: usize,
    bins: &[Lanes<E::Compute>],
    stream: bool,
) {
    let count = bins.len();
    let mut stage = [const { MaybeUninit::<E>::uninit() }; LANES * MOST_BINS];
    let stage = stage.as_mut_ptr().cast::<E>();
    if count < 8 {
        for (i, bin) in bins.iter().enumerate() {
            for (half, lanes) in bin.0.as_chunks::<8>().0.iter().enumerate() {
                for (lane, value) in E::narrow::<I>(*lanes).into_iter().enumerate() {
                    // SAFETY: the stage has 16 maps of at most 256 bins.
                    unsafe { stage.add((8 * half + lane) * count + i).write(value) };
                }
            }
        }
    }
    for first in (0..if count < 8 { 0 } else { count }).step_by(8) {
        // The last block goes back over bins that are done.
        let first = first.min(count - 8);
        let (blocks, _) = bins[first..].as_chunks::<8>();
        I::turn(&blocks[0], |lane, values| {
            // SAFETY: as above.
            unsafe {
                stage.add(lane * count + first).cast::<[E; 8]>().write_unaligned(E::narrow::<I>(values))
            };
        });
    }
    let bytes = count * size_of::<E>();
    // SAFETY: the stage was written as far as there are channels; `Target::new` checked that they and the bins are
    // inside, dense maps have their bins side by side, and no other task writes them.
    unsafe {
        if target.channel_stride == bytes as isize {
            write::<I>(stage.cast(), target.at(0, first), target.channels * bytes, stream);
        } else {
            for channel in 0..target.channels {
                write::<I>(stage.add(channel * count).cast(), target.at(channel, first), bytes, stream);
            }
        }
    }
}

/// Bins whose channels are neighbours: written as they are.
#[inline(always)]
fn store_pixels<I: Isa, E: Element>(target: &Target<E>, bins: &[Lanes<E::Compute>], stream: bool) {
    for (y, row) in bins.chunks(target.width).enumerate() {
        for (x, bin) in row.iter().enumerate() {
            let (halves, _) = bin.0.as_chunks::<8>();
            let pixel = [E::narrow::<I>(halves[0]), E::narrow::<I>(halves[1])];
            let to = target
                .base
                .wrapping_offset(y as isize * target.row_stride + x as isize * target.column_stride);
            let bytes = target.channels * size_of::<E>();
            // SAFETY: `Target::new` checked that the bins and channels are inside.
            unsafe { write::<I>((&raw const pixel).cast(), to, bytes, stream) };
        }
    }
}

/// Copies bytes, past the caches if asked to, where that can be done in whole vectors.
///
/// # Safety
/// So many bytes must be readable at `from` and writable at `to`.
#[inline(always)]
pub(super) unsafe fn write<I: Isa>(from: *const u8, to: *mut u8, bytes: usize, stream: bool) {
    const LINE: usize = 64;
    const VECTOR: usize = 16;
    // SAFETY: all offsets are at most `bytes`; what is streamed starts at multiples of its size.
    unsafe {
        if !stream || to.align_offset(VECTOR) != 0 || !bytes.is_multiple_of(VECTOR) {
            return to.copy_from_nonoverlapping(from, bytes);
        }
        // The ends share their cache lines with other tasks' results: read by nobody either.
        let head = to.align_offset(LINE).min(bytes);
        let body = (bytes - head) / LINE * LINE;
        for at in (0..head).step_by(VECTOR).chain((head + body..bytes).step_by(VECTOR)) {
            I::stream_16(from.add(at), to.add(at));
        }
        for at in (head..head + body).step_by(LINE) {
            I::stream_32(from.add(at), to.add(at));
            I::stream_32(from.add(at + LINE / 2), to.add(at + LINE / 2));
        }
    }
}

/// Writes where the maxima of some rows of bins came from.
pub fn store_sources(
    out: &ViewMut<'_, i64>,
    roi: usize,
    block: &Range<usize>,
    row: usize,
    bins: &[Lanes<i64>],
) {
    let target = Target::new(out, roi, block, row, bins.len());
    for channel in 0..target.channels {
        for (at, bin) in bins.iter().enumerate() {
            // SAFETY: `Target::new` checked that bins and channels are inside; no other task writes them.
            unsafe { target.at(channel, at).cast::<i64>().write_unaligned(bin.0[channel]) };
        }
    }
}
