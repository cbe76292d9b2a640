//! Scratch memory: buffers that threads keep from task to task and from call to call, up to a limit.

use std::any::Any;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::thread;

/// A type of buffers that threads can keep.
pub trait Scratch: Default + Any + Send {
    /// Bytes on the heap, used or not.
    fn bytes(&self) -> usize;
}

/// Bytes that a vector holds on the heap, used or not.
pub fn bytes_of<T>(items: &Vec<T>) -> usize {
    items.capacity() * size_of::<T>()
}

/// Most bytes of kept scratch, of all threads together. A value that would exceed it is freed at the end of its task.
const MOST_KEPT: usize = 256 << 20;

/// Bytes of kept scratch, including values that tasks have borrowed with [`with`].
static KEPT_BYTES: AtomicUsize = AtomicUsize::new(0);

/// The kept scratch of every running thread.
static THREADS: Mutex<Vec<Weak<Mutex<Kept>>>> = Mutex::new(Vec::new());

/// Locks the list of threads. Gives up after some attempts: in a child that was forked while it was locked, it stays
/// locked for ever.
fn threads() -> Option<MutexGuard<'static, Vec<Weak<Mutex<Kept>>>>> {
    const PATIENCE: usize = 1000;
    (0..PATIENCE).find_map(|_| {
        let threads = THREADS.try_lock().ok();
        if threads.is_none() {
            thread::yield_now();
        }
        threads
    })
}

/// The values that one thread keeps, one of each type, with the bytes that count for each.
#[derive(Default)]
struct Kept(Vec<(Box<dyn Any + Send>, usize)>);

impl Kept {
    fn take<S: Scratch>(&mut self) -> Option<(Box<S>, usize)> {
        let at = self.0.iter().position(|(value, _)| value.is::<S>())?;
        let (value, bytes) = self.0.swap_remove(at);
        Some((value.downcast().ok()?, bytes))
    }

    /// Frees all values. Returns their bytes.
    fn clear(&mut self) -> usize {
        let kept = mem::take(&mut self.0).iter().map(|(_, bytes)| bytes).sum();
        KEPT_BYTES.fetch_sub(kept, Ordering::Relaxed);
        kept
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.clear();
    }
}

thread_local! {
    /// Another thread may lock it in [`release`]. If it is locked, its own thread uses fresh memory instead.
    static OWN: Arc<Mutex<Kept>> = new_thread();
}

fn new_thread() -> Arc<Mutex<Kept>> {
    let kept = Arc::new(Mutex::new(Kept::default()));
    if let Some(mut threads) = threads() {
        threads.retain(|thread| thread.strong_count() > 0);
        threads.push(Arc::downgrade(&kept));
    }
    kept
}

/// Initialises the thread-local variable. Doing so later, with no memory left, would abort the process.
pub fn prepare() {
    OWN.with(|_| ());
}

/// Lends the thread's value of a type, or a new one.
pub fn with<S: Scratch, R>(use_it: impl FnOnce(&mut S) -> R) -> R {
    let (mut value, before) = taken::<S>().unwrap_or_default();
    let result = use_it(&mut value);
    put_back(value, before);
    result
}

/// Takes the thread's value of a type, or a new one. It no longer counts.
pub fn take<S: Scratch>() -> S {
    let Some((value, bytes)) = taken::<S>() else { return S::default() };
    KEPT_BYTES.fetch_sub(bytes, Ordering::Relaxed);
    *value
}

/// Keeps a value for this thread, or frees it if [`MOST_KEPT`] would be exceeded.
pub fn keep<S: Scratch>(value: S) {
    put_back(Box::new(value), 0);
}

/// The thread's value of a type, and the bytes that count for it.
fn taken<S: Scratch>() -> Option<(Box<S>, usize)> {
    OWN.with(|own| own.try_lock().ok()?.take::<S>())
}

/// Keeps or frees a value for which `before` bytes count.
fn put_back<S: Scratch>(value: Box<S>, before: usize) {
    let bytes = value.bytes();
    if bytes != before {
        KEPT_BYTES.fetch_sub(before, Ordering::Relaxed);
        if KEPT_BYTES.fetch_add(bytes, Ordering::Relaxed) + bytes > MOST_KEPT {
            KEPT_BYTES.fetch_sub(bytes, Ordering::Relaxed);
            return;
        }
    }
    let is_kept = OWN.with(|own| own.try_lock().map(|mut kept| kept.0.push((value, bytes))).is_ok());
    if !is_kept {
        KEPT_BYTES.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Frees all scratch that no task has borrowed. Returns its bytes.
#[cfg(any(test, feature = "python"))]
pub fn release() -> usize {
    let threads: Vec<_> =
        threads().iter().flat_map(|threads| threads.iter().filter_map(Weak::upgrade)).collect();
    threads.iter().filter_map(|kept| kept.try_lock().ok().map(|mut kept| kept.clear())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Claims to have this many bytes.
    #[derive(Default)]
    struct Large(usize);

    impl Scratch for Large {
        fn bytes(&self) -> usize {
            self.0
        }
    }

    /// One test for all: `release` frees the scratch of every test of the process.
    #[test]
    fn scratch_is_kept_up_to_a_bound_and_released() {
        with(|large: &mut Large| large.0 = 10);
        assert_eq!(take::<Large>().0, 10);
        assert_eq!(take::<Large>().0, 0);
        with(|large: &mut Large| large.0 = MOST_KEPT + 1);
        assert_eq!(take::<Large>().0, 0);
        let both = std::sync::Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                with(|large: &mut Large| large.0 = 1000);
                both.wait();
                both.wait();
                assert_eq!(take::<Large>().0, 0);
            });
            both.wait();
            assert!(release() >= 1000);
            both.wait();
        });
    }
}
