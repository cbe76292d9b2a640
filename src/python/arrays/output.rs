//! Results: new arrays, and arrays that the caller gave, which must fit and share no memory.

#![allow(unsafe_code, reason = "memory that NumPy and our results own")]

use numpy::npyffi::{NPY_ARRAY_CARRAY, NPY_ARRAY_WRITEABLE, PY_ARRAY_API, npy_intp};
use numpy::prelude::*;
use numpy::{PyArrayDescr, PyUntypedArray};
use pyo3::PyTypeInfo;
use pyo3::prelude::*;

use super::{Array4, BoxTable, Dtype, Layout, Strided, data, untyped};
use crate::element::Real;
use crate::error::{Error, tuple};
use crate::python::recycle::{self, Memory};
use crate::view::ViewMut;

/// A result: allocated here, or given by the caller.
pub struct Output<'py> {
    pub array: Bound<'py, PyUntypedArray>,
    layout: Layout,
    memory: Strided,
}

impl<'py> Output<'py> {
    /// The caller's array if there is one, else a new one; its shape is in the order (roi, channel, row, column).
    pub fn values(
        features: &Array4<'py>,
        inputs: &[&Bound<'py, PyAny>],
        shape: [usize; 4],
        out: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Self> {
        let dtype = match features.dtype {
            Dtype::U8 => numpy::dtype::<f32>(features.array.py()),
            _ => features.array.dtype(),
        };
        Self::new(dtype, features.layout, inputs, shape, out)
    }

    /// As [`Self::values`], for a result of this dtype.
    pub fn new(
        dtype: Bound<'py, PyArrayDescr>,
        layout: Layout,
        inputs: &[&Bound<'py, PyAny>],
        shape: [usize; 4],
        out: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Self> {
        let array = match out {
            Some(out) => checked_out(out, &dtype, &layout.stored(shape), inputs)?,
            None => empty(dtype.py(), dtype, layout.stored(shape))?,
        };
        Ok(Self { memory: Strided::of(&array, layout), array, layout })
    }

    /// (images, channels, rows, columns).
    pub fn shape(&self) -> [usize; 4] {
        self.memory.shape
    }

    /// The same array as something to read.
    pub fn as_input(&self) -> PyResult<Array4<'py>> {
        Array4::new("out", &self.array, self.layout)
    }

    /// A new array of int64.
    pub fn argmax(features: &Array4<'py>, shape: [usize; 4]) -> PyResult<Self> {
        Self::new(numpy::dtype::<i64>(features.array.py()), features.layout, &[], shape, None)
    }

    /// A view to write to.
    ///
    /// # Safety
    /// `E` must be the array's type, and no other view of it may be in use.
    pub unsafe fn view<E>(&self) -> ViewMut<'_, E> {
        let Strided { data, shape, strides } = self.memory;
        // SAFETY: the array is new, or was checked in `new`; `self` keeps its memory.
        unsafe { ViewMut::from_raw(data, shape, strides) }
    }
}

/// A result with the rows, columns and dtype of the boxes. Dtype and place are taken once, as those of [`Array4`].
pub struct BoxOutput<'py> {
    pub array: Bound<'py, PyUntypedArray>,
    data: *mut u8,
    shape: [usize; 2],
    strides: [isize; 2],
    is_f32: bool,
}

impl<'py> BoxOutput<'py> {
    /// The caller's array if there is one, else a new one.
    pub fn new(
        py: Python<'py>,
        boxes: &BoxTable<'py>,
        inputs: &[&Bound<'py, PyAny>],
        out: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Self> {
        let (shape, is_f32) = (boxes.shape, boxes.is_f32);
        let dtype = if is_f32 { numpy::dtype::<f32>(py) } else { numpy::dtype::<f64>(py) };
        let array = match out {
            Some(out) => checked_out(out, &dtype, &shape, inputs)?,
            None => py.import("numpy")?.call_method1("empty", (shape, dtype))?.cast_into()?,
        };
        let strides = [0, 1].map(|axis| array.strides()[axis]);
        Ok(Self { data: data(&array), shape, strides, is_f32, array })
    }

    /// Writes a gradient for each box; that of a batch index is 0.
    pub fn write(&self, gradients: &[[f64; 4]]) {
        if self.is_f32 {
            // SAFETY: just asked.
            unsafe { self.write_as::<f32>(gradients) }
        } else {
            // SAFETY: boxes are float32 or float64.
            unsafe { self.write_as::<f64>(gradients) }
        }
    }

    /// # Safety
    /// `B` must be the array's type.
    unsafe fn write_as<B: Real>(&self, gradients: &[[f64; 4]]) {
        let [rows, columns] = self.shape;
        for (row, gradient) in gradients.iter().enumerate().take(rows) {
            for column in 0..columns {
                let value = (column + 4).checked_sub(columns).map_or(0.0, |at| gradient[at]);
                let offset = row as isize * self.strides[0] + column as isize * self.strides[1];
                let to = self.data.wrapping_offset(offset);
                // SAFETY: the indices are inside the shape of an array that is new, or was checked, and is kept.
                unsafe { to.cast::<B>().write_unaligned(B::from_f64(value)) };
            }
        }
    }
}

/// The caller's array for a result of this dtype and shape, which is refused unless it can be written to safely.
fn checked_out<'py>(
    out: &Bound<'py, PyAny>,
    dtype: &Bound<'py, PyArrayDescr>,
    shape: &[usize],
    inputs: &[&Bound<'py, PyAny>],
) -> PyResult<Bound<'py, PyUntypedArray>> {
    let array = untyped("out", out)?;
    if array.shape() != shape {
        return Err(Error::Shape { name: "out", expected: tuple(shape), got: tuple(array.shape()) }.into());
    }
    if !array.dtype().is_equiv_to(dtype) {
        let got = array.dtype().to_string();
        return Err(Error::Conflict(format!("out: expected dtype {dtype}, got {got}")).into());
    }
    // SAFETY: the pointer is that of a live array.
    if unsafe { (*array.as_array_ptr()).fields.flags } & NPY_ARRAY_WRITEABLE == 0 {
        return Err(Error::Conflict("out is read-only; pass a writable array".to_owned()).into());
    }
    if overlaps_itself(&array) {
        let message = "out has elements that share memory with each other; pass a copy, such as out.copy()";
        return Err(Error::Conflict(message.to_owned()).into());
    }
    for input in inputs.iter().filter_map(|input| input.cast::<PyUntypedArray>().ok()) {
        if overlap(&array, input)? {
            return Err(
                Error::Conflict("out shares memory with an input; pass another array".to_owned()).into()
            );
        }
    }
    Ok(array)
}

/// A C-contiguous array that is not initialised. Too large a one is a `MemoryError`.
fn empty<'py>(
    py: Python<'py>,
    dtype: Bound<'py, PyArrayDescr>,
    shape: [usize; 4],
) -> PyResult<Bound<'py, PyUntypedArray>> {
    let bytes = shape.iter().try_fold(dtype.itemsize(), |bytes, &side| bytes.checked_mul(side));
    if bytes.is_none_or(|bytes| isize::try_from(bytes).is_err()) {
        return Err(Error::TooLarge { shape: tuple(&shape) }.into());
    }
    let large = bytes.filter(|&bytes| bytes >= recycle::SMALLEST);
    let memory = match large.map(Memory::new) {
        Some(None) => return Err(Error::TooLarge { shape: tuple(&shape) }.into()),
        Some(Some(memory)) => Some(Bound::new(py, memory)?),
        None => None,
    };
    let start = memory.as_ref().map_or(std::ptr::null_mut(), |memory| memory.get().start());
    let mut sides = shape.map(|side| side as npy_intp);
    // SAFETY: the arguments are those of `numpy.empty`, or of an array on memory of the right size that its base
    // object keeps; the references to descriptor and base are given away; a null pointer means that an exception
    // is set.
    unsafe {
        let array = PY_ARRAY_API.PyArray_NewFromDescr(
            py,
            PyUntypedArray::type_object_raw(py),
            dtype.into_dtype_ptr(),
            4,
            sides.as_mut_ptr(),
            std::ptr::null_mut(),
            start.cast(),
            if memory.is_some() { NPY_ARRAY_CARRAY } else { 0 },
            std::ptr::null_mut(),
        );
        let array = Bound::from_owned_ptr_or_err(py, array)?.cast_into_unchecked::<PyUntypedArray>();
        if let Some(memory) = memory {
            PY_ARRAY_API.PyArray_SetBaseObject(py, array.as_array_ptr(), memory.into_ptr());
        }
        Ok(array)
    }
}

/// The addresses that an array's elements lie between.
fn bounds(array: &Bound<'_, PyUntypedArray>) -> (isize, isize) {
    let base = data(array) as isize;
    let mut range = (base, base + array.dtype().itemsize() as isize);
    for (&side, &stride) in array.shape().iter().zip(array.strides()) {
        let last = (side as isize - 1) * stride;
        range = (range.0 + last.min(0), range.1 + last.max(0));
    }
    if array.shape().contains(&0) { (base, base) } else { range }
}

fn overlap(a: &Bound<'_, PyUntypedArray>, b: &Bound<'_, PyUntypedArray>) -> PyResult<bool> {
    let ((a_low, a_high), (b_low, b_high)) = (bounds(a), bounds(b));
    if a_high <= b_low || b_high <= a_low {
        return Ok(false);
    }
    // They may still interleave without sharing an element; NumPy solves that.
    a.py().import("numpy")?.call_method1("shares_memory", (plain(a)?, plain(b)?))?.extract()
}

/// The same memory as an array of no subclass, which could run code of the caller.
fn plain<'py>(array: &Bound<'py, PyUntypedArray>) -> PyResult<Bound<'py, PyAny>> {
    let py = array.py();
    // SAFETY: the arguments are those of `ndarray.view`; a null pointer means that an exception is set.
    unsafe {
        let view = PY_ARRAY_API.PyArray_View(
            py,
            array.as_array_ptr(),
            std::ptr::null_mut(),
            PyUntypedArray::type_object_raw(py),
        );
        Bound::from_owned_ptr_or_err(py, view)
    }
}

/// Whether two elements may share memory: each stride must pass all that the smaller ones reach.
fn overlaps_itself(array: &Bound<'_, PyUntypedArray>) -> bool {
    let (sides, strides) = (array.shape(), array.strides());
    if sides.contains(&0) {
        return false;
    }
    let mut axes: Vec<usize> = (0..sides.len()).collect();
    axes.sort_unstable_by_key(|&axis| strides[axis].unsigned_abs());
    let mut reach = array.dtype().itemsize();
    axes.into_iter().filter(|&axis| sides[axis] > 1).any(|axis| {
        let stride = strides[axis].unsigned_abs();
        let overlaps = stride < reach;
        reach += (sides[axis] - 1) * stride;
        overlaps
    })
}
