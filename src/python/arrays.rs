//! NumPy arrays as views and back, without a copy.

#![allow(unsafe_code, reason = "views of memory that NumPy owns")]

mod boxes;
mod device;
mod output;

use numpy::prelude::*;
use numpy::{PyArrayDescr, PyUntypedArray};
use pyo3::intern;
use pyo3::prelude::*;
use smallvec::SmallVec;

use crate::element::Element;
use crate::error::{Error, tuple};
use crate::python::scalars::{Arg, choose, wrong_kind};
use crate::view::View;

pub use boxes::{BoxTable, integers};
pub use device::{DeviceArray, on_device};
pub use output::{BoxOutput, Output};

/// One item for each map of a call, without an allocation if it has one map.
pub type PerMap<T> = SmallVec<[T; 1]>;

/// Order of an array's axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    Nchw,
    Nhwc,
}

impl Layout {
    /// The layout that the caller names.
    pub fn named(value: Arg<'_, '_>) -> PyResult<Self> {
        choose("layout", value, &[("NCHW", Self::Nchw), ("NHWC", Self::Nhwc)], "\"NCHW\" or \"NHWC\"")
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Nchw => "NCHW",
            Self::Nhwc => "NHWC",
        }
    }

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
const NATIVE: &str = "use native byte order: array.astype(array.dtype.newbyteorder('='))";

impl Dtype {
    fn of(name: &'static str, array: &Bound<'_, PyUntypedArray>) -> PyResult<Self> {
        let descr = array.dtype();
        // The type numbers are part of NumPy's ABI; bfloat16 is registered by ml_dtypes under a number from 256 on. What has
        // a smaller number is not asked for its name, which can be code of the caller.
        let dtype = match descr.num() {
            2 => Some(Self::U8),
            11 => Some(Self::F32),
            12 => Some(Self::F64),
            23 => Some(Self::F16),
            256.. if descr.itemsize() == 2 && type_name(&descr)? == "bfloat16" => Some(Self::Bf16),
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

/// Where the elements of a 4-d array lie, in the order (image, channel, row, column).
///
/// Taken once, together with the dtype: code of the caller that runs during a call (a signal handler, another thread) can
/// give the array another dtype or shape.
#[derive(Clone, Copy)]
struct Strided {
    data: *mut u8,
    shape: [usize; 4],
    strides: [isize; 4],
}

impl Strided {
    /// Of an array that has four dimensions.
    fn of(array: &Bound<'_, PyUntypedArray>, layout: Layout) -> Self {
        let (shape, strides) = (layout.logical(four(array.shape())), layout.logical(four(array.strides())));
        Self { data: data(array), shape, strides }
    }

    /// # Safety
    /// The array must be alive and have had this type.
    unsafe fn view<'a, E>(&self) -> View<'a, E> {
        // SAFETY: NumPy keeps the memory as long as the array; callers are told not to change an array during a call.
        unsafe { View::from_raw(self.data, self.shape, self.strides) }
    }
}

/// A 4-d array of values.
pub struct Array4<'py> {
    array: Bound<'py, PyUntypedArray>,
    pub dtype: Dtype,
    layout: Layout,
    memory: Strided,
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
            return Err(Error::Dimensions { name, expected, got: shape_of(&array) }.into());
        }
        let memory = Strided::of(&array, layout);
        Ok(Self { array, dtype, layout, memory })
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
            "use the dtype of the pooled result: that of features, float32 for uint8",
        ))
    }

    /// Refuses an array that has another dtype than the first one of its list.
    pub fn check_same_dtype(&self, name: &'static str, first: &Self) -> PyResult<()> {
        if self.dtype == first.dtype {
            return Ok(());
        }
        Err(unsupported(name, &self.array.dtype(), "use the same dtype for all maps"))
    }

    pub fn shape(&self) -> [usize; 4] {
        self.memory.shape
    }

    /// Views the array.
    ///
    /// # Safety
    /// `E` must be what `dtype` stands for.
    pub unsafe fn view<E: Element>(&self) -> View<'_, E> {
        // SAFETY: `self` holds the array; the dtype is the caller's promise.
        unsafe { self.memory.view() }
    }
}

/// A 4-d array of int64.
pub struct Indices4<'py> {
    _array: Bound<'py, PyUntypedArray>,
    memory: Strided,
}

impl<'py> Indices4<'py> {
    pub fn new(name: &'static str, array: &Bound<'py, PyAny>, layout: Layout) -> PyResult<Self> {
        let array = untyped(name, array)?;
        if array.ndim() != 4 {
            return Err(Error::Dimensions { name, expected: "4 dimensions", got: shape_of(&array) }.into());
        }
        if !array.dtype().is_equiv_to(&numpy::dtype::<i64>(array.py())) {
            return Err(unsupported(name, &array.dtype(), "use int64"));
        }
        let memory = Strided::of(&array, layout);
        Ok(Self { _array: array, memory })
    }

    pub fn view(&self) -> View<'_, i64> {
        // SAFETY: `new` checked the dtype, and `self` holds the array.
        unsafe { self.memory.view() }
    }
}

/// Evaluates an expression in which `$element` is the type that a dtype stands for.
macro_rules! for_dtype {
    ($dtype:expr, $element:ident => $code:expr) => {
        for_dtype!($dtype, $element => $code; U8 u8, F16 half::f16, Bf16 half::bf16, F32 f32, F64 f64)
    };
    ($dtype:expr, $element:ident => $code:expr; $($variant:ident $type:ty),+) => {
        match $dtype {
            $($crate::python::arrays::Dtype::$variant => {
                type $element = $type;
                $code
            })+
        }
    };
}
pub(in crate::python) use for_dtype;

fn untyped<'py>(name: &'static str, array: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyUntypedArray>> {
    array.cast::<PyUntypedArray>().cloned().map_err(|_| {
        let on_device = array.is_instance_of::<DeviceArray>();
        let expected =
            if on_device { "a NumPy array here (download it with .numpy())" } else { "a NumPy array" };
        wrong_kind(name, expected, array)
    })
}

fn shape_of(array: &Bound<'_, PyUntypedArray>) -> String {
    format!("shape {}", tuple(array.shape()))
}

fn data(array: &Bound<'_, PyUntypedArray>) -> *mut u8 {
    // SAFETY: the pointer is that of a live array.
    unsafe { (*array.as_array_ptr()).fields.data.cast() }
}

fn four<T: Copy>(items: &[T]) -> [T; 4] {
    std::array::from_fn(|i| items[i])
}
