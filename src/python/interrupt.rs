//! Ends long calls on Ctrl-C.

use std::cell::Cell;
use std::process;
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;

use crate::cpu::{Answer, Interrupt, Settings};
use crate::error::Result;
use crate::python::process::settings;

/// Runs `call` with the GIL released. On the main thread, an exception of a signal handler ends it, such as the
/// `KeyboardInterrupt` of Ctrl-C.
pub fn interruptible<R: Send>(
    py: Python<'_>,
    call: impl Send + FnOnce(Settings<'_>) -> Result<R>,
) -> PyResult<R> {
    let settings = settings()?;
    if !is_main_thread(py)? {
        return Ok(py.detach(|| call(settings))?);
    }
    let raised = Mutex::new(None);
    let ask = || {
        Python::try_attach(|py| match py.check_signals() {
            Ok(()) => Answer::GoOn,
            Err(error) => {
                *raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                Answer::Stop
            }
        })
        .unwrap_or(Answer::NeverStop)
    };
    let interrupt = Interrupt::new(&ask);
    let result = py.detach(|| call(Settings { interrupt: Some(&interrupt), ..settings }));
    match raised.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(result?),
    }
}

thread_local! {
    /// Whether this is the main thread of a process, and the id of the process.
    static IS_MAIN: Cell<Option<(bool, u32)>> = const { Cell::new(None) };
}

/// Whether this is the main thread, the only one on which Python runs signal handlers.
///
/// A thread that forks is the main thread of the child, so "no" is true for one process only.
fn is_main_thread(py: Python<'_>) -> PyResult<bool> {
    match IS_MAIN.get() {
        Some((true, _)) => return Ok(true),
        Some((false, owner)) if owner == process::id() => return Ok(false),
        _ => {}
    }
    let threading = py.import("threading")?;
    let main = threading.call_method0("main_thread")?.getattr("ident")?;
    let is_main = main.eq(threading.call_method0("get_ident")?)?;
    IS_MAIN.set(Some((is_main, process::id())));
    Ok(is_main)
}
