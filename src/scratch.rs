//! Memory that a thread keeps from task to task and from call to call.

use std::any::Any;
use std::cell::RefCell;

/// Lends the thread's value of a type, made on first use.
pub fn with<S: Default + 'static, R>(use_it: impl FnOnce(&mut S) -> R) -> R {
    thread_local! {
        static KEPT: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
    }
    KEPT.with_borrow_mut(|kept| {
        let at = kept.iter().position(|scratch| scratch.is::<S>()).unwrap_or_else(|| {
            kept.push(Box::new(S::default()));
            kept.len() - 1
        });
        use_it(kept[at].downcast_mut().expect("its type was asked for"))
    })
}
