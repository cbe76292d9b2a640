//! The kernels: what a shader computes.

use crate::taps::Reduce;

/// What a shader computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kernel {
    Sum,
    MaxSample {
        argmax: bool,
    },
    MaxCorner {
        argmax: bool,
    },
    MaxWindow {
        argmax: bool,
    },
    /// The backward pass: of sums, or of maxima with their argmax.
    Scatter {
        argmax: bool,
    },
    /// Planes of a host array to quads of channels.
    ToQuads,
    /// Quads of channels to planes.
    ToPlanes,
}

impl Kernel {
    /// The kernel that applies tables of this kind.
    pub fn forward(reduce: Reduce, argmax: bool) -> Self {
        match reduce {
            Reduce::Sum => Self::Sum,
            Reduce::MaxSample => Self::MaxSample { argmax },
            Reduce::MaxCorner => Self::MaxCorner { argmax },
            Reduce::MaxWindow => Self::MaxWindow { argmax },
        }
    }

    /// Size of `Call` in the shader.
    pub fn call_bytes(self) -> u32 {
        match self {
            Self::ToQuads | Self::ToPlanes => 40,
            Self::Scatter { .. } => 76,
            _ => 36,
        }
    }

    /// Whether it writes an argmax, or reads one.
    pub fn has_argmax(self) -> bool {
        match self {
            Self::MaxSample { argmax }
            | Self::MaxCorner { argmax }
            | Self::MaxWindow { argmax }
            | Self::Scatter { argmax } => argmax,
            Self::Sum | Self::ToQuads | Self::ToPlanes => false,
        }
    }
}
