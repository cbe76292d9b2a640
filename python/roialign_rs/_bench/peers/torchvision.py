"""torchvision: tensors that share memory with NumPy; it has no way to give it the output."""

from __future__ import annotations

import torch
import torchvision as tv

from roialign_rs._bench.peers import Call, Peer
from roialign_rs._bench.problem import Array, Problem


def load(threads: int) -> Peer:
    """Make the peer."""
    torch.set_num_threads(threads)
    return Peer("torchvision", tv.__version__, 2e-6, _prepare)


def _prepare(problem: Problem) -> Call | None:
    features, boxes, row = torch.from_numpy(problem.features), torch.from_numpy(problem.boxes), problem.row
    size, scale, ratio = row.output_size, row.spatial_scale, row.sampling_ratio
    grads = torch.from_numpy(problem.grads) if problem.op == "backward" else None
    backward = torch.ops.torchvision._roi_align_backward  # without autograd around it
    operators = {
        "avg": lambda: tv.ops.roi_align(features, boxes, size, scale, ratio, aligned=True),
        "roi_pool": lambda: tv.ops.roi_pool(features, boxes, size, scale),
        "backward": lambda: backward(grads, boxes, scale, *size, *features.shape, ratio, True),
    }

    def call() -> Array:
        with torch.inference_mode():
            result: Array = operators[problem.op]().numpy()
        return result

    return call if problem.op in operators else None
