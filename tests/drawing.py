"""The arrays of a case: random maps, and boxes of each kind."""

import numpy as np

BOX_KINDS = ("inside", "across", "outside", "empty", "inverted", "tiny", "huge", "thin", "whole", "dyadic", "mixed")
"""Where boxes lie on the map. "whole" has sides of whole cells, where rounding decides about bins and sample counts.
"dyadic" has coordinates that are multiples of 1/2, so that all positions are exact. "mixed" is any of the others."""


def draw_features(case, rng):
    """Make the maps. Dyadic boxes get whole numbers, so that products are exact too."""
    if case.values == "whole" or case.exact:
        return rng.integers(-50, 51, case.shape).astype(case.features_dtype)
    values = rng.standard_normal(case.shape, np.float32)
    return (-abs(values) - 0.125 if case.values == "negative" else values).astype(case.features_dtype)


def draw_boxes(case, rng):
    """Make boxes of the case's kind, in image pixels."""
    extent = np.array(case.shape[:1:-1], np.float64)
    # For a maximum, the oracle keeps each sample, also those off the map.
    reach = 20.0 if case.has_argmax else 1000.0
    rows = [draw_box(case.box_kind, extent, reach, rng) for _ in range(case.boxes)]
    return (np.array(rows) / case.options["spatial_scale"]).astype(case.boxes_dtype)


def draw_box(kind, extent, reach, rng):
    """Make one box (x1, y1, x2, y2) in cells of a map of ``extent`` (width, height); huge ones extend to about ``reach``."""
    if kind == "mixed":
        kind = BOX_KINDS[rng.integers(len(BOX_KINDS) - 1)]
    if kind == "dyadic":
        first, last = rng.integers(-6, 2 * extent + 7, (2, 2)) / 2
        return np.array([*first, *last])
    if kind == "whole":
        first = np.floor(rng.uniform(-2, extent))
        return np.array([*first, *(first + rng.integers(0, 60, 2))])
    low, high = np.sort(rng.uniform(0, extent, (2, 2)), axis=0)
    if kind == "across":
        low, high = low - rng.uniform(0, extent) * rng.integers(0, 2, 2), high + rng.uniform(0, extent)
    elif kind == "outside":
        low = low + (2 * extent + 2) * rng.permutation([rng.choice([-1, 1]), rng.integers(-1, 2)])
        high = low + rng.uniform(0, extent)
    elif kind == "empty":
        high = np.where(rng.permutation([True, rng.random() < 0.5]), low, high)
    elif kind == "inverted":
        swap = rng.permutation([True, rng.random() < 0.5])
        low, high = np.where(swap, high, low), np.where(swap, low, high)
    elif kind == "tiny":
        high = low + 10 ** rng.uniform(-4, -0.5, 2)
    elif kind == "huge":
        high = low + rng.uniform(1, 6) * reach
        low = low - rng.uniform(0, 6) * reach
    elif kind == "thin":
        high = low + rng.permutation([rng.uniform(0, 0.5), rng.uniform(10, 30)])
    return np.array([*low, *high])
