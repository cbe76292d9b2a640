from collections.abc import Sequence
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = [
    "Device",
    "DeviceArray",
    "GpuError",
    "Operator",
    "PrRoiPool",
    "RoiAlign",
    "RoiPool",
    "__version__",
    "assign_stages",
    "backward",
    "bfloat16_from_dlpack",
    "box_gradient",
    "devices",
    "flag",
    "forward",
    "get_num_threads",
    "integer",
    "limit_threads",
    "pair",
    "pool_axis",
    "real",
    "release_memory",
    "sample_axis",
    "set_num_threads",
    "simd_level",
]

__version__: str

_Info: TypeAlias = tuple[str, str, str, str, bool]
_Array: TypeAlias = NDArray[Any] | DeviceArray
_Levels: TypeAlias = tuple[float, int, str, NDArray[np.int64] | None]
_Pooled: TypeAlias = _Array | tuple[NDArray[Any], NDArray[np.int64]] | tuple[DeviceArray, DeviceArray]

class GpuError(RuntimeError): ...

@final
class Operator: ...

@final
class Device:
    def __new__(
        cls,
        name: str,
        allow_cpu: bool,
        checked: bool,
        max_workgroups: int | None,
        max_binding_bytes: int | None,
    ) -> Device: ...
    def info(self) -> _Info: ...
    def features(self, array: NDArray[Any], layout: str) -> DeviceArray: ...
    def begin_batch(self) -> None: ...
    def end_batch(self) -> None: ...
    def synchronize(self) -> None: ...
    def start_timer(self) -> None: ...
    def stop_timer(self) -> list[tuple[str, float]]: ...
    def destroy(self) -> None: ...
    def close(self) -> None: ...

@final
class DeviceArray:
    @property
    def shape(self) -> tuple[int, int, int, int]: ...
    @property
    def ndim(self) -> int: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def layout(self) -> str: ...
    def __len__(self) -> int: ...
    def numpy(self, out: NDArray[Any] | None = None) -> NDArray[Any]: ...
    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]: ...

def devices() -> list[_Info]: ...
def bfloat16_from_dlpack(capsule: Any, dtype: np.dtype[Any]) -> NDArray[Any]: ...
def RoiAlign(sampling_ratio: Any, aligned: bool, mode: str, sample_points: str) -> Operator: ...  # noqa: N802
def RoiPool(mode: str, quantization: str) -> Operator: ...  # noqa: N802
def PrRoiPool() -> Operator: ...  # noqa: N802
def forward(
    op: Operator,
    maps: list[_Array],
    boxes: NDArray[Any],
    batch_indices: NDArray[np.int64] | None,
    output_size: Any,
    spatial_scales: Sequence[float],
    levels: _Levels | None,
    return_argmax: bool,
    layout: str,
    out: NDArray[Any] | None,
    invalid: str,
    device: Device | None,
) -> _Pooled: ...
def backward(
    op: Operator,
    grad_output: _Array,
    boxes: NDArray[Any],
    batch_indices: NDArray[np.int64] | None,
    input_shapes: list[tuple[int, int, int, int]],
    spatial_scales: Sequence[float],
    levels: _Levels | None,
    argmax: NDArray[np.int64] | DeviceArray | None,
    accumulate: bool,
    layout: str,
    outs: list[_Array] | None,
    invalid: str,
    device: Device | None,
) -> list[NDArray[Any]] | list[DeviceArray]: ...
def box_gradient(
    op: Operator,
    grad_output: _Array,
    maps: list[_Array],
    boxes: NDArray[Any],
    batch_indices: NDArray[np.int64] | None,
    spatial_scales: Sequence[float],
    levels: _Levels | None,
    layout: str,
    out: NDArray[Any] | None,
    invalid: str,
) -> NDArray[Any]: ...
def assign_stages(
    boxes: NDArray[Any],
    num_stages: int,
    min_level: int,
    canonical_size: float,
    canonical_level: int,
    rule: str,
    invalid: str,
) -> NDArray[np.int64]: ...
def flag(name: str, value: Any) -> bool: ...
def real(name: str, value: Any) -> float: ...
def integer(name: str, value: Any) -> int: ...
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
def limit_threads(n: int) -> int: ...
def release_memory() -> int: ...
def simd_level() -> str: ...
