//! A plan's tables the other way round, as words for the shaders: for each pixel that a box reads, the bins that
//! read it; and for each tile of the maps, the boxes that read it.

use std::ops::Range;

use crate::error::{Error, Result, reserve, reserve_more};
use crate::gpu::limits::nested_rounds;
use crate::gpu::tables::Weight;
use crate::taps::{AxisTaps, Plan, Reduce};

/// Words of a box; `Reader` in `readers.wgsl`.
const ROI_WORDS: usize = 8;

/// Side of a tile in pixels, as there.
const TILE: usize = 16;

/// The readers of some boxes.
pub struct Readers<T> {
    /// How many boxes.
    pub rois: usize,
    /// Boxes, the axes' bounds, bins, numbers, tiles, and the boxes of each tile.
    pub words: Vec<u32>,
    /// Where bins, numbers and tiles start.
    pub sections: [u32; 3],
    /// One for each reader.
    pub weights: Vec<T>,
    /// Work: pairs of a bin and a pixel that it reads, and pixels of the listed tiles.
    pub reads: u64,
}

/// Where the boxes of a dispatch lie.
pub struct Target {
    /// Images of the result.
    pub images: Range<usize>,
    /// First row of the part of the gradients that come in.
    pub first_row: usize,
    /// Of the map.
    pub height: usize,
    /// Of the map.
    pub width: usize,
}

/// What one dispatch may have.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a binding.
    pub bytes: u64,
    /// Rounds of the loops of one invocation.
    pub rounds: usize,
    /// See [`Readers::reads`]. One box may have more.
    pub reads: u64,
}

/// One box.
struct Box {
    words: [u32; ROI_WORDS],
    in_tiles: Vec<usize>,
}

/// What there may be no memory for.
const READERS: &str = "readers of pixels";

/// The axes of all boxes while they are made.
#[derive(Default)]
struct Axes<T> {
    bounds: Vec<u32>,
    bins: Vec<u32>,
    numbers: Vec<u32>,
    weights: Vec<T>,
    /// Memory for one axis.
    unsorted: Vec<Reader<T>>,
}

impl<T: Weight> Readers<T> {
    /// Packs as many of `rois`, which count in the plan's order, as the limits allow.
    pub fn new(plan: &Plan<T>, rois: &[usize], target: &Target, limits: Limits) -> Result<Self> {
        let tiles = [target.height.div_ceil(TILE), target.width.div_ceil(TILE)];
        let all_tiles = target.images.len() * tiles[0] * tiles[1];
        let mut axes = Axes::default();
        let mut boxes: Vec<Box> = Vec::new();
        // Every pixel pays for every box: invocations in lockstep wait for each other.
        let (mut rounds, mut reads) = (0, 0);
        let mut listed = all_tiles + 1;
        for &at in rois {
            let (roi, y, x) = plan.roi(at);
            let most_readers = limits.bytes / size_of::<u32>() as u64;
            if [&y, &x].iter().any(|taps| reader_count(plan.reduce, taps) as u64 > most_readers) {
                break;
            }
            let before = (axes.bounds.len(), axes.bins.len());
            let (y_axis, most_y) = axes.push(plan.reduce, &y, true)?;
            let all_y = axes.bins.len() - before.1;
            let (x_axis, most_x) = axes.push(plan.reduce, &x, false)?;
            let all_x = axes.bins.len() - before.1 - all_y;
            let width = match plan.reduce {
                Reduce::MaxWindow => target.width as u32,
                Reduce::MaxCorner => 4 * x.samples() as u32,
                _ => x.samples() as u32,
            };
            let [y_hull, x_hull] =
                [y.support(), x.support()].map(|support| [support.start as u32, support.len() as u32]);
            let row = (roi.roi - target.first_row) as u32;
            let words = [row, width, y_hull[0], y_hull[1], x_hull[0], x_hull[1], y_axis, x_axis];
            let first_tile = (roi.image - target.images.start) * tiles[0] * tiles[1];
            let [down, across] = [&y, &x].map(|taps| tiles_of(&taps.support()));
            let mut in_tiles = Vec::new();
            reserve(&mut in_tiles, down.len() * across.len(), READERS)?;
            for row in down {
                in_tiles.extend(across.clone().map(|column| first_tile + row * tiles[1] + column));
            }
            listed += in_tiles.len();
            let words_so_far =
                (boxes.len() + 1) * ROI_WORDS + axes.bounds.len() + 2 * axes.bins.len() + listed;
            let bytes = (words_so_far * size_of::<u32>()).max(axes.bins.len() * size_of::<T>()) as u64;
            rounds += 1 + nested_rounds(most_y, most_x);
            let of_box = (all_y * all_x + in_tiles.len() * TILE * TILE) as u64;
            let is_much = !boxes.is_empty() && reads + of_box > limits.reads;
            if bytes > limits.bytes || rounds > limits.rounds || is_much {
                axes.truncate(before);
                break;
            }
            reads += of_box;
            boxes.push(Box { words, in_tiles });
        }
        if boxes.is_empty() && !rois.is_empty() {
            return Err(Error::Gpu(format!(
                "boxes[{}]: too many bins, or too many bins that read the same pixel, for one dispatch of this device; use \
                 the CPU",
                plan.roi(rois[0]).0.roi
            )));
        }
        let all_listed: usize = boxes.iter().map(|roi| roi.in_tiles.len()).sum();
        let on_axes = boxes.len() * ROI_WORDS + axes.bounds.len() + 2 * axes.bins.len();
        let mut words = Vec::new();
        reserve(&mut words, on_axes + all_tiles + 1 + all_listed, READERS)?;
        let first_axis = (boxes.len() * ROI_WORDS) as u32;
        for roi in &boxes {
            let [rest @ .., y_axis, x_axis] = roi.words;
            words.extend(rest);
            words.extend([y_axis + first_axis, x_axis + first_axis]);
        }
        words.append(&mut axes.bounds);
        let bins_at = words.len() as u32;
        words.append(&mut axes.bins);
        let numbers_at = words.len() as u32;
        words.append(&mut axes.numbers);
        let tiles_at = words.len() as u32;
        let first_list = words.len() + all_tiles + 1;
        words.resize(first_list + all_listed, 0);
        // The length of each tile's list, then where it ends, and from there downwards where the last of its boxes go.
        let (starts, lists) = words[tiles_at as usize..].split_at_mut(all_tiles + 1);
        for &tile in boxes.iter().flat_map(|roi| &roi.in_tiles) {
            starts[tile] += 1;
        }
        let mut end = first_list as u32;
        for start in starts.iter_mut() {
            end += *start;
            *start = end;
        }
        for (number, roi) in (0..boxes.len() as u32).zip(&boxes).rev() {
            for &tile in &roi.in_tiles {
                starts[tile] -= 1;
                lists[starts[tile] as usize - first_list] = number;
            }
        }
        Ok(Self {
            rois: boxes.len(),
            words,
            sections: [bins_at, numbers_at, tiles_at],
            weights: axes.weights,
            reads,
        })
    }
}

/// The tiles along an axis that a box reads.
fn tiles_of(support: &Range<usize>) -> Range<usize> {
    support.start / TILE..support.end.div_ceil(TILE)
}

/// A reader of a pixel.
struct Reader<T> {
    pixel: u32,
    bin: u32,
    number: u32,
    weight: T,
}

/// Readers of all pixels along an axis, or a few more.
fn reader_count<T>(reduce: Reduce, taps: &AxisTaps<'_, T>) -> usize {
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
    /// Sorts the taps of an axis by their pixels. Returns where its bounds start, and the most readers of a pixel.
    ///
    /// # Errors
    /// If there is no memory for them.
    fn push(&mut self, reduce: Reduce, taps: &AxisTaps<'_, T>, is_y: bool) -> Result<(u32, usize)> {
        let (support, count) = (taps.support(), reader_count(reduce, taps));
        let mut readers = std::mem::take(&mut self.unsorted);
        readers.clear();
        reserve(&mut readers, count, READERS)?;
        reserve_more(&mut self.bounds, support.len() + 1, READERS)?;
        reserve_more(&mut self.bins, count, READERS)?;
        reserve_more(&mut self.numbers, count, READERS)?;
        reserve_more(&mut self.weights, count, READERS)?;
        for bin in taps.nonempty_bins() {
            let pixels = taps.indices(bin..bin + 1);
            let mut push = |pixel: u32, number: u32, weight: T| {
                if weight != T::ZERO {
                    readers.push(Reader { pixel, bin: bin as u32, number, weight });
                }
            };
            // Along y a number is doubled: it may name the row of corners, too.
            let (step, lower) = match (reduce, is_y) {
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
                        push(pixel, (first + i / 2) * step + i % 2 * lower, weight);
                    }
                }
            }
        }
        // Their numbers, then where they end, and from there downwards where the last of them go.
        let (start, first) = (self.bounds.len(), self.bins.len());
        self.bounds.resize(start + support.len(), 0);
        let bound_of = |reader: &Reader<T>| start + reader.pixel as usize - support.start;
        for reader in &readers {
            self.bounds[bound_of(reader)] += 1;
        }
        let most = self.bounds[start..].iter().copied().max().unwrap_or(0) as usize;
        let mut end = first as u32;
        for bound in &mut self.bounds[start..] {
            end += *bound;
            *bound = end;
        }
        self.bins.resize(end as usize, 0);
        self.numbers.resize(end as usize, 0);
        self.weights.resize(end as usize, T::ZERO);
        for reader in readers.iter().rev() {
            let bound = &mut self.bounds[bound_of(reader)];
            *bound -= 1;
            let at = *bound as usize;
            (self.bins[at], self.numbers[at], self.weights[at]) = (reader.bin, reader.number, reader.weight);
        }
        self.bounds.push(end);
        self.unsorted = readers;
        Ok((start as u32, most))
    }

    fn truncate(&mut self, (bounds, readers): (usize, usize)) {
        self.bounds.truncate(bounds);
        self.bins.truncate(readers);
        self.numbers.truncate(readers);
        self.weights.truncate(readers);
    }
}
