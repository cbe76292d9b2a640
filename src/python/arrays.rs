//! NumPy arrays as views and back, without a copy.

#![allow(unsafe_code, reason = "views of memory that NumPy owns")]

use half::{bf16, f16};
use numpy::npyffi::{NPY_ARRAY_CARRAY, NPY_ARRAY_WRITEABLE, PY_ARRAY_API, npy_intp};
use numpy::prelude::*;
use numpy::{PyArrayDescr, PyUntypedArray};
use pyo3::prelude::*;
use pyo3::{PyTypeInfo, intern};

use crate::element::{Element, Real};
use crate::error::{Error, tuple};
use crate::python::recycle::{self, Memory};
use crate::run::Boxes;
use crate::view::{View, ViewMut};

/// Order of an array's axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    Nchw,
    Nhwc,
}

impl Layout {
    /// From the array's order to (image, channel, row, column).
    pub fn logical<T: Copy>(self, [a, b, c, d]: [T; 4]) -> [T; 4] {
        match self {
            Self::Nchw => [a, b, c, d],
            Self::Nhwc => [a, d, b, c],
        }
    }

    /// From (image, channel, row, column) to the array's order.
    pub fn stored<T: Copy>(self, [n, c, y, x]: [T; 4]) -> [T; 4] {
        match self {
            Self::Nchw => [n, c, y, x],
            Self::Nhwc => [n, y, x, c],
        }
    }
}

/// The dtypes that arrays of values may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtype {
    U8,
    F16,
    Bf16,
    F32,
    F64,
}

const VALUES: &str = "use float16, bfloat16 (ml_dtypes), float32, float64 or uint8";
const NATIVE: &str = "convert it to the machine's byte order: array.astype(array.dtype.newbyteorder('='))";

impl Dtype {
    fn of(name: &'static str, array: &Bound<'_, PyUntypedArray>) -> PyResult<Self> {
        let descr = array.dtype();
        // The type numbers are part of NumPy's ABI; bfloat16 is registered by ml_dtypes under a number of its own.
        let dtype = match descr.num() {
            2 => Some(Self::U8),
            11 => Some(Self::F32),
            12 => Some(Self::F64),
            23 => Some(Self::F16),
            _ if descr.itemsize() == 2 && type_name(&descr)? == "bfloat16" => Some(Self::Bf16),
            _ => None,
        };
        match dtype {
            Some(dtype) if descr.is_native_byteorder() != Some(false) => Ok(dtype),
            _ => Err(unsupported(name, &descr, VALUES)),
        }
    }
}

fn type_name(descr: &Bound<'_, PyArrayDescr>) -> PyResult<String> {
    descr.getattr(intern!(descr.py(), "name"))?.extract()
}

fn unsupported(name: &'static str, descr: &Bound<'_, PyArrayDescr>, hint: &'static str) -> PyErr {
    let foreign = descr.is_native_byteorder() == Some(false) && descr.kind() == b'f';
    let hint = if foreign { NATIVE } else { hint };
    Error::Dtype { name, got: descr.to_string(), hint }.into()
}

/// A 4-d array of values.
pub struct Array4<'py> {
    array: Bound<'py, PyUntypedArray>,
    pub dtype: Dtype,
    layout: Layout,
}

impl<'py> Array4<'py> {
    pub fn new(name: &'static str, array: &Bound<'py, PyAny>, layout: Layout) -> PyResult<Self> {
        let array = untyped(name, array)?;
        let dtype = Dtype::of(name, &array)?;
        if array.ndim() != 4 {
            let expected = match layout {
                Layout::Nchw => "4 dimensions (N, C, H, W)",
                Layout::Nhwc => "4 dimensions (N, H, W, C)",
            };
            return Err(Error::Dimensions { name, expected, got: array.ndim().to_string() }.into());
        }
        Ok(Self { array, dtype, layout })
    }

    /// Refuses integers, which have no gradient.
    pub fn check_float(&self, name: &'static str) -> PyResult<()> {
        const FLOATS: &str = "use float16, bfloat16 (ml_dtypes), float32 or float64";
        match self.dtype {
            Dtype::U8 => Err(unsupported(name, &self.array.dtype(), FLOATS)),
            _ => Ok(()),
        }
    }

    /// Refuses gradients that have another dtype than what is pooled from these features.
    pub fn check_dtype_of_result(&self, name: &'static str, features: &Self) -> PyResult<()> {
        let expected = if features.dtype == Dtype::U8 { Dtype::F32 } else { features.dtype };
        if self.dtype == expected {
            return Ok(());
        }
        Err(unsupported(
            name,
            &self.array.dtype(),
            "use that of the result: the features' own, float32 for uint8",
        ))
    }

    /// Refuses an array that has another dtype than the first one of its list.
    pub fn check_same_dtype(&self, name: &'static str, first: &Self) -> PyResult<()> {
        if self.dtype == first.dtype {
            return Ok(());
        }
        Err(unsupported(name, &self.array.dtype(), "all maps must have the dtype of the first"))
    }

    pub fn shape(&self) -> [usize; 4] {
        self.layout.logical(four(self.array.shape()))
    }

    fn strides(&self) -> [isize; 4] {
        self.layout.logical(four(self.array.strides()))
    }

    /// Views the array.
    ///
    /// # Safety
    /// `E` must be what `dtype` stands for.
    pub unsafe fn view<E: Element>(&self) -> View<'_, E> {
        // SAFETY: NumPy keeps the memory as long as the array, which `self` holds; callers are told not to
        // change an array during a call.
        unsafe { View::from_raw(data(&self.array), self.shape(), self.strides()) }
    }
}

/// A 4-d array of int64.
pub struct Indices4<'py> {
    array: Bound<'py, PyUntypedArray>,
    layout: Layout,
}

impl<'py> Indices4<'py> {
    pub fn new(name: &'static str, array: &Bound<'py, PyAny>, layout: Layout) -> PyResult<Self> {
        let array = untyped(name, array)?;
        if array.ndim() != 4 {
            let (expected, got) = ("4 dimensions", array.ndim().to_string());
            return Err(Error::Dimensions { name, expected, got }.into());
        }
        if !array.dtype().is_equiv_to(&numpy::dtype::<i64>(array.py())) {
            return Err(unsupported(name, &array.dtype(), "use int64"));
        }
        Ok(Self { array, layout })
    }

    pub fn view(&self) -> View<'_, i64> {
        let shape = self.layout.logical(four(self.array.shape()));
        let strides = self.layout.logical(four(self.array.strides()));
        // SAFETY: `new` checked the dtype; as in `Array4::view`.
        unsafe { View::from_raw(data(&self.array), shape, strides) }
    }
}

/// Work that is done for features of any element type.
pub trait WithFeatures<'py> {
    type Output;
    fn run<E: Element>(self, features: View<'_, E>) -> PyResult<Self::Output>;
}

/// Calls `work` with the features as what they are.
pub fn with_features<'py, W: WithFeatures<'py>>(features: &Array4<'py>, work: W) -> PyResult<W::Output> {
    // SAFETY: each arm names the type that the dtype stands for.
    unsafe {
        match features.dtype {
            Dtype::U8 => work.run(features.view::<u8>()),
            Dtype::F16 => work.run(features.view::<f16>()),
            Dtype::Bf16 => work.run(features.view::<bf16>()),
            Dtype::F32 => work.run(features.view::<f32>()),
            Dtype::F64 => work.run(features.view::<f64>()),
        }
    }
}

/// A result: allocated here, or given by the caller.
pub struct Output<'py> {
    pub array: Bound<'py, PyUntypedArray>,
    layout: Layout,
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
        let Some(out) = out else {
            return Ok(Self { array: empty(dtype.py(), dtype, layout.stored(shape))?, layout });
        };
        Ok(Self { array: checked_out(out, &dtype, &layout.stored(shape), inputs)?, layout })
    }

    /// A new array of int64.
    pub fn argmax(features: &Array4<'py>, shape: [usize; 4]) -> PyResult<Self> {
        let py = features.array.py();
        let layout = features.layout;
        Ok(Self { array: empty(py, numpy::dtype::<i64>(py), layout.stored(shape))?, layout })
    }

    /// A view to write to.
    ///
    /// # Safety
    /// `E` must be the array's type, and no other view of it may be in use.
    pub unsafe fn view<E>(&self) -> ViewMut<'_, E> {
        let shape = self.layout.logical(four(self.array.shape()));
        let strides = self.layout.logical(four(self.array.strides()));
        // SAFETY: the array is new, or was checked in `values`; `self` keeps its memory.
        unsafe { ViewMut::from_raw(data(&self.array).cast_mut(), shape, strides) }
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
        return Err(Error::Conflict("out is read-only".to_owned()).into());
    }
    if overlaps_itself(&array) {
        return Err(Error::Conflict("out has elements that share memory with each other".to_owned()).into());
    }
    for input in inputs.iter().filter_map(|input| input.cast::<PyUntypedArray>().ok()) {
        if overlap(&array, input)? {
            return Err(Error::Conflict("out shares memory with an input".to_owned()).into());
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
    let large = bytes.is_some_and(|bytes| bytes >= recycle::SMALLEST);
    let memory = bytes.filter(|_| large).map(Memory::new);
    let memory = match memory {
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
            if large { NPY_ARRAY_CARRAY } else { 0 },
            std::ptr::null_mut(),
        );
        let array = Bound::from_owned_ptr_or_err(py, array)?.cast_into_unchecked::<PyUntypedArray>();
        if let Some(memory) = memory {
            PY_ARRAY_API.PyArray_SetBaseObject(py, array.as_array_ptr(), memory.into_ptr());
        }
        Ok(array)
    }
}

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

/// A result with the rows, columns and dtype of the boxes.
pub struct BoxOutput<'py> {
    pub array: Bound<'py, PyUntypedArray>,
}

impl<'py> BoxOutput<'py> {
    /// The caller's array if there is one, else a new one. The boxes are as [`AnyBoxes`] takes them.
    pub fn new(
        boxes: &Bound<'py, PyAny>,
        inputs: &[&Bound<'py, PyAny>],
        out: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Self> {
        let boxes = untyped("boxes", boxes)?;
        let array = match out {
            Some(out) => checked_out(out, &boxes.dtype(), boxes.shape(), inputs)?,
            None => boxes
                .py()
                .import("numpy")?
                .call_method1("empty", (boxes.shape(), boxes.dtype()))?
                .cast_into()?,
        };
        Ok(Self { array })
    }

    /// Writes a gradient for each box; that of a batch index is 0.
    pub fn write(&self, gradients: &[[f64; 4]]) {
        match self.array.dtype().num() {
            // SAFETY: type number 11 is float32.
            11 => unsafe { self.write_as::<f32>(gradients) },
            // SAFETY: boxes are float32 or float64.
            _ => unsafe { self.write_as::<f64>(gradients) },
        }
    }

    /// # Safety
    /// `B` must be the array's type.
    unsafe fn write_as<B: Real>(&self, gradients: &[[f64; 4]]) {
        let &[rows, columns] = self.array.shape() else { return };
        let [row_stride, column_stride] = [0, 1].map(|axis| self.array.strides()[axis]);
        for (row, gradient) in gradients.iter().enumerate().take(rows) {
            for column in 0..columns {
                let value = (column + 4).checked_sub(columns).map_or(0.0, |at| gradient[at]);
                let offset = row as isize * row_stride + column as isize * column_stride;
                let to = data(&self.array).cast_mut().wrapping_offset(offset);
                // SAFETY: the indices are inside the shape of an array that is new, or was checked.
                unsafe { to.cast::<B>().write_unaligned(B::from_f64(value)) };
            }
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

fn untyped<'py>(name: &'static str, array: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyUntypedArray>> {
    array.cast::<PyUntypedArray>().cloned().map_err(|_| {
        let got = array.get_type().to_string();
        Error::Dtype { name, got, hint: "use a NumPy array" }.into()
    })
}

fn data(array: &Bound<'_, PyUntypedArray>) -> *const u8 {
    // SAFETY: the pointer is that of a live array.
    unsafe { (*array.as_array_ptr()).fields.data.cast_const().cast() }
}

fn four<T: Copy>(items: &[T]) -> [T; 4] {
    std::array::from_fn(|i| items[i])
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
    a.py().import("numpy")?.call_method1("shares_memory", (a, b))?.extract()
}

/// Whether two elements may share memory: each stride must pass all that the smaller ones reach.
fn overlaps_itself(array: &Bound<'_, PyUntypedArray>) -> bool {
    let (sides, strides) = (array.shape(), array.strides());
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
