//! The error type of the crate. Each message names the argument, what it was, and what is accepted.

use std::fmt;

/// The result type of every fallible function in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call failed. `Display` gives the message for the user.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A shape has a negative side.
    #[error("{name} must be four integers of at least 0, got {got}")]
    NegativeSide {
        /// The argument.
        name: String,
        /// The shape that was passed.
        got: String,
    },
    /// A value is out of range.
    #[error("{name} must be {expected}, got {got}")]
    Value {
        /// The argument.
        name: &'static str,
        /// The values that are accepted.
        expected: &'static str,
        /// The value that was passed.
        got: String,
    },
    /// An argument has the wrong type.
    #[error("{name} must be {expected}, got {got}")]
    Kind {
        /// The argument.
        name: String,
        /// The type that is accepted.
        expected: &'static str,
        /// The value that was passed.
        got: String,
    },
    /// An array has the wrong shape.
    #[error("{name}: expected shape {expected}, got {got}")]
    Shape {
        /// The argument.
        name: &'static str,
        /// The shape that fits the other arguments.
        expected: String,
        /// The shape that was passed.
        got: String,
    },
    /// An array has the wrong number of dimensions.
    #[error("{name}: expected {expected}, got {got}")]
    Dimensions {
        /// The argument.
        name: &'static str,
        /// The dimensions that are accepted.
        expected: &'static str,
        /// The shape that was passed.
        got: String,
    },
    /// An array does not have one entry for each box.
    #[error("{name} has {got} entries for {expected} boxes; pass one entry for each box")]
    Length {
        /// The argument.
        name: &'static str,
        /// The number of boxes.
        expected: usize,
        /// The number of entries.
        got: usize,
    },
    /// A batch index is negative, or not below the number of images.
    #[error("boxes[{row}]: batch index {index} is out of range for {images} image{s}", s = if *images == 1 { "" } else { "s" })]
    BatchIndex {
        /// Row of the box.
        row: usize,
        /// Its batch index.
        index: f64,
        /// Number of images.
        images: usize,
    },
    /// A batch index is NaN, infinite or fractional.
    #[error("boxes[{row}]: batch index {index} is not an integer")]
    FractionalBatchIndex {
        /// Row of the box.
        row: usize,
        /// Its batch index.
        index: f64,
    },
    /// A coordinate is NaN or infinite.
    #[error("boxes[{row}]: coordinates must be finite, got {got}")]
    NotFinite {
        /// Row of the box.
        row: usize,
        /// The box.
        got: String,
    },
    /// A coordinate or a side overflows when it is multiplied by the scale.
    #[error("boxes[{row}]: coordinates {got} overflow the dtype of boxes when multiplied by spatial_scale")]
    Overflow {
        /// Row of the box.
        row: usize,
        /// The box.
        got: String,
    },
    /// An argmax names no sample and no pixel of its bin.
    #[error(
        "argmax: {got} is out of range for its bin (box {}, channel {}, bin ({}, {})); pass the argmax that the forward \
         call returned for the same boxes and options",
        index[0], index[1], index[2], index[3]
    )]
    Argmax {
        /// Box, channel, row and column of the bin.
        index: [usize; 4],
        /// The value that was passed.
        got: i64,
    },
    /// A bin has more samples or pixels than an argmax can number.
    #[error(
        "boxes[{row}]: return_argmax=True needs at most 4294967295 samples or pixels in a bin, got {candidates}; use more \
         bins or smaller boxes"
    )]
    Candidates {
        /// Row of the box.
        row: usize,
        /// Number of samples or pixels in its largest bin.
        candidates: u64,
    },
    /// A box has a negative or NaN area, so the pyramid rule gives it no map.
    #[error(
        "boxes[{row}]: {got} has a negative or NaN area, which fits no map of a pyramid; write x1 <= x2 and y1 <= y2"
    )]
    NoArea {
        /// Row of the box.
        row: usize,
        /// The box.
        got: String,
    },
    /// A stage is negative, or not below the number of maps.
    #[error("stages[{row}]: {stage} is out of range for {stages} map{s}", s = if *stages == 1 { "" } else { "s" })]
    Stage {
        /// Row of the box.
        row: usize,
        /// The stage that was passed.
        stage: i64,
        /// Number of maps.
        stages: usize,
    },
    /// There are boxes, but the map has no pixels.
    #[error("{name}: cannot pool {boxes} boxes from an empty array of shape {shape}")]
    NoPixels {
        /// The argument.
        name: String,
        /// Number of boxes.
        boxes: usize,
        /// Shape of the features.
        shape: String,
    },
    /// `ROIALIGN_LEVEL` names no instruction set of this CPU.
    #[error("ROIALIGN_LEVEL must be one of {available} on this CPU, got {got:?}")]
    Level {
        /// The names that this CPU accepts.
        available: String,
        /// The name that was set.
        got: String,
    },
    /// An array has a dtype that is not supported.
    #[error("{name}: dtype {got} is not supported; {hint}")]
    Dtype {
        /// The argument.
        name: &'static str,
        /// The dtype that was passed.
        got: String,
        /// What to write instead.
        hint: &'static str,
    },
    /// Boxes have no batch indices, although there is not exactly one image.
    #[error(
        "batch_indices is needed for boxes of shape (K, 4) and {images} images; pass it, or boxes of shape (K, 5) with \
         the batch index first, or a list of one array for each image"
    )]
    NoBatchIndices {
        /// Number of images.
        images: usize,
    },
    /// The result cannot be allocated.
    #[error("a result of shape {shape} does not fit in memory")]
    TooLarge {
        /// Shape of the result.
        shape: String,
    },
    /// A call ran out of memory for its intermediate arrays.
    #[error("not enough memory for {count} {what}")]
    NoMemory {
        /// Number of items.
        count: usize,
        /// Name of the items.
        what: &'static str,
    },
    /// A side of a map exceeds 2^31 - 1.
    #[error("{name}: height and width must be at most 2147483647, got {shape}")]
    TooManyPixels {
        /// The argument.
        name: String,
        /// Shape of the features.
        shape: String,
    },
    /// A GPU is missing, out of memory, lost, closed, or was opened before a fork.
    #[error("{0}")]
    Gpu(String),
    /// The call was interrupted. Its results are partly written.
    #[error("the call was interrupted")]
    Interrupted,
    /// Two arguments contradict each other.
    #[error("{0}")]
    Conflict(String),
}

/// Reserves room for `count` items in total. Fails where `Vec::reserve` would abort the process.
pub(crate) fn reserve<T>(items: &mut Vec<T>, count: usize, what: &'static str) -> Result<()> {
    let missing = count.saturating_sub(items.len());
    items.try_reserve_exact(missing).map_err(|_| Error::NoMemory { count, what })
}

/// Reserves room for `count` more items, growing as `push` does.
pub(crate) fn reserve_more<T>(items: &mut Vec<T>, count: usize, what: &'static str) -> Result<()> {
    items.try_reserve(count).map_err(|_| Error::NoMemory { count, what })
}

/// Formats a tuple as Python does.
pub(crate) fn tuple<T: fmt::Display>(items: &[T]) -> String {
    let items: Vec<_> = items.iter().map(ToString::to_string).collect();
    match items.as_slice() {
        [one] => format!("({one},)"),
        many => format!("({})", many.join(", ")),
    }
}
