//! Memory of large results, reused after Python has dropped the array.
//!
//! The system zeroes fresh memory of this size page by page, on first touch. For a result of 50 MB that takes longer than the
//! computation. A block is owned by the base object of its arrays, so that it becomes free when the last view of it goes.

#![allow(unsafe_code, reason = "memory that arrays borrow from a Python object")]

use std::alloc::{Layout, alloc, dealloc};
use std::ptr::NonNull;
use std::sync::{Mutex, OnceLock};

use pyo3::prelude::*;

use crate::env::variable;
use crate::error::{Error, Result};

/// Results of fewer bytes are allocated by NumPy. The C library reuses their memory.
pub const SMALLEST: usize = 1 << 20;

/// Most megabytes of free blocks, unless `ROIALIGN_RECYCLE_MB` is set. 0 switches recycling off.
const KEPT_MB: usize = 256;

/// Bytes of a huge page. One page fault maps it instead of 512.
const HUGE_PAGE: usize = 2 << 20;

/// The free blocks, the latest last.
static FREE: Mutex<Vec<Block>> = Mutex::new(Vec::new());

/// The base object of an array, which owns its memory.
#[pyclass(frozen, module = "roialign_rs._core")]
pub struct Memory(Option<Block>);

struct Block {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: a block is plain memory with one owner.
unsafe impl Send for Block {}
// SAFETY: through a reference only the address can be read.
unsafe impl Sync for Block {}

impl Memory {
    /// Allocates at least this many bytes, uninitialised. `None` if the system has no memory.
    pub fn new(bytes: usize) -> Option<Self> {
        let reused = FREE.try_lock().ok().and_then(|mut free| {
            // Keep much larger blocks for results that need them.
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
        // Never wait: if this process was forked while the lock was held, it stays held. The block is then freed.
        let (Some(block), Ok(mut free)) = (self.0.take(), FREE.try_lock()) else { return };
        free.push(block);
        while free.iter().map(|block| block.bytes).sum::<usize>() > kept {
            free.remove(0);
        }
    }
}

/// Frees the free blocks. Returns their bytes.
pub fn release() -> usize {
    let Ok(mut free) = FREE.try_lock() else { return 0 };
    free.drain(..).map(|block| block.bytes).sum()
}

impl Block {
    fn new(bytes: usize) -> Option<Self> {
        let start = NonNull::new(
            // SAFETY: the size is not 0: callers ask for `SMALLEST` bytes or more.
            unsafe { alloc(Self::layout(bytes)?) },
        )?;
        #[cfg(target_os = "linux")]
        // SAFETY: the range is inside the allocation, and advice changes no contents.
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

/// Most bytes of free blocks.
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
