"""What ``compare_gpu.py`` times: RoI Align of one map and of a feature pyramid, and their gradients, wherever they can run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import roialign_rs as ra
from roialign_rs._bench.workloads import Workload, unit

Arrays = list[NDArray[Any]]

PYRAMID_STRIDES = (4, 8, 16, 32)
PYRAMID_SIDES = ((200, 304), (100, 152), (50, 76), (25, 38))
"""Of one image of 800 x 1216 pixels."""


@dataclass(frozen=True)
class Problem:
    """A call in both directions. One map is a pyramid with a single one."""

    id: str
    summary: str
    maps: Arrays
    boxes: NDArray[np.float32]
    output_size: tuple[int, int]
    sampling_ratio: int
    scales: tuple[float, ...]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.maps[0].dtype

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        return [features.shape for features in self.maps]

    @property
    def options(self) -> dict[str, Any]:
        """Keywords of both directions."""
        common = {"spatial_scales": self.scales, "sampling_ratio": self.sampling_ratio}
        return common if len(self.maps) > 1 else common | {"stages": np.zeros(len(self.boxes), np.int64)}

    def grads(self) -> NDArray[Any]:
        """A gradient for the result."""
        shape = (len(self.boxes), self.shapes[0][1], *self.output_size)
        return np.random.default_rng(0).standard_normal(shape, np.float32).astype(self.dtype)

    def forward(self, maps: list[Any], **more: Any) -> Any:
        return ra.multiscale_roi_align(maps, self.boxes, self.output_size, **self.options, **more)

    def backward(self, grads: Any, **more: Any) -> Any:
        return ra.multiscale_roi_align_backward(grads, self.boxes, self.shapes, **self.options, **more)

    def on_cuda(self, channels_last: bool) -> tuple[Callable[[], Arrays], Callable[[], Arrays]] | None:
        """torchvision's CUDA kernels in both directions, one call for each map; what boxes belong to it is known."""
        try:
            import torch
            import torchvision
        except ImportError:
            return None
        if not torch.cuda.is_available():
            return None
        order = torch.channels_last if channels_last else torch.contiguous_format
        scales, ratio, bins = self.scales, self.sampling_ratio, self.output_size
        stages = self.options.get("stages")
        if stages is None:
            stages = ra.assign_stages(self.boxes, len(self.maps), min_level=2)
        mine = [np.flatnonzero(stages == stage) for stage in range(len(self.maps))]
        put = [torch.from_numpy(self.boxes[rows].astype(self.dtype)).cuda() for rows in mine]
        maps = [torch.from_numpy(features).cuda().contiguous(memory_format=order) for features in self.maps]
        grads = self.grads()
        parts = [torch.from_numpy(grads[rows]).cuda().contiguous(memory_format=order) for rows in mine]

        def forward() -> Any:
            calls = zip(maps, put, scales, strict=True)
            return [torchvision.ops.roi_align(m, boxes, bins, scale, ratio, True) for m, boxes, scale in calls]

        def backward() -> Any:
            calls = zip(parts, put, scales, self.shapes, strict=True)
            back = torch.ops.torchvision._roi_align_backward
            return [back(g, boxes, scale, *bins, *shape, ratio, True) for g, boxes, scale, shape in calls]

        return forward, backward


def of_workload(row: Workload, dtype: np.dtype[Any]) -> Problem:
    """A row of the table of workloads."""
    maps = [row.features().astype(dtype)]
    return Problem(row.id, row.label, maps, row.boxes(), row.output_size, row.sampling_ratio, (row.spatial_scale,))


def of_pyramid(name: str, boxes: int, bins: int, dtype: np.dtype[Any]) -> Problem:
    """Boxes of 16 to 600 pixels on the pyramid of an image, 256 channels."""
    rng = np.random.default_rng(boxes)
    maps = [
        (2 * unit(i, 0, 256 * h * w) - 1).reshape(1, 256, h, w).astype(dtype) for i, (h, w) in enumerate(PYRAMID_SIDES)
    ]
    image = np.array([1216, 800])
    sides = np.minimum(np.exp(rng.uniform(np.log(16), np.log(600), (boxes, 2))), image)
    corner = rng.uniform(0, 1, (boxes, 2)) * (image - sides)
    table = np.concatenate([np.zeros((boxes, 1)), corner, corner + sides], axis=1).astype(np.float32)
    scales = tuple(1 / stride for stride in PYRAMID_STRIDES)
    return Problem(name, f"pyramid of 4 maps: {boxes} boxes, {bins}x{bins} bins", maps, table, (bins, bins), 2, scales)


def all_problems(rows: list[Workload], wanted: set[str], dtypes: list[np.dtype[Any]]) -> Iterator[Problem]:
    """Those with these ids, or all; made one by one, for they are large."""
    for dtype in dtypes:
        for name, boxes, bins in (("f1", 1000, 7), ("f2", 100, 14)):
            if not wanted or name in wanted:
                yield of_pyramid(name, boxes, bins, dtype)
        for row in rows:
            if not wanted or row.id in wanted:
                yield of_workload(row, dtype)
