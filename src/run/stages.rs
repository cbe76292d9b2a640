//! Assignment of boxes to the maps of a pyramid, without pooling.

use super::Invalid;
use crate::element::Real;
use crate::error::{Error, Result, reserve, tuple};
use crate::geometry::stages::StageRule;

/// The stage of each box. A box of negative or NaN area gets -1, unless `invalid` is [`Invalid::Raise`].
///
/// # Errors
/// If a parameter is out of range; with [`Invalid::Raise`] also if a box has a negative or NaN area.
pub fn assign_stages<B: Real>(
    rule: StageRule,
    corners: &[[B; 4]],
    stages: i64,
    invalid: Invalid,
) -> Result<Vec<i64>> {
    rule.check()?;
    let count = match usize::try_from(stages) {
        Ok(count) if count > 0 => count,
        _ => {
            let got = stages.to_string();
            return Err(Error::Value { name: "num_stages", expected: "positive", got });
        }
    };
    let stage = |(row, &corners)| match rule.stage(corners, count) {
        Some(stage) => Ok(stage as i64),
        None if invalid == Invalid::Raise => Err(Error::NoArea { row, got: tuple(&corners) }),
        None => Ok(-1),
    };
    let mut stages = Vec::new();
    reserve(&mut stages, corners.len(), "stages")?;
    for stage in corners.iter().enumerate().map(stage) {
        stages.push(stage?);
    }
    Ok(stages)
}

/// The level of the finest map, `-log2(spatial_scales[0])`. Its stride is `2^level`.
///
/// # Errors
/// If the scales are not consecutive powers of two, largest first.
pub fn finest_level(spatial_scales: &[f64]) -> Result<i64> {
    let level = spatial_scales.first().map_or(0.0, |scale| -scale.log2());
    let follows = |(i, &scale): (usize, &f64)| scale == (-level - i as f64).exp2();
    if level.fract() == 0.0 && spatial_scales.iter().enumerate().all(follows) {
        return Ok(level as i64);
    }
    Err(Error::Value {
        name: "spatial_scales",
        expected: "consecutive powers of two, largest first, unless stages is passed",
        got: format!("{spatial_scales:?}"),
    })
}
