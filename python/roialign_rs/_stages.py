"""Assignment of boxes to the maps of a feature pyramid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from roialign_rs import _core
from roialign_rs._args import Boxes, boxes as as_boxes

if TYPE_CHECKING:
    from roialign_rs._options import Invalid, Rule


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
    """Choose the map of a feature pyramid that fits the size of each box.

    This is the rule by which `multiscale_roi_align` assigns boxes to maps. A box of twice the side gets the next
    coarser map.

    Parameters
    ----------
    boxes : (K, 4) or (K, 5) array, or list of (K_i, 4) arrays
        Boxes ``x1, y1, x2, y2`` in image pixels. In a (K, 5) array the first column is a batch index, which is ignored.
        One box may also come as (4,) or (5,). Sizes are computed in float64, or in float32 if the array has float32,
        float16 or bfloat16.
    num_stages : int
        Number of maps. With one map, every box gets 0.
    min_level : int
        Level of the first map, the one with the highest resolution. The stride of level l is ``2**l``.
    canonical_size : float, default 224
        Side, in image pixels, of a square box that gets ``canonical_level``.
    canonical_level : int, default 4
        Level for boxes of ``canonical_size``. The stride of level l is ``2**l``.
    rule : {"detectron2", "torchvision"}, default "detectron2"
        The library whose rounding is used; see Notes. Results differ for boxes near the boundary of two levels alone.
    invalid : {"raise", "zero", "nan"}, default "raise"
        What to do with a box of negative or NaN area: raise a ValueError that names the row, or give it -1 ("zero" and
        "nan").

    Returns
    -------
    (K,) array of int64
        Index of the map of each box: 0 for the first map, ``num_stages - 1`` for the last.

    Raises
    ------
    ValueError
        If a shape or a value is not valid. The message names the argument and, for a box, its row.
    TypeError
        If the dtype or the type of an argument is not supported.

    See Also
    --------
    multiscale_roi_align : RoI Align on a feature pyramid.

    Notes
    -----
    The index is ``level - min_level``, limited to the maps, with the level [1]_ ::

        detectron2    floor(canonical_level + log2(sqrt(area) / canonical_size + 1e-8))
        torchvision   floor(canonical_level + log2(sqrt(area) / canonical_size) + 1e-6)

    References
    ----------
    .. [1] T.-Y. Lin et al., "Feature Pyramid Networks for Object Detection", CVPR 2017, section 4.2.

    Examples
    --------
    Boxes of side 224 get level 4, those of half the side level 3. The first of the four maps has level 2:

    >>> import numpy as np
    >>> import roialign_rs as ra
    >>> sides = np.array([20.0, 111.9, 112, 224, 5000])
    >>> ra.assign_stages(np.stack([0 * sides, 0 * sides, sides, sides], axis=1), 4, min_level=2)
    array([0, 0, 1, 2, 3])
    """
    images = len(boxes) if isinstance(boxes, (list, tuple)) else 1
    table, _ = as_boxes(boxes, None, images)
    return _core.assign_stages(table, num_stages, min_level, canonical_size, canonical_level, rule, invalid)
