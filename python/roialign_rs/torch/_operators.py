"""Operators of the core as operators of PyTorch: kernels, shapes of results, gradients, tangents.

Names and schemas are part of saved scripts and exported programs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, library
from torch.autograd import forward_ad

from roialign_rs import _core
from roialign_rs._core import Operator
from roialign_rs.torch import _forward_mode, _kernels


class Operators:
    """The operators ``name``, ``name_backward`` and ``name_box_gradient`` of PyTorch for one operator of the core.

    Parameters
    ----------
    name
        Name of the forward pass.
    make
        Makes the operator of the core from the options.
    options
        Types and names of the options.
    has_argmax
        Whether the result is a maximum, whose argmax is the index of a cell in its map. The last argument of the
        forward pass says whether it returns (result, argmax) or (result, empty tensor).
    has_box_gradient
        Whether there is a gradient for the boxes. The last argument of the forward pass says whether it is wanted.
    """

    def __init__(
        self,
        name: str,
        make: Callable[..., Operator],
        *options: str,
        has_argmax: bool = False,
        has_box_gradient: bool = False,
    ) -> None:
        self.make, self.has_argmax, self.has_box_gradient = make, has_argmax, has_box_gradient
        size = "SymInt pooled_height, SymInt pooled_width"
        where = ", ".join(["float spatial_scale", *options])
        wanted, results = ("with_argmax", "(Tensor, Tensor)") if has_argmax else ("box_grad", "Tensor")
        places = "Tensor argmax, " if has_argmax else ""
        after_size = "".join(f", {option}" for option in options)
        self.forward = define(
            name,
            f"(Tensor features, Tensor boxes, float spatial_scale, {size}{after_size}, bool {wanted}) -> {results}",
            self._pool,
            self._pooled_like,
        )
        self.backward = define(
            f"{name}_backward",
            f"(Tensor grad, {places}Tensor boxes, SymInt[] input_shape, {where}) -> Tensor",
            self._gradient,
            lambda grad, *rest: grad.new_empty(rest[1 + has_argmax]),
        )
        finish_gradient(self.backward)
        if has_box_gradient:
            self.box_gradient = define(
                f"{name}_box_gradient",
                f"(Tensor grad, Tensor features, Tensor boxes, {where}) -> Tensor",
                self._box_gradient,
                lambda grad, features, boxes, *_: like_boxes(boxes),
            )
            finish_gradient(self.box_gradient)
        self.forward.register_autograd(self._gradients, setup_context=self._save)
        if has_argmax:
            _forward_mode.register(self.forward, self._with_tangent)
        else:
            _forward_mode.linear(self.forward)

    def _pool(self, features: Tensor, boxes: Tensor, scale: float, height: int, width: int, *rest: Any) -> Any:
        *options, wanted = rest
        with_argmax = self.has_argmax and wanted
        op, size = self.make(*options), (height, width)
        pooled = _kernels.forward(op, [features], boxes, size, [scale], None, with_argmax)
        return (pooled, torch.empty(0, dtype=torch.int64)) if self.has_argmax and not wanted else pooled

    def _pooled_like(self, features: Tensor, boxes: Tensor, _: float, height: int, width: int, *rest: Any) -> Any:
        pooled = like_result(features, boxes, height, width)
        if not self.has_argmax:
            return pooled
        return pooled, features.new_empty(pooled.shape if rest[-1] else 0, dtype=torch.int64)

    def _gradient(self, grad: Tensor, *rest: Any) -> Tensor:
        argmax, rest = (rest[0], rest[1:]) if self.has_argmax else (None, rest)
        boxes, shape, scale, *options = rest
        return _kernels.backward(self.make(*options), grad, boxes, [shape], [scale], None, argmax)[0]

    def _box_gradient(self, grad: Tensor, features: Tensor, boxes: Tensor, scale: float, *options: Any) -> Tensor:
        return _kernels.box_gradient(self.make(*options), grad, [features], boxes, [scale])

    def _save(self, ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        features, boxes, scale, _, _, *options, wanted = inputs
        argmax = output[1] if self.has_argmax else None
        if self.has_argmax:
            ctx.mark_non_differentiable(argmax)
        ctx.box_grad = wanted and self.has_box_gradient
        ctx.save_for_backward(boxes, argmax, features if ctx.box_grad else None)
        ctx.input_shape = features.shape
        ctx.options = (scale, *options)

    def _gradients(self, ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        boxes, argmax, features = ctx.saved_tensors
        grad_input = grad_boxes = None
        if ctx.needs_input_grad[0]:
            places = [argmax] if self.has_argmax else []
            grad_input = self.backward(grad, *places, boxes, ctx.input_shape, *ctx.options)
        if ctx.needs_input_grad[1] and ctx.box_grad:
            grad_boxes = self.box_gradient(grad, features, boxes, *ctx.options)
        # None for the size, the last argument, and what is in the options.
        return (grad_input, grad_boxes, *[None] * (3 + len(ctx.options)))

    def _with_tangent(self, tangent: Tensor, features: Tensor, boxes: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
        """Pool, and read the tangent in the cell of each maximum."""
        pooled, argmax = self.forward(features, boxes, *rest[:-1], True)
        channels = tangent.size(1)
        planes = boxes[:, :1].long() * channels + torch.arange(channels)
        cells = planes[:, :, None, None] * tangent[0, 0].numel() + argmax
        read = tangent.reshape(-1)[cells.clamp(min=0)].masked_fill(argmax < 0, 0)
        return forward_ad.make_dual(pooled, read, level=_forward_mode.LEVEL), argmax


def define(name: str, schema: str, kernel: Callable[..., Any], fake: Callable[..., Any]) -> Any:
    """Define one operator. ``fake`` returns tensors like the results of the kernel, without values."""
    op = library.custom_op(f"roialign_rs::{name}", kernel, mutates_args=(), device_types="cpu", schema=schema)
    op.register_fake(fake)
    return op


def finish_gradient(op: Any) -> None:
    """Give an operator that computes a gradient its tangent, and an error as its own gradient."""
    op.register_autograd(_no_second_gradient)
    _forward_mode.linear(op)


def _no_second_gradient(ctx: Any, *grads: Tensor) -> None:
    raise RuntimeError(
        "RoI operators cannot be differentiated twice: call backward() or grad() without create_graph=True, "
        "or detach() their gradient before it is used in another loss"
    )


def like_result(features: Tensor, boxes: Tensor, height: int, width: int) -> Tensor:
    """Return a tensor like the result of a forward pass."""
    dtype = torch.float32 if features.dtype == torch.uint8 else features.dtype
    return features.new_empty((boxes.size(0), features.size(1), height, width), dtype=dtype)


def like_boxes(boxes: Tensor) -> Tensor:
    """Return a tensor like the gradient for boxes."""
    return torch.empty_like(boxes, memory_format=torch.contiguous_format)


roi_align = Operators(
    "roi_align",
    lambda sampling_ratio, aligned: _core.RoiAlign(sampling_ratio, aligned, "avg", "center"),
    "SymInt sampling_ratio",
    "bool aligned",
    has_box_gradient=True,
).forward
prroi_pool = Operators("prroi_pool", _core.PrRoiPool, has_box_gradient=True).forward
roi_pool = Operators("roi_pool", lambda: _core.RoiPool("max", "caffe"), has_argmax=True).forward
