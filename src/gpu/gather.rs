//! The forward pass: an invocation computes four channels of one bin; a workgroup computes a bin of many taps.

use std::ops::Range;

use crate::cpu::Settings;
use crate::error::{Error, Result};
use crate::gpu::array::{self, Array, Dtype, Grid};
use crate::gpu::kernel::Kernel;
use crate::gpu::limits::nested_rounds;
use crate::gpu::recorder::Dispatch;
use crate::gpu::shaders::Shader;
use crate::gpu::tables::{Packed, Placing, Weight, most_taps};
use crate::taps::Plan;

/// What a forward pass writes.
#[derive(Debug)]
pub(crate) struct Results {
    /// The pooled values.
    pub values: Array,
    /// The argmax of each value, if it is wanted.
    pub argmax: Option<Array>,
}

impl Results {
    /// Allocates results of this shape for these maps.
    pub fn new(maps: &[&Array], shape: [usize; 4], argmax: bool) -> Result<Self> {
        let features = maps[0];
        let context = &features.context;
        // Values and argmax are cut alike, so that one index is for both.
        let largest = if argmax { Dtype::I64 } else { features.dtype() };
        let bytes = largest.storage().sum_bytes();
        let grid = Grid::new(
            shape,
            &array::common(maps, |map| &map.grid().channels),
            bytes,
            context.max_binding_bytes,
        )?;
        let argmax = argmax.then(|| Array::new(context, shape, Dtype::I64, grid.clone())).transpose()?;
        Ok(Self { values: Array::new(context, shape, features.dtype(), grid)?, argmax })
    }

    /// Ranges of rows that are not cut. The boxes of a plan must be within one of them.
    pub fn rows(&self) -> &[Range<usize>] {
        &self.values.grid().items
    }
}

/// Applies a plan whose boxes are `rows` of the results: the forward pass of every operator.
pub(crate) fn gather<T: Weight>(
    plan: &Plan<T>,
    maps: &[&Array],
    results: &Results,
    rows: &Range<usize>,
    settings: Settings<'_>,
) -> Result<()> {
    let context = &results.values.context;
    let quads = results.values.shape()[1].div_ceil(array::QUAD).max(1) as u64;
    let target = results.rows().iter().position(|all| all.contains(&rows.start)).unwrap_or(0);
    for source in sources(maps, context.max_maps) {
        let maps = &maps[source.stages.clone()];
        let sides: Vec<_> = maps.iter().map(|map| [map.shape()[2], map.shape()[3]]).collect();
        let placing = Placing {
            stages: source.stages.clone(),
            sides: &sides,
            images: source.images.clone(),
            rows: results.rows()[target].clone(),
        };
        // A plan is sorted by map and image. Invalid boxes are at map 0, image 0.
        let first = plan.position(source.stages.start, source.images.start);
        let end = plan.position(source.stages.end - 1, source.images.end);
        let (mut large, mut small) = (Group::default(), Group::default());
        for at in first..end {
            let [rows, columns] = most_taps(plan, at);
            let group = if rows * columns > LARGE_BIN { &mut large } else { &mut small };
            group.boxes.push(at);
            group.most_taps = [group.most_taps[0].max(rows), group.most_taps[1].max(columns)];
        }
        for (is_large, group) in [(true, &large), (false, &small)] {
            let mut left = &group.boxes[..];
            while !left.is_empty() {
                let most_taps = context.most_work() / quads;
                let packed = Packed::new(plan, left, &placing, context.max_binding_bytes, most_taps)?;
                left = &left[packed.rois..];
                let pass = Pass {
                    packed: &packed,
                    most_taps: group.most_taps,
                    is_large,
                    maps,
                    items: source.items,
                    target,
                };
                pass.record(plan, results)?;
                context.end_piece(packed.taps * quads, settings)?;
            }
        }
    }
    context.end_call()
}

/// Positions in the plan of boxes with small bins, or with large ones.
#[derive(Default)]
struct Group {
    boxes: Vec<usize>,
    /// The most taps of a bin along y, and along x.
    most_taps: [usize; 2],
}

/// The maps and images of one dispatch.
struct Source {
    stages: Range<usize>,
    /// The part of each map, and the images in it.
    items: usize,
    images: Range<usize>,
}

/// Consecutive maps that are not cut are read together, as many as the device allows. Others are read part by part.
fn sources(maps: &[&Array], most_maps: usize) -> Vec<Source> {
    let is_whole = |map: &Array| map.grid().items.len() == 1 && map.grid().channels.len() == 1;
    let mut sources = Vec::new();
    let mut stage = 0;
    while stage < maps.len() {
        let whole = maps[stage..].iter().take(most_maps).take_while(|map| is_whole(map)).count();
        let stages = stage..stage + whole.max(1);
        let parts = maps[stage].grid().items.iter().cloned().enumerate();
        sources.extend(parts.map(|(items, images)| Source { stages: stages.clone(), items, images }));
        stage = stages.end;
    }
    sources
}

/// Taps of a bin above which a workgroup computes it instead of one invocation.
const LARGE_BIN: usize = 4096;

/// One dispatch: some boxes, one part of the features, and one part of the results.
struct Pass<'a, T> {
    packed: &'a Packed<T>,
    /// The most taps of a bin along y, and along x.
    most_taps: [usize; 2],
    is_large: bool,
    /// The maps of the boxes.
    maps: &'a [&'a Array],
    /// Which part of the images.
    items: usize,
    /// Which part of the rows of the results.
    target: usize,
}

impl<T: Weight> Pass<'_, T> {
    fn record(&self, plan: &Plan<T>, results: &Results) -> Result<()> {
        let (context, packed) = (&results.values.context, self.packed);
        let storage = results.values.dtype().storage();
        let kernel = Kernel::forward(plan.reduce, results.argmax.is_some());
        let bins = (plan.output.height * plan.output.width) as u32;
        let table = context.table(bytemuck::cast_slice(&packed.words))?;
        let weights = context.table(bytemuck::cast_slice(&packed.weights))?;
        // Bound as the argmax if none is wanted.
        let unused = context.table(&[])?;
        for (at, channels) in results.values.grid().channels.iter().enumerate() {
            let of_channels = self.maps[0].channels_with(channels.start);
            let sources: Vec<_> = self.maps.iter().map(|map| map.part(self.items, of_channels)).collect();
            let target = results.values.part(self.target, at);
            let argmax = results.argmax.as_ref().map(|argmax| argmax.part(self.target, at));
            let new = if self.is_large { Shader::of_large_bins } else { Shader::new };
            let shader = new(kernel, storage, target.quads()).with_maps(sources.len());
            let mut buffers = vec![&table, &weights, target.buffer];
            if kernel != Kernel::Sum {
                buffers.push(argmax.as_ref().map_or(&unused, |argmax| argmax.buffer));
            }
            buffers.extend(sources.iter().map(|source| source.buffer));
            // The number of bindings is a power of two. No box is on these maps.
            buffers.resize(shader.bindings().len(), sources[0].buffer);
            let [rows, columns] = self.most_taps;
            // Small bins take at most 47,000 rounds, even if bins of other shapes run in lockstep with them.
            let rounds = nested_rounds(rows.div_ceil(shader.lanes() as usize), columns);
            if self.is_large && context.info.kind == "cpu" && rounds > context.most_rounds() {
                return Err(Error::Gpu(format!(
                    "{} cannot compute bins of {rows} x {columns} taps; use more bins, or use the CPU",
                    context.info.name
                )));
            }
            let dispatch = Dispatch {
                shader,
                buffers: &buffers,
                items: 0..packed.rois as u32 * bins,
                quads: 0..target.quads(),
            };
            context.dispatch(&dispatch, |items, first_quad| {
                vec![
                    items.start,
                    items.end,
                    bins,
                    plan.output.width as u32,
                    first_quad,
                    target.quads(),
                    ((channels.start - sources[0].channels.start) / array::QUAD) as u32,
                    sources[0].quads(),
                    packed.pixels,
                ]
            });
        }
        Ok(())
    }
}
