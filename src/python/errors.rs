//! The crate's errors as Python's.

use pyo3::exceptions::{PyMemoryError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::{PyErr, create_exception};

use crate::error::Error;

create_exception!(
    roialign_rs,
    GpuError,
    PyRuntimeError,
    "Raised if a GPU is missing, out of memory, lost, closed, or was opened before a fork."
);

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        let mut message = error.to_string();
        if has_bad_row(&error) {
            message.push_str("; roialign_rs.check_boxes reports all such boxes");
        }
        match error {
            Error::Dtype { .. } | Error::Kind { .. } => PyTypeError::new_err(message),
            Error::TooLarge { .. } | Error::NoMemory { .. } => PyMemoryError::new_err(message),
            Error::Gpu(_) => GpuError::new_err(message),
            _ => PyValueError::new_err(message),
        }
    }
}

/// Whether `check_boxes` would find this row, and others like it.
fn has_bad_row(error: &Error) -> bool {
    matches!(
        error,
        Error::BatchIndex { .. }
            | Error::FractionalBatchIndex { .. }
            | Error::NotFinite { .. }
            | Error::NoArea { .. }
    )
}
