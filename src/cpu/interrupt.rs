//! Ending a long call early: somebody is asked now and then, and all tasks of the call read one flag.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// Shorter calls are never asked about.
const LONG_CALL: Duration = Duration::from_millis(200);

/// Time between two questions.
pub(crate) const BETWEEN_QUESTIONS: Duration = Duration::from_millis(50);

/// Steps between two looks at the clock, at most: steps take less than a millisecond then.
const MOST_STEPS: u32 = 16;

/// Steps that take longer than this are looked at one by one.
const SHORT_STEPS: Duration = Duration::from_millis(1);

/// What the one who is asked says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Go on, and ask again.
    GoOn,
    /// Go on, and never ask again.
    NeverStop,
    /// End the call.
    Stop,
}

/// Whether one call is to end early.
///
/// A call that lasts longer than 0.2 s asks every 50 ms, always on the thread that made this value.
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
    start: Instant,
    /// When to ask, in nanoseconds after the start.
    next_question: AtomicU64,
}

impl fmt::Debug for Interrupt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interrupt").field("is_set", &self.is_set).finish_non_exhaustive()
    }
}

impl<'a> Interrupt<'a> {
    /// For one call, which begins now on this thread.
    pub fn new(ask: &'a (dyn Fn() -> Answer + Sync)) -> Self {
        Self {
            ask,
            is_set: AtomicBool::new(false),
            caller: thread::current().id(),
            start: Instant::now(),
            next_question: AtomicU64::new(LONG_CALL.as_nanos() as u64),
        }
    }

    /// Asks, if it is time to and this is the caller's thread; then says whether the call is to end.
    ///
    /// # Errors
    /// [`Error::Interrupted`] if it is.
    pub fn look(&self) -> Result<()> {
        if thread::current().id() == self.caller {
            let now = self.start.elapsed().as_nanos() as u64;
            if now >= self.next_question.load(Ordering::Relaxed) {
                let next = match (self.ask)() {
                    Answer::GoOn => now + BETWEEN_QUESTIONS.as_nanos() as u64,
                    Answer::NeverStop => u64::MAX,
                    Answer::Stop => {
                        self.is_set.store(true, Ordering::Relaxed);
                        u64::MAX
                    }
                };
                self.next_question.store(next, Ordering::Relaxed);
            }
        }
        if self.is_set.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
    }
}

/// What one task keeps, to look often enough and not too often.
pub struct Watch<'a> {
    interrupt: Option<&'a Interrupt<'a>>,
    steps_left: u32,
    steps: u32,
    last_look: Option<Instant>,
}

impl<'a> Watch<'a> {
    /// For a task of this call.
    #[inline]
    pub fn new(interrupt: Option<&'a Interrupt<'a>>) -> Self {
        Self { interrupt, steps_left: 1, steps: 1, last_look: None }
    }

    /// Takes a step of the task, such as a box.
    ///
    /// # Errors
    /// [`Error::Interrupted`] if the call is to end.
    #[inline(always)]
    pub fn step(&mut self) -> Result<()> {
        let Some(interrupt) = self.interrupt else { return Ok(()) };
        if interrupt.is_set.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        self.steps_left -= 1;
        if self.steps_left == 0 { self.look(interrupt) } else { Ok(()) }
    }

    #[cold]
    #[inline(never)]
    fn look(&mut self, interrupt: &Interrupt<'_>) -> Result<()> {
        let now = Instant::now();
        let are_short = self.last_look.is_none_or(|last| now - last < SHORT_STEPS);
        self.steps = if are_short { (2 * self.steps).min(MOST_STEPS) } else { 1 };
        (self.steps_left, self.last_look) = (self.steps, Some(now));
        interrupt.look()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn a_long_call_is_asked_about_and_ended() {
        let questions = AtomicUsize::new(0);
        let ask = || match questions.fetch_add(1, Ordering::Relaxed) {
            0 => Answer::GoOn,
            _ => Answer::Stop,
        };
        let start = Instant::now();
        let interrupt = Interrupt::new(&ask);
        let mut watch = Watch::new(Some(&interrupt));
        while watch.step().is_ok() {
            assert!(start.elapsed() < Duration::from_mins(1));
        }
        assert!(start.elapsed() >= LONG_CALL + BETWEEN_QUESTIONS);
        assert_eq!(questions.load(Ordering::Relaxed), 2);
        assert_eq!(Watch::new(Some(&interrupt)).step(), Err(Error::Interrupted));
    }

    #[test]
    fn only_the_callers_thread_asks() {
        let interrupt = Interrupt::new(&|| Answer::Stop);
        thread::sleep(LONG_CALL);
        thread::scope(|scope| {
            scope.spawn(|| assert_eq!(interrupt.look(), Ok(())));
        });
        assert_eq!(interrupt.look(), Err(Error::Interrupted));
    }
}
