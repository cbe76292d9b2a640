//! The crate's one error type: built where the fact is known, worded for the caller.

use std::fmt;

/// Result of every fallible function of the crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What a call can refuse, with the argument's name, the index, what was expected and what came.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A side of a map is negative.
    #[error("{name} must be four sides, none negative, got {got}")]
    NegativeSide {
        /// The argument.
        name: String,
        /// The sides that came.
        got: String,
    },
    /// An argument has a value outside its range.
    #[error("{name} must be {expected}, got {got}")]
    Value {
        /// The argument.
        name: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it was.
        got: String,
    },
    /// An argument is of a wrong kind.
    #[error("{name} must be {expected}, got {got}")]
    Kind {
        /// The argument.
        name: String,
        /// What it may be.
        expected: &'static str,
        /// What it was.
        got: String,
    },
    /// An array has the wrong shape.
    #[error("{name}: expected shape {expected}, got {got}")]
    Shape {
        /// The argument.
        name: &'static str,
        /// The shape that fits the other arguments.
        expected: String,
        /// The shape that came.
        got: String,
    },
    /// An array has the wrong number of dimensions.
    #[error("{name}: expected {expected}, got {got}")]
    Dimensions {
        /// The argument.
        name: &'static str,
        /// The dimensions that are wanted.
        expected: &'static str,
        /// The dimensions that came.
        got: String,
    },
    /// Two arrays that must be as long as each other are not.
    #[error("{name} has {got} entries for {expected} boxes")]
    Length {
        /// The argument.
        name: &'static str,
        /// The number of boxes.
        expected: usize,
        /// The number of entries.
        got: usize,
    },
    /// A box belongs to no image.
    #[error("boxes[{row}]: batch index {index} is out of range for {images} image{s}", s = if *images == 1 { "" } else { "s" })]
    BatchIndex {
        /// Row of the box.
        row: usize,
        /// Its batch index.
        index: f64,
        /// Number of images.
        images: usize,
    },
    /// A batch index has a fraction or is not a number.
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
    /// A coordinate or an extent is infinite after scaling.
    #[error("boxes[{row}]: coordinates {got} overflow their dtype when multiplied by spatial_scale")]
    Overflow {
        /// Row of the box.
        row: usize,
        /// The box.
        got: String,
    },
    /// A maximum that came from nowhere.
    #[error("argmax: {got} is no candidate of its bin (box {}, channel {}, bin ({}, {}))", index[0], index[1], index[2], index[3])]
    Argmax {
        /// Box, channel, row and column of the bin.
        index: [usize; 4],
        /// The number.
        got: i64,
    },
    /// A bin has more candidates than an argmax can number.
    #[error(
        "boxes[{row}]: return_argmax numbers up to 4294967295 candidates of a bin, here are {candidates}"
    )]
    Candidates {
        /// Row of the box.
        row: usize,
        /// Candidates of its largest bin.
        candidates: u64,
    },
    /// A box whose size gives it no map of a pyramid.
    #[error("boxes[{row}]: {got} has no area to choose a map by")]
    NoArea {
        /// Row of the box.
        row: usize,
        /// The box.
        got: String,
    },
    /// A box is given a map that does not exist.
    #[error("stages[{row}]: {stage} is out of range for {stages} map{s}", s = if *stages == 1 { "" } else { "s" })]
    Stage {
        /// Row of the box.
        row: usize,
        /// The map.
        stage: i64,
        /// Number of maps.
        stages: usize,
    },
    /// There are boxes but no pixels to pool.
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
        /// The names that this CPU offers.
        available: String,
        /// The name that came.
        got: String,
    },
    /// An array has a dtype that cannot be used here.
    #[error("{name}: dtype {got} is not supported; {hint}")]
    Dtype {
        /// The argument.
        name: &'static str,
        /// The dtype that came.
        got: String,
        /// What to do.
        hint: &'static str,
    },
    /// Boxes without an image, although there is a choice.
    #[error("batch_indices must be given for boxes of shape (K, 4) when there are {images} images")]
    NoBatchIndices {
        /// Number of images.
        images: usize,
    },
    /// A result that the address space cannot hold.
    #[error("a result of shape {shape} does not fit in memory")]
    TooLarge {
        /// Its shape.
        shape: String,
    },
    /// No memory for what a call needs besides its result.
    #[error("not enough memory for {count} {what}")]
    NoMemory {
        /// How many.
        count: usize,
        /// Of what.
        what: &'static str,
    },
    /// A map larger than pixels can be numbered.
    #[error("{name}: height and width must be at most 2147483647, got {shape}")]
    TooManyPixels {
        /// The argument.
        name: String,
        /// Shape of the features.
        shape: String,
    },
    /// A device that is missing, full, lost or forked away.
    #[error("{0}")]
    Gpu(String),
    /// The call was ended early; its results are partly written.
    #[error("the call was interrupted")]
    Interrupted,
    /// Arguments that do not go together.
    #[error("{0}")]
    Conflict(String),
}

/// Makes room for so many items in all, where the allocator would end the process if it could not.
pub(crate) fn reserve<T>(items: &mut Vec<T>, count: usize, what: &'static str) -> Result<()> {
    let missing = count.saturating_sub(items.len());
    items.try_reserve_exact(missing).map_err(|_| Error::NoMemory { count, what })
}

/// Reserves room for `count` more items, growing as `push` does.
pub(crate) fn reserve_more<T>(items: &mut Vec<T>, count: usize, what: &'static str) -> Result<()> {
    items.try_reserve(count).map_err(|_| Error::NoMemory { count, what })
}

/// A tuple as Python prints it.
pub(crate) fn tuple<T: fmt::Display>(items: &[T]) -> String {
    let items: Vec<_> = items.iter().map(ToString::to_string).collect();
    match items.as_slice() {
        [one] => format!("({one},)"),
        many => format!("({})", many.join(", ")),
    }
}
