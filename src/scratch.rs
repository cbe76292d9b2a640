//! Memory that threads keep from task to task and from call to call, and its limit.

use std::any::Any;
use std::cell::RefCell;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Memory that can be kept.
pub trait Scratch: Default + Any + Send {
    /// Bytes on the heap, used or not.
    fn bytes(&self) -> usize;
}

/// Bytes that a vector holds on the heap, used or not.
pub fn bytes_of<T>(items: &Vec<T>) -> usize {
    items.capacity() * size_of::<T>()
}

/// What all threads together keep while no task uses it. More is given back at the end of the task.
const MOST_KEPT: usize = 256 << 20;

/// What is kept now.
static KEPT_BYTES: AtomicUsize = AtomicUsize::new(0);

/// What the threads keep that still run.
static THREADS: Mutex<Vec<Weak<Mutex<Kept>>>> = Mutex::new(Vec::new());

/// What one thread keeps: a value of each type.
#[derive(Default)]
struct Kept(Vec<(Box<dyn Any + Send>, usize)>);

impl Kept {
    fn take<S: Scratch>(&mut self) -> Option<Box<S>> {
        let at = self.0.iter().position(|(value, _)| value.is::<S>())?;
        let (value, bytes) = self.0.swap_remove(at);
        KEPT_BYTES.fetch_sub(bytes, Ordering::Relaxed);
        value.downcast().ok()
    }

    /// Gives all of it back; bytes that were kept.
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
    static OWN: RefCell<Arc<Mutex<Kept>>> = RefCell::new(new_thread());
}

fn new_thread() -> Arc<Mutex<Kept>> {
    let kept = Arc::new(Mutex::new(Kept::default()));
    // Held elsewhere for ever, if this process was forked while it was locked: then nobody else clears this thread's.
    if let Ok(mut threads) = THREADS.try_lock() {
        threads.retain(|thread| thread.strong_count() > 0);
        threads.push(Arc::downgrade(&kept));
    }
    kept
}

/// Asks the system for the thread's own memory. Where that fails later, the C library ends the process.
pub fn prepare() {
    OWN.with_borrow(|_| ());
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lends the thread's value of a type, made on first use.
pub fn with<S: Scratch, R>(use_it: impl FnOnce(&mut S) -> R) -> R {
    let mut value = OWN.with_borrow(|own| lock(own).take::<S>()).unwrap_or_default();
    let result = use_it(&mut value);
    keep(value);
    result
}

/// Takes the thread's value of a type away.
pub fn take<S: Scratch>() -> S {
    OWN.with_borrow(|own| lock(own).take::<S>()).map_or_else(S::default, |value| *value)
}

/// Makes a value the thread's, unless too much is kept already.
pub fn keep<S: Scratch>(value: Box<S>) {
    let bytes = value.bytes();
    let before = KEPT_BYTES.fetch_add(bytes, Ordering::Relaxed);
    if before + bytes <= MOST_KEPT {
        OWN.with_borrow(|own| lock(own).0.push((value, bytes)));
    } else {
        KEPT_BYTES.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Gives back what no task uses now; returns its bytes.
#[cfg(any(test, feature = "python"))]
pub fn release() -> usize {
    let Ok(threads) = THREADS.try_lock() else { return 0 };
    let kept = threads.iter().filter_map(Weak::upgrade);
    kept.filter_map(|kept| kept.try_lock().ok().map(|mut kept| kept.clear())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says that it is so large.
    #[derive(Default)]
    struct Large(usize);

    impl Scratch for Large {
        fn bytes(&self) -> usize {
            self.0
        }
    }

    #[test]
    fn what_is_too_large_is_not_kept() {
        with(|large: &mut Large| large.0 = 10);
        assert_eq!(take::<Large>().0, 10);
        assert_eq!(take::<Large>().0, 0);
        with(|large: &mut Large| large.0 = MOST_KEPT + 1);
        assert_eq!(take::<Large>().0, 0);
    }

    #[test]
    fn what_other_threads_keep_is_released() {
        let both = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
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
