//! Settings of the whole process: threads, instruction set, kept memory.

#![allow(clippy::doc_markdown, reason = "docstrings of Python, in numpydoc's form")]

use pyo3::prelude::*;

use crate::cpu::{self, Level, Settings};
use crate::error::{Error, Result};
use crate::python::recycle;
use crate::python::scalars::{Arg, integer};
use crate::scratch;

/// The settings of a call. Reads all environment variables, so that the first call reports a wrong value.
pub fn settings() -> Result<Settings<'static>> {
    recycle::kept_bytes()?;
    Settings::current()
}

/// Return the maximum number of threads of a call.
///
/// Returns
/// -------
/// int
///     The value of `set_num_threads` if it was called, else that of the environment variable ``ROIALIGN_NUM_THREADS``,
///     else the number of CPU cores that this process may use.
///
/// Raises
/// ------
/// ValueError
///     If ``ROIALIGN_NUM_THREADS`` is not an integer between 1 and 1024.
///
/// See Also
/// --------
/// set_num_threads : Set the number.
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

/// Set the maximum number of threads of a call.
///
/// The setting holds for all later calls of this process. Results do not depend on it.
///
/// Parameters
/// ----------
/// n : int
///     Between 1 and 1024. With 1, a call uses the calling thread alone.
///
/// Raises
/// ------
/// ValueError
///     If ``n`` is not between 1 and 1024.
/// TypeError
///     If ``n`` is not an integer.
///
/// See Also
/// --------
/// get_num_threads : Return the number.
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

/// Free the memory that this package keeps for later calls.
///
/// The package keeps two kinds of memory, because fresh memory is slow to fill:
///
/// * Result buffers of 1 MB and more, after their array was deleted: at most 256 MB, or the number of megabytes in the
///   environment variable ``ROIALIGN_RECYCLE_MB``.
/// * Scratch memory of each thread: at most 256 MB for all threads together.
///
/// Arrays in use and calls in progress on other threads keep their memory. The next call allocates again, so it is slower.
///
/// Returns
/// -------
/// int
///     Number of bytes that were freed.
///
/// Examples
/// --------
/// >>> import roialign_rs as ra
/// >>> freed = ra.release_memory()
/// >>> ra.release_memory()
/// 0
#[pyfunction]
pub fn release_memory(py: Python<'_>) -> usize {
    py.detach(|| recycle::release() + scratch::release())
}

/// Limit the threads of calls from the calling Python thread. Return the previous limit.
#[pyfunction]
pub fn limit_threads(n: usize) -> usize {
    cpu::limit_threads(n)
}

/// Return the name of the CPU instruction set in use.
///
/// Returns
/// -------
/// {"scalar", "avx2", "avx512", "neon"}
///     The value of the environment variable ``ROIALIGN_LEVEL``, else the fastest instruction set of this CPU.
///
/// Raises
/// ------
/// ValueError
///     If ``ROIALIGN_LEVEL`` does not name an instruction set of this CPU.
///
/// Notes
/// -----
/// "avx512", "avx2" and "neon" give the same bits. "scalar" on x86-64 may differ in the last bits, because it has no fused
/// multiply-add.
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
