//! The backward pass: each pixel collects from the boxes that read it, in the order of their rows. Nothing is
//! added by two invocations, so that the result is the same each time.

use std::ops::Range;

use crate::cpu::Settings;
use crate::error::{Error, Result};
use crate::geometry::Extent;
use crate::gpu::array::{self, Array, Dtype, Grid, Part, QUAD};
use crate::gpu::kernel::Kernel;
use crate::gpu::readers::{Limits, Readers, Target};
use crate::gpu::recorder::Dispatch;
use crate::gpu::shaders::Shader;
use crate::gpu::storage::Storage;
use crate::gpu::tables::Weight;
use crate::taps::{Invalid, Plan};

impl Array {
    /// Room for the gradient of a map that this is the gradient for the pooled values of.
    ///
    /// # Errors
    /// If the device cannot hold it.
    pub fn room_for_gradient(&self, map: [usize; 4]) -> Result<Self> {
        let grid = Grid::of(map, self.dtype().storage().sum_bytes(), self.context.max_binding_bytes)?;
        Self::new(&self.context, map, self.dtype(), grid)
    }

    /// Room for sums, cut like the array that they are rounded to.
    fn room_for_sums(&self) -> Result<Self> {
        Self::new(&self.context, self.shape(), Dtype::F32, self.grid().clone())
    }
}

/// What comes in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Incoming<'a> {
    /// Gradients for the pooled values.
    pub grads: &'a Array,
    /// Where those came from that are maxima.
    pub argmax: Option<&'a Array>,
}

impl Incoming<'_> {
    /// Rows that lie together in all that comes in; a plan must not reach over them.
    pub fn rows(&self) -> Vec<Range<usize>> {
        array::common(&self.arrays(), |array| &array.grid().items)
    }

    fn arrays(&self) -> Vec<&Array> {
        [self.grads].into_iter().chain(self.argmax).collect()
    }
}

/// A backward pass under way: every operator's, plan by plan.
pub(crate) struct Scatter<'a> {
    incoming: Incoming<'a>,
    out: &'a [&'a Array],
    /// float32 sums of each float16 map, made when it takes more than one dispatch.
    wide: Vec<Option<Array>>,
    /// `sums[map][part]`: where the sums lie now.
    sums: Vec<Vec<Sums>>,
}

/// Where sums are; the numbers are those of the constants in `readers.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sums {
    /// Nothing is added up, and nothing was there before.
    Zero,
    InOutput,
    InWide,
}

impl<'a> Scatter<'a> {
    /// Adds to what is in `out`, or else writes every element.
    pub fn new(incoming: Incoming<'a>, out: &'a [&'a Array], accumulate: bool) -> Self {
        let before = if accumulate { Sums::InOutput } else { Sums::Zero };
        let sums = out.iter().map(|map| vec![before; map.rows().len()]).collect();
        Self { incoming, out, wide: out.iter().map(|_| None).collect(), sums }
    }

    /// Adds the gradients of a plan's boxes, rows `rows` of `grads`, to the maps. With `is_last` the sums are rounded into
    /// `out`.
    pub fn add<T: Weight>(
        &mut self,
        plan: &Plan<T>,
        rows: &Range<usize>,
        is_last: bool,
        settings: Settings<'_>,
    ) -> Result<()> {
        let Incoming { grads, .. } = self.incoming;
        let context = &grads.context;
        let first_row = grads.rows().iter().find(|all| all.contains(&rows.start));
        let first_row = first_row.map_or(0, |rows| rows.start);
        let quads = grads.shape()[1].div_ceil(QUAD).max(1) as u64;
        for (stage, map) in self.out.iter().enumerate() {
            let [_, _, height, width] = map.shape();
            for (items, images) in map.rows().iter().enumerate() {
                let of_images = plan.position(stage, images.start)..plan.position(stage, images.end);
                let mut boxes: Vec<_> =
                    of_images.filter(|&at| plan.roi(at).0.invalid == Invalid::Raise).collect();
                boxes.sort_by_key(|&at| plan.roi(at).0.roi);
                // Each dispatch goes through all pixels; that should be a small part of its work.
                let pixels = (images.len() * height * width) as u64;
                let limits = Limits {
                    bytes: context.max_binding_bytes,
                    rounds: context.most_rounds(),
                    reads: (context.most_work() / quads).max(4 * pixels),
                };
                let target = Target { images: images.clone(), first_row, height, width };
                let sums = &mut self.sums[stage][items];
                let mut left = &boxes[..];
                while !left.is_empty() || (is_last && *sums != Sums::InOutput) {
                    let readers = Readers::new(plan, left, &target, limits)?;
                    left = &left[readers.rois..];
                    let is_narrow = map.dtype().storage() == Storage::Half;
                    let more_comes = !(is_last && left.is_empty());
                    let to = if is_narrow && more_comes { Sums::InWide } else { Sums::InOutput };
                    let wide = &mut self.wide[stage];
                    if to == Sums::InWide && wide.is_none() {
                        *wide = Some(map.room_for_sums()?);
                    }
                    let step = Step {
                        readers,
                        output: plan.output,
                        from: *sums,
                        to,
                        wide: wide.as_ref(),
                        images: items,
                        row: rows.start,
                        incoming: self.incoming,
                    };
                    step.record(map)?;
                    *sums = to;
                    context.end_piece(step.readers.reads * quads, settings)?;
                }
            }
        }
        context.end_call()
    }
}

/// Some boxes, and one part of the images.
struct Step<'a, T> {
    readers: Readers<T>,
    /// Bins of a box.
    output: Extent,
    /// Where the sums are read and where they are written.
    from: Sums,
    to: Sums,
    /// For sums that are wider than the result's elements.
    wide: Option<&'a Array>,
    images: usize,
    /// A row of what comes in that lies together with those of the boxes.
    row: usize,
    incoming: Incoming<'a>,
}

impl<T: Weight> Step<'_, T> {
    fn record(&self, out: &Array) -> Result<()> {
        let Self { readers, incoming: Incoming { grads, argmax }, .. } = self;
        let context = &grads.context;
        let table = context.table(bytemuck::cast_slice(&readers.words))?;
        let weights = context.table(bytemuck::cast_slice(&readers.weights))?;
        let [_, _, height, width] = out.shape();
        let kernel = Kernel::Scatter { argmax: argmax.is_some() };
        let arrays: Vec<_> = [out].into_iter().chain(self.incoming.arrays()).collect();
        for channels in array::common(&arrays, |array| &array.grid().channels) {
            let target = out.part(self.images, out.channels_with(channels.start));
            let quads = |part: &Part<'_>| ((channels.start - part.channels.start) / QUAD) as u32;
            let first = quads(&target);
            // Without boxes nothing comes in either, and the shader reads none of it.
            let source = grads.part_with(self.row, channels.start);
            let chosen = argmax.and_then(|argmax| argmax.part_with(self.row, channels.start));
            let (empty, no_sums) = (context.table(&[])?, context.table(&[])?);
            let buffer = |part: &Option<Part<'_>>| part.as_ref().map_or(&empty, |part| part.buffer).clone();
            let mut buffers = vec![table.clone(), weights.clone(), target.buffer.clone()];
            buffers.extend([buffer(&chosen), buffer(&source)]);
            let wide = self.wide.map(|wide| wide.part(self.images, out.channels_with(channels.start)));
            buffers.push(wide.map_or(&no_sums, |wide| wide.buffer).clone());
            let place = |part: &Option<Part<'_>>| match part {
                Some(part) => [quads(part).wrapping_sub(first), part.quads()],
                None => [0; 2],
            };
            let [source_quad, source_quads] = place(&source);
            let [argmax_quad, argmax_quads] = place(&chosen);
            let argmax_row = match (&source, &chosen) {
                (Some(source), Some(chosen)) => {
                    (source.items.start as u32).wrapping_sub(chosen.items.start as u32)
                }
                _ => 0,
            };
            let dispatch = Dispatch {
                shader: Shader::new(kernel, grads.dtype().storage(), target.quads()),
                buffers: &buffers.iter().collect::<Vec<_>>(),
                items: 0..(target.items.len() * height * width) as u32,
                quads: first..first + channels.len().div_ceil(QUAD) as u32,
            };
            let [bins_at, numbers_at, tiles_at] = readers.sections;
            context.dispatch(&dispatch, |items, first_quad| {
                vec![
                    items.start,
                    items.end,
                    height as u32,
                    width as u32,
                    first_quad,
                    dispatch.quads.end,
                    target.quads(),
                    source_quad,
                    source_quads,
                    argmax_quad,
                    argmax_quads,
                    argmax_row,
                    (self.output.height * self.output.width) as u32,
                    self.output.width as u32,
                    bins_at,
                    numbers_at,
                    tiles_at,
                    self.from as u32,
                    self.to as u32,
                ]
            });
        }
        Ok(())
    }
}

/// Arrays of one call must be of one device.
pub(crate) fn check_same_device(arrays: &[&Array]) -> Result<()> {
    if arrays.iter().all(|array| std::sync::Arc::ptr_eq(&array.context, &arrays[0].context)) {
        return Ok(());
    }
    Err(Error::Conflict(
        "all arrays of a call must be on one device; upload them to the same Device".to_owned(),
    ))
}
