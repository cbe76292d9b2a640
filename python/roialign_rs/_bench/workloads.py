"""The table of workloads (``workloads.json``), with its features and boxes.

The generator is described in the table itself; ``benches/workloads/mod.rs`` is its twin in Rust.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TABLE = Path(__file__).with_name("workloads.json")
UNIT_BITS = 24


@dataclass(frozen=True)
class Workload:
    """One row of the table."""

    id: str
    name: str
    #: What the row is like, for readers.
    words: str
    shape: Sequence[int]
    num_boxes: int
    output_size: Sequence[int]
    sampling_ratio: int
    stride: int
    side: Sequence[float]
    seed: int
    #: FNV-1a of the boxes, for tests.
    check: int
    #: The image of all boxes; None spreads them over the batch.
    image: int | None = None

    @property
    def spatial_scale(self) -> float:
        """Cells per image pixel."""
        return 1.0 / self.stride

    @property
    def label(self) -> str:
        """The row as readers see it: "box head: 1000 boxes, 7x7 bins"."""
        boxes = "1 box" if self.num_boxes == 1 else f"{self.num_boxes} boxes"
        return f"{self.words}: {boxes}, {self.output_size[0]}x{self.output_size[1]} bins"

    @property
    def details(self) -> str:
        """What the label leaves out: "features 1x256x200x336, boxes of 16 to 224 pixels, 2x2 samples a bin"."""
        ratio = self.sampling_ratio
        samples = f"{ratio}x{ratio} samples a bin" if ratio else "a sample for each cell"
        return f"features {'x'.join(map(str, self.shape))}, boxes of {self.side[0]} to {self.side[1]} pixels, {samples}"

    def features(self) -> NDArray[np.float32]:
        """The map, uniform in [-1, 1)."""
        flat = np.empty(int(np.prod(self.shape)), np.float32)
        # In blocks, so that the integers behind a large map never exist all at once.
        for start in range(0, flat.size, 1 << 20):
            block = flat[start : start + (1 << 20)]
            block[:] = 2.0 * unit(2 * self.seed + 1, start, block.size) - 1.0
        return flat.reshape(self.shape)

    def boxes(self) -> NDArray[np.float32]:
        """(K, 5): batch index, x1, y1, x2, y2 in image pixels."""
        images, _, height, width = self.shape
        u = unit(2 * self.seed, 0, 4 * self.num_boxes).reshape(-1, 4)
        box_width, box_height = (log_uniform(u[:, i], *self.side) for i in (0, 1))
        left = u[:, 2] * (width * self.stride - box_width)
        top = u[:, 3] * (height * self.stride - box_height)
        batch = np.arange(self.num_boxes) * images // self.num_boxes
        if self.image is not None:
            batch[:] = self.image
        return np.stack((batch, left, top, left + box_width, top + box_height), axis=1).astype(np.float32)


def load() -> list[Workload]:
    """Every row of the table, in its order."""
    return [Workload(**row) for row in json.loads(TABLE.read_text(encoding="utf-8"))["workloads"]]


def unit(stream: int, start: int, count: int) -> NDArray[np.float64]:
    """Numbers ``start .. start + count`` of a SplitMix64 stream, in [0, 1)."""
    # Arrays of uint64 wrap without a word, which is the arithmetic that SplitMix64 is defined in.
    z = np.arange(start + 1, start + count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(stream)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(64 - UNIT_BITS)).astype(np.float64) / float(1 << UNIT_BITS)


def log_uniform(u: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """``low * (high / low) ** u`` from square roots: one binary digit of u at a time."""
    digits = (u * (1 << UNIT_BITS)).astype(np.int64)
    value = np.full(u.shape, float(low))
    factor = np.float64(high) / np.float64(low)
    for bit in reversed(range(UNIT_BITS)):
        factor = np.sqrt(factor)
        value = np.where(digits >> bit & 1, value * factor, value)
    return value
