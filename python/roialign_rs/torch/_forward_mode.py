"""Forward-mode derivatives: from the tangent of an operator's first argument to the tangent of its result.

``torch.library.custom_op`` has no hook for them. A kernel in front of the autograd kernel of an operator therefore removes
the tangent from the first argument and gives the result its tangent. It runs for ``torch.func.jvp``,
``torch.func.jacfwd``, dual tensors, and the backward pass of dual tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, library
from torch.autograd import forward_ad

Rule = Callable[..., Any]
"""From the tangent of the first argument, and all arguments without tangents, to the result with its tangent."""

LEVEL = 0
"""PyTorch has one level of forward mode. Compiled code enters it without setting forward_ad's own counter."""

_library = library.Library("roialign_rs", "IMPL")


def linear(op: Any) -> None:
    """Register the tangent of an operator that is linear in its first argument: the operator applied to the tangent."""

    def rule(tangent: Any, primal: Any, *options: Any) -> Any:
        if isinstance(primal, list):
            pairs = zip(tangent, primal, strict=True)
            tangent = [torch.zeros_like(other) if one is None else one for one, other in pairs]
        result, tangent = op(primal, *options), op(tangent, *options)
        if isinstance(result, list):
            return [forward_ad.make_dual(*pair, level=LEVEL) for pair in zip(result, tangent, strict=True)]
        return forward_ad.make_dual(result, tangent, level=LEVEL)

    register(op, rule)


def register(op: Any, rule: Rule) -> None:
    """Register a rule for tangents of the first argument. Tangents of other arguments raise an error."""
    overload = op._opoverload
    kernel = library.get_kernel(overload, "AutogradCPU")
    names = [argument.name for argument in overload._schema.arguments]

    def call(keyset: torch._C.DispatchKeySet, *args: Any) -> Any:
        if forward_ad._current_level < 0 and not torch._C._are_functorch_transforms_active():
            return kernel.call_boxed(keyset, *args)
        tangent, *others = (_tangent(one) for one in args)
        for name, other in zip(names[1:], others, strict=True):
            if other is not None:
                raise NotImplementedError(
                    f"{name}: forward-mode differentiation is not supported for this argument; call .detach() on it, or "
                    "use reverse mode with box_grad=True"
                )
        if tangent is None:
            return kernel.call_boxed(keyset, *args)
        options = dict(zip(names, args, strict=True))
        if options.get("box_grad") and options["boxes"].requires_grad:
            # The backward pass would need the tangent of the features that it saved.
            raise NotImplementedError(
                "boxes: forward-mode differentiation is not supported with box_grad=True; call .detach() on boxes, or pass "
                "box_grad=False"
            )
        return rule(tangent, _primal(args[0]), *args[1:])

    # These stand in front of the kernel, which is registered for all devices' autograd keys together.
    for key in ("AutogradCPU", "AutogradMeta"):
        _library.impl(overload, call, key, with_keyset=True)


def _tangent(argument: Any) -> Any:
    if isinstance(argument, (list, tuple)):
        parts = [_tangent(one) for one in argument]
        return parts if any(part is not None for part in parts) else None
    if not isinstance(argument, Tensor):
        return None
    tangent = forward_ad.unpack_dual(argument, level=LEVEL).tangent
    return None if tangent is None or tangent._is_zerotensor() else tangent


def _primal(argument: Any) -> Any:
    if isinstance(argument, (list, tuple)):
        return [_primal(one) for one in argument]
    return forward_ad.unpack_dual(argument, level=LEVEL).primal
