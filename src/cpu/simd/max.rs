//! Maxima of window pixels: first down the columns, then along the rows.

mod columns;
mod rows;

pub use columns::MaxColumns;
pub use rows::MaxRows;

use std::ops::Range;

use crate::cpu::simd::{LANES, Lanes};
use crate::element::Real;

/// The local argmax of a bin without candidates.
pub const NONE: u32 = u32::MAX;

/// The largest values so far, and their *local argmax* if that is wanted: the index of each among its candidates, in 32
/// bits.
pub struct Maxima<'a, T> {
    pub values: &'a mut [Lanes<T>],
    pub argmax: Option<&'a mut [Lanes<u32>]>,
}

impl<T> Maxima<'_, T> {
    /// Those of some bins.
    #[inline(always)]
    pub fn part(&mut self, bins: Range<usize>) -> Maxima<'_, T> {
        let argmax = self.argmax.as_deref_mut().map(|argmax| &mut argmax[bins.clone()]);
        Maxima { values: &mut self.values[bins], argmax }
    }
}

/// The larger value wins. Of two equal ones `best` stays, or, with `BY_INDEX`, the lower index wins. With `NAN_WINS`, NaN is
/// larger than all.
#[allow(clippy::needless_bitwise_bool, reason = "branches keep loops from being vectorised")]
#[inline(always)]
fn offer_with_argmax<T: Real, const NAN_WINS: bool, const BY_INDEX: bool>(
    best: &mut Lanes<T>,
    argmax: &mut Lanes<u32>,
    candidate: &Lanes<T>,
    candidate_index: &Lanes<u32>,
) {
    for lane in 0..LANES {
        let (new, old) = (candidate.0[lane], best.0[lane]);
        let (new_is_nan, old_is_nan) = (NAN_WINS & new.is_nan(), NAN_WINS & old.is_nan());
        let is_equal = (new == old) | (new_is_nan & old_is_nan);
        let is_first = BY_INDEX & (candidate_index.0[lane] < argmax.0[lane]);
        let wins = (new > old) | (new_is_nan & !old_is_nan) | (is_equal & is_first);
        best.0[lane] = if wins { new } else { old };
        argmax.0[lane] = if wins { candidate_index.0[lane] } else { argmax.0[lane] };
    }
}
