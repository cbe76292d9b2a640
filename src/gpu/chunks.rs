//! Chunks: the pieces in which an array is copied between host and device.

use std::ops::Range;

use crate::gpu::array::{Part, QUAD};

/// Most bytes of a chunk: large enough to hide the overhead of each, small enough that the first copy starts early.
const CHUNK_BYTES: u64 = 8 << 20;

/// The part of an array that one staging buffer holds.
pub struct Chunk {
    pub items: Range<usize>,
    pub channels: Range<usize>,
    pub rows: Range<usize>,
    pub width: usize,
    /// Whether it holds pixels with all channels of a part, as the device does. Otherwise it holds planes.
    pub channels_last: bool,
}

impl Chunk {
    /// Cuts a part of an array into chunks.
    pub fn all(
        part: &Part<'_>,
        [_, _, height, width]: [usize; 4],
        word: usize,
        limit: u64,
        channels_last: bool,
    ) -> Vec<Self> {
        if height * width == 0 {
            return Vec::new();
        }
        let limit = (CHUNK_BYTES.min(limit) as usize / word).max(1);
        let channels = if channels_last { part.quads() as usize * QUAD } else { part.channels.len() };
        let pixels = (height * width).next_multiple_of(QUAD);
        let (items_at_once, channels_at_once, rows_at_once) = if channels * pixels <= limit {
            (limit / (channels * pixels), channels, height)
        } else if !channels_last && QUAD * pixels <= limit {
            (1, limit / (QUAD * pixels) * QUAD, height)
        } else {
            let channels = if channels_last { channels } else { QUAD };
            (1, channels, (limit / (channels * width.next_multiple_of(QUAD))).max(1))
        };
        let mut chunks = Vec::new();
        for items in steps(&part.items, items_at_once) {
            for channels in steps(&part.channels, channels_at_once) {
                for rows in steps(&(0..height), rows_at_once) {
                    chunks.push(Self {
                        items: items.clone(),
                        channels: channels.clone(),
                        rows,
                        width,
                        channels_last,
                    });
                }
            }
        }
        chunks
    }

    pub fn pixels(&self) -> usize {
        self.rows.len() * self.width
    }

    /// Elements of a unit, which one task copies: a plane, or a row of pixels. Padded to a multiple of 8 bytes, the
    /// alignment of mapped ranges.
    pub fn unit(&self) -> usize {
        if self.channels_last {
            self.width * self.channels.len().next_multiple_of(QUAD)
        } else {
            self.pixels().next_multiple_of(QUAD)
        }
    }

    pub fn units(&self) -> usize {
        self.items.len() * if self.channels_last { self.rows.len() } else { self.channels.len() }
    }

    pub fn bytes(&self, word: usize) -> u64 {
        (self.units() * self.unit() * word) as u64
    }

    /// The contiguous runs of a unit: for each its range in the unit, its first index in the array, and its axis there.
    pub fn runs(&self, unit: usize) -> impl Iterator<Item = (Range<usize>, [usize; 4], usize)> {
        let (per_item, first) = if self.channels_last {
            (self.rows.len(), self.width)
        } else {
            (self.channels.len(), self.rows.len())
        };
        let (item, at) = (self.items.start + unit / per_item, unit % per_item);
        (0..first).map(move |run| {
            if self.channels_last {
                let start = run * self.channels.len().next_multiple_of(QUAD);
                let index = [item, self.channels.start, self.rows.start + at, run];
                (start..start + self.channels.len(), index, 1)
            } else {
                let index = [item, self.channels.start + at, self.rows.start + run, 0];
                (run * self.width..(run + 1) * self.width, index, 3)
            }
        })
    }
}

fn steps(range: &Range<usize>, step: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.clone().step_by(step.max(1)).map(move |first| first..end.min(first + step))
}
