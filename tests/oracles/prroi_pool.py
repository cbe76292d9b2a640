"""Precise RoI pooling: the mean of the bilinear surface over each bin, as an integral instead of samples.

The surface is ``sum of pixel[y, x] * hat(v - y) * hat(u - x)`` with ``hat(d) = max(0, 1 - |d|)``, so it falls to 0 within
one cell beyond the map's outermost pixels. The integral separates into both axes. On each axis, the weight of a pixel is
the mean of its hat over the bin.
"""

import math
from itertools import pairwise

from truth import Oracle, mean


@Oracle
def prroi_pool(boxes, bins, size, *, spatial_scale=1.0):
    """What each box reads. A bin without area reads nothing."""
    for x1, y1, x2, y2 in boxes:
        ys = means_of_axis(y1, y2, spatial_scale, bins[0], size[0])
        xs = means_of_axis(x1, x2, spatial_scale, bins[1], size[1])
        yield mean(ys, xs, size[1])


def means_of_axis(first, last, spatial_scale, bins, extent):
    """Taps of each bin on one axis."""
    real = type(first)
    start = first * real(spatial_scale)
    step = max(last * real(spatial_scale) - start, real(0)) / real(bins)
    edges = [float(start + real(i) * step) for i in range(bins + 1)]
    return [taps_between(edges[i], edges[i + 1], i, bins, spatial_scale, extent) for i in range(bins)]


def taps_between(low, high, i, bins, spatial_scale, extent):
    """Taps of bin ``i``, which goes from ``low`` to ``high``.

    A weight is the integral of a hat, divided by the length of the bin. Its derivative has a term for the length and one
    for each edge, where the integral changes by the hat. The terms cancel, so each is a tap of its own: the bounds of
    box gradients are relative to the size of all terms.
    """
    length = high - low
    if not length > 0:
        return []
    taps = []
    for pixel in range(max(math.floor(low), 0), min(math.ceil(high), extent - 1) + 1):
        weight = integral_of_hat(pixel, low, high) / length
        shrink = weight / length * spatial_scale / bins
        taps.append((pixel, weight, shrink, -shrink))
        for edge, part, sign in ((low, i / bins, -1), (high, (i + 1) / bins, 1)):
            if change := sign * hat(edge - pixel) / length * spatial_scale:
                # The edge is at ``(1 - part) * first + part * last``.
                taps.append((pixel, 0, change * (1 - part), change * part))
    return taps


def integral_of_hat(pixel, low, high):
    """Integral from ``low`` to ``high``; the midpoint rule is exact where the hat is linear, that is between knots."""
    knots = [low, *(knot for knot in (pixel - 1, pixel, pixel + 1) if low < knot < high), high]
    return sum((b - a) * hat((a + b) / 2 - pixel) for a, b in pairwise(knots))


def hat(distance):
    """Weight of a pixel at this distance from its centre."""
    return max(0.0, 1.0 - abs(distance))
