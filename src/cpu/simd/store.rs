//! From `[bin][16 channels]` in the compute type to the output, in any dtype and layout.

mod pixels;

use std::mem::MaybeUninit;
use std::ops::Range;
use std::slice;

use crate::cpu::simd::target::Target;
use crate::cpu::simd::{Isa, Kernel, LANES, LINE, Lanes, put};
use crate::element::Element;
use crate::view::ViewMut;

pub(super) use pixels::Pixels;

/// Bins that are turned at once, so that what is staged stays in the first-level cache.
pub const MOST_BINS: usize = 256;

/// Writes some rows of bins of one box.
pub struct Store<'a, E: Element> {
    target: Target<E>,
    block: Range<usize>,
    bins: &'a [Lanes<E::Compute>],
    stream: bool,
}

impl<'a, E: Element> Store<'a, E> {
    /// The rows from `row` on. `stream`: past the caches, for an output that they could not hold.
    #[inline(always)]
    pub fn new(
        out: &ViewMut<'_, E>,
        roi: usize,
        block: &Range<usize>,
        row: usize,
        bins: &'a [Lanes<E::Compute>],
        stream: bool,
    ) -> Self {
        assert!(block.len() <= LANES);
        Self { target: Target::new(out, roi, block, row, bins.len()), block: block.clone(), bins, stream }
    }
}

impl<'a> Store<'a, f64> {
    /// Where the maxima of some rows of bins came from. These numbers travel as `f64` of the same bits: they are moved and
    /// never computed with.
    pub fn sources(
        out: &ViewMut<'_, i64>,
        roi: usize,
        block: &Range<usize>,
        row: usize,
        bins: &'a [Lanes<i64>],
        stream: bool,
    ) -> Self {
        // SAFETY: both types have eight bytes, all of which may have any value.
        let (out, bins) = unsafe {
            (
                ViewMut::from_raw(out.pointer([0; 4]), out.shape(), out.strides()),
                slice::from_raw_parts(bins.as_ptr().cast(), bins.len()),
            )
        };
        Self::new(&out, roi, block, row, bins, stream)
    }
}

impl<E: Element> Kernel for Store<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let Self { target, bins, stream, .. } = self;
        if target.has_dense_maps() {
            for (i, bins) in bins.chunks(MOST_BINS).enumerate() {
                store_maps::<I, E>(&target, i * MOST_BINS, bins, stream);
            }
        } else if target.has_dense_pixels() {
            store_pixels::<I, E>(&target, bins, stream);
        } else {
            for channel in 0..target.channels {
                for (at, bin) in bins.iter().enumerate() {
                    let [value] = E::narrow::<I, 1>([bin.0[channel]]);
                    // SAFETY: `Target::new` checked that bins and channels are inside; no other task writes them.
                    unsafe { target.at(channel, at).cast::<E>().write_unaligned(value) };
                }
            }
        }
    }
}

impl<E: Element> Store<'_, E> {
    /// Where all channels go and how many bytes they are, if they follow each other without a gap and are to be streamed.
    #[inline(always)]
    pub(super) fn one_run(&self) -> Option<(*mut u8, usize)> {
        let Self { target, bins, stream, .. } = self;
        let bytes = bins.len() * size_of::<E>();
        let [_, rest] = target.runs();
        let follow = rest.is_empty() && (target.channel_stride == bytes as isize || target.channels == 1);
        let fits = *stream && follow && target.has_dense_maps() && bins.len() <= MOST_BINS;
        fits.then(|| (target.at(0, 0), target.channels * bytes))
    }

    /// Bytes that [`Self::turn`] writes.
    pub(super) fn turned_bytes(&self) -> usize {
        LANES * self.bins.len() * size_of::<E>()
    }

    /// Turns bins of channels into channels of bins, one after the other.
    ///
    /// # Safety
    /// There must be room for 16 channels, however many there are.
    #[inline(always)]
    pub(super) unsafe fn turn<I: Isa>(&self, to: *mut E) {
        // SAFETY: the caller's promise.
        unsafe { turn::<I, E>(self.bins, to) };
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
    let mut stage = [const { MaybeUninit::<E>::uninit() }; LANES * MOST_BINS];
    let stage = stage.as_mut_ptr().cast::<E>();
    let bytes = bins.len() * size_of::<E>();
    // SAFETY: the stage has room for 16 channels of at most 256 bins, and is written as far as there are channels;
    // `Target::new` checked that they and the bins are inside, dense maps have their bins side by side, and no other
    // task writes them.
    unsafe {
        turn::<I, E>(bins, stage);
        if target.channel_stride == bytes as isize {
            for run in target.runs() {
                let to = target.at(run.start, first);
                write::<I>(stage.add(run.start * bins.len()).cast(), to, run.len() * bytes, stream);
            }
        } else {
            for channel in 0..target.channels {
                write::<I>(stage.add(channel * bins.len()).cast(), target.at(channel, first), bytes, stream);
            }
        }
    }
}

/// Bins of 16 channels become 16 channels of bins.
///
/// # Safety
/// There must be room for them.
#[inline(always)]
unsafe fn turn<I: Isa, E: Element>(bins: &[Lanes<E::Compute>], to: *mut E) {
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
        // The last block goes back over bins that are done.
        let first = first.min(count - 8);
        let (blocks, _) = bins[first..].as_chunks::<8>();
        // SAFETY: as above.
        unsafe { I::turn::<E>(&blocks[0], to.add(first), count) };
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

/// Bins whose channels are neighbours: written as they are.
#[inline(always)]
fn store_pixels<I: Isa, E: Element>(target: &Target<E>, bins: &[Lanes<E::Compute>], stream: bool) {
    for run in target.runs() {
        if run.is_empty() {
            continue;
        }
        let first = target.at(run.start, 0);
        for (y, row) in bins.chunks(target.width).enumerate() {
            for (x, bin) in row.iter().enumerate() {
                let mut pixel = [const { MaybeUninit::<E>::uninit() }; LANES];
                let offset = y as isize * target.row_stride + x as isize * target.column_stride;
                // SAFETY: `Target::new` checked that the bins and channels are inside; there are at most 16 channels.
                unsafe {
                    put_lanes::<I, E>(bin, pixel.as_mut_ptr().cast());
                    let from = pixel.as_ptr().add(run.start).cast();
                    write::<I>(from, first.wrapping_offset(offset), run.len() * size_of::<E>(), stream);
                }
            }
        }
    }
}

/// Copies bytes, past the caches if asked to, where that can be done in whole vectors.
///
/// # Safety
/// So many bytes must be readable at `from` and writable at `to`.
#[inline(always)]
pub(super) unsafe fn write<I: Isa>(from: *const u8, to: *mut u8, bytes: usize, stream: bool) {
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
            I::stream_line(from.add(at), to.add(at));
        }
    }
}
