//! How the gradients of a call are cut into bands: some rows of one image of one map.

use std::ops::Range;

use crate::cpu::Settings;
use crate::cpu::simd::Lanes;
use crate::element::Element;
use crate::error::{Result, reserve};
use crate::taps::{Invalid, Plan};
use crate::view::ViewMut;

/// For each block, a band of the gradient may take this much of the second-level cache; the gradients of the bins take
/// the rest.
const BAND_BYTES: usize = 512 << 10;

/// Some rows of the gradient of one image, and the boxes that read them, in the plan's order.
#[derive(Debug, Clone)]
pub struct Band<'a> {
    pub stage: usize,
    pub image: usize,
    pub rows: Range<usize>,
    pub rois: &'a [u32],
}

/// All bands of a call: map by map, image by image, from top to bottom.
pub struct Bands {
    stages: Vec<Stage>,
    /// `rois[starts[b]..starts[b + 1]]` are the boxes of band b.
    starts: Vec<usize>,
    rois: Vec<u32>,
}

/// The bands of one map.
struct Stage {
    /// Number of the first one.
    first: usize,
    per_image: usize,
    /// Rows of a band; the last one of an image may have fewer.
    rows: usize,
    height: usize,
}

impl Stage {
    /// Bands of an image that a box reads.
    fn touched(&self, image: usize, rows: &Range<usize>) -> Range<usize> {
        let first = self.first + image * self.per_image;
        first + rows.start / self.rows..first + (rows.end - 1) / self.rows + 1
    }
}

impl Bands {
    /// Cuts every map into bands: at least `count` in all, if there are as many rows.
    ///
    /// # Errors
    /// If there is no memory for them, or the call is to end.
    pub fn new<E: Element>(
        plan: &Plan<E::Compute>,
        out: &[ViewMut<'_, E>],
        count: usize,
        settings: Settings<'_>,
    ) -> Result<Self> {
        const BANDS: &str = "bands of images";
        let maps: usize = out.iter().map(|out| out.shape()[0]).sum();
        let (mut stages, mut bands) = (Vec::with_capacity(out.len()), 0);
        for out in out {
            let [images, _, height, width] = out.shape();
            let cached = BAND_BYTES / (width.max(1) * size_of::<Lanes<E::Compute>>());
            let rows = cached.min(height.div_ceil(count.div_ceil(maps))).max(1);
            let per_image = if width > 0 { height.div_ceil(rows) } else { 0 };
            stages.push(Stage { first: bands, per_image, rows, height });
            bands += images * per_image;
        }
        let mut starts = Vec::new();
        reserve(&mut starts, bands + 1, BANDS)?;
        starts.resize(bands + 1, 0);
        // Counting sort. First `starts[b + 2]` counts the boxes of band b; summed up, `starts[b + 1]` is where its next box
        // goes; when all are there, its boxes are `starts[b]..starts[b + 1]`.
        let each_touched = |put: &mut dyn FnMut(usize, u32)| {
            let mut watch = settings.watch();
            for at in 0..plan.boxes() {
                let (roi, y, x) = plan.roi(at);
                if roi.invalid == Invalid::Raise && !y.support().is_empty() && !x.support().is_empty() {
                    let bands = stages[roi.stage].touched(roi.image, &y.support());
                    watch.step(bands.len())?;
                    bands.for_each(|band| put(band, at as u32));
                }
            }
            Ok(())
        };
        let mut total = 0;
        each_touched(&mut |band, _| {
            total += 1;
            if let Some(start) = starts.get_mut(band + 2) {
                *start += 1;
            }
        })?;
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut rois = Vec::new();
        reserve(&mut rois, total, BANDS)?;
        rois.resize(total, 0);
        each_touched(&mut |band, roi| {
            rois[starts[band + 1]] = roi;
            starts[band + 1] += 1;
        })?;
        Ok(Self { stages, starts, rois })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// One of them.
    pub fn get(&self, band: usize) -> Band<'_> {
        // A map without bands has the same `first` as the next map; the last match is the one that has bands.
        let stage = self.stages.partition_point(|stage| stage.first <= band) - 1;
        let Stage { first, per_image, rows, height } = self.stages[stage];
        let (image, row) = ((band - first) / per_image, (band - first) % per_image * rows);
        let rois = &self.rois[self.starts[band]..self.starts[band + 1]];
        Band { stage, image, rows: row..height.min(row + rows), rois }
    }
}
