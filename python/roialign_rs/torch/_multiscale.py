"""torchvision.ops.MultiScaleRoIAlign, in one call over all maps.

`torch.jit.script` compiles this module and its functions, so they keep to what TorchScript knows, and annotations are no
strings. `torch.fx` keeps calls of the functions as they are.
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
    """Pool each box from the map of a feature pyramid that suits its size, as ``torchvision.ops.MultiScaleRoIAlign``.

    Parameters
    ----------
    featmap_names : list or tuple of str
        Which maps of the input to use.
    output_size : int or (int, int)
        Bins of a box: height and width.
    sampling_ratio : int
        Samples of a bin along each axis. 0 or less takes one per cell of the bin, rounded up.
    canonical_scale : float
        Side of the box, in image pixels, that belongs to ``canonical_level``.
    canonical_level : int
        log2 of the stride of that box's map.
    box_grad : bool
        Give boxes their gradient too; False gives them none, as torchvision.

    Raises
    ------
    TypeError, ValueError
        For an argument of a wrong kind or value, which is named.

    Notes
    -----
    As in torchvision: ``aligned`` is False; the scale of each map is taken from the first call's shapes, rounded to a
    power of two, and kept in ``scales``; a box whose level lies between two used maps takes the map of that number,
    and gives 0 where there is none, so maps should be neighbours in the pyramid.

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
        """Pool boxes.

        Parameters
        ----------
        x : dict of (N, C, H_i, W_i) tensors
            Feature maps by name, the finest first.
        boxes : list of N (K_i, 4) tensors
            ``x1, y1, x2, y2`` in image pixels.
        image_shapes : list of (height, width)
            Sizes of the images, before padding.

        Returns
        -------
        (K, C, height, width) tensor
            Contiguous, of the first map's dtype.

        Raises
        ------
        NotImplementedError, ValueError, TypeError
            As for `roi_align`.
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
        """What the module was made with."""
        return (
            f"featmap_names={self.featmap_names}, output_size={self.output_size}, sampling_ratio={self.sampling_ratio}"
        )


@torch.fx.wrap
def _select(x: dict[str, Tensor], names: list[str]) -> list[Tensor]:
    """Maps of these names, in the order of ``x``."""
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
    """Scale of each map, by its height in that of the tallest image."""
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
    """Pool each box from the map that suits its size; 0 where levels between the maps are left out."""
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
    """Nearest power of two; TorchScript has no log2."""
    return int(round(math.log(scale) / math.log(2)))  # noqa: RUF046  # a float in TorchScript
