//! The threads of calls, in our own rayon pool: built on first use, replaced by a larger one when asked for more, made anew in a forked child.
//!
//! A pool's threads do not survive `fork`, and waiting for them in the child would last for ever. The child
//! therefore starts from an empty slot and leaves the parent's pool untouched.

#![allow(unsafe_code, reason = "the fork hook and the slot that it replaces")]

mod float_control;
mod job;

use std::cell::Cell;
use std::iter;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError};
use std::thread::available_parallelism;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::cpu::Settings;
use crate::env::variable;
use crate::error::{Error, Result, reserve};
use crate::scratch::{self, Scratch};

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

/// Maximum number of threads of a call.
///
/// The value of [`set_num_threads`], else of `ROIALIGN_NUM_THREADS`, else the number of cores that affinity and cgroup
/// allow. It is capped by the [`limit_threads`] of the calling thread.
///
/// # Errors
/// If `ROIALIGN_NUM_THREADS` is not an integer between 1 and 1024.
pub fn num_threads() -> Result<usize> {
    static DEFAULT: OnceLock<Result<usize>> = OnceLock::new();
    let count = match REQUESTED.load(Ordering::Relaxed) {
        0 => DEFAULT
            .get_or_init(|| match variable("ROIALIGN_NUM_THREADS") {
                Some(text) => match text.parse() {
                    Ok(count) if (1..=MOST_THREADS).contains(&count) => Ok(count),
                    _ => Err(not_a_count("ROIALIGN_NUM_THREADS", text)),
                },
                None => Ok(available_parallelism().map_or(1, usize::from)),
            })
            .clone()?,
        count => count,
    };
    Ok(count.min(LIMIT.get()))
}

/// Sets the maximum number of threads for all later calls of this process.
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
/// Returns the previous limit, so that it can be restored. 0 counts as 1.
pub fn limit_threads(count: usize) -> usize {
    LIMIT.replace(count.max(1))
}

const MOST_THREADS: usize = 1024;

/// Work that a task counts as when it is handed out; a long task counts its steps in a watch of its own.
const TASK_WORK: usize = 1 << 14;

fn not_a_count(name: &'static str, got: String) -> Error {
    Error::Value { name, expected: "an integer between 1 and 1024", got }
}

/// Hands out 0..count to the calling thread and up to `settings.threads - 1` others, until all is done, one of them fails, or
/// the call is interrupted. Each thread that takes part calls `work` once, with an iterator over the numbers that it gets.
///
/// The caller takes part, and waits for nobody who has not begun. It starts with the first, the others with the last: call
/// after call, most of the work is done where its data are in the cache.
///
/// # Errors
/// The first one of `work`, or [`Error::Interrupted`].
fn share(
    count: usize,
    settings: Settings<'_>,
    work: impl Fn(&mut dyn Iterator<Item = Result<usize>>) -> Result<()> + Sync,
) -> Result<()> {
    let Settings { threads, interrupt, .. } = settings;
    let helpers = threads.min(count).saturating_sub(1);
    let Some(pool) = (helpers > 0).then(|| pool(threads)).flatten() else {
        let mut watch = settings.watch();
        return work(&mut (0..count).map(|at| watch.step(TASK_WORK).map(|()| at)));
    };
    let [taken, from_front, from_back] = [const { AtomicUsize::new(0) }; 3];
    let error = OnceLock::new();
    let part = |place: &dyn Fn() -> usize| {
        let mut watch = settings.watch();
        let mut tasks = iter::from_fn(|| {
            let is_left = error.get().is_none() && taken.fetch_add(1, Ordering::Relaxed) < count;
            is_left.then(|| watch.step(TASK_WORK).map(|()| place()))
        });
        if let Err(new) = work(&mut tasks) {
            // Another one came first.
            let _ = error.set(new);
        }
    };
    let front = || part(&|| from_front.fetch_add(1, Ordering::Relaxed));
    let back = || part(&|| count - 1 - from_back.fetch_add(1, Ordering::Relaxed));
    job::join(&pool, helpers, interrupt, front, &back);
    error.into_inner().map_or(Ok(()), Err)
}

/// Calls `work` with 0..count, as [`share`] hands it out.
///
/// # Errors
/// As there.
pub fn for_each(
    count: usize,
    settings: Settings<'_>,
    work: impl Fn(usize) -> Result<()> + Sync,
) -> Result<()> {
    share(count, settings, |tasks| {
        for at in tasks {
            work(at?)?;
        }
        Ok(())
    })
}

/// As [`for_each`], lending each thread its scratch memory once for all that it does.
///
/// # Errors
/// As there.
pub fn for_each_with<S: Scratch>(
    count: usize,
    settings: Settings<'_>,
    work: impl Fn(usize, &mut S) -> Result<()> + Sync,
) -> Result<()> {
    share(count, settings, |tasks| {
        scratch::with(|scratch| {
            for at in tasks {
                work(at?, scratch)?;
            }
            Ok(())
        })
    })
}

/// As [`for_each`], keeping the results in order.
///
/// # Errors
/// As there, or if there is no memory for the results.
pub fn map<R: Send + Sync>(
    count: usize,
    settings: Settings<'_>,
    work: impl Fn(usize) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    const RESULTS: &str = "results of tasks";
    if count <= 1 || settings.threads <= 1 {
        let mut results = Vec::new();
        reserve(&mut results, count, RESULTS)?;
        let mut watch = settings.watch();
        for at in 0..count {
            watch.step(TASK_WORK)?;
            results.push(work(at)?);
        }
        return Ok(results);
    }
    let mut results: Vec<OnceLock<R>> = Vec::new();
    reserve(&mut results, count, RESULTS)?;
    results.resize_with(count, OnceLock::new);
    for_each(count, settings, |at| {
        let _ = results[at].set(work(at)?);
        Ok(())
    })?;
    Ok(results.into_iter().filter_map(OnceLock::into_inner).collect())
}

/// A pool with helpers for `threads` threads at least, or none if the system refuses to start them.
fn pool(threads: usize) -> Option<Arc<ThreadPool>> {
    let mut slot = slot().lock().unwrap_or_else(PoisonError::into_inner);
    let fits = slot.as_ref().is_some_and(|pool| pool.current_num_threads() >= threads - 1);
    if !fits {
        let builder = ThreadPoolBuilder::new()
            .num_threads(threads - 1)
            .thread_name(|i| format!("roialign-{i}"))
            .start_handler(|_| scratch::prepare());
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

    fn with_threads(threads: usize) -> Settings<'static> {
        Settings { threads, ..Settings::current().unwrap() }
    }

    #[test]
    fn results_come_in_order_for_any_number_of_threads() {
        for threads in [1, 2, 7] {
            let squares: Vec<_> = (0..100).map(|i| i * i).collect();
            assert_eq!(map(100, with_threads(threads), |i| Ok(i * i)), Ok(squares));
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
        assert_eq!(for_each(0, with_threads(4), |_| unreachable!()), Ok(()));
    }

    #[test]
    fn an_error_ends_the_work() {
        let error = Error::Conflict("as planned".to_owned());
        for threads in [1, 2, 7] {
            let done = AtomicUsize::new(0);
            let work = |at| {
                done.fetch_add(1, Ordering::Relaxed);
                if at == 50 { Err(error.clone()) } else { Ok(()) }
            };
            assert_eq!(for_each(100, with_threads(threads), work), Err(error.clone()));
            assert!(done.load(Ordering::Relaxed) <= 100);
            assert_eq!(map(100, with_threads(threads), work), Err(error.clone()));
        }
    }

    #[test]
    fn more_results_than_memory_are_an_error() {
        for threads in [1, 2] {
            let results = map(usize::MAX / 128, with_threads(threads), |_| Ok([0u64; 8]));
            assert!(matches!(results, Err(Error::NoMemory { .. })));
        }
    }
}
