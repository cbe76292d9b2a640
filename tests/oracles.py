"""Literal definitions of the operators, as truth for the tests.

Written from the definitions, box by box, bin by bin, sample by sample. Coordinates, bin edges and sample counts are
computed in the dtype of the boxes, because ``ceil`` and ``floor`` depend on it; everything else is float64. Only
channels are vectorised. Arguments are those of the operators, defaults included; results are ``Pooled``.

Three rules hold everywhere. A sample off the map is exactly 0 and counts. A tap of weight 0 is not read. NaN goes
through every tap of another weight, and through the maximum (but RoI pooling's maximum skips it).
"""

from dataclasses import dataclass

import numpy as np

LOWEST = -float(np.finfo(np.float32).max)
"""Where RoI pooling starts its maximum, whatever the dtype."""


@dataclass
class Pooled:
    """What an operator gives, and from what it chose."""

    output: np.ndarray
    """(K, C, PH, PW), float64."""
    argmax: np.ndarray | None = None
    """(K, C, PH, PW), int64; None for averages."""
    candidates: dict | None = None
    """(k, p, q) -> (n, C): what the maximum was taken over, in the order that argmax counts."""


def pair(value):
    """Height and width from one number or two."""
    return tuple(value) if isinstance(value, (tuple, list)) else (value, value)


def pooled_by_bins(features, boxes, batch_indices, bins, takes_maximum, bins_of_box, value_of_bin):
    """Call ``value_of_bin(image, bin_y, bin_x)`` for each bin of each box; an image is (H, W, C) float64."""
    images = np.moveaxis(np.asarray(features, np.float64), 1, -1)
    boxes = np.asarray(boxes)
    if batch_indices is None:
        batch_indices = np.zeros(len(boxes), np.int64)
    output = np.zeros((len(boxes), images.shape[-1], *bins))
    argmax = np.full(output.shape, -1, np.int64)
    candidates = {}
    for k, box in enumerate(boxes):
        bins_y, bins_x = bins_of_box(box)
        for p, bin_y in enumerate(bins_y):
            for q, bin_x in enumerate(bins_x):
                value = value_of_bin(images[batch_indices[k]], bin_y, bin_x)
                if takes_maximum:
                    output[k, :, p, q], argmax[k, :, p, q], candidates[k, p, q] = value
                else:
                    output[k, :, p, q] = value
    return Pooled(output, argmax, candidates) if takes_maximum else Pooled(output)


def roi_align(
    features,
    boxes,
    output_size,
    *,
    batch_indices=None,
    spatial_scale=1.0,
    sampling_ratio=0,
    aligned=True,
    mode="avg",
    sample_points="center",
):
    """RoI Align: equal bins, samples inside each, every sample interpolated, then their mean or the largest."""
    height, width = np.shape(features)[2:]
    bins, ratios = pair(output_size), pair(sampling_ratio)

    def bins_of_box(box):
        x1, y1, x2, y2 = box
        y_start, y_side = align_start_and_side(y1, y2, spatial_scale, aligned)
        x_start, x_side = align_start_and_side(x1, x2, spatial_scale, aligned)
        ys = align_samples(y_start, y_side, bins[0], ratios[0], sample_points)
        xs = align_samples(x_start, x_side, bins[1], ratios[1], sample_points)
        return [[taps(y, height) for y in of_bin] for of_bin in ys], [[taps(x, width) for x in of_bin] for of_bin in xs]

    def value_of_bin(image, y_taps, x_taps):
        if mode == "avg":
            return mean_of_samples(image, y_taps, x_taps)
        values = samples(image, y_taps, x_taps, weighted_corners if mode == "onnx_max" else interpolated)
        if len(values) == 0:
            return 0.0, -1, values
        return values.max(axis=0), values.argmax(axis=0), values

    return pooled_by_bins(features, boxes, batch_indices, bins, mode != "avg", bins_of_box, value_of_bin)


def align_start_and_side(first, last, spatial_scale, aligned):
    """Where a box starts on one axis of the map and how long it is there."""
    real = type(first)
    scale = real(spatial_scale)
    shift = real(0.5) if aligned else real(0)
    start = first * scale - shift
    side = (last * scale - shift) - start
    return start, side if aligned else max(side, real(1))


def align_samples(start, side, bins, ratio, sample_points):
    """Positions of the samples of each bin on one axis."""
    real = type(start)
    step = side / real(bins)
    count = ratio if ratio > 0 else max(int(np.ceil(step)), 0)
    if sample_points == "center":
        offsets = [(real(a) + real(0.5)) * step / real(count) for a in range(count)]
    else:
        offsets = [real(a + 1) * step / real(count + 1) for a in range(count)]
    return [[(start + real(i) * step) + offset for offset in offsets] for i in range(bins)]


def taps(position, extent):
    """The two pixels that a position lies between, with their weights; None off the map."""
    if not -1 <= position <= extent:
        return None
    position = max(float(position), 0.0)
    low = int(position)
    if low >= extent - 1:
        return (extent - 1, 1.0), (extent - 1, 0.0)
    fraction = position - low
    return (low, 1.0 - fraction), (low + 1, fraction)


def weighted_corners(image, y_tap, x_tap):
    """The four terms of a sample: (upper, left), (upper, right), (lower, left), (lower, right)."""
    terms = np.zeros((4, image.shape[-1]))
    for corner, (y, wy, x, wx) in enumerate((y, wy, x, wx) for y, wy in y_tap for x, wx in x_tap):
        if wy != 0 and wx != 0:
            terms[corner] = wy * wx * image[y, x]
    return terms


def interpolated(image, y_tap, x_tap):
    """The value of a sample."""
    value = np.zeros(image.shape[-1])
    for y, wy in y_tap:
        for x, wx in x_tap:
            if wy != 0 and wx != 0:
                value = value + wy * wx * image[y, x]
    return value[np.newaxis]


def mean_of_samples(image, y_taps, x_taps):
    """Mean over all samples of a bin; those off the map are 0, so that they are passed over but counted."""
    total = np.zeros(image.shape[-1])
    with np.errstate(invalid="ignore"):
        for y_tap in filter(None, y_taps):
            for x_tap in filter(None, x_taps):
                total = total + interpolated(image, y_tap, x_tap)[0]
    return total / max(len(y_taps) * len(x_taps), 1)


def samples(image, y_taps, x_taps, value_of_sample):
    """Values of all samples of a bin, rows first; one for each, or four."""
    each = 4 if value_of_sample is weighted_corners else 1
    values = np.zeros((len(y_taps) * len(x_taps) * each, image.shape[-1]))
    with np.errstate(invalid="ignore"):
        for a, y_tap in enumerate(y_taps):
            for b, x_tap in enumerate(x_taps):
                if y_tap is not None and x_tap is not None:
                    first = (a * len(x_taps) + b) * each
                    values[first : first + each] = value_of_sample(image, y_tap, x_tap)
    return values


def roi_pool(features, boxes, output_size, *, batch_indices=None, spatial_scale=1.0, mode="max", quantization="caffe"):
    """RoI pooling: bins of whole pixels, then the largest or the mean of each."""
    height, width = np.shape(features)[2:]
    bins = pair(output_size)
    edges_of_axis = {
        "caffe": caffe_edges,
        "mmcv": mmcv_edges,
        "floor": floor_edges,
        "truncate": truncate_edges,
    }[quantization]

    def bins_of_box(box):
        x1, y1, x2, y2 = box
        ys = edges_of_axis(y1, y2, type(y1)(spatial_scale), bins[0])
        xs = edges_of_axis(x1, x2, type(x1)(spatial_scale), bins[1])
        if quantization == "mmcv" and not (ys and xs):
            return [(0, 0)] * bins[0], [(0, 0)] * bins[1]
        return [clipped(edge, height) for edge in ys], [clipped(edge, width) for edge in xs]

    def value_of_bin(image, y_range, x_range):
        window = image[slice(*y_range), slice(*x_range)]
        pixels = window.reshape(-1, image.shape[-1])
        if mode == "avg":
            with np.errstate(invalid="ignore"):
                return pixels.sum(axis=0) / max(len(pixels), 1)
        if len(pixels) == 0:
            return 0.0, -1, None
        # NaN is above nothing, LOWEST is not above itself.
        contenders = np.where(pixels > LOWEST, pixels, -np.inf)
        best, first = contenders.max(axis=0), contenders.argmax(axis=0)
        pixel = (y_range[0] + first // window.shape[1]) * width + x_range[0] + first % window.shape[1]
        return np.where(best == -np.inf, LOWEST, best), np.where(best == -np.inf, -1, pixel), None

    return pooled_by_bins(features, boxes, batch_indices, bins, mode != "avg", bins_of_box, value_of_bin)


def clipped(edges, extent):
    """A range of pixels, cut to the map."""
    return tuple(min(max(edge, 0), extent) for edge in edges)


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
