from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "__version__",
    "bfloat16_from_dlpack",
    "get_num_threads",
    "pair",
    "pool_axis",
    "roi_align",
    "roi_pool",
    "sample_axis",
    "set_num_threads",
    "simd_level",
]

__version__: str

def bfloat16_from_dlpack(capsule: Any, dtype: np.dtype[Any]) -> NDArray[Any]: ...
def roi_align(
    features: NDArray[Any],
    boxes: NDArray[Any],
    batch_indices: NDArray[np.int64] | None,
    output_size: Any,
    spatial_scale: float,
    sampling_ratio: Any,
    aligned: bool,
    mode: str,
    sample_points: str,
    return_argmax: bool,
    layout: str,
    out: NDArray[Any] | None,
    invalid: str,
) -> Any: ...
def roi_pool(
    features: NDArray[Any],
    boxes: NDArray[Any],
    batch_indices: NDArray[np.int64] | None,
    output_size: Any,
    spatial_scale: float,
    mode: str,
    quantization: str,
    return_argmax: bool,
    layout: str,
    out: NDArray[Any] | None,
    invalid: str,
) -> Any: ...
def pair(name: str, value: Any) -> tuple[int, int]: ...
def sample_axis(
    ends: tuple[float, float],
    bins: int,
    extent: int,
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
    sample_points: str,
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]: ...
def pool_axis(ends: tuple[float, float], bins: int, spatial_scale: float, quantization: str) -> NDArray[np.int64]: ...
def get_num_threads() -> int: ...
def set_num_threads(n: int) -> None: ...
def simd_level() -> str: ...
