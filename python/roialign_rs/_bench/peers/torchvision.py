"""torchvision: tensors that share memory with NumPy; it has no way to give it the output."""

from __future__ import annotations

from collections.abc import Sequence

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


def gradient(problem: Problem, grad: Array) -> Call:
    """Its backward operator, without autograd around it."""
    grads, boxes = torch.from_numpy(grad), torch.from_numpy(problem.boxes)
    options = (problem.spatial_scale, *problem.output_size, *problem.features.shape, problem.sampling_ratio, True)

    def call() -> Array:
        with torch.inference_mode():
            result: Array = torch.ops.torchvision._roi_align_backward(grads, boxes, *options).numpy()
        return result

    return call


def pyramid(maps: Sequence[Array], boxes: Array, image: tuple[int, int], output_size: int, sampling_ratio: int) -> Call:
    """Its pooler over feature maps, the finest first, of one image."""
    names = [str(i) for i in range(len(maps))]
    pool = tv.ops.MultiScaleRoIAlign(names, output_size, sampling_ratio)
    features = {name: torch.from_numpy(one) for name, one in zip(names, maps, strict=True)}
    corners = torch.from_numpy(boxes)

    def call() -> Array:
        with torch.inference_mode():
            pooled: Array = pool(features, [corners], [image]).numpy()
        return pooled

    return call
