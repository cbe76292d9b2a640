//! Environment variables: settings of the whole process.

use std::env;

/// The value of a variable, without blanks at both ends. `None` if it is unset or empty.
pub(crate) fn variable(name: &str) -> Option<String> {
    let value = env::var_os(name)?.to_string_lossy().trim().to_owned();
    (!value.is_empty()).then_some(value)
}
