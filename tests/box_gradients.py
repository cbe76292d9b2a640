"""Literal derivatives of the operators with respect to their boxes, as truth for the tests.

Positions are computed in the dtype of the boxes, as in ``oracles``; everything else is float64. On each axis, weights of
pixels and how they change with both ends of the box are written down sample by sample; the derivative of the whole is
then a product of the two axes. Arguments are those of the functions that give gradients for boxes.
"""

from dataclasses import dataclass

import numpy as np
from oracles import align_samples, align_start_and_side, pair, taps


@dataclass
class BoxGradient:
    """What a gradient is, and how large its terms are."""

    gradient: np.ndarray
    """(K, 4), float64."""
    terms: np.ndarray
    """(K, 4): the sum of the sizes of the terms."""
    reads: np.ndarray
    """(N, H, W) bool: pixels that take part."""


def roi_align(grad_output, features, boxes, *, batch_indices=None, spatial_scale=1.0, sampling_ratio=0, aligned=True):
    """Gradient of RoI Align's mean for ``x1, y1, x2, y2``."""
    features, grad_output = np.asarray(features, np.float64), np.asarray(grad_output, np.float64)
    boxes, ratios = np.asarray(boxes), pair(sampling_ratio)
    height, width = features.shape[2:]
    if batch_indices is None:
        batch_indices = np.zeros(len(boxes), np.int64)
    gradient, terms = np.zeros((2, len(boxes), 4))
    reads = np.zeros((features.shape[0], height, width), bool)
    for k, (x1, y1, x2, y2) in enumerate(boxes):
        image, grad = features[batch_indices[k]], grad_output[k]
        y, y_slopes = align_axis((y1, y2), grad.shape[1], height, spatial_scale, ratios[0], aligned)
        x, x_slopes = align_axis((x1, x2), grad.shape[2], width, spatial_scale, ratios[1], aligned)
        for end in range(2):
            for at, (wy, wx) in enumerate(((y, x_slopes[end]), (y_slopes[end], x))):
                gradient[k, 2 * end + at] = np.einsum("cpq,py,qx,cyx", grad, wy, wx, image, optimize=True)
                terms[k, 2 * end + at] = np.einsum("cpq,py,qx,cyx", *map(abs, (grad, wy, wx, image)), optimize=True)
                reads[batch_indices[k]] |= np.any(wy != 0, axis=0)[:, None] & np.any(wx != 0, axis=0)
    return BoxGradient(gradient, terms, reads)


def align_axis(ends, bins, extent, spatial_scale, ratio, aligned):
    """(bins, extent) weights of the pixels, and how they change with each of the two ends."""
    start, side = align_start_and_side(*ends, spatial_scale, aligned)
    # What moves with the ends is the unrounded box; a side that was widened keeps its length.
    widened = not aligned and ends[1] * type(side)(spatial_scale) - ends[0] * type(side)(spatial_scale) < 1
    weights, slopes = np.zeros((bins, extent)), np.zeros((2, bins, extent))
    for bin_, positions in enumerate(align_samples(start, side, bins, ratio, "center")):
        count = len(positions)
        for sample, position in enumerate(positions):
            tap = taps(position, extent)
            if tap is None:
                continue
            for pixel, weight in tap:
                weights[bin_, pixel] += weight / count
            of_box = (bin_ + (sample + 0.5) / count) / bins
            moves = (spatial_scale, 0.0) if widened else (spatial_scale * (1 - of_box), spatial_scale * of_box)
            for pixel, rise in rises(position, extent):
                for end, move in enumerate(moves):
                    slopes[end, bin_, pixel] += rise * move / count
    return weights, slopes


def rises(position, extent):
    """How the weights of pixels change when a sample moves up: the mean of both directions, which differ on a centre."""
    changes = []
    for low in (int(np.floor(position)), int(np.ceil(position)) - 1):
        if 0 <= low < extent - 1:
            changes += [(low, -0.5), (low + 1, 0.5)]
    return changes
