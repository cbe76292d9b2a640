//! RoI Align and its family on plain arrays: multithreaded SIMD on the CPU, WGSL on the GPU.
//!
//! Every operator first turns each box into a small table of *taps*, once per box and not per channel; kernels
//! only apply tables. All geometry, rounding and border rules stand in the code that makes tables:
//!
//! ```text
//! python → run → cpu, gpu → taps → element, view, error
//!          run → ops → geometry → taps
//! ```
//!
//! | word | meaning |
//! |---|---|
//! | roi | one box |
//! | map | one (H, W) plane of features |
//! | bin | a cell of a box's output grid |
//! | sample | a point where the map is read |
//! | tap | a pixel and its weight |
//! | plan | all taps of one call |
//! | window | packed rows of 16 channels |
//! | level | an instruction set |
//! | stage | one map of a feature pyramid |
//!
//! # Example
//! ```
//! use roialign_rs::cpu::Settings;
//! use roialign_rs::geometry::Extent;
//! use roialign_rs::geometry::grid::SamplePoints;
//! use roialign_rs::ops::{Mode, RoiAlign};
//! use roialign_rs::run::{Boxes, Invalid, forward};
//! use roialign_rs::view::{View, ViewMut};
//!
//! let ramp: Vec<f32> = (0..25).map(|i| i as f32).collect();
//! let op = RoiAlign {
//!     output: Extent { height: 2, width: 2 },
//!     spatial_scale: 1.0,
//!     sampling_ratio: [2, 2],
//!     aligned: true,
//!     mode: Mode::Avg,
//!     sample_points: SamplePoints::Center,
//! };
//! let boxes = Boxes { corners: vec![[1.0f32, 1.0, 3.0, 3.0]], images: vec![0.0] };
//! let mut out = [0.0f32; 4];
//! forward(
//!     &op,
//!     &View::new(&ramp, [1, 1, 5, 5])?,
//!     &boxes,
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
