"""What JAX needs to know of an operator: shape of the result, result and gradients."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from roialign_rs import _call
from roialign_rs._core import Operator
from roialign_rs.jax._callback import Arrays, call

Maps: TypeAlias = tuple[jax.Array, ...]


@dataclass(frozen=True)
class Call:
    """An operator and all arguments but arrays. It is hashable, so that JAX can find a compiled program again."""

    op: Operator
    output_size: tuple[int, int]
    spatial_scales: tuple[float, ...]
    levels: _call.Levels | None
    layout: Literal["NCHW", "NHWC"]
    has_argmax: bool = False
    box_grad: bool = False

    def pool(self, maps: Maps, boxes: jax.Array, *, return_argmax: bool = False) -> list[jax.Array]:
        """Pool boxes: [result], or [result, argmax as int32]."""
        # Pooling no boxes tells the shape of a result, and refuses wrong options before the program runs.
        blank = [np.broadcast_to(np.zeros((), one.dtype), one.shape) for one in maps]
        empty = self._pooled(blank, np.empty((0, 5), np.float32), False)
        results = [jax.ShapeDtypeStruct((boxes.shape[0], *empty.shape[1:]), empty.dtype)]
        if return_argmax:
            results.append(jax.ShapeDtypeStruct(results[0].shape, jnp.int32))

        def run(*arrays: Any) -> Arrays:
            *features, table = arrays
            pooled = self._pooled(features, table, return_argmax)
            if not return_argmax:
                return (pooled,)
            return pooled[0], pooled[1].astype(np.int32)  # JAX has no int64 unless it is asked for

        return call(run, results, *maps, boxes)

    def _pooled(self, maps: list[Any], table: Any, return_argmax: bool) -> Any:
        size, scales = self.output_size, self.spatial_scales
        return _call.forward(
            self.op, maps, table, None, size, scales, self.levels, return_argmax, self.layout, None, "raise", None
        )

    def gradients(self, grad: jax.Array, argmax: jax.Array | None, maps: Maps, boxes: jax.Array) -> list[jax.Array]:
        """Return the gradient for each map."""
        shapes: list[Any] = [one.shape for one in maps]

        def run(grad: Any, table: Any, *places: Any) -> Arrays:
            argmax, scales = places[0] if places else None, self.spatial_scales
            gradients: Any = _call.backward(
                self.op, grad, table, None, shapes, scales, self.levels, argmax, False, self.layout, None, "raise", None
            )
            return tuple(gradients)

        results = [jax.ShapeDtypeStruct(one.shape, one.dtype) for one in maps]
        return call(run, results, grad, boxes, *([] if argmax is None else [argmax]))

    def box_gradient(self, grad: jax.Array, maps: Maps, boxes: jax.Array) -> jax.Array:
        """Return the gradient for (K, 5) boxes, with 0 for the batch index."""

        def run(grad: Any, *arrays: Any) -> Arrays:
            *features, table = arrays
            scales = self.spatial_scales
            gradient = _call.box_gradient(
                self.op, grad, features, table, None, scales, self.levels, self.layout, None, "raise"
            )
            return (gradient,)

        return call(run, [jax.ShapeDtypeStruct(boxes.shape, boxes.dtype)], grad, *maps, boxes)[0]


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def apply(pooling: Call, maps: Maps, boxes: jax.Array) -> jax.Array:
    """Pool (K, 5) boxes."""
    return pooling.pool(maps, boxes)[0]


def _forward(pooling: Call, maps: Maps, boxes: jax.Array) -> tuple[jax.Array, Any]:
    pooled, *argmax = pooling.pool(maps, boxes, return_argmax=pooling.has_argmax)
    return pooled, (maps, boxes, argmax[0] if argmax else None)


def _backward(pooling: Call, saved: Any, grad: jax.Array) -> tuple[Maps, jax.Array]:
    maps, boxes, argmax = saved
    gradients = tuple(pooling.gradients(grad, argmax, maps, boxes))
    if not pooling.box_grad:
        return gradients, jnp.zeros_like(boxes)
    return gradients, pooling.box_gradient(grad, maps, boxes)


apply.defvjp(_forward, _backward)
