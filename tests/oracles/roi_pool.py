"""RoI pooling: bins of whole pixels, and the largest pixel or the mean of each."""

from dataclasses import replace

import numpy as np
from truth import Oracle, maximum, mean

LOWEST = -float(np.finfo(np.float32).max)
"""Where the maximum starts, whatever the dtype."""


@Oracle
def roi_pool(boxes, bins, size, *, spatial_scale=1.0, mode="max", quantization="caffe"):
    """What each box reads. Argmax names the pixel."""
    edges = {"caffe": caffe_edges, "mmcv": mmcv_edges, "floor": floor_edges, "truncate": truncate_edges}[quantization]
    for x1, y1, x2, y2 in boxes:
        scale = type(x1)(spatial_scale)
        ys, xs = edges(y1, y2, scale, bins[0]), edges(x1, x2, scale, bins[1])
        if not (ys and xs):
            ys, xs = [(0, 0)] * bins[0], [(0, 0)] * bins[1]
        ys, xs = ([pixels(edge, extent) for edge in axis] for axis, extent in ((ys, size[0]), (xs, size[1])))
        if mode == "avg":
            ys, xs = ([[(pixel, 1 / len(bin_), 0, 0) for pixel in bin_] for bin_ in axis] for axis in (ys, xs))
            yield mean(ys, xs, size[1])
        else:
            ys, xs = ([[[(pixel, 1)] for pixel in bin_] for bin_ in axis] for axis in (ys, xs))
            reading = maximum(ys, xs, size[1], lower_limit=LOWEST)
            # Each candidate has one tap.
            yield replace(reading, name=reading.pixel[np.argsort(reading.candidate)])


def pixels(edges, extent):
    """The pixels between two edges that are on the map."""
    return range(*(min(max(edge, 0), extent) for edge in edges))


def round_half_away(value):
    """Nearest integer, halves away from zero, as C rounds."""
    whole = int(value)
    if abs(value - type(value)(whole)) >= 0.5:
        return whole + (1 if value > 0 else -1)
    return whole


def caffe_edges(first, last, scale, bins):
    """Rounded box with inclusive ends; bins overlap."""
    real = type(first)
    start = round_half_away(first * scale)
    size = max(round_half_away(last * scale) - start + 1, 1)
    step = real(size) / real(bins)
    return [(int(np.floor(real(i) * step)) + start, int(np.ceil(real(i + 1) * step)) + start) for i in range(bins)]


def mmcv_edges(first, last, scale, bins):
    """No rounding of the box, inclusive end; nothing when the extent is not positive."""
    real = type(first)
    start = first * scale
    extent = (last + real(1)) * scale - start
    if not extent > 0:
        return []
    step = extent / real(bins)
    return [(int(np.floor(real(i) * step + start)), int(np.ceil(real(i + 1) * step + start))) for i in range(bins)]


def floor_edges(first, last, scale, bins):
    """Both ends rounded down, end exclusive; bins share their edges."""
    start = int(np.floor(first * scale))
    size = max(int(np.floor(last * scale)) - start, 1)
    return [(start + i * size // bins, start + (i + 1) * size // bins) for i in range(bins)]


def truncate_edges(first, last, scale, bins):
    """Start and extent rounded down, and then the bin; what is left over is dropped."""
    start = int(np.floor(first * scale))
    extent = int(np.floor(last * scale - first * scale))
    step = max(extent // bins, 1)
    return [(start + i * step, start + (i + 1) * step) for i in range(bins)]
