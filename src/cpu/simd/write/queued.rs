//! Results whose cache lines wait in a queue: whole lines, equally far apart.

use super::{MOST_BINS, Values, Write, put_lanes, transpose};
use crate::cpu::simd::copy::copy;
use crate::cpu::simd::{Isa, LANES, LINE};
use crate::element::Element;

impl<E: Element> Write<'_, '_, E> {
    /// Whether all is written or queued: the planes of a block that follow each other without a gap.
    #[inline(always)]
    pub(super) fn queue_planes<I: Isa>(&mut self) -> bool {
        let bytes = self.channels * self.bins * size_of::<E>();
        let follow = self.channels == 1 || self.channels as isize * self.channel_stride == bytes as isize;
        let fits = self.stream && follow && self.channels <= LANES && self.bins <= MOST_BINS;
        let (true, Values::Blocks { bins, .. }, Some(queue)) = (fits, self.values, &mut self.queue) else {
            return false;
        };
        let stage = queue.stage::<I>(LANES * self.bins * size_of::<E>());
        let head = self.first.align_offset(LINE).min(bytes);
        let lines = (bytes - head) / LINE;
        // SAFETY: the stage has room for 16 channels; `zeros` checked that the channels and the bins are inside, and no other task
        // writes them.
        unsafe {
            transpose::<I, E>(&bins[..self.bins], stage.cast());
            for end in [0..head, head + lines * LINE..bytes] {
                copy::<I>(stage.add(end.start), self.first.add(end.start), end.len(), true);
            }
            let (from, to) = (stage.add(head), self.first.add(head));
            queue.begin(from, to, lines, 1, LINE as isize, self.bins / self.width);
        }
        true
    }

    /// Whether all is queued: pixels of one or two whole cache lines, equally far apart.
    #[inline(always)]
    pub(super) fn queue_pixels<I: Isa>(&mut self) -> bool {
        let (bytes, rows) = (self.channels * size_of::<E>(), self.bins / self.width);
        let even = rows == 1 || self.row_stride == self.column_stride * self.width as isize;
        let whole = self.channels.is_multiple_of(LANES) && self.has_whole_lines();
        let fits = self.stream && even && whole && bytes <= 2 * LINE;
        let (true, Values::Blocks { bins, apart }, Some(queue)) = (fits, self.values, &mut self.queue) else {
            return false;
        };
        let stage = queue.stage::<I>(self.bins * bytes);
        let blocks = self.channels / LANES;
        // SAFETY: the stage has room for all bins; `zeros` checked that the channels and the bins are inside, and no other task
        // writes them.
        unsafe {
            for block in 0..blocks {
                for (i, bin) in bins[block * apart..][..self.bins].iter().enumerate() {
                    put_lanes::<I, E>(bin, stage.add(i * bytes).cast::<E>().add(block * LANES));
                }
            }
            queue.begin(stage, self.first, self.bins, bytes / LINE, self.column_stride, rows * blocks);
        }
        true
    }
}
