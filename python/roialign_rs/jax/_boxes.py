"""Conversion of all forms of boxes, as JAX arrays, to one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def table(boxes: Any, batch_indices: Any, images: int) -> jax.Array:
    """Return a (K, 5) table of float32 or float64 with the batch index first."""
    if isinstance(boxes, (list, tuple)):
        parts = [_array(f"boxes[{i}]", part) for i, part in enumerate(boxes)]
        if any(part.ndim > 1 or part.size == 0 for part in parts) or (
            not parts and batch_indices is None and images != 1
        ):
            if batch_indices is not None:
                raise ValueError("batch_indices cannot be given with a list of one array for each image; leave it out")
            return _per_image(parts, images)
    rows = _array("boxes", boxes)
    if rows.shape == (0,):
        rows = jnp.empty((0, 4))
    if rows.ndim == 1 and rows.shape[0] in (4, 5):
        rows = rows[None]
    if rows.ndim != 2 or rows.shape[1] not in (4, 5):
        raise ValueError(f"boxes: expected shape (K, 4) or (K, 5), got {rows.shape}")
    rows = _floats("boxes", rows)
    if rows.shape[1] == 5:
        if batch_indices is not None:
            raise ValueError(
                "batch_indices cannot be given with boxes of shape (K, 5), whose first column is the batch index; "
                "leave it out"
            )
        return rows
    if batch_indices is None:
        if images != 1:
            raise ValueError(
                f"batch_indices is needed for boxes of shape (K, 4) and {images} images; pass it, or boxes of shape "
                "(K, 5) with the batch index first, or a list of one array for each image"
            )
        batch_indices = np.zeros(rows.shape[0])
    return _with_images(_array("batch_indices", batch_indices), rows)


def _per_image(parts: Sequence[jax.Array], images: int) -> jax.Array:
    """Join a list of one array of boxes for each image."""
    if len(parts) != images:
        plural = "" if images == 1 else "s"
        raise ValueError(f"boxes: expected a list of {images} array{plural}, one for each image, got {len(parts)}")
    for i, part in enumerate(parts):
        if part.size and (part.ndim != 2 or part.shape[1] != 4):
            raise ValueError(f"boxes[{i}]: expected shape (K, 4), got {part.shape}")
    # Boxes are computed in the dtype of the table, which an image without any must not change.
    filled = [_floats(f"boxes[{i}]", part) for i, part in enumerate(parts) if part.size]
    typed = [_floats(f"boxes[{i}]", part).reshape(-1, 4) for i, part in enumerate(parts) if part.ndim > 1]
    rows = jnp.concatenate(filled or typed or [jnp.empty((0, 4))])
    return _with_images(jnp.asarray(np.repeat(np.arange(images), [part.size // 4 for part in parts])), rows)


def _with_images(batch_indices: jax.Array, rows: jax.Array) -> jax.Array:
    if batch_indices.shape != rows.shape[:1]:
        raise ValueError(f"batch_indices: expected shape {rows.shape[:1]}, got {batch_indices.shape}")
    return jnp.concatenate([batch_indices.astype(rows.dtype)[:, None], rows], axis=1)


def _array(name: str, value: Any) -> jax.Array:
    try:
        return jnp.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from error


def _floats(name: str, rows: jax.Array) -> jax.Array:
    if rows.dtype in (jnp.float32, jnp.float64):
        return rows
    if not jnp.issubdtype(rows.dtype, jnp.floating) and not jnp.issubdtype(rows.dtype, jnp.integer):
        raise TypeError(f"{name}: dtype {rows.dtype} is not supported; use float32 or float64")
    return rows.astype(jnp.float32)


def image_count(features: jax.Array) -> int:
    """Return the number of images of feature maps; 0 if they have no axes, which is refused later."""
    return features.shape[0] if features.ndim else 0
