//! Results on their way past the caches. Memory takes cache lines more slowly than a burst of them is made, so that a
//! few are written now and then while the next results are computed.

use std::marker::PhantomData;

use crate::cpu::simd::store::{LINE, Store, write};
use crate::cpu::simd::{Isa, Kernel};
use crate::element::Element;
use crate::view::ViewMut;

/// A cache line.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Line([u8; LINE]);

/// What is left to be written of the last results.
pub struct Outbox<'a> {
    stage: &'a mut Vec<Line>,
    from: *const u8,
    to: *mut u8,
    lines: usize,
    out: PhantomData<&'a ()>,
}

impl<'a> Outbox<'a> {
    /// For results in `out`. The stage is memory, and nothing else.
    pub fn new<E>(stage: &'a mut Vec<Line>, _out: &'a ViewMut<'_, E>) -> Self {
        Self { stage, from: std::ptr::null(), to: std::ptr::null_mut(), lines: 0, out: PhantomData }
    }

    /// Cache lines that are left.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.lines
    }

    /// Writes so many lines, or what is left.
    #[inline(always)]
    pub fn write<I: Isa>(&mut self, lines: usize) {
        let lines = lines.min(self.lines);
        for at in 0..lines {
            // SAFETY: `Deliver` put so many lines into the stage, for a place in the output that is as large, begins
            // where a line begins, and that no other task writes.
            unsafe { I::stream_line(self.from.add(at * LINE), self.to.add(at * LINE)) };
        }
        self.from = self.from.wrapping_add(lines * LINE);
        self.to = self.to.wrapping_add(lines * LINE);
        self.lines -= lines;
    }
}

/// Puts results into the outbox, whose last ones are written before; those that cannot wait are written at once.
pub struct Deliver<'a, 'o, E: Element> {
    /// The results, in the output that the outbox was made for.
    pub store: Store<'a, E>,
    pub outbox: &'a mut Outbox<'o>,
}

impl<E: Element> Kernel for Deliver<'_, '_, E> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let Self { store, outbox } = self;
        outbox.write::<I>(usize::MAX);
        let Some((to, bytes)) = store.one_run() else { return store.run::<I>() };
        let needed = store.turned_bytes().div_ceil(LINE);
        if outbox.stage.len() < needed {
            outbox.stage.resize(needed, Line([0; LINE]));
        }
        let stage = outbox.stage.as_mut_ptr().cast::<u8>();
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
        outbox.from = stage.wrapping_add(head);
        outbox.to = to.wrapping_add(head);
        outbox.lines = lines;
    }
}
