//! The features of a workload in any dtype and layout.

use half::{bf16, f16};
use roialign_rs::element::Element;

use super::Workload;

/// How the axes of a map lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    Nchw,
    Nhwc,
}

impl Layout {
    pub const ALL: [Self; 2] = [Self::Nchw, Self::Nhwc];

    pub fn name(self) -> &'static str {
        match self {
            Self::Nchw => "nchw",
            Self::Nhwc => "nhwc",
        }
    }

    /// A shape in the order of memory.
    pub fn shape(self, [n, c, h, w]: [usize; 4]) -> [usize; 4] {
        match self {
            Self::Nchw => [n, c, h, w],
            Self::Nhwc => [n, h, w, c],
        }
    }

    /// Elements in the order of memory, from those in the order (n, c, h, w).
    pub fn arrange<T: Copy>(self, values: Vec<T>, [_, channels, height, width]: [usize; 4]) -> Vec<T> {
        if self == Self::Nchw {
            return values;
        }
        let plane = height * width;
        let image = |image: &[T]| -> Vec<T> {
            (0..plane * channels).map(|i| image[i % channels * plane + i / channels]).collect()
        };
        values.chunks(plane * channels).flat_map(image).collect()
    }

    /// Where an element of (n, c, h, w) lies.
    pub fn at(self, [_, channels, height, width]: [usize; 4], [n, c, y, x]: [usize; 4]) -> usize {
        match self {
            Self::Nchw => ((n * channels + c) * height + y) * width + x,
            Self::Nhwc => ((n * height + y) * width + x) * channels + c,
        }
    }
}

/// A dtype that is measured.
pub trait Dtype: Element {
    const NAME: &'static str;
    /// Of a result, relative to the largest feature: what rounding leaves.
    const BOUND: f64;
    /// The largest feature that is made.
    const LARGEST: f64 = 1.0;

    /// From a feature in [-1, 1).
    fn from_unit(value: f32) -> Self;
    fn value(self) -> f64;
}

/// Positions in float32 on maps of a few hundred cells.
const POSITIONS: f64 = 1e-4;

macro_rules! dtype {
    ($type:ty, $name:literal, $bound:expr, $from:expr) => {
        impl Dtype for $type {
            const NAME: &'static str = $name;
            const BOUND: f64 = POSITIONS + $bound;

            fn from_unit(value: f32) -> Self {
                $from(value)
            }

            fn value(self) -> f64 {
                self.into()
            }
        }
    };
}

dtype!(f32, "f32", 0.0, |value| value);
dtype!(f64, "f64", 0.0, f64::from);
dtype!(f16, "f16", 1.0 / 2048.0, f16::from_f32);
dtype!(bf16, "bf16", 1.0 / 256.0, bf16::from_f32);

impl Dtype for u8 {
    const NAME: &'static str = "u8";
    const BOUND: f64 = POSITIONS;
    const LARGEST: f64 = 255.0;

    fn from_unit(value: f32) -> Self {
        (127.5 * (value + 1.0)) as Self
    }

    fn value(self) -> f64 {
        self.into()
    }
}

impl Workload {
    /// The map in a dtype, row-major in the order (n, c, h, w).
    pub fn features_as<E: Dtype>(&self) -> Vec<E> {
        self.features().into_iter().map(E::from_unit).collect()
    }
}
