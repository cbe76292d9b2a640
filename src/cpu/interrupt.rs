//! Interrupts of long calls: the calling thread polls a callback, all tasks read one flag.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// Calls shorter than this never poll.
const LONG_CALL: Duration = Duration::from_millis(200);

/// Time between two polls.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Work between two looks at the clock: less than a millisecond of it.
const WORK_BETWEEN_LOOKS: usize = 1 << 16;

/// The answer of an [`Interrupt`]'s callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Continue, and poll again.
    GoOn,
    /// Continue, and do not poll again.
    NeverStop,
    /// End the call with [`Error::Interrupted`].
    Stop,
}

/// Ends one long call early, if a callback says so.
///
/// The callback is polled every 50 ms from 0.2 s after the start of the call on, always on the thread that created the
/// `Interrupt`.
///
/// ```
/// use roialign_rs::cpu::{Answer, Interrupt, Settings};
/// let interrupt = Interrupt::new(&|| Answer::Stop);
/// let settings = Settings { interrupt: Some(&interrupt), ..Settings::current()? };
/// // A call with these settings ends with `Error::Interrupted` once it has lasted 0.2 s.
/// # Ok::<(), roialign_rs::error::Error>(())
/// ```
pub struct Interrupt<'a> {
    ask: &'a (dyn Fn() -> Answer + Sync),
    is_set: AtomicBool,
    caller: ThreadId,
    /// When the first look was: short calls have none, and read no clock.
    start: OnceLock<Instant>,
    /// When to poll, in nanoseconds after the start.
    next_poll: AtomicU64,
}

impl fmt::Debug for Interrupt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interrupt").field("is_set", &self.is_set).finish_non_exhaustive()
    }
}

impl<'a> Interrupt<'a> {
    /// An interrupt for one call from the current thread. `ask` is the callback.
    pub fn new(ask: &'a (dyn Fn() -> Answer + Sync)) -> Self {
        Self {
            ask,
            is_set: AtomicBool::new(false),
            caller: thread::current().id(),
            start: OnceLock::new(),
            next_poll: AtomicU64::new(LONG_CALL.as_nanos() as u64),
        }
    }

    /// Polls if it is time to and this is the caller's thread, then reads the flag.
    ///
    /// # Errors
    /// [`Error::Interrupted`] if the callback answered [`Answer::Stop`].
    pub fn look(&self) -> Result<()> {
        if thread::current().id() == self.caller {
            let now = self.start.get_or_init(Instant::now).elapsed().as_nanos() as u64;
            if now >= self.next_poll.load(Ordering::Relaxed) {
                let next = match (self.ask)() {
                    Answer::GoOn => now + POLL_INTERVAL.as_nanos() as u64,
                    Answer::NeverStop => u64::MAX,
                    Answer::Stop => {
                        self.is_set.store(true, Ordering::Relaxed);
                        u64::MAX
                    }
                };
                self.next_poll.store(next, Ordering::Relaxed);
            }
        }
        if self.is_set.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
    }
}

/// Limits how often one task reads the clock and polls its [`Interrupt`].
pub struct Watch<'a> {
    interrupt: Option<&'a Interrupt<'a>>,
    /// Work since the last look.
    work: usize,
}

impl<'a> Watch<'a> {
    /// For a task of this call.
    #[inline]
    pub fn new(interrupt: Option<&'a Interrupt<'a>>) -> Self {
        Self { interrupt, work: 0 }
    }

    /// Begins a step of the task, such as a box. `work` is the number of loads of 16 lanes that it takes, about: too high a number
    /// costs more looks at the clock, too low a number delays them.
    ///
    /// # Errors
    /// [`Error::Interrupted`] if the call is to end.
    #[inline(always)]
    pub fn step(&mut self, work: usize) -> Result<()> {
        let Some(interrupt) = self.interrupt else { return Ok(()) };
        if interrupt.is_set.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        self.work = self.work.saturating_add(work);
        if self.work < WORK_BETWEEN_LOOKS { Ok(()) } else { self.look(interrupt) }
    }

    #[cold]
    #[inline(never)]
    fn look(&mut self, interrupt: &Interrupt<'_>) -> Result<()> {
        self.work = 0;
        interrupt.look()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn a_long_call_is_asked_about_and_ended() {
        let polls = AtomicUsize::new(0);
        let ask = || match polls.fetch_add(1, Ordering::Relaxed) {
            0 => Answer::GoOn,
            _ => Answer::Stop,
        };
        let start = Instant::now();
        let interrupt = Interrupt::new(&ask);
        let mut watch = Watch::new(Some(&interrupt));
        while watch.step(1000).is_ok() {
            assert!(start.elapsed() < Duration::from_mins(1));
        }
        assert!(start.elapsed() >= LONG_CALL + POLL_INTERVAL);
        assert_eq!(polls.load(Ordering::Relaxed), 2);
        assert_eq!(Watch::new(Some(&interrupt)).step(0), Err(Error::Interrupted));
    }

    #[test]
    fn only_the_callers_thread_asks() {
        let interrupt = Interrupt::new(&|| Answer::Stop);
        assert_eq!(interrupt.look(), Ok(()));
        thread::sleep(LONG_CALL);
        thread::scope(|scope| {
            scope.spawn(|| assert_eq!(interrupt.look(), Ok(())));
        });
        assert_eq!(interrupt.look(), Err(Error::Interrupted));
    }
}
