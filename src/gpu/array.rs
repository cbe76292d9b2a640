//! Arrays on the device: channel-last, in quads of four channels, and cut into parts that fit into a binding.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use half::{bf16, f16};

use crate::error::{Error, Result, tuple};
use crate::gpu::Device;
use crate::gpu::buffers::{Buffer, Use};
use crate::gpu::context::Context;
use crate::gpu::storage::Storage;

/// Dtype of an array on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtype {
    /// float16, stored in 16 bits and computed in float32.
    F16,
    /// bfloat16, stored and computed in float32.
    Bf16,
    /// float32.
    F32,
    /// float64, if the device supports it.
    F64,
    /// int64, for argmax.
    I64,
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
            Self::F32 => "float32",
            Self::F64 => "float64",
            Self::I64 => "int64",
        })
    }
}

impl Dtype {
    pub(super) fn storage(self) -> Storage {
        match self {
            Self::F16 => Storage::Half,
            Self::Bf16 | Self::F32 => Storage::Single,
            Self::F64 => Storage::Double,
            Self::I64 => Storage::Long,
        }
    }
}

/// An element type of host arrays that can be uploaded and downloaded.
pub trait Transfer: Copy + Default + Send + Sync + 'static {
    /// Dtype on the device.
    const DTYPE: Dtype;
    /// Stored type on the device.
    type Word: bytemuck::Pod + Send + Sync;
    /// Converts to the stored type, exactly.
    fn store(self) -> Self::Word;
    /// Converts from the stored type, rounded to nearest.
    fn load(word: Self::Word) -> Self;
}

macro_rules! transfer {
    ($type:ty, $dtype:ident, $word:ty, $store:expr, $load:expr) => {
        impl Transfer for $type {
            const DTYPE: Dtype = Dtype::$dtype;
            type Word = $word;
            fn store(self) -> $word {
                $store(self)
            }
            fn load(word: $word) -> Self {
                $load(word)
            }
        }
    };
}

transfer!(u8, F32, f32, f32::from, |v: f32| v as u8);
transfer!(f16, F16, u16, f16::to_bits, f16::from_bits);
transfer!(bf16, Bf16, f32, bf16::to_f32, bf16::from_f32);
transfer!(f32, F32, f32, |v| v, |v| v);
transfer!(f64, F64, f64, |v| v, |v| v);
transfer!(i64, I64, i64, |v| v, |v| v);

/// Channels of one vector of a shader.
pub const QUAD: usize = 4;

/// An array on a device.
#[derive(Debug)]
pub struct Array {
    pub(super) context: Arc<Context>,
    shape: [usize; 4],
    dtype: Dtype,
    grid: Grid,
    parts: Vec<Arc<Buffer>>,
}

/// How an array is cut into parts: between images (or rois), and between channels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Grid {
    pub items: Vec<Range<usize>>,
    pub channels: Vec<Range<usize>>,
}

impl Grid {
    /// Cuts an array into parts of at most `limit` bytes.
    pub fn of(shape: [usize; 4], element: u64, limit: u64) -> Result<Self> {
        let channels = 0..shape[1];
        Self::new(shape, std::slice::from_ref(&channels), element, limit)
    }

    /// Cuts an array into parts of at most `limit` bytes. The channels of a part are within one of the ranges `within`.
    pub fn new(shape: [usize; 4], within: &[Range<usize>], element: u64, limit: u64) -> Result<Self> {
        let [items, _, height, width] = shape;
        let quad = (height * width * QUAD) as u64 * element;
        let most_quads = (limit / quad.max(1)) as usize;
        if most_quads == 0 {
            return Err(Error::Gpu(format!(
                "an array of shape {} is too large for this device: four channels of it take {quad} bytes, one binding \
                 holds at most {limit}; use the CPU",
                tuple(&shape)
            )));
        }
        let channels: Vec<_> =
            within.iter().flat_map(|range| steps(range.clone(), QUAD * most_quads)).collect();
        let widest = channels.iter().map(|channels| channels.len().div_ceil(QUAD)).max().unwrap_or(1).max(1);
        Ok(Self { items: steps(0..items, most_quads / widest).collect(), channels })
    }
}

fn steps(range: Range<usize>, step: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(step).map(move |first| first..end.min(first.saturating_add(step)))
}

/// Cuts an axis, which has the same length in all arrays, wherever one of the arrays is cut.
pub(super) fn common<'a>(
    arrays: &[&'a Array],
    axis: impl Fn(&'a Array) -> &'a Vec<Range<usize>>,
) -> Vec<Range<usize>> {
    let cuts = arrays.iter().flat_map(|array| axis(array).iter().flat_map(|range| [range.start, range.end]));
    let cuts: BTreeSet<_> = cuts.collect();
    cuts.iter().zip(cuts.iter().skip(1)).map(|(&start, &end)| start..end).collect()
}

/// A part of an array: one buffer.
pub(super) struct Part<'a> {
    pub buffer: &'a Arc<Buffer>,
    pub items: Range<usize>,
    pub channels: Range<usize>,
}

impl Part<'_> {
    /// Number of quads of channels.
    pub fn quads(&self) -> u32 {
        self.channels.len().div_ceil(QUAD) as u32
    }
}

impl Array {
    pub(super) fn new(context: &Arc<Context>, shape: [usize; 4], dtype: Dtype, grid: Grid) -> Result<Self> {
        context.check()?;
        if dtype == Dtype::F64 && !context.info.float64 {
            return Err(Error::Gpu(format!(
                "{} does not support float64; convert to float32, or use the CPU",
                context.info.name
            )));
        }
        let plane = (shape[2] * shape[3]) as u64 * QUAD as u64 * dtype.storage().bytes();
        let sizes = grid.channels.iter().flat_map(|channels| {
            let quads = channels.len().div_ceil(QUAD) as u64;
            grid.items.iter().map(move |items| items.len() as u64 * quads * plane)
        });
        let parts = sizes.map(|bytes| context.buffer(Use::Storage, bytes)).collect::<Result<_>>()?;
        Ok(Self { context: Arc::clone(context), shape, dtype, grid, parts })
    }

    /// (images, channels, rows, columns).
    pub fn shape(&self) -> [usize; 4] {
        self.shape
    }

    /// Dtype of the array.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The device that holds the array.
    pub fn device(&self) -> Device {
        Device(Arc::clone(&self.context))
    }

    /// Whether `device` holds the array.
    pub fn is_on(&self, device: &Device) -> bool {
        Arc::ptr_eq(&self.context, &device.0)
    }

    /// The images (or rois) of each part.
    pub(crate) fn rows(&self) -> &[Range<usize>] {
        &self.grid.items
    }

    pub(super) fn grid(&self) -> &Grid {
        &self.grid
    }

    pub(super) fn part(&self, items: usize, channels: usize) -> Part<'_> {
        Part {
            buffer: &self.parts[channels * self.grid.items.len() + items],
            items: self.grid.items[items].clone(),
            channels: self.grid.channels[channels].clone(),
        }
    }

    /// Index of the range of channels that contains `channel`.
    pub(super) fn channels_with(&self, channel: usize) -> usize {
        self.grid.channels.partition_point(|range| range.end <= channel)
    }

    /// The part that holds an item and a channel, if they exist.
    pub(super) fn part_with(&self, item: usize, channel: usize) -> Option<Part<'_>> {
        let (items, channels) =
            (self.grid.items.partition_point(|range| range.end <= item), self.channels_with(channel));
        (items < self.grid.items.len() && channels < self.grid.channels.len())
            .then(|| self.part(items, channels))
    }

    pub(super) fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let channels = 0..self.grid.channels.len();
        channels.flat_map(move |c| (0..self.grid.items.len()).map(move |i| self.part(i, c)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_fit_and_cover() {
        let grid = Grid::new([5, 19, 2, 3], &[0..16, 16..19], 4, 2 * 96).unwrap();
        assert_eq!(grid.channels, [0..8, 8..16, 16..19]);
        assert_eq!(grid.items, [0..1, 1..2, 2..3, 3..4, 4..5]);
    }

    #[test]
    fn what_no_binding_can_hold_is_refused() {
        assert!(Grid::new([1, 1, 8, 8], &[], 4, 1023).is_err());
    }
}
