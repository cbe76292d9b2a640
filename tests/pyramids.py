"""Feature pyramids for the tests, and the rule that gives each box its map."""

import numpy as np

SCALES = [1 / 4, 1 / 8, 1 / 16, 1 / 32]
SIDES = [(40, 52), (20, 26), (10, 13), (5, 7)]
RULES = ["detectron2", "torchvision"]


def pyramid(seed, count=4, images=2, channels=19, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((images, channels, *sides)).astype(dtype) for sides in SIDES[:count]]


def random_boxes(seed, count, dtype=np.float32):
    """Boxes from a few pixels to larger than the image, (K, 5)."""
    rng = np.random.default_rng(seed)
    sides = np.exp(rng.uniform(np.log(4), np.log(900), (count, 2)))
    corner = rng.uniform(-20, 160, (count, 2))
    return np.concatenate([rng.integers(0, 2, (count, 1)), corner, corner + sides], axis=1).astype(dtype)


def boundary_boxes(dtype, count=20_000):
    """Boxes of sizes 14, 28, ... 1792, squares and rectangles of the same area, exact or a few ulps off."""
    rng = np.random.default_rng(5)
    size, ratio = 224 * 2.0 ** rng.integers(-4, 4, count), 2.0 ** rng.integers(-2, 3, count)
    corner = rng.integers(0, 100, (count, 2))
    boxes = np.concatenate([corner, corner + np.stack([size * ratio, size / ratio], axis=1)], axis=1).astype(dtype)
    off = boxes.copy()
    off[:, 2:] *= 1 + rng.integers(-9, 10, (count, 2)).astype(dtype) * np.finfo(dtype).eps
    return boxes, off


def literal_stages(boxes, count, min_level, size, level, rule):
    """The stage of each box by the formula of each rule, computed in the dtype of the boxes."""
    real = boxes.dtype.type
    part = np.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])) / real(size)

    def log2(values):
        # NumPy's logarithm of a float32 may be off by a bit.
        with np.errstate(divide="ignore"):
            return np.log2(values.astype(np.float64)).astype(real)

    if rule == "torchvision":
        levels = np.floor(real(level) + log2(part) + real(1e-6))
    else:
        levels = np.floor(real(level) + log2(part + real(1e-8)))
    return (np.clip(levels, min_level, min_level + count - 1) - min_level).astype(np.int64)
