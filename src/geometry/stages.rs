//! The pyramid rule: from the size of a box to the map that it is pooled from.
//!
//! T.-Y. Lin et al., "Feature Pyramid Networks for Object Detection", CVPR 2017, section 4.2. Libraries add a small epsilon
//! at different places, so boxes near a boundary get different maps. The arithmetic follows each library, in the dtype of
//! the boxes.

use crate::element::Real;
use crate::error::{Error, Result};

/// The library whose epsilon is used. `size` is the square root of the box's area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rounding {
    /// `floor(canonical_level + log2(size / canonical_size) + 1e-6)`.
    #[default]
    Torchvision,
    /// `floor(canonical_level + log2(size / canonical_size + 1e-8))`.
    Detectron2,
}

/// The pyramid rule, with its parameters. Stage 0 is the finest map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StageRule {
    /// Level of the finest map. Its stride is `2^min_level`.
    pub min_level: i64,
    /// Side, in image pixels, of a square box that is pooled at `canonical_level`.
    pub canonical_size: f64,
    /// Level for a square box of side `canonical_size`.
    pub canonical_level: i64,
    /// The epsilon near a boundary.
    pub rounding: Rounding,
}

impl Default for StageRule {
    fn default() -> Self {
        Self { min_level: 2, canonical_size: 224.0, canonical_level: 4, rounding: Rounding::default() }
    }
}

impl StageRule {
    /// Validates the parameters.
    ///
    /// # Errors
    /// [`Error::Value`] if `canonical_size` is not finite and positive.
    pub fn check(&self) -> Result<()> {
        if self.canonical_size.is_finite() && self.canonical_size > 0.0 {
            return Ok(());
        }
        Err(Error::Value {
            name: "canonical_size",
            expected: "finite and positive",
            got: self.canonical_size.to_string(),
        })
    }

    /// The stage of a box, or `None` if its area is negative or NaN. With one map it is always 0.
    #[must_use]
    pub fn stage<B: Real>(&self, [x1, y1, x2, y2]: [B; 4], stages: usize) -> Option<usize> {
        if stages == 1 {
            return Some(0);
        }
        let area = (x2 - x1) * (y2 - y1);
        if area.is_nan() || area < B::ZERO {
            return None;
        }
        let (level, part) =
            (B::from_i64(self.canonical_level), area.sqrt() / B::from_f64(self.canonical_size));
        let level = match self.rounding {
            Rounding::Torchvision => level + part.log2() + B::from_f64(1e-6),
            Rounding::Detectron2 => level + (part + B::from_f64(1e-8)).log2(),
        };
        // Saturating, so that an empty and an infinite box get the finest and the coarsest map.
        let stage = level.floor().to_i64().saturating_sub(self.min_level);
        Some(stage.clamp(0, stages as i64 - 1) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(rounding: Rounding, side: f32) -> Option<usize> {
        StageRule { rounding, ..StageRule::default() }.stage([0.0, 0.0, side, side], 4)
    }

    #[test]
    fn sizes_double_from_stage_to_stage() {
        let sides = [0.0, 56.0, 111.0, 112.0, 224.0, 448.0, 1e30];
        let stages = sides.map(|side| stage(Rounding::Torchvision, side).unwrap());
        assert_eq!(stages, [0, 0, 0, 1, 2, 3, 3]);
    }

    #[test]
    fn the_rules_differ_just_below_a_boundary() {
        assert_eq!(stage(Rounding::Torchvision, 223.9999), Some(2));
        assert_eq!(stage(Rounding::Detectron2, 223.9999), Some(1));
    }

    #[test]
    fn negative_area_has_no_stage_unless_there_is_only_one() {
        let rule = StageRule::default();
        assert_eq!(rule.stage([2.0f64, 0.0, 1.0, 5.0], 3), None);
        assert_eq!(rule.stage([2.0f64, 7.0, 1.0, 5.0], 3), Some(0));
        assert_eq!(rule.stage([2.0f64, 0.0, 1.0, 5.0], 1), Some(0));
    }
}
