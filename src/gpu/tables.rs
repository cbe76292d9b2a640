//! The tables of a plan as words for the shaders.

use std::ops::Range;

use crate::element::Real;
use crate::error::{Error, Result};
use crate::taps::{AxisTaps, Invalid, Plan, Reduce};

/// A type of weights that shaders support.
pub trait Weight: Real + bytemuck::Pod {}

impl Weight for f32 {}
impl Weight for f64 {}

/// Words of a box: `Roi` in `forward.wgsl`.
const ROI_WORDS: usize = 9;

/// Most bins of one dispatch, of all boxes together.
const MOST_BINS: usize = 1 << 30;

/// The tables of some boxes.
pub struct Packed<T> {
    /// Number of boxes.
    pub rois: usize,
    /// Boxes, then the offsets and first samples of their axes, then the pixels of the taps.
    pub words: Vec<u32>,
    /// Where the pixels start in `words`.
    pub pixels: u32,
    /// The weight of each tap. Windows have none.
    pub weights: Vec<T>,
    /// Work: taps of all bins, products of rows and columns.
    pub taps: u64,
}

/// Where the boxes of a dispatch lie.
pub struct Placing<'a> {
    /// The maps that the dispatch reads. Shaders count from the first one.
    pub stages: Range<usize>,
    /// Height and width of each map.
    pub sides: &'a [[usize; 2]],
    /// The images in the part that is read. Shaders count pixels from the first image.
    pub images: Range<usize>,
    /// Rows of the part of the result. Shaders count from the first one.
    pub rows: Range<usize>,
}

impl<T: Weight> Packed<T> {
    /// Packs the first of `rois`, positions in the plan: as many as fit into bindings of `limit` bytes and have at most
    /// `most_taps` together. One box may have more taps.
    pub fn new(
        plan: &Plan<T>,
        rois: &[usize],
        placing: &Placing<'_>,
        limit: u64,
        most_taps: u64,
    ) -> Result<Self> {
        let empty = Self::empty_axis(plan);
        let fixed = ROI_WORDS + axis_words(plan, plan.output.height) + axis_words(plan, plan.output.width);
        let mut count = 0;
        let (mut words, mut weights, mut taps) = (empty, 0, 0);
        let bins = plan.output.height * plan.output.width;
        for &at in rois {
            let (_, y, x) = plan.roi(at);
            let entries = y.indices(0..y.bins()).len() + x.indices(0..x.bins()).len();
            words += fixed + entries;
            weights += entries;
            let bytes = (words * size_of::<u32>()).max(weights * size_of::<T>()) as u64;
            let of_box = all_taps(plan.reduce, &y) * all_taps(plan.reduce, &x);
            let is_much = count > 0 && taps + of_box > most_taps;
            if bytes > limit || (count + 1) * bins > MOST_BINS || is_much {
                break;
            }
            taps += of_box;
            count += 1;
        }
        if count == 0 {
            return Err(Error::Gpu(format!(
                "the taps of one box do not fit into a binding of {limit} bytes; use a smaller box or fewer bins, or use \
                 the CPU"
            )));
        }
        let mut packed =
            Self { rois: count, words: Vec::with_capacity(words), pixels: 0, weights: Vec::new(), taps };
        let mut axes = vec![0; empty];
        let mut pixels = Vec::with_capacity(weights);
        let first_axis = count * ROI_WORDS;
        for &at in &rois[..count] {
            let (roi, y, x) = plan.roi(at);
            let mut pack_axis = |taps: AxisTaps<'_, T>| {
                if roi.invalid != Invalid::Raise {
                    return first_axis as u32;
                }
                let start = first_axis + axes.len();
                let mut offset = pixels.len() as u32;
                axes.push(offset);
                for bin in 0..taps.bins() {
                    offset += taps.count(bin) as u32;
                    axes.push(offset);
                }
                if has_samples(plan.reduce) {
                    axes.extend((0..taps.bins()).map(|bin| taps.first_sample(bin) as u32));
                }
                pixels.extend_from_slice(taps.indices(0..taps.bins()));
                if plan.reduce != Reduce::MaxWindow {
                    packed.weights.extend_from_slice(taps.values(0..taps.bins()));
                }
                start as u32
            };
            let (y_axis, x_axis) = (pack_axis(y), pack_axis(x));
            let fill = if roi.invalid == Invalid::Nan { f32::NAN.to_bits() } else { 0 };
            let stage = roi.stage - placing.stages.start;
            let [height, width] = placing.sides[stage];
            let image = (roi.image - placing.images.start) * height * width;
            let row = roi.roi - placing.rows.start;
            packed.words.extend([row, stage, image, width].map(|number| number as u32));
            packed.words.extend([fill, y_axis, x_axis, y.samples() as u32, x.samples() as u32]);
        }
        packed.pixels = (first_axis + axes.len()) as u32;
        packed.words.append(&mut axes);
        packed.words.append(&mut pixels);
        Ok(packed)
    }

    /// Words of an axis without taps, which all invalid boxes share.
    fn empty_axis(plan: &Plan<T>) -> usize {
        axis_words(plan, plan.output.height.max(plan.output.width))
    }
}

fn has_samples(reduce: Reduce) -> bool {
    matches!(reduce, Reduce::MaxSample | Reduce::MaxCorner)
}

/// Words of an axis without its taps: the offsets, and for samples the first one of each bin.
fn axis_words<T: Real>(plan: &Plan<T>, bins: usize) -> usize {
    bins + 1 + if has_samples(plan.reduce) { bins } else { 0 }
}

/// The most taps of a bin along y, and along x, for the box at a position in the plan.
pub fn most_taps<T: Weight>(plan: &Plan<T>, at: usize) -> [usize; 2] {
    let (_, y, x) = plan.roi(at);
    [y, x].map(|axis| (0..axis.bins()).map(|bin| taps_of(plan.reduce, &axis, bin)).max().unwrap_or(0))
}

/// The taps of all bins along an axis.
fn all_taps<T: Weight>(reduce: Reduce, axis: &AxisTaps<'_, T>) -> u64 {
    (0..axis.bins()).map(|bin| taps_of(reduce, axis, bin) as u64).sum()
}

fn taps_of<T: Weight>(reduce: Reduce, axis: &AxisTaps<'_, T>, bin: usize) -> usize {
    match (reduce, axis.indices(bin..bin + 1)) {
        (Reduce::MaxWindow, &[first, last]) => (last - first) as usize + 1,
        (_, pixels) => pixels.len(),
    }
}
