//! Borrowed 4-d arrays with any strides: features (`View`) and results (`ViewMut`).
//!
//! The axes are always (image or roi, channel, row, column), whatever the memory order. Strides are in bytes and may be
//! negative. Elements need not be aligned.

#![allow(unsafe_code, reason = "raw strided reads and writes start here")]

use std::marker::PhantomData;

use crate::error::{Error, Result, tuple};

/// Byte strides of a C-contiguous array.
fn contiguous<E>(shape: [usize; 4]) -> [isize; 4] {
    let mut strides = [size_of::<E>() as isize; 4];
    for axis in (0..3).rev() {
        strides[axis] = strides[axis + 1] * shape[axis + 1] as isize;
    }
    strides
}

/// Reorders NHWC to NCHW.
fn from_channels_last<T: Copy>([images, rows, columns, channels]: [T; 4]) -> [T; 4] {
    [images, channels, rows, columns]
}

fn check_length(name: &'static str, shape: [usize; 4], length: usize) -> Result<()> {
    let elements = shape.iter().try_fold(1usize, |n, &side| n.checked_mul(side));
    if elements == Some(length) {
        return Ok(());
    }
    Err(Error::Shape { name, expected: tuple(&shape), got: tuple(&[length]) })
}

/// A read-only view of a 4-d array.
#[derive(Debug, Clone, Copy)]
pub struct View<'a, E> {
    base: *const u8,
    shape: [usize; 4],
    strides: [isize; 4],
    borrow: PhantomData<&'a [E]>,
}

// SAFETY: a view only reads, as shared references do.
unsafe impl<E: Sync> Send for View<'_, E> {}
// SAFETY: as above.
unsafe impl<E: Sync> Sync for View<'_, E> {}

impl<'a, E> View<'a, E> {
    /// Views a C-contiguous slice.
    ///
    /// # Errors
    /// If `shape` does not have `data.len()` elements.
    pub fn new(data: &'a [E], shape: [usize; 4]) -> Result<Self> {
        check_length("features", shape, data.len())?;
        // SAFETY: the slice outlives 'a and has one element for each index.
        Ok(unsafe { Self::from_raw(data.as_ptr().cast(), shape, contiguous::<E>(shape)) })
    }

    /// Views foreign memory.
    ///
    /// # Safety
    /// For every index inside `shape` the element at `base + sum(index * strides)` must be initialised
    /// memory that stays valid and unchanged during `'a`.
    #[must_use]
    pub unsafe fn from_raw(base: *const u8, shape: [usize; 4], strides: [isize; 4]) -> Self {
        Self { base, shape, strides, borrow: PhantomData }
    }

    /// (images, channels, rows, columns).
    #[must_use]
    pub fn shape(&self) -> [usize; 4] {
        self.shape
    }

    /// Bytes from one element to the next along each axis.
    #[must_use]
    pub fn strides(&self) -> [isize; 4] {
        self.strides
    }

    /// Reorders the axes of an NHWC array from (image, row, column, channel) to (image, channel, row, column).
    ///
    /// ```
    /// use roialign_rs::view::View;
    /// let pixels = [0u8; 2 * 3 * 4 * 5];
    /// assert_eq!(View::new(&pixels, [2, 3, 4, 5])?.channels_last().shape(), [2, 5, 3, 4]);
    /// # Ok::<(), roialign_rs::error::Error>(())
    /// ```
    #[must_use]
    pub fn channels_last(self) -> Self {
        Self { shape: from_channels_last(self.shape), strides: from_channels_last(self.strides), ..self }
    }

    /// An element.
    pub(crate) fn get(&self, index: [usize; 4]) -> E {
        assert!(index.iter().zip(self.shape).all(|(&i, n)| i < n), "{index:?} in {:?}", self.shape);
        // SAFETY: the index is inside the shape.
        unsafe { self.pointer(index).cast::<E>().read_unaligned() }
    }

    /// The same elements with each plane as one long row, if its rows follow each other without a gap.
    pub(crate) fn in_one_row(&self) -> Option<Self> {
        let [images, channels, height, width] = self.shape;
        let [_, _, row, column] = self.strides;
        let shape = [images, channels, 1, height * width];
        (row == column * width as isize).then_some(Self { shape, ..*self })
    }

    /// Address of an element. Reading it is sound if `index` is inside the shape.
    #[inline(always)]
    pub(crate) fn pointer(&self, index: [usize; 4]) -> *const u8 {
        debug_assert!(index.iter().zip(self.shape).all(|(&i, n)| i < n), "{index:?} in {:?}", self.shape);
        self.base.wrapping_offset(offset(index, self.strides))
    }
}

impl<E: Copy> View<'_, E> {
    /// Copies consecutive elements along an axis, from `index` on.
    pub(crate) fn read_run(&self, index: [usize; 4], axis: usize, run: &mut [E]) {
        assert_run(self.shape, index, axis, run.len());
        let (first, stride) = (self.base.wrapping_offset(offset(index, self.strides)), self.strides[axis]);
        // SAFETY: the run is inside the shape. Elements need not be aligned: they are copied as bytes or read unaligned.
        unsafe {
            if stride == size_of::<E>() as isize {
                std::ptr::copy_nonoverlapping(first, run.as_mut_ptr().cast(), size_of_val(run));
            } else {
                for (i, value) in run.iter_mut().enumerate() {
                    *value = first.wrapping_offset(i as isize * stride).cast::<E>().read_unaligned();
                }
            }
        }
    }
}

impl<E: Copy> ViewMut<'_, E> {
    /// Writes consecutive elements along an axis, from `index` on. No other task may write them.
    pub(crate) fn write_run(&self, index: [usize; 4], axis: usize, run: &[E]) {
        assert_run(self.shape, index, axis, run.len());
        let (first, stride) = (self.base.wrapping_offset(offset(index, self.strides)), self.strides[axis]);
        // SAFETY: as in `read_run`, and each element is written by one task alone, as the type requires.
        unsafe {
            if stride == size_of::<E>() as isize {
                std::ptr::copy_nonoverlapping(run.as_ptr().cast(), first, size_of_val(run));
            } else {
                for (i, &value) in run.iter().enumerate() {
                    first.wrapping_offset(i as isize * stride).cast::<E>().write_unaligned(value);
                }
            }
        }
    }
}

fn assert_run(shape: [usize; 4], mut index: [usize; 4], axis: usize, length: usize) {
    assert!(length > 0, "a run has at least one element");
    index[axis] += length - 1;
    assert!(index.iter().zip(shape).all(|(&i, n)| i < n), "a run ends at {index:?} in {shape:?}");
}

/// A writable view of a 4-d array, shared between the threads of one call.
///
/// Each element is written by one task alone. [`crate::cpu`] divides its work that way, which makes the shared writes sound.
#[derive(Debug)]
pub struct ViewMut<'a, E> {
    base: *mut u8,
    shape: [usize; 4],
    strides: [isize; 4],
    borrow: PhantomData<&'a mut [E]>,
}

// SAFETY: tasks write disjoint elements of plain data, and nobody reads before all tasks have ended.
unsafe impl<E: Send> Send for ViewMut<'_, E> {}
// SAFETY: as above.
unsafe impl<E: Send> Sync for ViewMut<'_, E> {}

impl<'a, E> ViewMut<'a, E> {
    /// Views a C-contiguous slice.
    ///
    /// # Errors
    /// If `shape` does not have `data.len()` elements.
    pub fn new(data: &'a mut [E], shape: [usize; 4]) -> Result<Self> {
        check_length("out", shape, data.len())?;
        // SAFETY: the slice is borrowed mutably during 'a and has one element for each index.
        Ok(unsafe { Self::from_raw(data.as_mut_ptr().cast(), shape, contiguous::<E>(shape)) })
    }

    /// Views foreign memory, which need not be initialised.
    ///
    /// # Safety
    /// For every index inside `shape` the element at `base + sum(index * strides)` must be writable memory during `'a`.
    /// Nothing else may access it, and no two indices may share an element.
    #[must_use]
    pub unsafe fn from_raw(base: *mut u8, shape: [usize; 4], strides: [isize; 4]) -> Self {
        Self { base, shape, strides, borrow: PhantomData }
    }

    /// (rois, channels, rows, columns).
    #[must_use]
    pub fn shape(&self) -> [usize; 4] {
        self.shape
    }

    /// Bytes from one element to the next along each axis.
    #[must_use]
    pub fn strides(&self) -> [isize; 4] {
        self.strides
    }

    /// Reorders the axes of an NHWC array from (roi, row, column, channel) to (roi, channel, row, column).
    #[must_use]
    pub fn channels_last(self) -> Self {
        Self { shape: from_channels_last(self.shape), strides: from_channels_last(self.strides), ..self }
    }

    /// A view for reading. A task may only read elements that no other task writes.
    pub(crate) fn written(&self) -> View<'_, E> {
        View { base: self.base, shape: self.shape, strides: self.strides, borrow: PhantomData }
    }

    /// Address of an element. Writing it is sound if `index` is inside the shape and no other task writes it.
    #[inline(always)]
    pub(crate) fn pointer(&self, index: [usize; 4]) -> *mut u8 {
        debug_assert!(index.iter().zip(self.shape).all(|(&i, n)| i < n), "{index:?} in {:?}", self.shape);
        self.base.wrapping_offset(offset(index, self.strides))
    }
}

#[inline(always)]
fn offset(index: [usize; 4], strides: [isize; 4]) -> isize {
    index.iter().zip(strides).map(|(&i, stride)| i as isize * stride).sum()
}
