//! What a call pools: the operator, the output grid, and the maps with their scales.

use std::slice;

use crate::error::{Error, Result, tuple};
use crate::geometry::Extent;
use crate::geometry::stages::StageRule;
use crate::ops::{Operator, RoiOp};

/// How boxes are assigned to the maps of a pyramid.
#[derive(Debug, Clone, Copy)]
pub enum Stages<'a> {
    /// By the size of the box.
    Rule(StageRule),
    /// By the caller: index of the map of each box.
    Given(&'a [i64]),
}

/// The argument that holds the maps, for error messages.
#[derive(Debug, Clone, Copy)]
pub enum Maps {
    /// An argument that is one map.
    One(&'static str),
    /// An argument that is a list of maps.
    Each(&'static str),
}

impl Maps {
    /// The name of one map: `features` or `features_list[2]`.
    pub fn name(self, stage: usize) -> String {
        match self {
            Self::One(name) => name.to_owned(),
            Self::Each(name) => format!("{name}[{stage}]"),
        }
    }
}

/// An operator, and all that a call says about the maps that it pools from and the grid that it pools to.
#[derive(Debug, Clone, Copy)]
pub struct Pooling<'a> {
    /// The operator.
    pub op: &'a Operator,
    /// Number of bins of a box: height and width of the output.
    pub output: Extent,
    /// Map cells per image pixel, `1 / stride`, of each map. More than one map: the maps of a pyramid, which show the
    /// same images at different resolutions.
    pub scales: &'a [f64],
    /// How boxes are assigned to maps.
    pub stages: Stages<'a>,
    /// The argument that holds the maps.
    pub maps: Maps,
}

/// Tables of taps and the memory of each thread hold all bins of a side: more than this would take gigabytes
/// beside the result.
const MOST_BINS_A_SIDE: usize = 1 << 24;

impl<'a> Pooling<'a> {
    /// From one map, of `scale` cells per image pixel.
    pub fn one(op: &'a Operator, output: Extent, scale: &'a f64) -> Self {
        let stages = Stages::Rule(StageRule::default());
        Self { op, output, scales: slice::from_ref(scale), stages, maps: Maps::One("features") }
    }

    /// Validates the parameters.
    ///
    /// # Errors
    /// If one is out of range.
    pub fn check(&self) -> Result<()> {
        let Extent { height, width } = self.output;
        if height == 0 || width == 0 {
            let got = format!("({height}, {width})");
            return Err(Error::Value { name: "output_size", expected: "positive", got });
        }
        let longest = height.max(width);
        if longest > MOST_BINS_A_SIDE {
            return Err(Error::NoMemory { count: longest, what: "bins along a side of output_size" });
        }
        if let Some(scale) = self.scales.iter().find(|scale| !(scale.is_finite() && **scale > 0.0)) {
            let (expected, got) = ("finite and positive", scale.to_string());
            return Err(Error::Value { name: "spatial_scale", expected, got });
        }
        self.op.check()
    }

    /// Shape of the result: (boxes, channels, bins along y, bins along x).
    ///
    /// # Errors
    /// If a parameter is out of range, if maps differ in images or channels, or if there are boxes but a map has no pixels.
    pub fn output_shape(&self, maps: &[[usize; 4]], boxes: usize) -> Result<[usize; 4]> {
        self.check()?;
        let (false, Some(&[images, channels, ..])) = (self.scales.is_empty(), maps.first()) else {
            return Err(Error::Conflict("there must be at least one map, got none".to_owned()));
        };
        if self.scales.len() != maps.len() {
            let (expected, got) = (maps.len(), self.scales.len());
            return Err(Error::Conflict(format!(
                "spatial_scales has {got} entries for {expected} maps; pass one scale for each map"
            )));
        }
        for (stage, map) in maps.iter().enumerate() {
            if map[..2] != [images, channels] {
                return Err(Error::Conflict(format!(
                    "{} has {} images of {} channels, {} has {images} of {channels}; all maps need the same images and \
                     channels",
                    self.maps.name(stage),
                    map[0],
                    map[1],
                    self.maps.name(0)
                )));
            }
            if boxes > 0 && (map[0] == 0 || map[2] == 0 || map[3] == 0) {
                return Err(Error::NoPixels { name: self.maps.name(stage), boxes, shape: tuple(map) });
            }
            if map[2].max(map[3]) > i32::MAX as usize {
                return Err(Error::TooManyPixels { name: self.maps.name(stage), shape: tuple(map) });
            }
        }
        Ok([boxes, channels, self.output.height, self.output.width])
    }
}
