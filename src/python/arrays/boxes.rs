//! Tables of boxes and of integers, copied: they are small, and read once.

#![allow(unsafe_code, reason = "reads of memory that NumPy owns")]

use numpy::PyUntypedArray;
use numpy::prelude::*;
use pyo3::prelude::*;

use super::{data, unsupported, untyped};
use crate::element::Real;
use crate::error::{Error, tuple};
use crate::run::Boxes;

/// The boxes of a call in either dtype.
pub enum AnyBoxes {
    F32(Boxes<f32>),
    F64(Boxes<f64>),
}

impl AnyBoxes {
    /// From (K, 4) or (K, 5) floats; `batch_indices` are int64.
    pub fn new(
        boxes: &Bound<'_, PyAny>,
        batch_indices: Option<&Bound<'_, PyAny>>,
        images: usize,
    ) -> PyResult<Self> {
        const HINT: &str = "use float32 or float64";
        let boxes = untyped("boxes", boxes)?;
        let &[rows, columns @ (4 | 5)] = boxes.shape() else {
            let expected = "shape (K, 4) or (K, 5)";
            return Err(Error::Dimensions { name: "boxes", expected, got: tuple(boxes.shape()) }.into());
        };
        let given = batch_indices.map(|indices| integers("batch_indices", indices)).transpose()?;
        let images = match (columns, given) {
            (5, Some(_)) => {
                let message = "batch_indices cannot be given with boxes that have a batch index column";
                return Err(Error::Conflict(message.to_owned()).into());
            }
            (5, None) => None,
            (_, Some(given)) => Some(given.into_iter().map(|index| index as f64).collect()),
            (_, None) if images == 1 || rows == 0 => Some(vec![0.0; rows]),
            (_, None) => return Err(Error::NoBatchIndices { images }.into()),
        };
        let descr = boxes.dtype();
        match descr.num() {
            _ if descr.is_native_byteorder() == Some(false) => Err(unsupported("boxes", &descr, HINT)),
            // SAFETY: type number 11 is float32.
            11 => Ok(Self::F32(unsafe { read_boxes(&boxes, images) })),
            // SAFETY: type number 12 is float64.
            12 => Ok(Self::F64(unsafe { read_boxes(&boxes, images) })),
            _ => Err(unsupported("boxes", &descr, HINT)),
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Self::F32(boxes) => boxes.corners.len(),
            Self::F64(boxes) => boxes.corners.len(),
        }
    }
}

/// Reads (K, 4), or (K, 5) where no images are given.
///
/// # Safety
/// `B` must be the array's type, and its shape one of these.
unsafe fn read_boxes<B: Real>(boxes: &Bound<'_, PyUntypedArray>, images: Option<Vec<f64>>) -> Boxes<B> {
    let (base, rows) = (data(boxes), boxes.shape()[0]);
    let [row_stride, column_stride] = [0, 1].map(|axis| boxes.strides()[axis]);
    // SAFETY: the indices are inside the shape.
    let at = |row: usize, column: usize| unsafe {
        let offset = row as isize * row_stride + column as isize * column_stride;
        base.wrapping_offset(offset).cast::<B>().read_unaligned()
    };
    let first = usize::from(images.is_none());
    Boxes {
        corners: (0..rows).map(|row| std::array::from_fn(|column| at(row, first + column))).collect(),
        images: images.unwrap_or_else(|| (0..rows).map(|row| at(row, 0).to_f64()).collect()),
    }
}

/// Reads a 1-d array of int64.
pub fn integers(name: &'static str, array: &Bound<'_, PyAny>) -> PyResult<Vec<i64>> {
    let array = untyped(name, array)?;
    let descr = array.dtype();
    if array.ndim() != 1 || !descr.is_equiv_to(&numpy::dtype::<i64>(array.py())) {
        return Err(unsupported(name, &descr, "use a 1-d array of int64"));
    }
    let (base, stride) = (data(&array), array.strides()[0]);
    let at = |row: usize| {
        // SAFETY: the row is inside the array, whose dtype was just checked.
        unsafe { base.wrapping_offset(row as isize * stride).cast::<i64>().read_unaligned() }
    };
    Ok((0..array.shape()[0]).map(at).collect())
}
