//! What holds for the whole process: threads, instruction set, kept memory.

#![allow(clippy::doc_markdown, reason = "docstrings of Python, in numpydoc's form")]

use pyo3::prelude::*;

use crate::cpu::{self, Level, Settings};
use crate::error::{Error, Result};
use crate::python::recycle;
use crate::python::scalars::{Arg, integer};
use crate::scratch;

/// The settings of a call. Reads all environment variables, so that the first call reports a wrong one.
pub fn settings() -> Result<Settings<'static>> {
    recycle::kept_bytes()?;
    Settings::current()
}

/// Number of threads that a call may use.
///
/// Returns
/// -------
/// int
///     What `set_num_threads` was given, else the environment variable ``ROIALIGN_NUM_THREADS``, else the number of cores
///     that this process may use.
///
/// Raises
/// ------
/// ValueError
///     If the environment variable is not an integer between 1 and 1024.
///
/// Examples
/// --------
/// >>> import roialign_rs as ra
/// >>> ra.get_num_threads() >= 1
/// True
#[pyfunction]
pub fn get_num_threads() -> Result<usize> {
    cpu::num_threads()
}

/// Set how many threads each later call of this process may use. Results do not depend on it.
///
/// Parameters
/// ----------
/// n : int
///     Between 1 and 1024; 1 computes on the calling thread alone.
///
/// Raises
/// ------
/// ValueError
///     For an integer outside of these bounds.
/// TypeError
///     For anything else.
///
/// Examples
/// --------
/// >>> import roialign_rs as ra
/// >>> before = ra.get_num_threads()
/// >>> ra.set_num_threads(1)
/// >>> ra.get_num_threads()
/// 1
/// >>> ra.set_num_threads(before)
#[pyfunction]
pub fn set_num_threads(n: Arg<'_, '_>) -> PyResult<()> {
    Ok(cpu::set_num_threads(integer("n", n)?).map_err(|error| match error {
        Error::Value { expected, got, .. } => Error::Value { name: "n", expected, got },
        other => other,
    })?)
}

/// Give back memory that is kept for later calls and that nothing uses now.
///
/// Result buffers of 1 MB and more are kept when their array is gone (256 MB at most, or ``ROIALIGN_RECYCLE_MB``), and each
/// thread keeps scratch memory (256 MB at most in all threads together). Arrays that are alive, and calls that other
/// threads are in, keep theirs. The next call is a little slower.
///
/// Returns
/// -------
/// int
///     Bytes released.
///
/// Examples
/// --------
/// >>> import roialign_rs as ra
/// >>> released = ra.release_memory()
/// >>> ra.release_memory()
/// 0
#[pyfunction]
pub fn release_memory(py: Python<'_>) -> usize {
    py.detach(|| recycle::release() + scratch::release())
}

/// Limits the threads of calls from the calling Python thread; gives the limit before.
#[pyfunction]
pub fn limit_threads(n: usize) -> usize {
    cpu::limit_threads(n)
}

/// Name of the instruction set that the kernels use.
///
/// Returns
/// -------
/// {"scalar", "avx2", "avx512", "neon"}
///     What the environment variable ``ROIALIGN_LEVEL`` names, else the fastest that this CPU has.
///
/// Raises
/// ------
/// ValueError
///     If the variable names no instruction set of this CPU.
///
/// Examples
/// --------
/// >>> import roialign_rs as ra
/// >>> ra.simd_level() in ("scalar", "avx2", "avx512", "neon")
/// True
#[pyfunction]
pub fn simd_level() -> Result<&'static str> {
    Level::current().map(Level::name)
}
