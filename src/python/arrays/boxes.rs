//! Tables of boxes and of integers, copied: they are small, and read once.

#![allow(unsafe_code, reason = "reads of memory that NumPy owns")]

use numpy::PyUntypedArray;
use numpy::prelude::*;
use pyo3::prelude::*;

use super::{data, unsupported, untyped};
use crate::element::Real;
use crate::error::{Error, Result, reserve, tuple};
use crate::run::{Boxes, BoxesOf};

/// A table of boxes that was checked and not yet copied: a result that does not fit in memory should be refused
/// before its boxes, which may be a repeated row without memory, fill it.
///
/// Dtype and place are taken together, as those of [`Array4`](super::Array4).
pub struct BoxTable<'py> {
    _boxes: Bound<'py, PyUntypedArray>,
    data: *const u8,
    pub(super) shape: [usize; 2],
    strides: [isize; 2],
    batch_indices: Option<Bound<'py, PyAny>>,
    pub(super) is_f32: bool,
}

impl<'py> BoxTable<'py> {
    /// From (K, 4) or (K, 5) floats; `batch_indices` are int64.
    pub fn new(
        boxes: &Bound<'py, PyAny>,
        batch_indices: Option<&Bound<'py, PyAny>>,
        images: usize,
    ) -> PyResult<Self> {
        let boxes = untyped("boxes", boxes)?;
        let descr = boxes.dtype();
        // The type numbers of float32 and float64.
        let is_f32 = match descr.num() {
            11 if descr.is_native_byteorder() != Some(false) => true,
            12 if descr.is_native_byteorder() != Some(false) => false,
            _ => return Err(unsupported("boxes", &descr, "use float32 or float64")),
        };
        let shape = match *boxes.shape() {
            [_, 5] if batch_indices.is_some() => {
                let message = "batch_indices cannot be given with boxes of shape (K, 5), whose first column is the batch \
                               index; leave it out";
                return Err(Error::Conflict(message.to_owned()).into());
            }
            [rows, 4] if batch_indices.is_none() && images != 1 && rows > 0 => {
                return Err(Error::NoBatchIndices { images }.into());
            }
            [rows, columns @ (4 | 5)] => [rows, columns],
            _ => {
                let expected = "shape (K, 4) or (K, 5)";
                return Err(Error::Dimensions { name: "boxes", expected, got: tuple(boxes.shape()) }.into());
            }
        };
        let strides = [0, 1].map(|axis| boxes.strides()[axis]);
        let (data, batch_indices) = (data(&boxes).cast_const(), batch_indices.cloned());
        Ok(Self { _boxes: boxes, data, shape, strides, batch_indices, is_f32 })
    }

    /// Number of boxes.
    pub fn len(&self) -> usize {
        self.shape[0]
    }

    /// Copies the boxes.
    pub fn read(&self) -> PyResult<Boxes> {
        // SAFETY: `new` looked at the dtype.
        unsafe { Ok(if self.is_f32 { Boxes::F32(self.read_as()?) } else { Boxes::F64(self.read_as()?) }) }
    }

    /// # Safety
    /// `B` must be the array's type.
    unsafe fn read_as<B: Real>(&self) -> PyResult<BoxesOf<B>> {
        let [row_stride, column_stride] = self.strides;
        // SAFETY: the indices are inside the shape.
        let at = |row: usize, column: usize| unsafe {
            let offset = row as isize * row_stride + column as isize * column_stride;
            self.data.wrapping_offset(offset).cast::<B>().read_unaligned()
        };
        let with_image = self.shape[1] == 5;
        let first = usize::from(with_image);
        let corners = collect(self.len(), |row| std::array::from_fn(|column| at(row, first + column)))?;
        let images = match &self.batch_indices {
            Some(indices) => {
                integers("batch_indices", indices)?.into_iter().map(|index| index as f64).collect()
            }
            None if with_image => collect(self.len(), |row| at(row, 0).to_f64())?,
            None => collect(self.len(), |_| 0.0)?,
        };
        Ok(BoxesOf { corners, images })
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
    Ok(collect(array.shape()[0], at)?)
}

/// One item a box, if there is memory for them.
fn collect<T>(count: usize, item: impl Fn(usize) -> T) -> Result<Vec<T>> {
    let mut items = Vec::new();
    reserve(&mut items, count, "boxes")?;
    items.extend((0..count).map(item));
    Ok(items)
}
