"""Inputs and comparisons for the tests of roialign_rs.torch. Without torch, tests that import this module are skipped."""

import inspect
import re

import numpy as np
import pytest
from checks import assert_within, largest_finite

from roialign_rs import _call

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'roialign_rs[torch]'")
torchvision = pytest.importorskip("torchvision", reason="torchvision is not installed")
from torch import library  # noqa: E402, F401

BOUNDS = {torch.float64: 1e-12, torch.float32: 5e-6}
"""Bounds relative to the largest value: positions and weights are the same, the order of summation is not."""


def draw(dtype=torch.float32, images=2, channels=20, size=(13, 17), count=24, boxes_dtype=None, seed=0):
    """Features, and (K, 5) boxes in cells: across borders, thin, smaller than a cell."""
    rng = np.random.default_rng(seed)
    features = torch.from_numpy(rng.normal(size=(images, channels, *size))).to(dtype)
    height, width = size
    start = rng.uniform(-2, [width, height], (count, 2))
    side = np.exp(rng.uniform(np.log(0.3), np.log(max(size)), (count, 2)))
    table = np.concatenate([rng.integers(0, images, (count, 1)), start, start + side], axis=1)
    return features, torch.from_numpy(table).to(boxes_dtype or dtype)


def split(boxes, images=2):
    """The same boxes as torchvision's list, and sorted by image."""
    parts = [boxes[boxes[:, 0] == image][:, 1:] for image in range(images)]
    order = torch.cat([torch.where(boxes[:, 0] == image)[0] for image in range(images)])
    return parts, boxes[order]


def assert_same(actual, expected, bound=None, about=""):
    """Raise unless dtype and shape are equal and values within a bound of the largest."""
    assert actual.dtype == expected.dtype, f"{actual.dtype}, expected {expected.dtype}"
    actual, expected = actual.detach().double().numpy(), expected.detach()
    bound = BOUNDS[expected.dtype] if bound is None else bound
    expected = expected.double().numpy()
    assert_within(actual, expected, bound * largest_finite(expected), about)


def gradients(function, features, *others):
    """Result, and gradients of a random weighting of it."""
    leaves = [one.detach().clone().requires_grad_() for one in (features, *others)]
    result = function(*leaves)
    weights = torch.from_numpy(np.random.default_rng(7).normal(size=tuple(result.shape))).to(result.dtype)
    return result.detach(), *torch.autograd.grad((result * weights).sum(), leaves, allow_unused=True)


def watch_kernels(monkeypatch, see):
    """Call ``see(name, arguments, result)`` after each call of the core, with a name such as "roi_align_backward"."""
    for direction, suffix in (("forward", ""), ("backward", "_backward"), ("box_gradient", "_box_gradient")):
        function = getattr(_call, direction)

        def spy(*args, function=function, suffix=suffix):
            result = function(*args)
            arguments = inspect.signature(function).bind(*args).arguments
            pyramid = "" if arguments["levels"] is None else "multiscale_"
            name = re.sub(r"\B(?=[A-Z])", "_", repr(args[0]).partition("(")[0]).lower()
            see(pyramid + name + suffix, arguments, result)
            return result

        monkeypatch.setattr(_call, direction, spy)
