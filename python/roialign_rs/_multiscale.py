"""RoI Align on feature pyramids. As in `_align`, one call of the core does the work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from roialign_rs import _core
from roialign_rs._args import (
    Boxes,
    Pair,
    boxes as as_boxes,
    device as as_device,
    features as as_features,
    indices,
    sequence,
    shape,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from roialign_rs._options import Invalid, Layout, Maps, PyramidBackwardOptions, PyramidOptions, Rule
    from roialign_rs.gpu import Device, DeviceArray


@overload
def multiscale_roi_align(
    features_list: Sequence[DeviceArray],
    boxes: Boxes,
    output_size: Pair,
    *,
    spatial_scales: Sequence[float],
    out: None = ...,
    **options: Unpack[PyramidOptions],
) -> DeviceArray: ...
@overload
def multiscale_roi_align(
    features_list: Sequence[ArrayLike],
    boxes: Boxes,
    output_size: Pair,
    *,
    spatial_scales: Sequence[float],
    out: NDArray[Any] | None = ...,
    **options: Unpack[PyramidOptions],
) -> NDArray[Any]: ...
def multiscale_roi_align(
    features_list: Sequence[ArrayLike | DeviceArray],
    boxes: Boxes,
    output_size: Pair,
    *,
    spatial_scales: Sequence[float],
    sampling_ratio: Pair = 0,
    aligned: bool = True,
    canonical_size: float = 224,
    canonical_level: int = 4,
    rule: Rule = "detectron2",
    stages: ArrayLike | None = None,
    batch_indices: ArrayLike | None = None,
    layout: Layout = "NCHW",
    out: NDArray[Any] | None = None,
    invalid: Invalid = "raise",
    device: Device | None = None,
) -> NDArray[Any] | DeviceArray:
    """Pool each box from the map of a feature pyramid that fits its size.

    Parameters
    ----------
    features_list : sequence of (N, C, H_i, W_i) arrays
        The maps, finest first, all of the same images, channels and dtype.
    boxes, output_size, sampling_ratio, aligned, batch_indices, layout, out, invalid, device
        As for `roi_align`.
    spatial_scales : sequence of float
        Cells per image pixel of each map; consecutive powers of two, unless ``stages`` is given.
    canonical_size, canonical_level, rule
        As for `assign_stages`, with the finest map's level taken from its scale.
    stages : (K,) array of integers, optional
        The map of each box, instead of the rule.

    Returns
    -------
    (K, C, height, width) array, or (K, height, width, C) with ``layout="NHWC"``
        In the order of the boxes.

    Raises
    ------
    ValueError, TypeError, MemoryError, KeyboardInterrupt
        As for `roi_align`; a box of negative area has no map, and is invalid unless there is only one.

    Notes
    -----
    All boxes are pooled in one pass into one result. What other libraries call this:

    * Detectron2's ``ROIPooler``: the defaults.
    * torchvision's ``MultiScaleRoIAlign``: ``sampling_ratio=2, aligned=False, rule="torchvision"``.
    * mmdetection's ``SingleRoIExtractor``: ``stages=stages``. It counts from boxes of 56 pixels and rounds in a way of
      its own, which is, with float32 ``x1, y1, x2, y2`` and n maps::

          side = np.sqrt((x2 - x1) * (y2 - y1))
          stages = np.clip(np.floor(np.log2(side / np.float32(56) + np.float32(1e-6))), 0, n - 1).astype(np.int64)

    References
    ----------
    T.-Y. Lin et al., "Feature Pyramid Networks for Object Detection", CVPR 2017, section 4.2.

    Examples
    --------
    >>> import numpy as np
    >>> import roialign_rs as ra
    >>> maps = [np.full((1, 1, side, side), side, np.float32) for side in (64, 32, 16)]
    >>> boxes = np.array([[10.0, 10, 40, 40], [0, 0, 256, 256]])
    >>> ra.multiscale_roi_align(maps, boxes, 1, spatial_scales=[1 / 4, 1 / 8, 1 / 16]).ravel()
    array([64., 16.], dtype=float32)
    """
    maps = [
        as_features(features, f"features_list[{i}]")
        for i, features in enumerate(sequence("features_list", features_list))
    ]
    table, batch_indices = as_boxes(boxes, batch_indices, len(maps[0]) if maps and maps[0].ndim else 0)
    return _core.multiscale_roi_align(
        maps,
        table,
        batch_indices,
        output_size,
        spatial_scales,
        sampling_ratio,
        aligned,
        canonical_size,
        canonical_level,
        rule,
        None if stages is None else indices("stages", stages),
        layout,
        out,
        invalid,
        as_device(device),
    )


@overload
def multiscale_roi_align_backward(
    grad_output: DeviceArray,
    boxes: Boxes,
    input_shapes: Sequence[Sequence[SupportsIndex]],
    *,
    spatial_scales: Sequence[float],
    out: Sequence[DeviceArray] | None = ...,
    **options: Unpack[PyramidBackwardOptions],
) -> list[DeviceArray]: ...
@overload
def multiscale_roi_align_backward(
    grad_output: ArrayLike,
    boxes: Boxes,
    input_shapes: Sequence[Sequence[SupportsIndex]],
    *,
    spatial_scales: Sequence[float],
    out: Sequence[NDArray[Any]] | None = ...,
    **options: Unpack[PyramidBackwardOptions],
) -> list[NDArray[Any]]: ...
def multiscale_roi_align_backward(
    grad_output: ArrayLike | DeviceArray,
    boxes: Boxes,
    input_shapes: Sequence[Sequence[SupportsIndex]],
    *,
    spatial_scales: Sequence[float],
    sampling_ratio: Pair = 0,
    aligned: bool = True,
    canonical_size: float = 224,
    canonical_level: int = 4,
    rule: Rule = "detectron2",
    stages: ArrayLike | None = None,
    accumulate: bool = False,
    batch_indices: ArrayLike | None = None,
    layout: Layout = "NCHW",
    out: Maps | None = None,
    invalid: Invalid = "raise",
    device: Device | None = None,
) -> list[NDArray[Any]] | list[DeviceArray]:
    """Gradients of `multiscale_roi_align` for its maps.

    Parameters
    ----------
    grad_output, accumulate, layout, invalid, device
        As for `roi_align_backward`.
    input_shapes : sequence of (int, int, int, int)
        Shape of each map, in the order that ``layout`` says.
    boxes, spatial_scales, sampling_ratio, aligned, canonical_size, canonical_level, rule, stages, batch_indices
        As in the forward call.
    out : sequence of arrays of these shapes, optional
        Where to write the gradients.

    Returns
    -------
    list of arrays of ``input_shapes``
        Of the dtype of ``grad_output``.

    Raises
    ------
    ValueError, TypeError, MemoryError, KeyboardInterrupt
        As for `multiscale_roi_align`.

    Examples
    --------
    >>> import numpy as np
    >>> import roialign_rs as ra
    >>> gradients = ra.multiscale_roi_align_backward(
    ...     np.ones((1, 1, 1, 1)), np.array([[0.0, 0, 256, 256]]), [(1, 1, 64, 64), (1, 1, 32, 32)],
    ...     spatial_scales=[1 / 4, 1 / 8],
    ... )
    >>> [float(gradient.sum()) for gradient in gradients]
    [0.0, 1.0]
    """
    shapes = [shape(f"input_shapes[{i}]", sides) for i, sides in enumerate(sequence("input_shapes", input_shapes))]
    table, batch_indices = as_boxes(boxes, batch_indices, shapes[0][0] if shapes else 0)
    return _core.multiscale_roi_align_backward(
        as_features(grad_output, "grad_output"),
        table,
        batch_indices,
        shapes,
        spatial_scales,
        sampling_ratio,
        aligned,
        canonical_size,
        canonical_level,
        rule,
        None if stages is None else indices("stages", stages),
        accumulate,
        layout,
        None if out is None else sequence("out", out),
        invalid,
        as_device(device),
    )


def assign_stages(
    boxes: Boxes,
    num_stages: int,
    *,
    min_level: int,
    canonical_size: float = 224,
    canonical_level: int = 4,
    rule: Rule = "detectron2",
    invalid: Invalid = "raise",
) -> NDArray[np.int64]:
    """Say which map of a feature pyramid fits the size of each box.

    Parameters
    ----------
    boxes
        As for `roi_align`. Sizes are computed in their dtype.
    num_stages : int
        Number of maps. A single one takes every box.
    min_level : int
        Level of the finest map: its stride is ``2**min_level``.
    canonical_size : float
        Side of a square box, in image pixels, that belongs to ``canonical_level``.
    canonical_level : int
        The level of such a box.
    rule : {"detectron2", "torchvision"}
        ``floor(level + log2(sqrt(area) / size + 1e-8))``, or ``floor(level + log2(sqrt(area) / size) + 1e-6)``.
    invalid : {"raise", "zero", "nan"}
        What to do with a box of negative area or none that is a number: refuse the call, or give it -1.

    Returns
    -------
    (K,) array of int64
        From 0, the finest map, to ``num_stages - 1``.

    Raises
    ------
    ValueError, TypeError
        For a value or dtype that does not fit, naming the argument and the row.

    Examples
    --------
    >>> import numpy as np
    >>> import roialign_rs as ra
    >>> sides = np.array([20.0, 111.9, 112, 224, 5000])
    >>> ra.assign_stages(np.stack([0 * sides, 0 * sides, sides, sides], axis=1), 4, min_level=2)
    array([0, 0, 1, 2, 3])
    """
    images = len(boxes) if isinstance(boxes, (list, tuple)) else 1
    table, _ = as_boxes(boxes, None, images)
    return _core.assign_stages(table, num_stages, min_level, canonical_size, canonical_level, rule, invalid)
