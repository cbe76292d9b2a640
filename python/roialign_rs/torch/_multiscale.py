"""``torchvision.ops.MultiScaleRoIAlign``, in one call over all maps.

``torch.jit.script`` compiles this module and its functions, so they use what TorchScript supports, and annotations are
not strings. ``torch.fx`` does not trace into the functions.
"""

import math
from collections.abc import Sequence

import torch
import torch.fx
from torch import Tensor, nn

from roialign_rs.torch import _scripted
from roialign_rs.torch._arguments import (
    as_boxes,
    as_flag,
    as_integer,
    as_number,
    as_size,
    check_cells,
    check_image_shapes,
    check_input,
    check_maps,
    check_names,
)


class MultiScaleRoIAlign(nn.Module):
    """Cut boxes out of a feature pyramid by RoI Align, as ``torchvision.ops.MultiScaleRoIAlign``.

    A feature pyramid is a set of feature maps of the same images at different resolutions. Each box is pooled from the
    map that fits its size. All boxes are pooled in one call.

    Parameters
    ----------
    featmap_names : list or tuple of str
        Names of the maps to use.
    output_size : int or (int, int)
        Number of bins along y and x: height and width of each result. An int means both.
    sampling_ratio : int
        Samples per bin along each axis, at most 65536. If 0 or less, ``ceil(side of the bin in map cells)``.
    canonical_scale : float, default 224
        Side, in image pixels, of a square box that is pooled from the map of ``canonical_level``.
    canonical_level : int, default 4
        Level of the map for boxes of ``canonical_scale``. The stride of level l is ``2**l``.
    box_grad : bool, default False
        Compute the gradient for the boxes too. With False boxes have no gradient, as in torchvision.

    Raises
    ------
    TypeError, ValueError
        If an argument is not valid.

    See Also
    --------
    roialign_rs.multiscale_roi_align : The operator on NumPy arrays, with more options.

    Notes
    -----
    Boxes are not shifted by half a cell (``aligned=False``), as in torchvision.

    The first call computes the scale of each map from its height, rounds it to a power of two, and stores it in
    ``scales``. The maps should be neighbours in the pyramid. Otherwise levels are taken as indices of the used maps, and
    a box whose index has no map gives 0, as in torchvision.

    Examples
    --------
    >>> import torch
    >>> from roialign_rs.torch import MultiScaleRoIAlign
    >>> maps = {"0": torch.rand(1, 8, 64, 64), "1": torch.rand(1, 8, 32, 32), "pool": torch.rand(1, 8, 16, 16)}
    >>> pooler = MultiScaleRoIAlign(["0", "1"], output_size=7, sampling_ratio=2)
    >>> pooler(maps, [torch.tensor([[10.0, 10.0, 200.0, 90.0]])], [(256, 256)]).shape
    torch.Size([1, 8, 7, 7])
    """

    scales: list[float] | None

    def __init__(
        self,
        featmap_names: list[str],
        output_size: int | Sequence[int],
        sampling_ratio: int,
        *,
        canonical_scale: float = 224,
        canonical_level: int = 4,
        box_grad: bool = False,
    ) -> None:
        super().__init__()
        check_names("featmap_names", featmap_names)
        self.featmap_names = featmap_names
        self.output_size = as_size(output_size)
        self.sampling_ratio = as_integer("sampling_ratio", sampling_ratio)
        self.canonical_scale = as_number("canonical_scale", canonical_scale)
        if not 0 < self.canonical_scale < math.inf:
            raise ValueError(f"canonical_scale must be finite and positive, got {canonical_scale}")
        self.canonical_level = as_integer("canonical_level", canonical_level)
        self.box_grad = as_flag("box_grad", box_grad)
        self.scales = None

    def forward(self, x: dict[str, Tensor], boxes: list[Tensor], image_shapes: list[tuple[int, int]]) -> Tensor:
        """Pool boxes from the maps.

        Parameters
        ----------
        x : dict of (N, C, H_i, W_i) tensors
            Feature maps by name, highest resolution first.
        boxes : list of N (K_i, 4) tensors
            Boxes ``x1, y1, x2, y2`` of each image, in image pixels.
        image_shapes : list of (height, width)
            Sizes of the images in pixels, before padding.

        Returns
        -------
        (K, C, height, width) tensor
            One grid for each box, in the order of the boxes, contiguous, with the dtype of the first map.

        Raises
        ------
        NotImplementedError
            If a tensor is sparse, quantized or not on the CPU.
        ValueError
            If a shape or a value is not valid, such as a box with NaN or a batch index of no image.
        TypeError
            If the dtype or the type of an argument is not supported, such as an array instead of a tensor.
        """
        features = _select(x, self.featmap_names)
        scales = self.scales
        if scales is None:
            scales = _scales(features, image_shapes)
            if isinstance(scales, list):  # not while torch.fx traces
                self.scales = scales
        return _pool(
            features,
            boxes,
            scales,
            self.output_size,
            self.sampling_ratio,
            self.canonical_scale,
            self.canonical_level,
            self.box_grad,
        )

    def extra_repr(self) -> str:
        """Return the options of the module, for its representation."""
        return (
            f"featmap_names={self.featmap_names}, output_size={self.output_size}, sampling_ratio={self.sampling_ratio}"
        )


@torch.fx.wrap
def _select(x: dict[str, Tensor], names: list[str]) -> list[Tensor]:
    """Return the maps of these names, in the order of ``x``."""
    features: list[Tensor] = []
    if not torch.jit.is_scripting():
        check_maps(x)
    for name, one in x.items():
        if name in names:
            if not torch.jit.is_scripting():
                check_input(f"x['{name}']", one)
            features.append(one)
    if len(features) == 0:
        raise ValueError(f"x: expected at least one of the maps {names}, got {list(x.keys())}")
    return features


@torch.fx.wrap
def _scales(features: list[Tensor], image_shapes: list[tuple[int, int]]) -> list[float]:
    """Return the scale of each map: its height divided by that of the tallest image."""
    if not torch.jit.is_scripting():
        check_image_shapes(image_shapes)
    if len(image_shapes) == 0:
        raise ValueError("image_shapes: expected the size of at least one image, got an empty list")
    height = max([shape[0] for shape in image_shapes])
    for one in features:
        if one.shape[2] == 0:
            raise ValueError("x: expected maps with a height of at least 1, got 0")
    return [2.0 ** _level(one.shape[2] / height) for one in features]


@torch.fx.wrap
def _pool(
    features: list[Tensor],
    boxes: list[Tensor],
    scales: list[float],
    output_size: tuple[int, int],
    sampling_ratio: int,
    canonical_scale: float,
    canonical_level: int,
    box_grad: bool,
) -> Tensor:
    """Pool each box from the map that fits its size. Boxes of levels past the last map give 0."""
    rois = _scripted.as_boxes(boxes) if torch.jit.is_scripting() else as_boxes(boxes)
    if not torch.jit.is_scripting():
        check_cells("x", features[0], rois)
    height, width = output_size
    dtype = features[0].dtype
    if len(features) == 1:
        return torch.ops.roialign_rs.roi_align(
            features[0], rois, scales[0], height, width, sampling_ratio, False, box_grad
        )
    same = True
    for one in features:
        same = same and one.dtype == dtype
    if not same:  # autocast may leave maps of several
        features = [one.float() if one.element_size() < 4 else one for one in features]
    finest, coarsest = -_level(scales[0]), -_level(scales[-1])
    levels = coarsest - finest + 1
    stages = torch.ops.roialign_rs.assign_stages(rois, levels, finest, canonical_scale, canonical_level)
    used = stages.clamp(max=len(features) - 1)
    pooled = torch.ops.roialign_rs.multiscale_roi_align(
        features, rois, used, scales[: len(features)], height, width, sampling_ratio, box_grad
    )
    if levels > len(features):
        pooled = pooled.masked_fill((stages >= len(features))[:, None, None, None], 0)
    return pooled.to(dtype)


def _level(scale: float) -> int:
    """Return the nearest integer to ``log2(scale)``. TorchScript has no log2."""
    return int(round(math.log(scale) / math.log(2)))  # noqa: RUF046  # a float in TorchScript
