//! Geometry: from a box to positions on the map. Channels and pixel values play no part.
//!
//! Positions are in the index frame: the centre of pixel `i` is at `i`. They are computed in the dtype of the boxes, in the
//! order of operations of the reference libraries, because `ceil` and `floor` at integral edges depend on both.

pub mod bilinear;
pub mod grid;
pub mod stages;

use crate::element::Real;

/// Height and width of a map or of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extent {
    /// Number of rows.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
}

/// One of the two axes of a map. Operators treat the axes independently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// Rows.
    Y,
    /// Columns.
    X,
}

/// One axis of one box: what an operator turns into taps.
#[derive(Debug, Clone, Copy)]
pub struct Side<B> {
    /// The axis.
    pub axis: Axis,
    /// The two ends of the box in image pixels.
    pub ends: [B; 2],
    /// Map cells per image pixel: `1 / stride`.
    pub scale: f64,
    /// Number of bins.
    pub bins: usize,
    /// Side of the map in pixels.
    pub extent: usize,
}

impl Axis {
    /// The first and the second end of a box `x1, y1, x2, y2` on this axis.
    pub(crate) fn ends<B: Copy>(self, corners: [B; 4]) -> [B; 2] {
        match self {
            Self::Y => [corners[1], corners[3]],
            Self::X => [corners[0], corners[2]],
        }
    }
}

impl Extent {
    /// The side along `axis`.
    #[must_use]
    pub fn side(self, axis: Axis) -> usize {
        match axis {
            Axis::Y => self.height,
            Axis::X => self.width,
        }
    }
}

/// Whether a box keeps finite ends and sides when it is scaled onto the map.
pub(crate) fn stays_finite<B: Real>(corners: [B; 4], scale: B) -> bool {
    [Axis::Y, Axis::X].into_iter().all(|axis| {
        let [start, end] = axis.ends(corners);
        (start * scale).is_finite() && (end * scale).is_finite() && (end * scale - start * scale).is_finite()
    })
}
