//! Our own rayon pool: built on first use, replaced by a larger one when asked for more, made anew in a forked child.
//!
//! A pool's threads do not survive `fork`, and waiting for them in the child would last for ever. The child
//! therefore starts from an empty slot and leaves the parent's pool untouched.

#![allow(unsafe_code, reason = "the fork hook and the slot that it replaces")]

mod help;

use std::cell::Cell;
use std::env;
use std::iter;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError};
use std::thread::available_parallelism;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{Error, Result};

/// What the user asked for; 0 until then.
static REQUESTED: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Most threads of a call from this thread.
    static LIMIT: Cell<usize> = const { Cell::new(MOST_THREADS) };
}

type Slot = Mutex<Option<Arc<ThreadPool>>>;

/// The process's pool. The slot is leaked, so that a fork while another thread holds the lock costs the child
/// one abandoned slot and not its life.
static SLOT: AtomicPtr<Slot> = AtomicPtr::new(std::ptr::null_mut());

/// Threads that a call may use: set by [`set_num_threads`], else by `ROIALIGN_NUM_THREADS`, else the cores that
/// affinity and cgroup allow; at most what [`limit_threads`] allows the calling thread.
///
/// # Errors
/// If the environment variable is not a positive integer.
pub fn num_threads() -> Result<usize> {
    static DEFAULT: OnceLock<Result<usize>> = OnceLock::new();
    let count = match REQUESTED.load(Ordering::Relaxed) {
        0 => DEFAULT
            .get_or_init(|| match env::var("ROIALIGN_NUM_THREADS") {
                Ok(text) => match text.trim().parse() {
                    Ok(count) if (1..=MOST_THREADS).contains(&count) => Ok(count),
                    _ => Err(not_a_count("ROIALIGN_NUM_THREADS", text)),
                },
                Err(_) => Ok(available_parallelism().map_or(1, usize::from)),
            })
            .clone()?,
        count => count,
    };
    Ok(count.min(LIMIT.get()))
}

/// Sets the number of threads for all later calls of the process.
///
/// # Errors
/// If `count` is not between 1 and 1024.
pub fn set_num_threads(count: i64) -> Result<()> {
    match usize::try_from(count) {
        Ok(threads) if (1..=MOST_THREADS).contains(&threads) => {
            REQUESTED.store(threads, Ordering::Relaxed);
            Ok(())
        }
        _ => Err(not_a_count("number of threads", count.to_string())),
    }
}

/// Limits the threads of later calls from the calling thread, for callers that follow another library's setting.
///
/// Returns the limit before, to be set again afterwards. 0 counts as 1.
pub fn limit_threads(count: usize) -> usize {
    LIMIT.replace(count.max(1))
}

const MOST_THREADS: usize = 1024;

fn not_a_count(name: &'static str, got: String) -> Error {
    Error::Value { name, expected: "an integer between 1 and 1024", got }
}

/// Calls `work` with 0..count, on the calling thread and up to `threads - 1` others.
///
/// The caller takes part, and waits for nobody who has not begun. It starts with the first, the others with the last: call
/// after call, most of the work is done where its data are in the cache.
pub fn for_each(count: usize, threads: usize, work: impl Fn(usize) + Sync) {
    let helpers = threads.min(count).saturating_sub(1);
    let Some(pool) = (helpers > 0).then(|| pool(threads)).flatten() else {
        return (0..count).for_each(work);
    };
    let [taken, from_front, from_back] = [const { AtomicUsize::new(0) }; 3];
    let next = |end: &AtomicUsize| {
        (taken.fetch_add(1, Ordering::Relaxed) < count).then(|| end.fetch_add(1, Ordering::Relaxed))
    };
    let front = || iter::from_fn(|| next(&from_front)).for_each(&work);
    let back = || iter::from_fn(|| next(&from_back)).for_each(|at| work(count - 1 - at));
    help::with_help(&pool, helpers, front, &back);
}

/// As [`for_each`], keeping the results in order.
pub fn map<R: Send + Sync>(count: usize, threads: usize, work: impl Fn(usize) -> R + Sync) -> Vec<R> {
    if count <= 1 || threads <= 1 {
        return (0..count).map(work).collect();
    }
    let results: Vec<OnceLock<R>> = (0..count).map(|_| OnceLock::new()).collect();
    for_each(count, threads, |at| {
        let _ = results[at].set(work(at));
    });
    results.into_iter().filter_map(OnceLock::into_inner).collect()
}

/// A pool with helpers for `threads` threads at least, or none if the system refuses to start them.
fn pool(threads: usize) -> Option<Arc<ThreadPool>> {
    let mut slot = slot().lock().unwrap_or_else(PoisonError::into_inner);
    let fits = slot.as_ref().is_some_and(|pool| pool.current_num_threads() >= threads - 1);
    if !fits {
        let builder =
            ThreadPoolBuilder::new().num_threads(threads - 1).thread_name(|i| format!("roialign-{i}"));
        *slot = builder.build().ok().map(Arc::new);
    }
    slot.clone()
}

fn slot() -> &'static Slot {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        #[cfg(unix)]
        // SAFETY: the hook allocates and stores a pointer, which glibc and macOS allow in a forked child.
        unsafe {
            libc::pthread_atfork(None, None, Some(forget));
        }
    });
    let mut slot = SLOT.load(Ordering::Acquire);
    if slot.is_null() {
        let fresh = Box::into_raw(Box::new(Slot::default()));
        slot = match SLOT.compare_exchange(std::ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => fresh,
            Err(winner) => {
                // SAFETY: `fresh` came from a box and was not published.
                drop(unsafe { Box::from_raw(fresh) });
                winner
            }
        };
    }
    // SAFETY: slots are never freed once published.
    unsafe { &*slot }
}

/// In a forked child: leave the parent's slot, whose lock may be held by a thread that is no more.
#[cfg(unix)]
extern "C" fn forget() {
    SLOT.store(std::ptr::null_mut(), Ordering::Release);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_for_any_number_of_threads() {
        for threads in [1, 2, 7] {
            assert_eq!(map(100, threads, |i| i * i), (0..100).map(|i| i * i).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_limit_is_the_threads_own() {
        let before = limit_threads(0);
        assert_eq!(before, MOST_THREADS);
        assert_eq!(num_threads(), Ok(1));
        assert_eq!(std::thread::spawn(|| LIMIT.get()).join().unwrap(), MOST_THREADS);
        assert_eq!(limit_threads(before), 1);
    }

    #[test]
    fn nothing_to_do_is_fine() {
        for_each(0, 4, |_| unreachable!());
    }
}
