//! A plan's tables as words for the shaders.

use std::ops::Range;

use crate::element::Real;
use crate::error::{Error, Result};
use crate::taps::{AxisTaps, Invalid, Plan, Reduce};

/// A type of weights that shaders support.
pub trait Weight: Real + bytemuck::Pod {}

impl Weight for f32 {}
impl Weight for f64 {}

/// Words of a box; `Roi` in `tables.wgsl`.
const ROI_WORDS: usize = 9;

/// More bins than this are not numbered in one dispatch.
const MOST_BINS: usize = 1 << 30;

/// The tables of some boxes.
pub struct Packed<T> {
    /// How many boxes.
    pub rois: usize,
    /// Boxes, then the axes' offsets and first samples, then pixels.
    pub words: Vec<u32>,
    /// Where the pixels start.
    pub pixels: u32,
    /// One for each pixel.
    pub weights: Vec<T>,
    /// Taps of all boxes.
    pub taps: u64,
}

/// Where the boxes of a dispatch lie.
pub struct Placing<'a> {
    /// Their maps; the first one is 0.
    pub stages: Range<usize>,
    /// Height and width of each.
    pub sides: &'a [[usize; 2]],
    /// Their images; the first one's first pixel is 0.
    pub images: Range<usize>,
    /// Rows of the result; the first one is 0.
    pub rows: Range<usize>,
}

impl<T: Weight> Packed<T> {
    /// Packs as many of `rois`, which count in the plan's order, as fit into bindings of `limit` bytes and have
    /// together at most `most_taps`; at least one.
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
                let mut bound = pixels.len() as u32;
                axes.push(bound);
                for bin in 0..taps.bins() {
                    bound += taps.count(bin) as u32;
                    axes.push(bound);
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

    /// Words of an axis without entries, which invalid boxes have.
    fn empty_axis(plan: &Plan<T>) -> usize {
        axis_words(plan, plan.output.height.max(plan.output.width))
    }
}

fn has_samples(reduce: Reduce) -> bool {
    matches!(reduce, Reduce::MaxSample | Reduce::MaxCorner)
}

/// Offsets, and the first sample of each bin.
fn axis_words<T: Real>(plan: &Plan<T>, bins: usize) -> usize {
    bins + 1 + if has_samples(plan.reduce) { bins } else { 0 }
}

/// Rows and columns of taps of a box's largest bin.
pub fn most_taps<T: Weight>(plan: &Plan<T>, at: usize) -> [usize; 2] {
    let (_, y, x) = plan.roi(at);
    [y, x].map(|axis| (0..axis.bins()).map(|bin| taps_of(plan.reduce, &axis, bin)).max().unwrap_or(0))
}

/// Taps of all bins of an axis.
fn all_taps<T: Weight>(reduce: Reduce, axis: &AxisTaps<'_, T>) -> u64 {
    (0..axis.bins()).map(|bin| taps_of(reduce, axis, bin) as u64).sum()
}

fn taps_of<T: Weight>(reduce: Reduce, axis: &AxisTaps<'_, T>, bin: usize) -> usize {
    match (reduce, axis.indices(bin..bin + 1)) {
        (Reduce::MaxWindow, &[first, last]) => (last - first) as usize + 1,
        (_, pixels) => pixels.len(),
    }
}
