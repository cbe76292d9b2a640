//! A job: work that the calling thread begins at once, and that other threads join as soon as they are awake.
//!
//! The caller waits only for threads that have begun: a thread that wakes up later finds the job closed. A rayon scope would wait
//! for every thread that it has asked, and waking up takes longer than a small call.

#![allow(unsafe_code, reason = "helpers borrow what the caller keeps alive")]

use std::any::Any;
use std::hint;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Thread};

use rayon::ThreadPool;

use super::float_control::FloatControl;
use crate::cpu::interrupt::{Interrupt, POLL_INTERVAL};

/// The job is over: no thread may begin any more.
const CLOSED: usize = 1 << (usize::BITS - 1);

/// About as long as it takes to fall asleep and to be woken up.
const SPINS: usize = 1000;

type Work<'a> = dyn Fn() + Sync + 'a;

struct Job {
    work: *const Work<'static>,
    /// How many are at work besides the caller, and whether it is [`CLOSED`].
    helpers: AtomicUsize,
    caller: Thread,
    control: FloatControl,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: the work may be called by many threads at once, and is called only while the caller keeps it alive.
unsafe impl Send for Job {}
// SAFETY: as above.
unsafe impl Sync for Job {}

/// Does `own` on this thread and, meanwhile, `work` on up to `helpers` others. It ends when all who have begun have ended:
/// between them they must leave nothing undone, however few they are.
///
/// Helpers use the caller's rounding mode. While the caller waits it polls `interrupt`; the work reads the flag.
pub fn join(
    pool: &ThreadPool,
    helpers: usize,
    interrupt: Option<&Interrupt<'_>>,
    own: impl FnOnce(),
    work: &Work<'_>,
) {
    let job = Arc::new(Job {
        // SAFETY: only the lifetime changes, and nobody calls the work after `Closing` is dropped.
        work: unsafe { std::mem::transmute::<&Work<'_>, *const Work<'static>>(work) },
        helpers: AtomicUsize::new(0),
        caller: thread::current(),
        control: FloatControl::current(),
        panic: Mutex::new(None),
    });
    for _ in 0..helpers {
        let job = Arc::clone(&job);
        pool.spawn(move || job.join());
    }
    let closing = Closing { job: &job, interrupt };
    own();
    drop(closing);
    if let Some(panic) = job.panic.lock().unwrap_or_else(PoisonError::into_inner).take() {
        resume_unwind(panic);
    }
}

impl Job {
    fn join(&self) {
        let enter = |helpers: usize| (helpers & CLOSED == 0).then_some(helpers + 1);
        if self.helpers.fetch_update(Ordering::AcqRel, Ordering::Acquire, enter).is_err() {
            return;
        }
        // SAFETY: the caller waits for all who entered.
        let work = || self.control.with(|| unsafe { (*self.work)() });
        if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
            *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
        }
        if self.helpers.fetch_sub(1, Ordering::AcqRel) == CLOSED | 1 {
            self.caller.unpark();
        }
    }
}

/// Closes the job and waits for the threads that have begun, even if the caller's own part panics.
struct Closing<'a> {
    job: &'a Job,
    interrupt: Option<&'a Interrupt<'a>>,
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.job.helpers.fetch_or(CLOSED, Ordering::AcqRel);
        let is_done = || self.job.helpers.load(Ordering::Acquire) == CLOSED;
        for _ in 0..SPINS {
            if is_done() {
                return;
            }
            hint::spin_loop();
        }
        while !is_done() {
            let Some(interrupt) = self.interrupt else {
                thread::park();
                continue;
            };
            thread::park_timeout(POLL_INTERVAL);
            // The work reads the flag between its steps.
            let _ = interrupt.look();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic;
    use std::sync::Barrier;
    use std::sync::atomic::AtomicBool;

    use rayon::ThreadPoolBuilder;

    use super::*;

    #[test]
    fn nobody_waits_for_who_is_busy_elsewhere() {
        let pool = ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let end = Arc::new(Barrier::new(2));
        let until = Arc::clone(&end);
        pool.spawn(move || {
            until.wait();
        });
        let came_too_late = AtomicBool::new(false);
        join(&pool, 1, None, || (), &|| came_too_late.store(true, Ordering::Relaxed));
        end.wait();
        // Behind the help that came too late.
        pool.install(|| ());
        assert!(!came_too_late.load(Ordering::Relaxed));
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn helpers_take_subnormals_for_what_their_caller_does() {
        let pool = ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let half_of_the_smallest = || std::hint::black_box(f32::MIN_POSITIVE) * std::hint::black_box(0.5);
        for flush in [false, true, false] {
            let both = Barrier::new(2);
            let check = || {
                both.wait();
                assert_eq!(half_of_the_smallest() == 0.0, flush);
            };
            FloatControl::current().flushing(flush).with(|| join(&pool, 1, None, check, &check));
        }
    }

    #[test]
    fn a_panic_of_either_side_waits_for_the_other_and_goes_on() {
        let pool = ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        for own_panics in [false, true] {
            let (both, ended) = (Barrier::new(2), AtomicBool::new(false));
            let part = |panics: bool| {
                both.wait();
                assert!(!panics, "as planned");
                thread::sleep(std::time::Duration::from_millis(20));
                ended.store(true, Ordering::Relaxed);
            };
            let call = || join(&pool, 1, None, || part(own_panics), &|| part(!own_panics));
            assert!(panic::catch_unwind(AssertUnwindSafe(call)).is_err());
            assert!(ended.load(Ordering::Relaxed));
        }
    }
}
