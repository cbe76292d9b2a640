//! Device memory and staging buffers, which the host can map. Free ones are reused, so that a loop of calls allocates once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::error::{Error, Result};
use crate::gpu::context::{Context, Handles, lock};

/// The use of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Use {
    /// Read and written by shaders.
    Storage,
    /// Written by the host, then copied to the device.
    Upload,
    /// Copied from the device, then read by the host.
    Download,
}

impl Use {
    fn usages(self) -> wgpu::BufferUsages {
        match self {
            Self::Storage => {
                wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST
            }
            Self::Upload => wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC,
            Self::Download => wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        }
    }
}

/// Most bytes of free buffers that are kept.
const MOST_FREE_BYTES: u64 = 512 << 20;

/// The free buffers of a device.
#[derive(Debug, Default)]
pub struct Pool {
    free: Mutex<Free>,
}

#[derive(Debug, Default)]
struct Free {
    buffers: HashMap<(Use, u64), Vec<Handles<wgpu::Buffer>>>,
    bytes: u64,
}

/// A buffer. When its last owner drops it, it is free for later calls.
#[derive(Debug)]
pub struct Buffer {
    raw: Option<Handles<wgpu::Buffer>>,
    key: (Use, u64),
    pool: Arc<Pool>,
}

impl Buffer {
    pub fn raw(&self) -> &wgpu::Buffer {
        self.raw.as_ref().expect("there until it is dropped")
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut free = lock(&self.pool.free);
        if free.bytes + self.key.1 <= MOST_FREE_BYTES {
            free.bytes += self.key.1;
            free.buffers.entry(self.key).or_default().extend(self.raw.take());
        }
    }
}

impl Context {
    /// A buffer of at least this many bytes. Its contents are undefined.
    pub fn buffer(&self, purpose: Use, bytes: u64) -> Result<Arc<Buffer>> {
        let key = (purpose, size_class(bytes));
        let pool = Arc::clone(&self.pool);
        let mut free = lock(&self.pool.free);
        if let Some(raw) = free.buffers.get_mut(&key).and_then(Vec::pop) {
            free.bytes -= key.1;
            return Ok(Arc::new(Buffer { raw: Some(raw), key, pool }));
        }
        drop(free);
        let raw = self.allocate(key).or_else(|_| {
            let unused = std::mem::take(&mut *lock(&self.pool.free));
            drop(unused);
            self.allocate(key)
        })?;
        Ok(Arc::new(Buffer { raw: Some(Handles::new(raw)), key, pool }))
    }

    /// A buffer with these bytes, for shaders to read.
    pub fn table(&self, bytes: &[u8]) -> Result<Arc<Buffer>> {
        let buffer = self.buffer(Use::Storage, bytes.len() as u64)?;
        if !bytes.is_empty() {
            self.queue.write_buffer(buffer.raw(), 0, bytes);
        }
        Ok(buffer)
    }

    fn allocate(&self, (purpose, size): (Use, u64)) -> Result<wgpu::Buffer> {
        let name = &self.info.name;
        let largest = self.device.limits().max_buffer_size;
        if size > largest {
            return Err(Error::Gpu(format!(
                "{name}: a buffer may have at most {largest} bytes, this call needs one of {size}; use fewer boxes or \
                 smaller maps per call, or use the CPU"
            )));
        }
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let usage = purpose.usages();
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage,
            mapped_at_creation: false,
        });
        match pollster::block_on(scope.pop()) {
            None => Ok(buffer),
            Some(_) => Err(Error::Gpu(format!(
                "{name} is out of memory: {size} bytes could not be allocated; delete arrays on the device, or use \
                     the CPU"
            ))),
        }
    }
}

/// Rounds up by at most an eighth, so that calls of similar sizes share buffers.
fn size_class(bytes: u64) -> u64 {
    let bytes = bytes.max(256);
    let step = 1 << (bytes.ilog2() - 3);
    bytes.next_multiple_of(step)
}

#[cfg(test)]
mod tests {
    use super::size_class;

    #[test]
    fn size_classes_waste_little_and_stay_aligned() {
        for bytes in [0, 1, 255, 256, 257, 1000, 4096, 5000, 1 << 20, (1 << 31) - 1] {
            let class = size_class(bytes);
            assert!(
                class >= bytes && class.is_multiple_of(4) && class <= (bytes + bytes / 8).max(256) + 32,
                "{bytes} {class}"
            );
        }
    }
}
