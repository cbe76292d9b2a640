//! The crate's errors as Python's.

use pyo3::exceptions::{PyMemoryError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::{PyErr, create_exception};

use crate::error::Error;

create_exception!(
    roialign_rs,
    GpuError,
    PyRuntimeError,
    "A device is missing, full, lost, or was first used before a fork."
);

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Dtype { .. } | Error::NotAPair { .. } => PyTypeError::new_err(message),
            Error::TooLarge { .. } | Error::NoMemory { .. } => PyMemoryError::new_err(message),
            Error::Gpu(_) => GpuError::new_err(message),
            _ => PyValueError::new_err(message),
        }
    }
}
