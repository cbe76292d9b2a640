//! Uploads and downloads, in chunks: while the host fills or empties one staging buffer, the device copies another and
//! converts between planes and quads.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::cpu::{self, Settings};
use crate::error::{Error, Result, tuple};
use crate::gpu::array::{Array, Grid, Part, QUAD, Transfer};
use crate::gpu::buffers::{Buffer, Use};
use crate::gpu::chunks::Chunk;
use crate::gpu::context::Context;
use crate::gpu::kernel::Kernel;
use crate::gpu::recorder::Dispatch;
use crate::gpu::shaders::Shader;
use crate::view::{View, ViewMut};

/// Most staging buffers of a transfer.
const SLOTS: usize = 3;

impl Array {
    /// Uploads an array.
    ///
    /// # Errors
    /// If the device cannot hold it.
    pub fn upload<E: Transfer>(
        context: &Arc<Context>,
        view: &View<'_, E>,
        settings: Settings<'_>,
    ) -> Result<Self> {
        let storage = E::DTYPE.storage();
        let grid = Grid::of(view.shape(), storage.sum_bytes(), context.max_binding_bytes)?;
        let array = Self::new(context, view.shape(), E::DTYPE, grid)?;
        let channels_last = view.strides()[1].unsigned_abs() < view.strides()[3].unsigned_abs();
        let mut slots = VecDeque::new();
        for part in array.parts() {
            for chunk in Chunk::all(
                &part,
                view.shape(),
                size_of::<E::Word>(),
                context.max_binding_bytes,
                channels_last,
            ) {
                let busy = if slots.len() == SLOTS { slots.pop_front() } else { None };
                let bytes = chunk.bytes(size_of::<E::Word>());
                let slot =
                    context.upload_slot(busy, bytes, settings, |slot| fill(&chunk, view, slot, settings))?;
                if chunk.channels_last {
                    let pixel = array.first_pixel(&part, &chunk) * u64::from(part.quads());
                    let at = pixel * QUAD as u64 * storage.bytes();
                    context.record(&[&slot, part.buffer], |encoder| {
                        encoder.copy_buffer_to_buffer(slot.raw(), 0, part.buffer.raw(), at, bytes);
                    });
                } else {
                    let planes = context.buffer(Use::Storage, bytes)?;
                    context.record(&[&slot, &planes], |encoder| {
                        encoder.copy_buffer_to_buffer(slot.raw(), 0, planes.raw(), 0, bytes);
                    });
                    array.relayout(Kernel::ToQuads, &part, &chunk, &planes);
                }
                let submission = context.submit()?;
                slots.push_back((slot, submission));
            }
        }
        Ok(array)
    }

    /// Downloads the array, after all earlier calls have finished.
    ///
    /// # Errors
    /// If the shapes differ, or the device fails.
    pub fn download<E: Transfer>(&self, out: &ViewMut<'_, E>, settings: Settings<'_>) -> Result<()> {
        if self.shape() != out.shape() {
            let (expected, got) = (tuple(&self.shape()), tuple(&out.shape()));
            return Err(Error::Shape { name: "out", expected, got });
        }
        let context = &self.context;
        // Starts the clock, as in `finish`.
        settings.look()?;
        context.submit()?;
        let channels_last = out.strides()[1].unsigned_abs() < out.strides()[3].unsigned_abs();
        let mut slots = VecDeque::new();
        let empty_oldest = |slots: &mut VecDeque<(Chunk, Arc<Buffer>, Option<wgpu::SubmissionIndex>)>| {
            let Some((chunk, slot, submission)) = slots.pop_front() else { return Ok(()) };
            let bytes = chunk.bytes(size_of::<E::Word>());
            context.read(&slot, bytes, submission.as_ref(), settings, |mapped| {
                empty(&chunk, mapped, out, settings)
            })?
        };
        for part in self.parts() {
            for chunk in
                Chunk::all(&part, out.shape(), size_of::<E::Word>(), context.max_binding_bytes, channels_last)
            {
                if slots.len() == SLOTS {
                    empty_oldest(&mut slots)?;
                }
                let bytes = chunk.bytes(size_of::<E::Word>());
                let slot = context.buffer(Use::Download, bytes)?;
                let (from, at) = if chunk.channels_last {
                    let pixel = self.first_pixel(&part, &chunk) * u64::from(part.quads());
                    (Arc::clone(part.buffer), pixel * (QUAD * size_of::<E::Word>()) as u64)
                } else {
                    let planes = context.buffer(Use::Storage, bytes)?;
                    self.relayout(Kernel::ToPlanes, &part, &chunk, &planes);
                    (planes, 0)
                };
                context.record(&[&slot, &from], |encoder| {
                    encoder.copy_buffer_to_buffer(from.raw(), at, slot.raw(), 0, bytes);
                });
                let submission = context.submit()?;
                slots.push_back((chunk, slot, submission));
            }
        }
        while !slots.is_empty() {
            empty_oldest(&mut slots)?;
        }
        Ok(())
    }

    /// Index of the first pixel of a chunk in its part.
    fn first_pixel(&self, part: &Part<'_>, chunk: &Chunk) -> u64 {
        let [_, _, height, width] = self.shape();
        ((chunk.items.start - part.items.start) * height * width + chunk.rows.start * width) as u64
    }

    fn relayout(&self, kernel: Kernel, part: &Part<'_>, chunk: &Chunk, planes: &Arc<Buffer>) {
        let [_, _, height, width] = self.shape();
        let (pixels, first_pixel) = (chunk.pixels(), self.first_pixel(part, chunk));
        let per_item = if kernel == Kernel::ToPlanes { pixels.div_ceil(2) } else { pixels };
        let quads = chunk.channels.len().div_ceil(QUAD) as u32;
        let dispatch = Dispatch {
            shader: Shader::new(kernel, self.dtype().storage(), quads),
            buffers: &[planes, part.buffer],
            items: 0..(chunk.items.len() * per_item) as u32,
            quads: 0..quads,
        };
        self.context.dispatch(&dispatch, |cells, first_quad| {
            vec![
                cells.start,
                cells.end,
                pixels as u32,
                chunk.unit() as u32,
                chunk.channels.len() as u32,
                ((chunk.channels.start - part.channels.start) / QUAD) as u32,
                part.quads(),
                first_pixel as u32,
                (height * width) as u32,
                first_quad,
            ]
        });
    }
}

/// Writes a chunk into mapped staging memory.
fn fill<E: Transfer>(
    chunk: &Chunk,
    view: &View<'_, E>,
    slot: &wgpu::Buffer,
    settings: Settings<'_>,
) -> Result<()> {
    let unit_bytes = (chunk.unit() * size_of::<E::Word>()) as u64;
    cpu::threads::for_each(chunk.units(), settings, |at| {
        let start = at as u64 * unit_bytes;
        let mapped = slot.get_mapped_range_mut(start..start + unit_bytes);
        let mut mapped = mapped.map_err(|error| Error::Gpu(error.to_string()))?;
        // Run by run, so that the two buffers stay in the first-level cache.
        let (mut run, mut words) = (Vec::new(), Vec::new());
        for (to, index, axis) in chunk.runs(at) {
            run.resize(to.len(), E::default());
            view.read_run(index, axis, &mut run);
            words.clear();
            words.extend(run.iter().map(|value| value.store()));
            let [start, end] = [to.start, to.end].map(|word| word * size_of::<E::Word>());
            mapped.slice(start..end).copy_from_slice(bytemuck::cast_slice(&words));
        }
        Ok(())
    })
}

/// Reads a chunk from staging memory.
fn empty<E: Transfer>(
    chunk: &Chunk,
    mapped: &[u8],
    out: &ViewMut<'_, E>,
    settings: Settings<'_>,
) -> Result<()> {
    let unit_bytes = chunk.unit() * size_of::<E::Word>();
    cpu::threads::for_each(chunk.units(), settings, |at| {
        let words: &[E::Word] = bytemuck::cast_slice(&mapped[at * unit_bytes..(at + 1) * unit_bytes]);
        let mut run = Vec::new();
        for (from, index, axis) in chunk.runs(at) {
            run.clear();
            run.extend(words[from].iter().map(|&word| E::load(word)));
            out.write_run(index, axis, &run);
        }
        Ok(())
    })
}

/// A staging buffer that is mapped or about to be. Dropping this unmaps it, also after an error: a buffer that stayed mapped
/// could not be reused.
struct Mapping<'a>(&'a wgpu::Buffer);

impl<'a> Mapping<'a> {
    fn begin(buffer: &'a wgpu::Buffer, mode: wgpu::MapMode, bytes: u64) -> Self {
        buffer.map_async(mode, ..bytes, |_| {});
        Self(buffer)
    }
}

impl Drop for Mapping<'_> {
    fn drop(&mut self) {
        self.0.unmap();
    }
}

/// A staging buffer, and the submission that copies from it.
type Slot = (Arc<Buffer>, Option<wgpu::SubmissionIndex>);

impl Context {
    /// Fills a staging buffer: `busy` again, after its copy, if that is large enough, otherwise another one.
    fn upload_slot(
        &self,
        busy: Option<Slot>,
        bytes: u64,
        settings: Settings<'_>,
        fill: impl FnOnce(&wgpu::Buffer) -> Result<()>,
    ) -> Result<Arc<Buffer>> {
        let (slot, submission) = match busy {
            Some((slot, submission)) if slot.raw().size() >= bytes => (slot, submission),
            _ => (self.buffer(Use::Upload, bytes)?, None),
        };
        let mapping = Mapping::begin(slot.raw(), wgpu::MapMode::Write, bytes);
        self.wait(submission.as_ref(), settings)?;
        let filled = fill(mapping.0);
        drop(mapping);
        // If the device is lost, this error is clearer than that of the mapping.
        self.check()?;
        filled.map(|()| slot)
    }

    /// Reads a staging buffer after a submission.
    pub(super) fn read<R>(
        &self,
        slot: &Buffer,
        bytes: u64,
        submission: Option<&wgpu::SubmissionIndex>,
        settings: Settings<'_>,
        read: impl FnOnce(&[u8]) -> R,
    ) -> Result<R> {
        let mapping = Mapping::begin(slot.raw(), wgpu::MapMode::Read, bytes);
        self.wait(submission, settings)?;
        let mapped = mapping.0.get_mapped_range(..bytes);
        let mapped = mapped.map_err(|error| Error::Gpu(format!("{}: {error}", self.info.name)))?;
        Ok(read(&mapped))
    }
}
