//! Maxima of window pixels: first down the columns, then along the rows.

mod columns;
mod rows;

pub use columns::MaxColumns;
pub use rows::MaxRows;

use crate::cpu::simd::{LANES, Lanes};
use crate::element::Real;

/// The number of a maximum that is nowhere.
pub const NONE: u32 = u32::MAX;

/// Largest values so far, and which of their candidates they are, if that is wanted.
pub struct Maxima<'a, T> {
    pub values: &'a mut [Lanes<T>],
    pub numbers: Option<&'a mut [Lanes<u32>]>,
}

/// A larger value wins; of equal ones that which was there, or, `BY_NUMBER`, that with the lower number. `NAN_WINS`: NaN is
/// larger than all.
#[allow(clippy::needless_bitwise_bool, reason = "branches keep loops from being vectorised")]
#[inline(always)]
fn offer_numbered<T: Real, const NAN_WINS: bool, const BY_NUMBER: bool>(
    best: &mut Lanes<T>,
    numbers: &mut Lanes<u32>,
    candidate: &Lanes<T>,
    candidate_numbers: &Lanes<u32>,
) {
    for lane in 0..LANES {
        let (new, old) = (candidate.0[lane], best.0[lane]);
        let (new_is_nan, old_is_nan) = (NAN_WINS & new.is_nan(), NAN_WINS & old.is_nan());
        let is_equal = (new == old) | (new_is_nan & old_is_nan);
        let is_first = BY_NUMBER & (candidate_numbers.0[lane] < numbers.0[lane]);
        let wins = (new > old) | (new_is_nan & !old_is_nan) | (is_equal & is_first);
        best.0[lane] = if wins { new } else { old };
        numbers.0[lane] = if wins { candidate_numbers.0[lane] } else { numbers.0[lane] };
    }
}
