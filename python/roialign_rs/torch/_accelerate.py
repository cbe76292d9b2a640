"""Replaces the CPU kernels of torchvision's operators, for as long as somebody requests it.

torchvision's functions, poolers, scripted and compiled models all call operators of PyTorch's dispatcher. Kernels that
are registered there for the CPU serve all of them, whenever they were imported or created. Autograd, autocast, meta
tensors and other devices stay torchvision's. Its pooler for feature pyramids also copies boxes and results of each map;
it is a function, which is replaced by one that pools all maps in one call.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, library

from roialign_rs import _core
from roialign_rs.torch import _kernels, _pooler

_lock = threading.Lock()
_handles = 0
_library: library.Library | None = None


class Acceleration:
    """A request for acceleration, created by `accelerate`.

    It ends with `restore` or with its ``with`` block.
    """

    def __init__(self) -> None:
        global _handles
        with _lock:
            _install()
            _handles += 1
        self._active = True

    def restore(self) -> None:
        """End this request. When no request is left, torchvision uses its own kernels again.

        Calling it again does nothing.
        """
        global _handles
        with _lock:
            _handles -= self._active
            self._active = False

    def __enter__(self) -> Acceleration:
        return self

    def __exit__(self, *error: object) -> None:
        self.restore()


def accelerate() -> Acceleration:
    """Make torchvision's RoI Align and RoI pooling use these kernels on the CPU, without changes to a model.

    It replaces the forward and backward kernels of ``torchvision.ops.roi_align`` and ``roi_pool`` in the whole process:
    for functions imported earlier, existing models, scripted and compiled ones too. ``MultiScaleRoIAlign`` pools from
    all its maps in one call. Signatures, defaults and gradients stay torchvision's. Other devices than the CPU are not
    affected.

    Returns
    -------
    Acceleration
        Use it in a ``with`` statement, or call its `Acceleration.restore` to end the acceleration. Without either it
        lasts as long as the process.

    Raises
    ------
    ImportError
        If torchvision is not installed, or was installed without its operators.

    See Also
    --------
    accelerate_worker : Acceleration in the workers of a DataLoader.

    Notes
    -----
    Requests are counted over all threads. torchvision uses its own kernels again when the last request has ended.

    Arguments that torchvision rejects are still rejected. Boxes with NaN, an infinite coordinate or a batch index of no
    image raise a ValueError; torchvision's kernels read out of bounds for them. float16 is computed in float32, and
    bfloat16 is supported.

    A call uses at most ``torch.get_num_threads()`` threads. Forked processes inherit the acceleration. Spawned
    processes, such as the workers of a DataLoader, do not: use `accelerate_worker`.

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
    """Call `accelerate` in a worker of a DataLoader, for the life of the worker.

    Pass it as ``worker_init_fn``.

    Parameters
    ----------
    worker_id : int
        Number of the worker, which the DataLoader passes. Not used.

    Raises
    ------
    ImportError
        If torchvision is not installed, or was installed without its operators.

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
    """Put a switch in front of torchvision's kernels. It stays for the life of the process.

    Removing a kernel is not safe: the dispatcher reads its tables without a lock, so another thread that is about to
    call the kernel would use freed memory.
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
    """Whether these kernels support the arguments. Otherwise torchvision's return an empty result or an error."""
    same = features.dtype == rois.dtype and features.dtype in _pooler.FLOATS
    return same and features.dim() == 4 and rois.dim() == 2 and rois.size(1) == 5 and min(size) > 0


def _roi_align(
    features: Tensor, rois: Tensor, scale: float, height: int, width: int, sampling_ratio: int, aligned: bool
) -> Any:
    op = _core.RoiAlign(sampling_ratio, aligned, "avg", "center")
    return _kernels.forward(op, [features], rois, (height, width), [scale])


def _roi_align_backward(grad: Tensor, rois: Tensor, scale: float, _height: int, _width: int, *rest: Any) -> Tensor:
    *shape, sampling_ratio, aligned = rest
    op = _core.RoiAlign(sampling_ratio, aligned, "avg", "center")
    return _kernels.backward(op, grad, rois, [shape], [scale])[0]


def _roi_pool(features: Tensor, rois: Tensor, scale: float, height: int, width: int) -> tuple[Tensor, Tensor]:
    op = _core.RoiPool("max", "caffe")
    pooled, argmax = _kernels.forward(op, [features], rois, (height, width), [scale], None, True)
    return pooled, argmax.to(torch.int32)


def _roi_pool_backward(
    grad: Tensor, rois: Tensor, argmax: Tensor, scale: float, _height: int, _width: int, *shape: int
) -> Tensor:
    op = _core.RoiPool("max", "caffe")
    return _kernels.backward(op, grad, rois, [shape], [scale], None, argmax.to(torch.int64))[0]


_POOLER = "_multiscale_roi_align"
_KERNELS: dict[str, Callable[..., Any]] = {
    "roi_align": _roi_align,
    "_roi_align_backward": _roi_align_backward,
    "roi_pool": _roi_pool,
    "_roi_pool_backward": _roi_pool_backward,
}
