//! The backward pass: each pixel adds up the gradients of the boxes that read it, in the order of their rows. Every sum is
//! computed by one invocation, without atomics, so that the result is the same each time.

use std::ops::Range;

use crate::cpu::Settings;
use crate::error::{Error, Result};
use crate::geometry::Extent;
use crate::gpu::array::{self, Array, Dtype, Grid, Part, QUAD};
use crate::gpu::kernel::Kernel;
use crate::gpu::recorder::Dispatch;
use crate::gpu::shaders::Shader;
use crate::gpu::storage::Storage;
use crate::gpu::tables::Weight;
use crate::gpu::transposed::{Limits, Target, TransposedTaps};
use crate::taps::{Invalid, Plan};

impl Array {
    /// Allocates the gradient for a map of this shape. This array is the gradient for the pooled values.
    ///
    /// # Errors
    /// If the device cannot hold it.
    pub fn room_for_gradient(&self, map: [usize; 4]) -> Result<Self> {
        let grid = Grid::of(map, self.dtype().storage().sum_bytes(), self.context.max_binding_bytes)?;
        Self::new(&self.context, map, self.dtype(), grid)
    }

    /// Allocates float32 sums, cut into the same parts as this array.
    fn room_for_sums(&self) -> Result<Self> {
        Self::new(&self.context, self.shape(), Dtype::F32, self.grid().clone())
    }
}

/// The inputs of a backward pass.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Incoming<'a> {
    /// Gradients for the pooled values.
    pub grads: &'a Array,
    /// The argmax of the pooled values, if these are maxima.
    pub argmax: Option<&'a Array>,
}

impl Incoming<'_> {
    /// Ranges of rows that no input cuts. The boxes of a plan must be within one of them.
    pub fn rows(&self) -> Vec<Range<usize>> {
        array::common(&self.arrays(), |array| &array.grid().items)
    }

    fn arrays(&self) -> Vec<&Array> {
        [self.grads].into_iter().chain(self.argmax).collect()
    }
}

/// A backward pass, which adds one plan after the other. It serves every operator.
pub(crate) struct Scatter<'a> {
    incoming: Incoming<'a>,
    out: &'a [&'a Array],
    /// float32 sums of each float16 map, allocated if there is more than one dispatch.
    wide: Vec<Option<Array>>,
    /// `sums[map][part]`: where the sums are.
    sums: Vec<Vec<Sums>>,
}

/// Where sums are: the constants of the same names in `scatter.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sums {
    /// There are none yet.
    Zero,
    InOutput,
    InWide,
}

impl<'a> Scatter<'a> {
    /// `accumulate` adds to the contents of `out`. Otherwise every element is overwritten.
    pub fn new(incoming: Incoming<'a>, out: &'a [&'a Array], accumulate: bool) -> Self {
        let before = if accumulate { Sums::InOutput } else { Sums::Zero };
        let sums = out.iter().map(|map| vec![before; map.rows().len()]).collect();
        Self { incoming, out, wide: out.iter().map(|_| None).collect(), sums }
    }

    /// Adds the gradients of a plan's boxes, which are `rows` of `grads`, to the maps. `is_last` rounds the sums into `out`.
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
                // Each dispatch visits all pixels. The limit makes that a small part of its work.
                let pixels = (images.len() * height * width) as u64;
                let limits = Limits {
                    bytes: context.max_binding_bytes,
                    rounds: context.most_rounds(),
                    work: (context.most_work() / quads).max(4 * pixels),
                };
                let target = Target { images: images.clone(), first_row, height, width };
                let sums = &mut self.sums[stage][items];
                let mut left = &boxes[..];
                while !left.is_empty() || (is_last && *sums != Sums::InOutput) {
                    let taps = TransposedTaps::new(plan, left, &target, limits)?;
                    left = &left[taps.rois..];
                    let is_narrow = map.dtype().storage() == Storage::Half;
                    let more_comes = !(is_last && left.is_empty());
                    let to = if is_narrow && more_comes { Sums::InWide } else { Sums::InOutput };
                    let wide = &mut self.wide[stage];
                    if to == Sums::InWide && wide.is_none() {
                        *wide = Some(map.room_for_sums()?);
                    }
                    let step = Step {
                        taps,
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
                    context.end_piece(step.taps.work * quads, settings)?;
                }
            }
        }
        context.end_call()
    }
}

/// One dispatch: some boxes, and one part of the images.
struct Step<'a, T> {
    taps: TransposedTaps<T>,
    /// The output grid of a box.
    output: Extent,
    /// Where the sums are read and where they are written.
    from: Sums,
    to: Sums,
    /// float32 sums, if the elements of the result are narrower.
    wide: Option<&'a Array>,
    images: usize,
    /// A row of the part of `grads` that has the boxes.
    row: usize,
    incoming: Incoming<'a>,
}

impl<T: Weight> Step<'_, T> {
    fn record(&self, out: &Array) -> Result<()> {
        let Self { taps, incoming: Incoming { grads, argmax }, .. } = self;
        let context = &grads.context;
        let table = context.table(bytemuck::cast_slice(&taps.words))?;
        let weights = context.table(bytemuck::cast_slice(&taps.weights))?;
        // For bindings that this dispatch does not use. One buffer cannot be bound for reading and for writing.
        let (unread, unwritten) = (context.table(&[])?, context.table(&[])?);
        let [_, _, height, width] = out.shape();
        let kernel = Kernel::Scatter { argmax: argmax.is_some() };
        let arrays: Vec<_> = [out].into_iter().chain(self.incoming.arrays()).collect();
        for channels in array::common(&arrays, |array| &array.grid().channels) {
            let target = out.part(self.images, out.channels_with(channels.start));
            let quads = |part: &Part<'_>| ((channels.start - part.channels.start) / QUAD) as u32;
            let first = quads(&target);
            // Without boxes there are no gradients, and the shader reads none.
            let source = grads.part_with(self.row, channels.start);
            let argmax = argmax.and_then(|argmax| argmax.part_with(self.row, channels.start));
            let wide = self.wide.map(|wide| wide.part(self.images, out.channels_with(channels.start)));
            let buffers = [
                &table,
                &weights,
                target.buffer,
                argmax.as_ref().map_or(&unread, |part| part.buffer),
                source.as_ref().map_or(&unread, |part| part.buffer),
                wide.as_ref().map_or(&unwritten, |part| part.buffer),
            ];
            let place = |part: &Option<Part<'_>>| match part {
                Some(part) => [quads(part).wrapping_sub(first), part.quads()],
                None => [0; 2],
            };
            let [source_quad, source_quads] = place(&source);
            let [argmax_quad, argmax_quads] = place(&argmax);
            let argmax_row = match (&source, &argmax) {
                (Some(source), Some(argmax)) => {
                    (source.items.start as u32).wrapping_sub(argmax.items.start as u32)
                }
                _ => 0,
            };
            let dispatch = Dispatch {
                shader: Shader::new(kernel, grads.dtype().storage(), target.quads()),
                buffers: &buffers,
                items: 0..(target.items.len() * height * width) as u32,
                quads: first..first + channels.len().div_ceil(QUAD) as u32,
            };
            let [bins_at, local_argmax_at, tiles_at] = taps.sections;
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
                    local_argmax_at,
                    tiles_at,
                    self.from as u32,
                    self.to as u32,
                ]
            });
        }
        Ok(())
    }
}

/// Checks that all arrays of a call are on one device.
pub(crate) fn check_same_device(arrays: &[&Array]) -> Result<()> {
    if arrays.iter().all(|array| std::sync::Arc::ptr_eq(&array.context, &arrays[0].context)) {
        return Ok(());
    }
    Err(Error::Conflict(
        "all arrays of a call must be on one device; upload them to the same Device".to_owned(),
    ))
}
