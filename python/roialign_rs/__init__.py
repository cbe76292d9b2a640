"""RoI Align and its family on NumPy arrays: multithreaded SIMD in Rust, NumPy in, NumPy out.

Functions
---------
roi_align : equal bins, bilinear samples, their mean or maximum
roi_pool : box and bins rounded to whole cells, their maximum or mean
roi_align_backward, roi_pool_backward : their gradients for the features
multiscale_roi_align, multiscale_roi_align_backward : RoI Align on a feature pyramid, and its gradients
assign_stages : the map of a pyramid that fits each box
explain : what either of them does with one box, cell by cell
get_num_threads, set_num_threads : how many threads a call may use
simd_level : the instruction set in use
"""

from roialign_rs._backward import roi_align_backward, roi_pool_backward
from roialign_rs._core import __version__, get_num_threads, set_num_threads, simd_level
from roialign_rs._explain import Explanation, explain
from roialign_rs._multiscale import assign_stages, multiscale_roi_align, multiscale_roi_align_backward
from roialign_rs._ops import roi_align, roi_pool

__all__ = [
    "Explanation",
    "__version__",
    "assign_stages",
    "explain",
    "get_num_threads",
    "multiscale_roi_align",
    "multiscale_roi_align_backward",
    "roi_align",
    "roi_align_backward",
    "roi_pool",
    "roi_pool_backward",
    "set_num_threads",
    "simd_level",
]
