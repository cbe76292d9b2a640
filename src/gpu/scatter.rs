//! The backward pass: each pixel collects from the boxes that read it, in the order of their rows. Nothing is
//! added by two invocations, so that the result is the same each time.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::gpu::array::{Array, Grid, QUAD};
use crate::gpu::pipelines::{Kernel, Shader};
use crate::gpu::readers::{Readers, Target};
use crate::gpu::recorder::Dispatch;
use crate::gpu::tables::Weight;
use crate::taps::{Invalid, Plan};

/// More rounds of the loops of one invocation are handed to another dispatch: systems stop what runs too long,
/// and software drivers end a shader after 65535.
const MOST_ROUNDS: usize = 1 << 20;
const MOST_ROUNDS_ON_CPU: usize = 50_000;

/// The gradient that is made, map by map.
#[derive(Debug)]
pub(crate) struct Gradient {
    pub values: Array,
    started: bool,
}

impl Gradient {
    /// Room for the gradient of features of this shape.
    pub fn new(grads: &Array, argmax: Option<&Array>, shape: [usize; 4]) -> Result<Self> {
        let context = &grads.context;
        if argmax.is_some_and(|argmax| argmax.grid() != grads.grid()) {
            let message = "argmax and grad_output are cut differently on the device; upload both together";
            return Err(Error::Gpu(message.to_owned()));
        }
        let bytes = grads.dtype().storage().bytes();
        let grid = Grid::new(shape, &grads.grid().channels, bytes, context.max_binding_bytes)?;
        Ok(Self { values: Array::new(context, shape, grads.dtype(), grid)?, started: false })
    }

    /// Adds what a plan's boxes have, which are `rows` of the gradients that come in.
    pub fn add<T: Weight>(
        &mut self,
        plan: &Plan<T>,
        grads: &Array,
        argmax: Option<&Array>,
        rows: &Range<usize>,
    ) -> Result<()> {
        let source = grads.grid().items.iter().position(|all| all.contains(&rows.start)).unwrap_or(0);
        let first_row = grads.grid().items.get(source).map_or(0, |rows| rows.start);
        let [_, _, height, width] = self.values.shape();
        let context = &grads.context;
        let rounds = if context.info.kind == "cpu" { MOST_ROUNDS_ON_CPU } else { MOST_ROUNDS };
        for (items, images) in self.values.grid().items.iter().enumerate() {
            let of_images = plan.position(images.start)..plan.position(images.end);
            let mut rois: Vec<_> = of_images.filter(|&at| plan.roi(at).0.invalid == Invalid::Raise).collect();
            rois.sort_by_key(|&at| plan.roi(at).0.roi);
            let target = Target { images: images.clone(), first_row, height, width };
            let (mut left, mut accumulate) = (&rois[..], self.started);
            while !left.is_empty() || !accumulate {
                let readers = Readers::new(plan, left, &target, context.max_binding_bytes, rounds)?;
                left = &left[readers.rois..];
                self.record(
                    &readers,
                    plan.output.height * plan.output.width,
                    plan.output.width,
                    accumulate,
                    [items, source],
                    grads,
                    argmax,
                )?;
                accumulate = true;
            }
        }
        self.started = true;
        context.end_call()
    }

    fn record<T: Weight>(
        &self,
        readers: &Readers<T>,
        bins: usize,
        bins_x: usize,
        accumulate: bool,
        [items, source]: [usize; 2],
        grads: &Array,
        argmax: Option<&Array>,
    ) -> Result<()> {
        let context = &grads.context;
        let table = context.table(bytemuck::cast_slice(&readers.words))?;
        let weights = context.table(bytemuck::cast_slice(&readers.weights))?;
        let [_, _, height, width] = self.values.shape();
        for (at, channels) in self.values.grid().channels.iter().enumerate() {
            let target = self.values.part(items, at);
            // Without boxes there may be no gradients either; the shader reads none then.
            let of_channels = grads.grid().channels.iter().position(|all| all.contains(&channels.start));
            let from = of_channels.filter(|_| !grads.grid().items.is_empty());
            let from = from.map(|channels| grads.part(source, channels));
            let empty = context.table(&[])?;
            let chosen = argmax.zip(of_channels).filter(|_| from.is_some());
            let chosen = chosen.map(|(argmax, channels)| argmax.part(source, channels));
            let mut buffers =
                vec![&table, &weights, from.as_ref().map_or(&empty, |part| part.buffer), target.buffer];
            buffers.extend(argmax.map(|_| chosen.as_ref().map_or(&empty, |part| part.buffer)));
            let first_channel = from.as_ref().map_or(channels.start, |part| part.channels.start);
            let kernel = Kernel::Scatter { argmax: argmax.is_some() };
            let dispatch = Dispatch {
                shader: Shader::new(kernel, grads.dtype().storage(), target.quads(), false),
                buffers: &buffers,
                items: 0..(target.items.len() * height * width) as u32,
                quads: target.quads(),
            };
            let [bins_at, numbers_at, tiles_at] = readers.sections;
            context.dispatch(&dispatch, |items, first_quad| {
                vec![
                    items.start,
                    items.end,
                    height as u32,
                    width as u32,
                    first_quad,
                    target.quads(),
                    ((channels.start - first_channel) / QUAD) as u32,
                    from.as_ref().map_or(0, |part| part.quads()),
                    bins as u32,
                    bins_x as u32,
                    bins_at,
                    numbers_at,
                    tiles_at,
                    u32::from(accumulate),
                ]
            });
        }
        Ok(())
    }
}
