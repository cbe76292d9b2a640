//! Ctrl-C in long calls.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;

use crate::cpu::{Answer, Interrupt, Settings};
use crate::error::Result;

/// Runs `call` without the interpreter's lock. On the main thread a signal handler that raises, as that of Ctrl-C does, ends
/// the call with its exception.
pub fn interruptible<R: Send>(
    py: Python<'_>,
    settings: Settings<'_>,
    call: impl Send + FnOnce(Settings<'_>) -> Result<R>,
) -> PyResult<R> {
    let raised = Mutex::new(None);
    let keep = |error| *raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    let ask = || {
        Python::attach(|py| {
            match is_main_thread(py).and_then(|is_main| is_main.then(|| py.check_signals()).transpose()) {
                Ok(Some(())) => Answer::GoOn,
                Ok(None) => Answer::NeverStop,
                Err(error) => {
                    keep(error);
                    Answer::Stop
                }
            }
        })
    };
    let interrupt = Interrupt::new(&ask);
    let result = py.detach(|| call(Settings { interrupt: Some(&interrupt), ..settings }));
    match raised.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(result?),
    }
}

/// Python runs signal handlers on the main thread only.
fn is_main_thread(py: Python<'_>) -> PyResult<bool> {
    let threading = py.import("threading")?;
    let main = threading.call_method0("main_thread")?.getattr("ident")?;
    main.eq(threading.call_method0("get_ident")?)
}
