"""``multiscale_roi_align`` over the four maps of a detector, beside torchvision's pooler."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

import roialign_rs as ra
from roialign_bench.goals import Goal, Measurement, Quotient, ratios
from roialign_bench.session import Group, Session
from roialign_rs._bench.peers import Call
from roialign_rs._bench.problem import Array, check
from roialign_rs._bench.timing import wall
from roialign_rs._bench.workloads import Workload

#: The finest map. Boxes are of all sizes, so that every map has some.
FINEST = Workload(
    id="pyramid",
    name="fpn_k1000",
    words="four maps",
    shape=(1, 256, 200, 336),
    num_boxes=1000,
    output_size=(7, 7),
    sampling_ratio=2,
    stride=4,
    side=(16, 800),
    seed=15,
    check=3245822962,
)
STAGES = 4
TORCHVISION: dict[str, Any] = {
    "spatial_scales": [FINEST.spatial_scale / 2**stage for stage in range(STAGES)],
    "aligned": False,
    "rule": "torchvision",
}
#: Of features below 1.
ROUNDING = 2e-6


def measure(session: Session) -> Iterator[Measurement]:
    """One call over all maps, forward and backward; not one of the numbered rows."""
    if session.only is not None:
        return
    images, channels, height, width = FINEST.shape
    maps = [
        replace(FINEST, shape=(images, channels, height >> stage, width >> stage), seed=FINEST.seed + stage).features()
        for stage in range(STAGES)
    ]
    boxes = np.ascontiguousarray(FINEST.boxes()[:, 1:])
    expected = pooled(maps, boxes)
    out, outs = np.full_like(expected, np.nan), [np.full_like(one, np.nan) for one in maps]
    check(pooled(maps, boxes, out), expected, 0.0, "out= against a fresh result")
    shapes = [one.shape for one in maps]
    samplers = {
        "forward": wall(lambda: pooled(maps, boxes, out)),
        "gradients": wall(
            lambda: ra.multiscale_roi_align_backward(
                expected, boxes, shapes, out=outs, sampling_ratio=FINEST.sampling_ratio, **TORCHVISION
            )
        ),
    }
    if any(peer.name == "torchvision" for peer in session.peers):
        image = (height * FINEST.stride, width * FINEST.stride)
        theirs = _torchvision(maps, boxes, image, FINEST.output_size[0], FINEST.sampling_ratio)
        check(expected, theirs(), ROUNDING, "torchvision's pooler")
        samplers["torchvision"] = wall(theirs)
    yield session.time(FINEST, samplers)


def pooled(maps: Sequence[Array], boxes: Array, out: Array | None = None) -> Array:
    """Ours, as torchvision sets it."""
    result: Array = ra.multiscale_roi_align(
        maps,
        boxes,
        FINEST.output_size,
        sampling_ratio=FINEST.sampling_ratio,
        out=out,
        **TORCHVISION,
    )
    return result


def _torchvision(
    maps: Sequence[Array], boxes: Array, image: tuple[int, int], output_size: int, sampling_ratio: int
) -> Call:
    """Its pooler over feature maps, the finest first, of one image."""
    import torch
    import torchvision

    names = [str(i) for i in range(len(maps))]
    pool = torchvision.ops.MultiScaleRoIAlign(names, output_size, sampling_ratio)
    features = {name: torch.from_numpy(one) for name, one in zip(names, maps, strict=True)}
    corners = torch.from_numpy(boxes)

    def call() -> Array:
        with torch.inference_mode():
            pooled: Array = pool(features, [corners], [image]).numpy()
        return pooled

    return call


def goals(measured: Sequence[Measurement]) -> list[Goal]:
    """Against torchvision."""
    return [Goal("multiscale_roi_align: torchvision / ours", 20, 40, ratios(measured, "torchvision", "forward"))]


QUOTIENTS = (
    Quotient("torchvision / ours", "torchvision", "forward"),
    Quotient("gradients / forward", "gradients", "forward"),
)
GROUP = Group(
    "multiscale_roi_align on four maps, strides 4 to 32, float32, NCHW, out=", measure, goals, quotients=QUOTIENTS
)
