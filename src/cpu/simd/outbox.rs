//! Results on their way past the caches. Memory takes cache lines more slowly than a burst of them is made, so that a
//! few are written now and then while the next results are computed.

use std::marker::PhantomData;
use std::ops::Range;

use crate::cpu::simd::store::{Pixels, Store, write};
use crate::cpu::simd::{Isa, Kernel, LANES, LINE};
use crate::element::Element;
use crate::view::ViewMut;

/// A cache line.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Line([u8; LINE]);

/// What is left to be written of the last results.
pub struct Outbox<'a> {
    /// What is being written, and where the next results are put.
    stages: [&'a mut Vec<Line>; 2],
    from: *const u8,
    to: *mut u8,
    /// Pieces that are left, the lines of each, one or two, and the bytes from one to the next in the output.
    pieces: usize,
    lines: usize,
    apart: isize,
    /// Lines that are to be written while the next block is computed.
    due: usize,
    out: PhantomData<&'a ()>,
}

impl<'a> Outbox<'a> {
    /// For results in `out`. The stages are memory, and nothing else.
    pub fn new<E>(stages: &'a mut [Vec<Line>; 2], _out: &'a ViewMut<'_, E>) -> Self {
        Self {
            stages: stages.each_mut(),
            from: std::ptr::null(),
            to: std::ptr::null_mut(),
            pieces: 0,
            lines: 1,
            apart: 0,
            due: 0,
            out: PhantomData,
        }
    }

    /// Cache lines that are to be written while the next block is computed.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.due
    }

    /// Writes so many lines, or what is left. Lines side by side are not parted.
    #[inline(always)]
    pub fn write<I: Isa>(&mut self, lines: usize) {
        match self.lines {
            1 => self.write_pieces::<I, 1>(lines),
            _ => self.write_pieces::<I, 2>(lines.div_ceil(2)),
        }
    }

    #[inline(always)]
    fn write_pieces<I: Isa, const LINES: usize>(&mut self, pieces: usize) {
        let pieces = pieces.min(self.pieces);
        for piece in 0..pieces {
            let from = self.from.wrapping_add(piece * LINES * LINE);
            let to = self.to.wrapping_offset(piece as isize * self.apart);
            for at in (0..LINES * LINE).step_by(LINE) {
                // SAFETY: `Deliver` put so many lines into the stage, for places in the output that are as large, begin
                // where lines begin, and that no other task writes.
                unsafe { I::stream_line(from.add(at), to.add(at)) };
            }
        }
        self.from = self.from.wrapping_add(pieces * LINES * LINE);
        self.to = self.to.wrapping_offset(pieces as isize * self.apart);
        self.pieces -= pieces;
        self.due = self.due.saturating_sub(pieces * LINES);
    }

    /// Spreads what is left over so many blocks.
    fn share(&mut self, blocks: usize) {
        self.due = (self.pieces * self.lines).div_ceil(blocks);
    }

    /// Room for the next results.
    fn stage(&mut self, bytes: usize) -> *mut u8 {
        let lines = bytes.div_ceil(LINE);
        let [_, stage] = &mut self.stages;
        if stage.len() < lines {
            stage.resize(lines, Line([0; LINE]));
        }
        stage.as_mut_ptr().cast()
    }

    /// Begins with what lies in the stage.
    fn begin(&mut self, from: *const u8, to: *mut u8, pieces: usize, lines: usize, apart: isize) {
        (self.from, self.to, self.pieces, self.lines, self.apart) = (from, to, pieces, lines, apart);
    }
}

/// Puts results into the outbox, whose last ones are written before; those that cannot wait are written at once.
pub struct Deliver<'a, 'o, E: Element> {
    /// The results of a block, in the output that the outbox was made for.
    pub store: Store<'a, E>,
    /// The channels whose blocks are delivered one after the other.
    pub group: Range<usize>,
    pub outbox: &'a mut Outbox<'o>,
}

impl<E: Element> Kernel for Deliver<'_, '_, E> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let Self { store, group, outbox } = self;
        let blocks = group.len().div_ceil(LANES);
        if let Some(pixels) = store.pixels(&group) {
            let Pixels { first, to, count, bytes, bytes_to_turn, apart } = pixels;
            let stage = outbox.stage((count + 1) * bytes);
            // SAFETY: there is room for all channels of all bins, and for a piece more.
            unsafe { store.put_pixels::<I>(stage, &pixels) };
            let blocks_left = blocks - first / LANES - 1;
            if blocks_left > 0 {
                return outbox.share(blocks_left);
            }
            outbox.write::<I>(usize::MAX);
            let goes_around = bytes_to_turn < bytes;
            if goes_around {
                let (before, last) =
                    (to.wrapping_offset(-apart), to.wrapping_offset((count as isize - 1) * apart));
                let behind_turn = bytes - bytes_to_turn;
                // SAFETY: the first piece has these bytes of the first pixel, the last piece those of the last pixel.
                unsafe {
                    write::<I>(
                        stage.add(bytes_to_turn),
                        before.wrapping_add(bytes_to_turn),
                        behind_turn,
                        true,
                    );
                    write::<I>(stage.add(count * bytes), last, bytes_to_turn, true);
                }
            }
            let whole = count - usize::from(goes_around);
            outbox.begin(stage.wrapping_add(bytes), to, whole, bytes / LINE, apart);
            // The next blocks are put elsewhere, for some are ready before all of these are written.
            outbox.stages.swap(0, 1);
            return outbox.share(blocks);
        }
        outbox.write::<I>(usize::MAX);
        let Some((to, bytes)) = store.one_run() else { return store.run::<I>() };
        let stage = outbox.stage(store.turned_bytes());
        let head = to.align_offset(LINE).min(bytes);
        let lines = (bytes - head) / LINE;
        // SAFETY: the stage has room for 16 channels, and the ends of the run lie inside the output. The ends share their
        // cache lines with other tasks' results: read by nobody soon either.
        unsafe {
            store.turn::<I>(stage.cast());
            for end in [0..head, head + lines * LINE..bytes] {
                write::<I>(stage.add(end.start), to.add(end.start), end.len(), true);
            }
        }
        outbox.begin(stage.wrapping_add(head), to.wrapping_add(head), lines, 1, LINE as isize);
        outbox.share(1);
    }
}
