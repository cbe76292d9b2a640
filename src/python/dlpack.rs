//! Views bfloat16 tensors of other frameworks as NumPy arrays, without a copy. NumPy's own `from_dlpack` refuses them.
//!
//! The structs have the layout of DLPack's C header, version 0.

#![allow(unsafe_code, reason = "memory that another framework describes")]

use std::ffi::{CStr, c_void};
use std::ptr::NonNull;

use numpy::npyffi::{PY_ARRAY_API, npy_intp};
use numpy::prelude::*;
use numpy::{PyArrayDescr, PyUntypedArray};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use pyo3::{PyTypeInfo, ffi};

use crate::error::Error;

#[repr(C)]
struct Tensor {
    data: *mut u8,
    device: (i32, i32),
    dimensions: i32,
    code: u8,
    bits: u8,
    lanes: u16,
    shape: *const i64,
    strides: *const i64,
    byte_offset: u64,
}

#[repr(C)]
struct Managed {
    tensor: Tensor,
    context: *mut c_void,
    deleter: Option<unsafe extern "C" fn(*mut Managed)>,
}

const FRESH: &CStr = c"dltensor";
const TAKEN: &CStr = c"used_dltensor";
const CPU: i32 = 1;
const BFLOAT: u8 = 4;

/// The base object of an array, which calls the deleter of the tensor when the array goes.
#[pyclass(frozen, module = "roialign_rs._core")]
struct Borrowed(NonNull<Managed>);

// SAFETY: only `drop` accesses the tensor, and Python runs it while this thread is attached to the interpreter.
unsafe impl Send for Borrowed {}
// SAFETY: as above.
unsafe impl Sync for Borrowed {}

impl Drop for Borrowed {
    fn drop(&mut self) {
        // SAFETY: DLPack guarantees that the tensor lives until its deleter is called. This is the only call.
        unsafe {
            if let Some(deleter) = self.0.as_ref().deleter {
                deleter(self.0.as_ptr());
            }
        }
    }
}

/// Return a view of the bfloat16 tensor in a DLPack capsule as an array of `dtype`, which must be that of `ml_dtypes`.
#[pyfunction]
pub fn bfloat16_from_dlpack<'py>(
    capsule: &Bound<'py, PyCapsule>,
    dtype: Bound<'py, PyArrayDescr>,
) -> PyResult<Bound<'py, PyUntypedArray>> {
    let py = capsule.py();
    let pointer = capsule.pointer_checked(Some(FRESH))?.cast::<Managed>();
    // SAFETY: DLPack guarantees that a capsule of this name holds this struct.
    let tensor = unsafe { &pointer.as_ref().tensor };
    if (tensor.device.0, tensor.code, tensor.bits, tensor.lanes) != (CPU, BFLOAT, 16, 1)
        || dtype.itemsize() != 2
    {
        let got = format!("code {}, {} bits, on device {}", tensor.code, tensor.bits, tensor.device.0);
        return Err(
            Error::Dtype { name: "features", got, hint: "expected a bfloat16 tensor on the CPU" }.into()
        );
    }
    let dimensions = usize::try_from(tensor.dimensions).unwrap_or(0);
    let read = |numbers: *const i64| {
        // SAFETY: shape and strides have one number for each dimension.
        (0..dimensions).map(|axis| unsafe { *numbers.add(axis) as npy_intp }).collect::<Vec<_>>()
    };
    let mut shape = read(tensor.shape);
    let mut strides: Vec<npy_intp> = if tensor.strides.is_null() {
        (0..dimensions).map(|axis| shape[axis + 1..].iter().product::<npy_intp>() * 2).collect()
    } else {
        read(tensor.strides).into_iter().map(|stride| stride * 2).collect()
    };
    let start = tensor.data.wrapping_add(tensor.byte_offset as usize);
    // SAFETY: the new name of the capsule says that the tensor was taken, so `Borrowed` alone calls the deleter. The array
    // views the memory of the tensor, which its base object keeps alive. NumPy takes over the references to descriptor
    // and base.
    unsafe {
        if ffi::PyCapsule_SetName(capsule.as_ptr(), TAKEN.as_ptr()) != 0 {
            return Err(PyErr::fetch(py));
        }
        let base = Bound::new(py, Borrowed(pointer))?;
        let array = PY_ARRAY_API.PyArray_NewFromDescr(
            py,
            PyUntypedArray::type_object_raw(py),
            dtype.into_dtype_ptr(),
            tensor.dimensions,
            shape.as_mut_ptr(),
            strides.as_mut_ptr(),
            start.cast(),
            0,
            std::ptr::null_mut(),
        );
        let array = Bound::from_owned_ptr_or_err(py, array)?.cast_into_unchecked::<PyUntypedArray>();
        PY_ARRAY_API.PyArray_SetBaseObject(py, array.as_array_ptr(), base.into_ptr());
        Ok(array)
    }
}
