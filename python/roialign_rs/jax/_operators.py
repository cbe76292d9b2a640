"""What JAX needs to know of an operator: shape of the result, result and gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

import roialign_rs as ra
from roialign_rs.jax._callback import Arrays, call

Maps: TypeAlias = tuple[jax.Array, ...]


@dataclass(frozen=True)
class Operator:
    """An operator with its options. It is hashable, so that JAX can find a compiled program again."""

    forward: Callable[..., Any]
    backward: Callable[..., Any]
    output_size: tuple[int, int]
    layout: Literal["NCHW", "NHWC"]
    options: tuple[tuple[str, Any], ...]
    """Keywords of both directions."""
    pyramid: bool = False
    has_argmax: bool = False
    box_grad: bool = False

    def pool(self, maps: Maps, boxes: jax.Array, *, return_argmax: bool = False) -> list[jax.Array]:
        """Pool boxes: [result], or [result, argmax as int32]."""
        # Pooling no boxes tells the shape of a result, and refuses wrong options before the program runs.
        blank = [np.broadcast_to(np.zeros((), one.dtype), one.shape) for one in maps]
        empty = self._pooled(blank, np.empty((0, 5), np.float32))
        results = [jax.ShapeDtypeStruct((boxes.shape[0], *empty.shape[1:]), empty.dtype)]
        if return_argmax:
            results.append(jax.ShapeDtypeStruct(results[0].shape, jnp.int32))

        def run(*arrays: Any) -> Arrays:
            *features, table = arrays
            pooled = self._pooled(features, table, **({"return_argmax": True} if return_argmax else {}))
            if not return_argmax:
                return (pooled,)
            return pooled[0], pooled[1].astype(np.int32)  # JAX has no int64 unless it is asked for

        return call(run, results, *maps, boxes)

    def _pooled(self, features: list[Any], table: Any, **keywords: Any) -> Any:
        maps = features if self.pyramid else features[0]
        return self.forward(maps, table, self.output_size, layout=self.layout, **dict(self.options), **keywords)

    def gradients(self, grad: jax.Array, argmax: jax.Array | None, maps: Maps, boxes: jax.Array) -> list[jax.Array]:
        """Return the gradient for each map."""
        shapes = [one.shape for one in maps]
        keywords = dict(self.options, layout=self.layout)

        def run(grad: Any, table: Any, *argmax: Any) -> Arrays:
            places = [one.astype(np.int64) for one in argmax]
            if self.pyramid:
                return tuple(self.backward(grad, table, shapes, **keywords))
            return (self.backward(grad, table, shapes[0], **keywords, **({"argmax": places[0]} if places else {})),)

        results = [jax.ShapeDtypeStruct(one.shape, one.dtype) for one in maps]
        return call(run, results, grad, boxes, *([] if argmax is None else [argmax]))

    def box_gradient(self, grad: jax.Array, maps: Maps, boxes: jax.Array) -> jax.Array:
        """Return the gradient for (K, 5) boxes, with 0 for the batch index."""
        known = ("spatial_scale", "sampling_ratio", "aligned")
        keywords = {name: value for name, value in self.options if name in known}

        def run(grad: Any, features: Any, table: Any) -> Arrays:
            return (ra.roi_align_box_gradient(grad, features, table, layout=self.layout, **keywords),)

        return call(run, [jax.ShapeDtypeStruct(boxes.shape, boxes.dtype)], grad, maps[0], boxes)[0]


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def apply(operator: Operator, maps: Maps, boxes: jax.Array) -> jax.Array:
    """Pool (K, 5) boxes."""
    return operator.pool(maps, boxes)[0]


def _forward(operator: Operator, maps: Maps, boxes: jax.Array) -> tuple[jax.Array, Any]:
    pooled, *argmax = operator.pool(maps, boxes, return_argmax=operator.has_argmax)
    return pooled, (maps, boxes, argmax[0] if argmax else None)


def _backward(operator: Operator, saved: Any, grad: jax.Array) -> tuple[Maps, jax.Array]:
    maps, boxes, argmax = saved
    gradients = tuple(operator.gradients(grad, argmax, maps, boxes))
    if not operator.box_grad:
        return gradients, jnp.zeros_like(boxes)
    return gradients, operator.box_gradient(grad, maps, boxes)


apply.defvjp(_forward, _backward)
