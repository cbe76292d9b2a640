"""RoI Align, RoI pooling and their gradients on NumPy arrays, without a deep-learning framework.

These operators cut boxes of any size out of feature maps and resize each to a grid of the same size. Object detectors
use them to classify each box. The computation is multithreaded SIMD code in Rust.

Operators:

* `roi_align`: bilinear samples of each bin, their mean or maximum.
* `roi_pool`: whole cells of each bin, their maximum or mean.
* `prroi_pool`: the exact mean of the interpolated map over each bin.
* `multiscale_roi_align`: RoI Align on a feature pyramid; `assign_stages` chooses the map of each box.
* `roi_align_backward`, `roi_pool_backward`, `prroi_pool_backward`, `multiscale_roi_align_backward`: gradients for the
  features.
* `roi_align_box_gradient`, `prroi_pool_box_gradient`: gradients for the boxes.

Tools:

* `explain`: the cells and weights that both operators use for one box.
* `check_boxes`: a report of boxes that are probably mistakes.
* `get_num_threads`, `set_num_threads`: the maximum number of threads of a call.
* `simd_level`: the CPU instruction set in use.
* `release_memory`: frees the memory that is kept for later calls.

Modules: ``roialign_rs.gpu`` has the same operators on a GPU (experimental), ``roialign_rs.torch`` those of torchvision
on PyTorch tensors, ``roialign_rs.jax`` the operators on JAX arrays.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from roialign_rs._align import roi_align
from roialign_rs._align_backward import roi_align_backward
from roialign_rs._align_box_gradient import roi_align_box_gradient
from roialign_rs._check_boxes import BoxReport, check_boxes
from roialign_rs._core import GpuError, __version__, get_num_threads, release_memory, set_num_threads, simd_level
from roialign_rs._explain import Explanation, explain
from roialign_rs._multiscale import multiscale_roi_align
from roialign_rs._multiscale_backward import multiscale_roi_align_backward
from roialign_rs._pool import roi_pool
from roialign_rs._pool_backward import roi_pool_backward
from roialign_rs._prroi_pool import prroi_pool
from roialign_rs._prroi_pool_gradients import prroi_pool_backward, prroi_pool_box_gradient
from roialign_rs._stages import assign_stages

if TYPE_CHECKING:
    from roialign_rs import gpu

__all__ = [
    "BoxReport",
    "Explanation",
    "GpuError",
    "__version__",
    "assign_stages",
    "check_boxes",
    "explain",
    "get_num_threads",
    "gpu",
    "multiscale_roi_align",
    "multiscale_roi_align_backward",
    "prroi_pool",
    "prroi_pool_backward",
    "prroi_pool_box_gradient",
    "release_memory",
    "roi_align",
    "roi_align_backward",
    "roi_align_box_gradient",
    "roi_pool",
    "roi_pool_backward",
    "set_num_threads",
    "simd_level",
]


def __getattr__(name: str) -> ModuleType:
    """Import `gpu` when it is first used."""
    if name == "gpu":
        return import_module("roialign_rs.gpu")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
