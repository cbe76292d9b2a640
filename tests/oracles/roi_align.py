"""RoI Align: equal bins, samples inside each bin, every sample interpolated; then their mean, or the largest of them."""

from collections import defaultdict

import numpy as np
from truth import Oracle, maximum, mean, pair


@Oracle
def roi_align(
    boxes, bins, size, *, spatial_scale=1.0, sampling_ratio=0, aligned=True, mode="avg", sample_points="center"
):
    """What each box reads. "onnx_max" takes the largest of the weighted corners instead of the interpolated samples."""
    ratios = pair(sampling_ratio)
    for x1, y1, x2, y2 in boxes:
        ys = samples_of_axis((y1, y2), bins[0], spatial_scale, ratios[0], aligned, sample_points)
        xs = samples_of_axis((x1, x2), bins[1], spatial_scale, ratios[1], aligned, sample_points)
        if mode == "avg":
            yield mean(
                mean_of_axis(ys, size[0], moves((y1, y2), spatial_scale, aligned)),
                mean_of_axis(xs, size[1], moves((x1, x2), spatial_scale, aligned)),
                size[1],
            )
        else:
            ys, xs = (
                [[taps(position, extent) for position, _ in samples] for samples in axis]
                for axis, extent in ((ys, size[0]), (xs, size[1]))
            )
            yield maximum(ys, xs, size[1], corners=mode == "onnx_max")


def samples_of_axis(ends, bins, spatial_scale, ratio, aligned, sample_points):
    """``(position, part)`` of each sample of each bin: where it lies on the map, and how far along the box (0 to 1)."""
    real = type(ends[0])
    scale, shift = real(spatial_scale), real(0.5) if aligned else real(0)
    start = ends[0] * scale - shift
    side = (ends[1] * scale - shift) - start
    if not aligned:
        side = max(side, real(1))
    step = side / real(bins)
    count = ratio if ratio > 0 else max(int(np.ceil(step)), 0)
    if sample_points == "center":
        places = [(a + 0.5, count) for a in range(count)]
    else:
        places = [(a + 1, count + 1) for a in range(count)]
    offsets = [(real(a) * step / real(of), a / of) for a, of in places]
    return [[((start + real(i) * step) + offset, (i + part) / bins) for offset, part in offsets] for i in range(bins)]


def taps(position, extent):
    """The two pixels that a sample lies between, with their weights; none if it lies off the map, where it is 0."""
    if not -1 <= position <= extent:
        return []
    position = max(float(position), 0.0)
    low = int(position)
    if low >= extent - 1:
        return [(extent - 1, 1.0), (extent - 1, 0.0)]
    fraction = position - low
    return [(low, 1.0 - fraction), (low + 1, fraction)]


def mean_of_axis(axis, extent, moves_of_ends):
    """Taps of the mean over the samples of each bin. Samples off the map are 0, and they count."""
    first, last = moves_of_ends
    bins = []
    for samples in axis:
        sums = defaultdict(lambda: [0.0, 0.0, 0.0])
        for position, part in samples:
            for pixel, weight in taps(position, extent):
                sums[pixel][0] += weight / len(samples)
            for pixel, rise in rises(position, extent):
                sums[pixel][1] += rise * first(part) / len(samples)
                sums[pixel][2] += rise * last(part) / len(samples)
        bins.append([(pixel, *each) for pixel, each in sums.items()])
    return bins


def rises(position, extent):
    """How the weights of pixels change when a sample moves up: the mean of both directions, which differ on a centre."""
    if not -1 <= position <= extent:
        return []
    changes = []
    for low in (int(np.floor(position)), int(np.ceil(position)) - 1):
        if 0 <= low < extent - 1:
            changes += [(low, -0.5), (low + 1, 0.5)]
    return changes


def moves(ends, spatial_scale, aligned):
    """How far a sample moves with either end of the box, as functions of its part of the way along the box."""
    real = type(ends[0])
    if not aligned and ends[1] * real(spatial_scale) - ends[0] * real(spatial_scale) < 1:
        # A side that is widened to 1 keeps that length, so all samples move with the first end.
        return (lambda part: spatial_scale), (lambda part: 0.0)
    return (lambda part: spatial_scale * (1 - part)), (lambda part: spatial_scale * part)
