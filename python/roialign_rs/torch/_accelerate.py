"""torchvision's operators on the CPU, by these kernels, for as long as anybody asks for it.

torchvision's Python functions, poolers, scripted and compiled models all end in operators of PyTorch's dispatcher.
Registering other kernels there for the CPU reaches every one of them, whenever it was imported or made, and leaves
autograd, autocast, meta tensors and other devices to torchvision. Around its operators, the pooler of feature pyramids
copies the boxes and results of each map; it has a function for that, and this has one call to stand in for it.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, library

from roialign_rs.torch import _kernels, _pooler

_lock = threading.Lock()
_handles = 0
_library: library.Library | None = None


class Acceleration:
    """One request for acceleration; `restore` or the end of a ``with`` block withdraws it, once."""

    def __init__(self) -> None:
        global _handles
        with _lock:
            _install()
            _handles += 1
        self._active = True

    def restore(self) -> None:
        """Withdraw the request. torchvision's own kernels are back when no other one is left."""
        global _handles
        with _lock:
            _handles -= self._active
            self._active = False

    def __enter__(self) -> Acceleration:
        return self

    def __exit__(self, *error: object) -> None:
        self.restore()


def accelerate() -> Acceleration:
    """Let torchvision's ``roi_align`` and ``roi_pool``, forward and backward, use these kernels on the CPU.

    It is process-wide, and also serves names imported earlier, poolers and models that exist already, scripted and
    compiled ones. torchvision's ``MultiScaleRoIAlign`` pools from all its maps in one call. Signatures, defaults and
    gradients stay torchvision's. Other devices are not touched.

    Returns
    -------
    Acceleration
        A context manager. Without ``with``, acceleration lasts until its ``restore()``, or for the whole process.

    Raises
    ------
    ImportError
        If torchvision is not installed or came without its operators.

    Notes
    -----
    Requests are counted, from any thread: torchvision's kernels are back when the last one has ended. What
    torchvision's kernels refuse, they still refuse; boxes that are not finite or of an image that does not exist,
    which they read out of bounds for, are a ValueError. float16 is computed in float32, and bfloat16 works.

    A call uses at most ``torch.get_num_threads()`` threads. Processes that are forked inherit acceleration; spawned
    ones, such as the workers of a DataLoader, begin without it: see `accelerate_worker`.

    Examples
    --------
    >>> import torch, torchvision, roialign_rs.torch
    >>> with roialign_rs.torch.accelerate():
    ...     pooled = torchvision.ops.roi_align(torch.ones(1, 1, 8, 8), [torch.tensor([[1.0, 1.0, 5.0, 5.0]])], 2)
    >>> pooled.flatten()
    tensor([1., 1., 1., 1.])
    """
    return Acceleration()


def accelerate_worker(worker_id: int) -> None:
    """Call `accelerate` for the life of a DataLoader's worker: ``worker_init_fn=roialign_rs.torch.accelerate_worker``.

    Parameters
    ----------
    worker_id : int
        What a DataLoader passes. Not used.

    Raises
    ------
    ImportError
        As for `accelerate`.

    Examples
    --------
    >>> import roialign_rs.torch
    >>> from torch.utils.data import DataLoader
    >>> loader = DataLoader(
    ...     range(8),
    ...     num_workers=2,
    ...     multiprocessing_context="spawn",
    ...     worker_init_fn=roialign_rs.torch.accelerate_worker,
    ... )
    """
    accelerate()


def _install() -> None:
    """Put a switch in front of torchvision's kernels, once and for all.

    It stays when the last request ends: the dispatcher's tables are read without a lock, so taking a kernel out while
    another thread is about to call it is a use after free, and was seen to be one.
    """
    global _library
    if _library is not None:
        return
    try:
        import torchvision

        originals = {name: library.get_kernel(f"torchvision::{name}", "CPU") for name in _KERNELS}
    except (ImportError, RuntimeError) as error:
        raise ImportError(
            "accelerate() needs torchvision and its operators: pip install 'roialign_rs[torch]'"
        ) from error
    _library = library.Library("torchvision", "IMPL")
    for name, kernel in _KERNELS.items():
        arguments = [argument.name for argument in getattr(torch.ops.torchvision, name).default._schema.arguments]
        switch = _switch(kernel, originals[name], arguments.index("pooled_height") - 2)
        _library.impl(name, switch, "CPU", with_keyset=True, allow_override=True)
    poolers = torchvision.ops.poolers
    if hasattr(poolers, _POOLER):  # it is private; without it the operators serve the pooler
        setattr(poolers, _POOLER, _pooler_switch(getattr(poolers, _POOLER)))


def _switch(kernel: Callable[..., Any], original: Any, size_at: int) -> Callable[..., Any]:
    def call(keyset: torch._C.DispatchKeySet, features: Tensor, rois: Tensor, *args: Any) -> Any:
        if _handles and _fits(features, rois, args[size_at : size_at + 2]):
            return kernel(features, rois, *args)
        return original.call_boxed(keyset, features, rois, *args)

    return call


def _pooler_switch(original: Callable[..., Tensor]) -> Callable[..., Tensor]:
    @functools.wraps(original)
    def call(
        x_filtered: list[Tensor],
        boxes: list[Tensor],
        output_size: Sequence[int],
        sampling_ratio: int,
        scales: list[float] | None,
        mapper: _pooler.Mapper | None,
    ) -> Tensor:
        # A trace, whoever takes it, is to show torchvision's operators.
        traced = torch.compiler.is_compiling() or torch.jit.is_tracing()
        if (
            traced
            or not _handles
            or scales is None
            or mapper is None
            or not _pooler.fits(x_filtered, boxes, output_size, scales)
        ):
            return original(x_filtered, boxes, output_size, sampling_ratio, scales, mapper)
        return _pooler.pool(x_filtered, boxes, output_size, sampling_ratio, scales, mapper)

    # torch.jit.script compiles what stands here instead.
    call.__script_if_tracing_wrapper = True  # type: ignore[attr-defined]
    call.__original_fn = original  # type: ignore[attr-defined]
    return call


def _fits(features: Tensor, rois: Tensor, size: Sequence[int]) -> bool:
    """Whether our kernels take this. If not, torchvision's give an empty result, or say what is wrong."""
    same = features.dtype == rois.dtype and features.dtype in _pooler.FLOATS
    return same and features.dim() == 4 and rois.dim() == 2 and rois.size(1) == 5 and min(size) > 0


def _roi_align_backward(
    grad: Tensor, rois: Tensor, spatial_scale: float, _height: int, _width: int, *rest: Any
) -> Tensor:
    *input_shape, sampling_ratio, aligned = rest
    return _kernels.roi_align_backward(grad, rois, input_shape, spatial_scale, sampling_ratio, aligned)


def _roi_pool(features: Tensor, rois: Tensor, spatial_scale: float, height: int, width: int) -> tuple[Tensor, Tensor]:
    pooled, argmax = _kernels.roi_pool(features, rois, spatial_scale, height, width)
    return pooled, argmax.to(torch.int32)


def _roi_pool_backward(
    grad: Tensor, rois: Tensor, argmax: Tensor, spatial_scale: float, _height: int, _width: int, *input_shape: int
) -> Tensor:
    return _kernels.roi_pool_backward(grad, argmax.to(torch.int64), rois, input_shape, spatial_scale)


_POOLER = "_multiscale_roi_align"
_KERNELS: dict[str, Callable[..., Any]] = {
    "roi_align": _kernels.roi_align,
    "_roi_align_backward": _roi_align_backward,
    "roi_pool": _roi_pool,
    "_roi_pool_backward": _roi_pool_backward,
}
