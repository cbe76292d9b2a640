"""RoI Align on a feature pyramid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

from numpy.typing import ArrayLike, NDArray

from roialign_rs import _core
from roialign_rs._args import Boxes, Pair
from roialign_rs._call import as_levels, as_maps, forward

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from roialign_rs._options import Invalid, Layout, PyramidOptions, Rule
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
    """Cut boxes out of a feature pyramid, each from the map that fits its size, by RoI Align.

    A feature pyramid is a list of feature maps of the same images at different resolutions. Large boxes are pooled from
    coarse maps and small boxes from fine maps, so that all cover a similar number of cells. All boxes are pooled in one
    call, into one array.

    Parameters
    ----------
    features_list : list of (N, C, H_i, W_i) arrays of float16, bfloat16, float32, float64 or uint8
        Feature maps of the same N images, highest resolution first, all with the same number of channels C and dtype.
        With ``layout="NHWC"`` the shapes are (N, H_i, W_i, C). The arrays must not change during the call.
    boxes : (K, 4) or (K, 5) array, or list of N (K_i, 4) arrays
        Boxes ``x1, y1, x2, y2`` in image pixels. In a (K, 5) array the first column is the batch index: the number of
        the image, from 0. In a list, entry i holds the boxes of image i, and ``[]`` means none. One box may also come
        as (4,) or (5,). Coordinates are computed in float64, or in float32 if the array has float32, float16 or
        bfloat16.
    output_size : int or (int, int)
        Number of bins along y and x: height and width of each result. An int means both.
    spatial_scales : sequence of float
        Map cells per image pixel of each map, 1 / stride. Consecutive powers of two such as (1/4, 1/8, 1/16), unless
        ``stages`` is passed.
    sampling_ratio : int or (int, int), default 0
        Samples per bin along y and x, at most 65536. If 0 or less, a bin has ``ceil(side of the bin in map cells)``
        samples along each axis.
    aligned : bool, default True
        True shifts boxes by half a map cell, so that integer coordinates are pixel edges, as in Detectron2, mmcv and
        ONNX 16. False is the older rule: no shift, and sides shorter than one map cell are widened to one. The default
        of torchvision is False.
    canonical_size : float, default 224
        Side, in image pixels, of a square box that is pooled from the map of ``canonical_level``.
    canonical_level : int, default 4
        Level of the map for boxes of ``canonical_size``. The stride of level l is ``2**l``.
    rule : {"detectron2", "torchvision"}, default "detectron2"
        The library whose rounding is used for boxes near the boundary of two levels; see `roialign_rs.assign_stages`.
    stages : (K,) array of int, optional
        Index of the map of each box, from 0. It replaces the rule.
    batch_indices : (K,) array of int, optional
        Image of each box, from 0, for boxes of shape (K, 4). Not needed if N = 1.
    layout : {"NCHW", "NHWC"}, default "NCHW"
        Order of the axes of features and result: N images (K boxes), C channels, height H, width W.
    out : array, optional
        Array to write the result to, with its shape and dtype and any strides. It must not share memory with an input.
        By default a new array is returned.
    invalid : {"raise", "zero", "nan"}, default "raise"
        What to do with a box that has a NaN or infinite coordinate, a batch index of no image or a negative area, which
        fits no map: raise a ValueError that names the row, or fill the result of this box with zeros or NaN.
    device : gpu.Device, optional
        GPU to compute on (experimental): maps are uploaded and the result is downloaded. To pool the same maps several
        times, upload them once with `gpu.Device.features`, pass each `gpu.DeviceArray` in ``features_list`` and leave
        ``device`` out. The result is then a `gpu.DeviceArray` too.

    Returns
    -------
    pooled : (K, C, height, width) array
        One grid for each box, in the order of the boxes and with the dtype of the maps (float32 for uint8). With
        ``layout="NHWC"`` the shape is (K, height, width, C).

    Raises
    ------
    ValueError
        If a shape or a value is not valid. The message names the argument and, for a box, its row.
    TypeError
        If the dtype or the type of an argument is not supported.
    MemoryError
        If there is not enough memory.
    KeyboardInterrupt
        On Ctrl-C, for calls from the main thread: within 0.5 s, or after the box in progress. ``out`` is then partly
        written.
    GpuError
        If a GPU is used and fails.

    See Also
    --------
    multiscale_roi_align_backward : Gradients for the maps.
    assign_stages : The map of each box.
    roi_align : RoI Align on one map.

    Notes
    -----
    The level of a box is ``floor(canonical_level + log2(sqrt(area) / canonical_size))``, limited to the levels of the
    maps [1]_. The level of the first map is ``-log2(spatial_scales[0])``. With one map, every box is pooled from it.

    To get the results of other libraries:

    * ``ROIPooler`` of Detectron2: the defaults.
    * ``MultiScaleRoIAlign`` of torchvision: ``sampling_ratio=2, aligned=False, rule="torchvision"``.
    * ``SingleRoIExtractor`` of mmdetection: ``stages=stages``, computed from float32 boxes for n maps by ::

        side = np.sqrt((x2 - x1) * (y2 - y1))
        stages = np.clip(np.floor(np.log2(side / np.float32(56) + np.float32(1e-6))), 0, n - 1).astype(np.int64)

    References
    ----------
    .. [1] T.-Y. Lin et al., "Feature Pyramid Networks for Object Detection", CVPR 2017, section 4.2.

    Examples
    --------
    Three maps, each filled with its own side. The small box is pooled from the first, the large one from the last:

    >>> import numpy as np
    >>> import roialign_rs as ra
    >>> maps = [np.full((1, 1, side, side), side, np.float32) for side in (64, 32, 16)]
    >>> boxes = np.array([[10.0, 10, 40, 40], [0, 0, 256, 256]])
    >>> ra.multiscale_roi_align(maps, boxes, 1, spatial_scales=[1 / 4, 1 / 8, 1 / 16]).ravel()
    array([64., 16.], dtype=float32)
    """
    pooled: NDArray[Any] | DeviceArray = forward(
        _core.RoiAlign(sampling_ratio, aligned, "avg", "center"),
        as_maps(features_list),
        boxes,
        batch_indices,
        output_size,
        spatial_scales,
        as_levels(canonical_size, canonical_level, rule, stages),
        False,
        layout,
        out,
        invalid,
        device,
    )
    return pooled
