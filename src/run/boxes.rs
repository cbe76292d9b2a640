//! The boxes of one call, in the dtype in which their geometry is computed.

/// Boxes with coordinates of one dtype.
#[derive(Debug, Clone, Default)]
pub struct BoxesOf<B> {
    /// `x1, y1, x2, y2` in image pixels.
    pub corners: Vec<[B; 4]>,
    /// Batch index of each box, from 0 to `images - 1`. A box with any other value is invalid. Floats, because tables of
    /// shape (K, 5) hold them as such.
    pub images: Vec<f64>,
}

/// The boxes of one call.
#[derive(Debug, Clone)]
pub enum Boxes {
    /// Coordinates in `f32`.
    F32(BoxesOf<f32>),
    /// Coordinates in `f64`.
    F64(BoxesOf<f64>),
}

impl Boxes {
    /// Number of boxes.
    #[allow(clippy::len_without_is_empty, reason = "no caller asks")]
    pub fn len(&self) -> usize {
        match self {
            Self::F32(boxes) => boxes.corners.len(),
            Self::F64(boxes) => boxes.corners.len(),
        }
    }

    /// The corners of one box, exactly.
    pub(super) fn corners(&self, row: usize) -> [f64; 4] {
        match self {
            Self::F32(boxes) => boxes.corners[row].map(f64::from),
            Self::F64(boxes) => boxes.corners[row],
        }
    }
}

impl From<BoxesOf<f32>> for Boxes {
    fn from(boxes: BoxesOf<f32>) -> Self {
        Self::F32(boxes)
    }
}

impl From<BoxesOf<f64>> for Boxes {
    fn from(boxes: BoxesOf<f64>) -> Self {
        Self::F64(boxes)
    }
}
