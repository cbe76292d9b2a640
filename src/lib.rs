//! RoI Align, RoI pooling and their gradients on strided arrays: multithreaded SIMD on the CPU, WGSL on the GPU.
//!
//! RoI operators cut boxes of any size out of a feature map and resize each to a grid of the same size.
//! [`run::forward`] is the entry point; [`ops`] has the operators, [`view`] the arrays. The GPU engine is experimental:
//! it has been tested on Mesa's software Vulkan driver lavapipe alone, not on a hardware GPU.
//!
//! # Design
//!
//! An operator turns each box into a small table of *taps* (pixel, weight), once for all channels. Kernels apply tables
//! and know no operator. Geometry, rounding and border rules are in the code that makes tables. An arrow means "uses":
//!
//! ```text
//! python → run → cpu, gpu → taps → geometry → element, view, error
//!          run → ops → taps
//! ```
//!
//! | word | meaning |
//! |---|---|
//! | roi | region of interest: one box |
//! | map | one (H, W) plane of features |
//! | bin | one cell of a box's output grid |
//! | sample | a point at which the map is interpolated |
//! | tap | a pixel and its weight |
//! | plan | all taps of one call |
//! | window | packed rows of 16 channels |
//! | level | an instruction set |
//! | stage | one map of a feature pyramid |
//!
//! # Example
//!
//! RoI Align of one box on a 5 x 5 ramp, `features[y][x] = 5 y + x`. The box covers `1 <= x, y <= 3`. With the half-pixel
//! shift (`aligned`) its four bins are centred on the pixels (1, 1) to (2, 2), so the means are 6, 7, 11 and 12.
//!
//! ```
//! use roialign_rs::cpu::Settings;
//! use roialign_rs::geometry::Extent;
//! use roialign_rs::geometry::grid::SamplePoints;
//! use roialign_rs::ops::{Mode, RoiAlign};
//! use roialign_rs::run::{BoxesOf, Invalid, Pooling, forward};
//! use roialign_rs::view::{View, ViewMut};
//!
//! let ramp: Vec<f32> = (0..25).map(|i| i as f32).collect();
//! let op = RoiAlign {
//!     sampling_ratio: [2, 2],
//!     aligned: true,
//!     mode: Mode::Avg,
//!     sample_points: SamplePoints::Center,
//! };
//! let op = op.into();
//! let pooling = Pooling::one(&op, Extent { height: 2, width: 2 }, &1.0);
//! let boxes = BoxesOf { corners: vec![[1.0f32, 1.0, 3.0, 3.0]], images: vec![0.0] };
//! let mut out = [0.0f32; 4];
//! forward(
//!     pooling,
//!     &[View::new(&ramp, [1, 1, 5, 5])?],
//!     &boxes.into(),
//!     &ViewMut::new(&mut out, [1, 1, 2, 2])?,
//!     None,
//!     Invalid::Raise,
//!     Settings::current()?,
//! )?;
//! assert_eq!(out, [6.0, 7.0, 11.0, 12.0]);
//! # Ok::<(), roialign_rs::error::Error>(())
//! ```

pub mod cpu;
pub mod element;
mod env;
pub mod error;
pub mod geometry;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod ops;
#[cfg(feature = "python")]
mod python;
pub mod run;
mod scratch;
pub mod taps;
pub mod view;
