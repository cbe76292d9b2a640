//! Cache lines that wait to be streamed while the next bins are computed.
//!
//! Memory takes streamed lines more slowly than the lines of a block are made: a thread that streams a block at once waits for
//! most of it. So the lines of a block are put into a stage, and a few of them are written after each row of bins of the next
//! block.

use std::marker::PhantomData;

use crate::cpu::simd::{Isa, LINE};
use crate::view::ViewMut;

/// A cache line.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Line(pub [u8; LINE]);

/// Runs of one or two cache lines that wait, equally far apart in the output.
pub struct Queue<'a> {
    stage: &'a mut Vec<Line>,
    /// The next run.
    from: *const u8,
    to: *mut u8,
    /// Runs that are left, lines of each, and bytes from one to the next in the output.
    runs: usize,
    lines: usize,
    apart: isize,
    /// Runs that one [`Self::step`] writes.
    runs_a_step: usize,
    out: PhantomData<&'a ()>,
}

impl<'a> Queue<'a> {
    /// For lines of `out`. The stage is memory, and nothing else.
    pub fn new<E>(stage: &'a mut Vec<Line>, _out: &'a ViewMut<'_, E>) -> Self {
        let (from, to) = (std::ptr::null(), std::ptr::null_mut());
        Self { stage, from, to, runs: 0, lines: 1, apart: 0, runs_a_step: 0, out: PhantomData }
    }

    /// Writes what is left, and makes room for the next bytes.
    #[inline(always)]
    pub fn stage<I: Isa>(&mut self, bytes: usize) -> *mut u8 {
        self.flush::<I>();
        let lines = bytes.div_ceil(LINE);
        if self.stage.len() < lines {
            self.stage.resize(lines, Line([0; LINE]));
        }
        self.stage.as_mut_ptr().cast()
    }

    /// Lets runs of `lines` cache lines, one or two, wait. They lie in the stage from `from` on, and are written to `to` and to
    /// places `apart` bytes from each other, in about so many steps.
    ///
    /// # Safety
    /// The runs must lie in the stage. Their places must be inside the output that the queue was made for, begin where cache
    /// lines begin, and be written by no other task.
    #[inline(always)]
    pub unsafe fn begin(
        &mut self,
        from: *const u8,
        to: *mut u8,
        runs: usize,
        lines: usize,
        apart: isize,
        steps: usize,
    ) {
        (self.from, self.to, self.runs, self.lines, self.apart) = (from, to, runs, lines, apart);
        self.runs_a_step = runs.div_ceil(steps);
    }

    /// Writes some of the lines.
    #[inline(always)]
    pub fn step<I: Isa>(&mut self) {
        self.write::<I>(self.runs_a_step);
    }

    /// Writes all lines that are left.
    #[inline(always)]
    pub fn flush<I: Isa>(&mut self) {
        self.write::<I>(self.runs);
    }

    #[inline(always)]
    fn write<I: Isa>(&mut self, runs: usize) {
        let runs = runs.min(self.runs);
        if self.lines == 1 { self.write_runs::<I, 1>(runs) } else { self.write_runs::<I, 2>(runs) }
    }

    #[inline(always)]
    fn write_runs<I: Isa, const LINES: usize>(&mut self, runs: usize) {
        for run in 0..runs {
            let from = self.from.wrapping_add(run * LINES * LINE);
            let to = self.to.wrapping_offset(run as isize * self.apart);
            for at in (0..LINES * LINE).step_by(LINE) {
                // SAFETY: the promise of whoever began.
                unsafe { I::stream_line(from.add(at), to.add(at)) };
            }
        }
        self.from = self.from.wrapping_add(runs * LINES * LINE);
        self.to = self.to.wrapping_offset(runs as isize * self.apart);
        self.runs -= runs;
    }
}
