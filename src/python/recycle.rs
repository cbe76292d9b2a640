//! Memory of large results, used again when the array that held it is gone.
//!
//! The system hands out memory of this size page by page, zeroed, on first touch: for a result of 50 MB that takes
//! longer than to compute it. Blocks are kept behind the base object of the arrays, so that one is free again
//! exactly when Python drops the last view of it.

#![allow(unsafe_code, reason = "memory that arrays borrow from a Python object")]

use std::alloc::{Layout, alloc, dealloc};
use std::ptr::NonNull;
use std::sync::{Mutex, OnceLock};

use pyo3::prelude::*;

use crate::env::variable;
use crate::error::{Error, Result};

/// Smaller results are NumPy's own: its allocator and the C library keep those by themselves.
pub const SMALLEST: usize = 1 << 20;

/// How much is kept while nobody uses it; `ROIALIGN_RECYCLE_MB` sets it, 0 switches it off.
const KEPT_MB: usize = 256;

/// A huge page, which the kernel fills 512 times as fast as small ones.
const HUGE_PAGE: usize = 2 << 20;

/// What nobody uses, the latest last.
static FREE: Mutex<Vec<Block>> = Mutex::new(Vec::new());

/// The base object of an array: owns its memory.
#[pyclass(frozen, module = "roialign_rs._core")]
pub struct Memory(Option<Block>);

struct Block {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: a block is plain memory with one owner.
unsafe impl Send for Block {}
// SAFETY: as above; the address is all that can be read through a reference.
unsafe impl Sync for Block {}

impl Memory {
    /// At least so many bytes, or none if the system has no more. Not initialised.
    pub fn new(bytes: usize) -> Option<Self> {
        let reused = FREE.try_lock().ok().and_then(|mut free| {
            // A block that is much too large would be missing where it fits.
            let fits = |block: &Block| block.bytes >= bytes && block.bytes - bytes <= bytes / 4;
            let at = free.iter().rposition(fits)?;
            Some(free.remove(at))
        });
        reused.or_else(|| Block::new(bytes)).map(|block| Self(Some(block)))
    }

    pub fn start(&self) -> *mut u8 {
        self.0.as_ref().map_or(std::ptr::null_mut(), |block| block.start.as_ptr())
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let kept = kept_bytes().unwrap_or(0);
        // A lock that is taken, or was when this process was forked, is no reason to wait.
        let (Some(block), Ok(mut free)) = (self.0.take(), FREE.try_lock()) else { return };
        free.push(block);
        while free.iter().map(|block| block.bytes).sum::<usize>() > kept {
            free.remove(0);
        }
    }
}

/// Gives blocks that nobody uses back to the system; returns their bytes.
pub fn release() -> usize {
    let Ok(mut free) = FREE.try_lock() else { return 0 };
    free.drain(..).map(|block| block.bytes).sum()
}

impl Block {
    fn new(bytes: usize) -> Option<Self> {
        let start = NonNull::new(
            // SAFETY: the layout is not empty.
            unsafe { alloc(Self::layout(bytes)?) },
        )?;
        #[cfg(target_os = "linux")]
        // SAFETY: advice about memory that was just allocated, in whole pages.
        unsafe {
            libc::madvise(start.as_ptr().cast(), bytes / HUGE_PAGE * HUGE_PAGE, libc::MADV_HUGEPAGE);
        }
        Some(Self { start, bytes })
    }

    fn layout(bytes: usize) -> Option<Layout> {
        Layout::from_size_align(bytes, HUGE_PAGE).ok()
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let Some(layout) = Self::layout(self.bytes) {
            // SAFETY: the memory came from `alloc` with this layout.
            unsafe { dealloc(self.start.as_ptr(), layout) };
        }
    }
}

/// How much is kept.
///
/// # Errors
/// If the environment variable is not a number.
pub fn kept_bytes() -> Result<usize> {
    static KEPT: OnceLock<Result<usize>> = OnceLock::new();
    KEPT.get_or_init(|| {
        let Some(text) = variable("ROIALIGN_RECYCLE_MB") else { return Ok(KEPT_MB << 20) };
        match text.parse::<usize>() {
            Ok(megabytes) => Ok(megabytes.saturating_mul(1 << 20)),
            Err(_) => Err(Error::Value {
                name: "ROIALIGN_RECYCLE_MB",
                expected: "a number of megabytes, 0 or more",
                got: format!("{text:?}"),
            }),
        }
    })
    .clone()
}
