//! Copies of results that were staged in the first-level cache.

use crate::cpu::simd::{Isa, LINE};

/// Copies bytes. `stream`: past the caches, where address and length allow whole vectors.
///
/// # Safety
/// So many bytes must be readable at `from` and writable at `to`.
#[inline(always)]
pub unsafe fn copy<I: Isa>(from: *const u8, to: *mut u8, bytes: usize, stream: bool) {
    const VECTOR: usize = 16;
    // SAFETY: all offsets are less than `bytes`; what is streamed starts at multiples of its size.
    unsafe {
        if !stream || !to.addr().is_multiple_of(VECTOR) || !bytes.is_multiple_of(VECTOR) {
            return to.copy_from_nonoverlapping(from, bytes);
        }
        let head = to.align_offset(LINE).min(bytes);
        let body = (bytes - head) / LINE * LINE;
        for at in (0..head).step_by(VECTOR).chain((head + body..bytes).step_by(VECTOR)) {
            I::stream_16(from.add(at), to.add(at));
        }
        for at in (head..head + body).step_by(LINE) {
            I::stream_line(from.add(at), to.add(at));
        }
    }
}
