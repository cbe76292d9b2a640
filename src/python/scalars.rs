//! Arguments that are no arrays: numbers, switches and words. What is of a wrong kind is a `TypeError` that names the argument.
//!
//! Converting one may run code of the caller (`__index__`, `__float__`), which can give an array another dtype or other
//! memory. A function therefore converts all of these before it looks at any array.

use numpy::PyUntypedArray;
use numpy::prelude::*;
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::error::{Error, Result, tuple};
use crate::geometry::Extent;
use crate::run::Invalid;

/// An argument as it comes.
pub type Arg<'a, 'py> = &'a Bound<'py, PyAny>;

/// Most characters of a value in a message.
const SHOWN: usize = 80;

/// The error for an argument of a wrong kind.
pub fn wrong_kind(name: &str, expected: &'static str, value: Arg<'_, '_>) -> PyErr {
    Error::Kind { name: name.to_owned(), expected, got: shown(value) }.into()
}

/// A value as a message shows it: an array by its shape, a long one by its first characters.
fn shown(value: Arg<'_, '_>) -> String {
    if let Ok(array) = value.cast::<PyUntypedArray>() {
        return format!("an array of shape {}", tuple(array.shape()));
    }
    let Ok(text) = value.repr() else { return value.get_type().to_string() };
    let mut text = text.to_string_lossy().into_owned();
    if let Some((end, _)) = text.char_indices().nth(SHOWN) {
        text.truncate(end);
        text.push_str("...");
    }
    text
}

/// Return a bool of Python or NumPy, or 0 or 1, as a bool.
#[pyfunction]
pub fn flag(name: &str, value: Arg<'_, '_>) -> PyResult<bool> {
    value.extract::<bool>().or_else(|_| match value.extract::<i64>() {
        Ok(0) => Ok(false),
        Ok(1) => Ok(true),
        _ => Err(wrong_kind(name, "True or False", value)),
    })
}

/// Return a real number as a float. An integer beyond the range of float64 becomes infinite, which no argument accepts.
#[pyfunction]
pub fn real(name: &str, value: Arg<'_, '_>) -> PyResult<f64> {
    value.extract().or_else(|error: PyErr| {
        if !error.is_instance_of::<PyOverflowError>(value.py()) {
            return Err(wrong_kind(name, "a number", value));
        }
        Ok(if value.lt(0)? { f64::NEG_INFINITY } else { f64::INFINITY })
    })
}

/// An integer of any size, clamped to the range of `i64`.
#[derive(Clone, Copy)]
pub struct Int(pub i64);

impl<'py> FromPyObject<'_, 'py> for Int {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        object.extract().map(Self).or_else(|error| {
            if !error.is_instance_of::<PyOverflowError>(object.py()) {
                return Err(error);
            }
            Ok(Self(if object.lt(0)? { i64::MIN } else { i64::MAX }))
        })
    }
}

/// Return an integer, clamped to the range of int64.
#[pyfunction]
pub fn integer(name: &str, value: Arg<'_, '_>) -> PyResult<i64> {
    value.extract().map(|Int(value)| value).map_err(|_| wrong_kind(name, "an integer", value))
}

/// Return (y, x) from a pair of integers, or from one integer for both axes.
#[pyfunction]
pub fn pair(name: &str, value: Arg<'_, '_>) -> PyResult<(i64, i64)> {
    if let Ok(Int(both)) = value.extract() {
        return Ok((both, both));
    }
    if let Ok((Int(y), Int(x))) = value.extract() {
        return Ok((y, x));
    }
    match value.extract::<Vec<Int>>().as_deref() {
        Ok(&[Int(y), Int(x)]) => Ok((y, x)),
        _ => Err(wrong_kind(name, "an integer or a pair of integers", value)),
    }
}

/// Height and width of an output.
pub fn extent(output_size: Arg<'_, '_>) -> PyResult<Extent> {
    let (height, width) = pair("output_size", output_size)?;
    if let (Ok(height), Ok(width)) = (usize::try_from(height), usize::try_from(width)) {
        return Ok(Extent { height, width });
    }
    let got = format!("({height}, {width})");
    Err(Error::Value { name: "output_size", expected: "positive", got }.into())
}

/// Picks a variant by its name.
pub fn choose<T: Copy>(
    name: &'static str,
    value: Arg<'_, '_>,
    choices: &[(&str, T)],
    expected: &'static str,
) -> PyResult<T> {
    let Ok(word) = value.cast::<PyString>() else { return Err(wrong_kind(name, expected, value)) };
    let word = word.to_string_lossy();
    let found: Result<T> = match choices.iter().find(|(choice, _)| *choice == word) {
        Some(&(_, variant)) => Ok(variant),
        None => Err(Error::Value { name, expected, got: format!("{word:?}") }),
    };
    Ok(found?)
}

pub fn invalid(value: Arg<'_, '_>) -> PyResult<Invalid> {
    let choices = [("raise", Invalid::Raise), ("zero", Invalid::Zero), ("nan", Invalid::Nan)];
    choose("invalid", value, &choices, "\"raise\", \"zero\" or \"nan\"")
}
