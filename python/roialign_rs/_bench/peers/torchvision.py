"""torchvision: tensors that share memory with NumPy; it has no way to give it the output."""

from __future__ import annotations

import torch
import torchvision as tv

from roialign_rs._bench.peers import Call, Peer
from roialign_rs._bench.problem import Array, Problem


def load(threads: int) -> Peer:
    """Make the peer."""
    torch.set_num_threads(threads)

    def prepare(problem: Problem) -> Call | None:
        features, boxes = torch.from_numpy(problem.features), torch.from_numpy(problem.boxes)
        size, scale = problem.output_size, problem.spatial_scale
        ratio = problem.sampling_ratio

        def align() -> Array:
            with torch.inference_mode():
                pooled: Array = tv.ops.roi_align(features, boxes, size, scale, ratio, aligned=True).numpy()
            return pooled

        def pool() -> Array:
            with torch.inference_mode():
                pooled: Array = tv.ops.roi_pool(features, boxes, size, scale).numpy()
            return pooled

        return {"avg": align, "roi_pool": pool}.get(problem.op)

    return Peer("torchvision", tv.__version__, 2e-6, prepare)
