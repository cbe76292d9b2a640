"""RoI Align and its family on NumPy arrays: multithreaded SIMD in Rust, NumPy in, NumPy out.

Functions
---------
roi_align : equal bins, bilinear samples, their mean or maximum
roi_pool : box and bins rounded to whole cells, their maximum or mean
explain : what either of them does with one box, cell by cell
get_num_threads, set_num_threads : how many threads a call may use
simd_level : the instruction set in use

Modules
-------
gpu : the same operators on a GPU
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from roialign_rs._core import GpuError, __version__, get_num_threads, set_num_threads, simd_level
from roialign_rs._explain import Explanation, explain
from roialign_rs._ops import roi_align, roi_pool

if TYPE_CHECKING:
    from roialign_rs import gpu

__all__ = [
    "Explanation",
    "GpuError",
    "__version__",
    "explain",
    "get_num_threads",
    "gpu",
    "roi_align",
    "roi_pool",
    "set_num_threads",
    "simd_level",
]


def __getattr__(name: str) -> Any:
    """Import what most programs do without only when it is asked for."""
    if name == "gpu":
        return import_module("roialign_rs.gpu")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
