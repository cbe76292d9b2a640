"""RoI Align and its family on NumPy arrays: multithreaded SIMD in Rust, NumPy in, NumPy out.

Functions
---------
roi_align : equal bins, bilinear samples, their mean or maximum
roi_pool : box and bins rounded to whole cells, their maximum or mean
roi_align_backward, roi_pool_backward : their gradients for the features
roi_align_box_gradient : the gradient of RoI Align for its boxes
multiscale_roi_align, multiscale_roi_align_backward : RoI Align on a feature pyramid, and its gradients
assign_stages : the map of a pyramid that fits each box
explain : what either of them does with one box, cell by cell
check_boxes : what looks like a mistake in boxes
get_num_threads, set_num_threads : how many threads a call may use
release_memory : give back what is kept for later calls
simd_level : the instruction set in use

Modules
-------
gpu : the same operators on a GPU
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from roialign_rs._align import roi_align
from roialign_rs._backward import roi_align_backward, roi_align_box_gradient, roi_pool_backward
from roialign_rs._check_boxes import BoxReport, check_boxes
from roialign_rs._core import GpuError, __version__, get_num_threads, release_memory, set_num_threads, simd_level
from roialign_rs._explain import Explanation, explain
from roialign_rs._multiscale import assign_stages, multiscale_roi_align, multiscale_roi_align_backward
from roialign_rs._pool import roi_pool

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
    """Import what most programs do without only when it is asked for."""
    if name == "gpu":
        return import_module("roialign_rs.gpu")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
