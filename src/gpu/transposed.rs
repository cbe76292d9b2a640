//! Transposed taps as words for the shaders: for each pixel that a box reads, the bins that read it. Each tile of a map
//! lists the boxes that read it.

use std::ops::Range;

use crate::error::{Error, Result, reserve, reserve_more};
use crate::gpu::limits::nested_rounds;
use crate::gpu::tables::Weight;
use crate::taps::{AxisTaps, Plan, Reduce};

/// Words of a box: `Roi` in `scatter.wgsl`.
const ROI_WORDS: usize = 8;

/// Side of a tile in pixels: `TILE` in `scatter.wgsl`.
const TILE: usize = 16;

/// The transposed taps of some boxes.
pub struct TransposedTaps<T> {
    /// Number of boxes.
    pub rois: usize,
    /// Boxes, offsets of their axes, bins, local argmax, tiles, and the boxes of each tile.
    pub words: Vec<u32>,
    /// Where bins, local argmax and tiles start in `words`.
    pub sections: [u32; 3],
    /// The weight of each tap.
    pub weights: Vec<T>,
    /// Pairs of a bin and a pixel that it reads, and pixels of the tiles that list a box.
    pub work: u64,
}

/// Where the boxes of a dispatch lie.
pub struct Target {
    /// Images of the gradient.
    pub images: Range<usize>,
    /// First row of the part of `grad_output`.
    pub first_row: usize,
    /// Height of the map.
    pub height: usize,
    /// Width of the map.
    pub width: usize,
}

/// Bounds of one dispatch.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a binding.
    pub bytes: u64,
    /// Rounds of the loops of one invocation.
    pub rounds: usize,
    /// See [`TransposedTaps::work`]. One box may exceed it.
    pub work: u64,
}

/// One box.
struct Box {
    words: [u32; ROI_WORDS],
    in_tiles: Vec<usize>,
}

/// The items of `Error::NoMemory`.
const TAPS: &str = "transposed taps";

/// The axes of all boxes.
#[derive(Default)]
struct Axes<T> {
    /// For each axis: where the taps of each pixel start in the arrays below, and where the last ones end.
    offsets: Vec<u32>,
    bins: Vec<u32>,
    local_argmax: Vec<u32>,
    weights: Vec<T>,
    /// Scratch memory of one axis.
    unsorted: Vec<Tap<T>>,
}

/// A transposed tap: a bin that reads the pixel.
struct Tap<T> {
    pixel: u32,
    bin: u32,
    /// Number along the axis of the candidate for the maximum that the tap belongs to.
    local_argmax: u32,
    weight: T,
}

impl<T: Weight> TransposedTaps<T> {
    /// Transposes the taps of `rois`, positions in the plan, until a limit is reached.
    pub fn new(plan: &Plan<T>, rois: &[usize], target: &Target, limits: Limits) -> Result<Self> {
        let tiles = [target.height.div_ceil(TILE), target.width.div_ceil(TILE)];
        let all_tiles = target.images.len() * tiles[0] * tiles[1];
        let mut axes = Axes::default();
        let mut boxes: Vec<Box> = Vec::new();
        // Invocations run in lockstep, so each one may take the rounds of every box.
        let (mut rounds, mut work) = (0, 0);
        let mut listed = all_tiles + 1;
        for &at in rois {
            let (roi, y, x) = plan.roi(at);
            let most_taps = limits.bytes / size_of::<u32>() as u64;
            if [&y, &x].iter().any(|taps| tap_count(plan.reduce, taps) as u64 > most_taps) {
                break;
            }
            let before = (axes.offsets.len(), axes.bins.len());
            let (y_axis, most_y) = axes.push(plan.reduce, &y, true)?;
            let all_y = axes.bins.len() - before.1;
            let (x_axis, most_x) = axes.push(plan.reduce, &x, false)?;
            let all_x = axes.bins.len() - before.1 - all_y;
            let width = match plan.reduce {
                Reduce::MaxWindow => target.width as u32,
                Reduce::MaxCorner => 4 * x.samples() as u32,
                _ => x.samples() as u32,
            };
            let [y_support, x_support] = [y.support(), x.support()];
            let [tile_rows, tile_columns] = [tiles_of(&y_support), tiles_of(&x_support)];
            let [y_first, y_count] = [y_support.start, y_support.len()].map(|rows| rows as u32);
            let [x_first, x_count] = [x_support.start, x_support.len()].map(|columns| columns as u32);
            let row = (roi.roi - target.first_row) as u32;
            let words = [row, width, y_first, y_count, x_first, x_count, y_axis, x_axis];
            let first_tile = (roi.image - target.images.start) * tiles[0] * tiles[1];
            let mut in_tiles = Vec::new();
            reserve(&mut in_tiles, tile_rows.len() * tile_columns.len(), TAPS)?;
            for row in tile_rows {
                in_tiles.extend(tile_columns.clone().map(|column| first_tile + row * tiles[1] + column));
            }
            listed += in_tiles.len();
            let words_so_far =
                (boxes.len() + 1) * ROI_WORDS + axes.offsets.len() + 2 * axes.bins.len() + listed;
            let bytes = (words_so_far * size_of::<u32>()).max(axes.bins.len() * size_of::<T>()) as u64;
            rounds += 1 + nested_rounds(most_y, most_x);
            let of_box = (all_y * all_x + in_tiles.len() * TILE * TILE) as u64;
            let is_much = !boxes.is_empty() && work + of_box > limits.work;
            if bytes > limits.bytes || rounds > limits.rounds || is_much {
                axes.truncate(before);
                break;
            }
            work += of_box;
            boxes.push(Box { words, in_tiles });
        }
        if boxes.is_empty() && !rois.is_empty() {
            return Err(Error::Gpu(format!(
                "boxes[{}]: too many bins, or too many bins that read the same pixel, for one dispatch of this device; use \
                 the CPU",
                plan.roi(rois[0]).0.roi
            )));
        }
        Self::joined(&boxes, axes, all_tiles, work)
    }

    /// Joins the parts of `words`.
    fn joined(boxes: &[Box], mut axes: Axes<T>, all_tiles: usize, work: u64) -> Result<Self> {
        let all_listed: usize = boxes.iter().map(|roi| roi.in_tiles.len()).sum();
        let on_axes = boxes.len() * ROI_WORDS + axes.offsets.len() + 2 * axes.bins.len();
        let mut words = Vec::new();
        reserve(&mut words, on_axes + all_tiles + 1 + all_listed, TAPS)?;
        let first_axis = (boxes.len() * ROI_WORDS) as u32;
        for roi in boxes {
            let [rest @ .., y_axis, x_axis] = roi.words;
            words.extend(rest);
            words.extend([y_axis + first_axis, x_axis + first_axis]);
        }
        words.append(&mut axes.offsets);
        let bins_at = words.len() as u32;
        words.append(&mut axes.bins);
        let local_argmax_at = words.len() as u32;
        words.append(&mut axes.local_argmax);
        let tiles_at = words.len() as u32;
        let first_list = words.len() + all_tiles + 1;
        words.resize(first_list + all_listed, 0);
        // A counting sort of the boxes by tile.
        let (starts, lists) = words[tiles_at as usize..].split_at_mut(all_tiles + 1);
        for &tile in boxes.iter().flat_map(|roi| &roi.in_tiles) {
            starts[tile] += 1;
        }
        counts_to_ends(starts, first_list as u32);
        for (number, roi) in (0..boxes.len() as u32).zip(boxes).rev() {
            for &tile in &roi.in_tiles {
                starts[tile] -= 1;
                lists[starts[tile] as usize - first_list] = number;
            }
        }
        Ok(Self {
            rois: boxes.len(),
            words,
            sections: [bins_at, local_argmax_at, tiles_at],
            weights: axes.weights,
            work,
        })
    }
}

/// The tiles along an axis that a box reads.
fn tiles_of(support: &Range<usize>) -> Range<usize> {
    support.start / TILE..support.end.div_ceil(TILE)
}

/// Second step of a counting sort: replaces the length of each group by its end. The first group starts at `start`.
/// Returns the end of the last group.
///
/// The third step places the items from the last to the first, each at the end of its group, decremented first. The ends
/// have then become starts.
fn counts_to_ends(counts: &mut [u32], start: u32) -> u32 {
    counts.iter_mut().fold(start, |end, count| {
        *count += end;
        *count
    })
}

/// An upper bound on the transposed taps along an axis.
fn tap_count<T>(reduce: Reduce, taps: &AxisTaps<'_, T>) -> usize {
    if reduce != Reduce::MaxWindow {
        return taps.indices(taps.nonempty_bins()).len();
    }
    let of_bin = |bin| match taps.indices(bin..bin + 1) {
        &[first, last] => (last - first) as usize + 1,
        _ => 0,
    };
    taps.nonempty_bins().map(of_bin).sum()
}

impl<T: Weight> Axes<T> {
    /// Adds the taps of an axis, sorted by pixel. Returns where its offsets start, and the most taps of a pixel.
    ///
    /// # Errors
    /// If there is not enough memory.
    fn push(&mut self, reduce: Reduce, taps: &AxisTaps<'_, T>, is_y: bool) -> Result<(u32, usize)> {
        let (support, count) = (taps.support(), tap_count(reduce, taps));
        let mut unsorted = std::mem::take(&mut self.unsorted);
        unsorted.clear();
        reserve(&mut unsorted, count, TAPS)?;
        reserve_more(&mut self.offsets, support.len() + 1, TAPS)?;
        reserve_more(&mut self.bins, count, TAPS)?;
        reserve_more(&mut self.local_argmax, count, TAPS)?;
        reserve_more(&mut self.weights, count, TAPS)?;
        for bin in taps.nonempty_bins() {
            let pixels = taps.indices(bin..bin + 1);
            let mut push = |pixel: u32, local_argmax: u32, weight: T| {
                if weight != T::ZERO {
                    unsorted.push(Tap { pixel, bin: bin as u32, local_argmax, weight });
                }
            };
            // Along y, bit 0 says whether the tap is the lower corner of its sample.
            let (step, second) = match (reduce, is_y) {
                (Reduce::MaxCorner, true) => (2, 1),
                (Reduce::MaxCorner, false) => (4, 1),
                (_, true) => (2, 0),
                (_, false) => (1, 0),
            };
            match (reduce, pixels) {
                (Reduce::MaxWindow, &[first, last]) => {
                    (first..=last).for_each(|pixel| push(pixel, pixel * step, T::from_i64(1)));
                }
                (Reduce::MaxWindow, _) => {}
                (Reduce::Sum, _) => {
                    pixels
                        .iter()
                        .zip(taps.values(bin..bin + 1))
                        .for_each(|(&pixel, &weight)| push(pixel, 0, weight));
                }
                (Reduce::MaxSample | Reduce::MaxCorner, _) => {
                    let first = taps.first_sample(bin) as u32;
                    for (i, (&pixel, &weight)) in (0u32..).zip(pixels.iter().zip(taps.values(bin..bin + 1))) {
                        push(pixel, (first + i / 2) * step + i % 2 * second, weight);
                    }
                }
            }
        }
        // A counting sort by pixel.
        let (start, first) = (self.offsets.len(), self.bins.len());
        self.offsets.resize(start + support.len(), 0);
        let offset_of = |tap: &Tap<T>| start + tap.pixel as usize - support.start;
        for tap in &unsorted {
            self.offsets[offset_of(tap)] += 1;
        }
        let most = self.offsets[start..].iter().copied().max().unwrap_or(0) as usize;
        let end = counts_to_ends(&mut self.offsets[start..], first as u32);
        self.bins.resize(end as usize, 0);
        self.local_argmax.resize(end as usize, 0);
        self.weights.resize(end as usize, T::ZERO);
        for tap in unsorted.iter().rev() {
            let offset = &mut self.offsets[offset_of(tap)];
            *offset -= 1;
            let at = *offset as usize;
            (self.bins[at], self.local_argmax[at], self.weights[at]) =
                (tap.bin, tap.local_argmax, tap.weight);
        }
        self.offsets.push(end);
        self.unsorted = unsorted;
        Ok((start as u32, most))
    }

    /// Removes what was added after the arrays had these lengths.
    fn truncate(&mut self, (offsets, taps): (usize, usize)) {
        self.offsets.truncate(offsets);
        self.bins.truncate(taps);
        self.local_argmax.truncate(taps);
        self.weights.truncate(taps);
    }
}
