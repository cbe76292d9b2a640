//! The backward pass: each pixel collects from the boxes that read it, in the order of their rows. Nothing is
//! added by two invocations, so that the result is the same each time.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::geometry::Extent;
use crate::gpu::array::{Array, Grid, Part, QUAD};
use crate::gpu::readers::{Readers, Target};
use crate::gpu::recorder::Dispatch;
use crate::gpu::shaders::{Kernel, Shader};
use crate::gpu::tables::Weight;
use crate::taps::{Invalid, Plan};

/// More rounds of the loops of one invocation are handed to another dispatch: systems stop what runs too long,
/// and software drivers end a shader after 65535.
const MOST_ROUNDS: usize = 1 << 20;
const MOST_ROUNDS_ON_CPU: usize = 50_000;

/// The gradient that is made, map by map.
#[derive(Debug)]
pub(crate) struct Gradient {
    pub maps: Vec<Array>,
    started: bool,
}

impl Gradient {
    /// Room for the gradient of maps of these shapes.
    pub fn new(grads: &Array, argmax: Option<&Array>, maps: &[[usize; 4]]) -> Result<Self> {
        let context = &grads.context;
        if argmax.is_some_and(|argmax| argmax.grid() != grads.grid()) {
            let message = "argmax and grad_output are cut differently on the device; upload both together";
            return Err(Error::Gpu(message.to_owned()));
        }
        let bytes = grads.dtype().storage().bytes();
        let map = |&shape: &[usize; 4]| {
            let grid = Grid::new(shape, &grads.grid().channels, bytes, context.max_binding_bytes)?;
            Array::new(context, shape, grads.dtype(), grid)
        };
        Ok(Self { maps: maps.iter().map(map).collect::<Result<_>>()?, started: false })
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
        let context = &grads.context;
        let rounds = if context.info.kind == "cpu" { MOST_ROUNDS_ON_CPU } else { MOST_ROUNDS };
        for (stage, map) in self.maps.iter().enumerate() {
            let [_, _, height, width] = map.shape();
            for (items, images) in map.rows().iter().enumerate() {
                let of_images = plan.position(stage, images.start)..plan.position(stage, images.end);
                let mut boxes: Vec<_> =
                    of_images.filter(|&at| plan.roi(at).0.invalid == Invalid::Raise).collect();
                boxes.sort_by_key(|&at| plan.roi(at).0.roi);
                let target = Target { images: images.clone(), first_row, height, width };
                let (mut left, mut accumulate) = (&boxes[..], self.started);
                while !left.is_empty() || !accumulate {
                    let readers = Readers::new(plan, left, &target, context.max_binding_bytes, rounds)?;
                    left = &left[readers.rois..];
                    let output = plan.output;
                    let step =
                        Step { readers, output, accumulate, images: items, rows: source, grads, argmax };
                    step.record(map)?;
                    accumulate = true;
                }
            }
        }
        self.started = true;
        context.end_call()
    }
}

/// Some boxes of one part of the gradients that come in, and one part of the images.
struct Step<'a, T> {
    readers: Readers<T>,
    /// Bins of a box.
    output: Extent,
    accumulate: bool,
    images: usize,
    rows: usize,
    grads: &'a Array,
    argmax: Option<&'a Array>,
}

impl<T: Weight> Step<'_, T> {
    fn record(&self, values: &Array) -> Result<()> {
        let Self { readers, grads, .. } = self;
        let context = &grads.context;
        let table = context.table(bytemuck::cast_slice(&readers.words))?;
        let weights = context.table(bytemuck::cast_slice(&readers.weights))?;
        // Without boxes there are no gradients either; the shader reads none then.
        let empty = context.table(&[])?;
        let [_, _, height, width] = values.shape();
        let shader = |quads| {
            let kernel = Kernel::Scatter { argmax: self.argmax.is_some() };
            Shader::new(kernel, grads.dtype().storage(), quads, false)
        };
        for (at, channels) in values.grid().channels.iter().enumerate() {
            let target = values.part(self.images, at);
            let of_channels = grads.grid().channels.iter().position(|all| all.contains(&channels.start));
            let source = self.incoming(grads, of_channels);
            let chosen = self.argmax.map(|argmax| self.incoming(argmax, of_channels));
            let or_empty = |part: &Option<Part<'_>>| part.as_ref().map_or(&empty, |part| part.buffer).clone();
            let mut buffers = vec![table.clone(), weights.clone(), or_empty(&source), target.buffer.clone()];
            buffers.extend(chosen.as_ref().map(or_empty));
            let first_channel = source.as_ref().map_or(channels.start, |part| part.channels.start);
            let source_quads = source.as_ref().map_or(0, Part::quads);
            let dispatch = Dispatch {
                shader: shader(target.quads()),
                buffers: &buffers.iter().collect::<Vec<_>>(),
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
                    source_quads,
                    (self.output.height * self.output.width) as u32,
                    self.output.width as u32,
                    bins_at,
                    numbers_at,
                    tiles_at,
                    u32::from(self.accumulate),
                ]
            });
        }
        Ok(())
    }

    /// The part of an array that comes in, if it has any.
    fn incoming<'b>(&self, array: &'b Array, channels: Option<usize>) -> Option<Part<'b>> {
        channels.filter(|_| !array.rows().is_empty()).map(|channels| array.part(self.rows, channels))
    }
}
