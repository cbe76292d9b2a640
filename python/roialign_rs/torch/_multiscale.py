"""torchvision.ops.MultiScaleRoIAlign, in one call over all maps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from roialign_rs.torch import _align, _pyramid
from roialign_rs.torch._arguments import as_boxes, as_flag, as_integer, as_size, check_input


class MultiScaleRoIAlign(nn.Module):
    """Pool each box from the map of a feature pyramid that suits its size, as ``torchvision.ops.MultiScaleRoIAlign``.

    Parameters
    ----------
    featmap_names : list of str
        Which maps of the input to use.
    output_size : int or (int, int)
        Bins of a box: height and width.
    sampling_ratio : int
        Samples of a bin along each axis. 0 or less takes one per cell of the bin, rounded up.
    canonical_scale : int
        Side of the box, in image pixels, that belongs to ``canonical_level``.
    canonical_level : int
        log2 of the stride of that box's map.
    box_grad : bool
        Give boxes their gradient too; False gives them none, as torchvision.

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

    def __init__(
        self,
        featmap_names: list[str],
        output_size: int | Sequence[int],
        sampling_ratio: int,
        *,
        canonical_scale: int = 224,
        canonical_level: int = 4,
        box_grad: bool = False,
    ) -> None:
        super().__init__()
        self.featmap_names = featmap_names
        self.output_size = as_size(output_size)
        self.sampling_ratio = as_integer("sampling_ratio", sampling_ratio)
        self.canonical_scale = canonical_scale
        self.canonical_level = canonical_level
        self.box_grad = as_flag("box_grad", box_grad)
        self.scales: list[float] | None = None

    def forward(
        self, x: Mapping[str, Tensor], boxes: Sequence[Tensor], image_shapes: Sequence[tuple[int, int]]
    ) -> Tensor:
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
        """
        features = [one for name, one in x.items() if name in self.featmap_names]
        if not features:
            raise ValueError(f"x: has none of the maps {self.featmap_names}, only {list(x)}")
        for name, one in zip(self.featmap_names, features, strict=False):
            check_input(f"x[{name!r}]", one)
        if self.scales is None:
            self.scales = _scales(features, image_shapes)
        return self._pool(features, as_boxes(boxes), self.scales)

    def _pool(self, features: list[Tensor], boxes: Tensor, scales: list[float]) -> Tensor:
        size, dtype = self.output_size, features[0].dtype
        if len(features) == 1:
            return _align.roi_align(features[0], boxes, scales[0], *size, self.sampling_ratio, False, self.box_grad)
        if any(one.dtype != dtype for one in features):  # autocast may leave maps of several
            features = [one.float() if one.dtype.itemsize < 4 else one for one in features]
        finest, coarsest = (-int(math.log2(scale)) for scale in (scales[0], scales[-1]))
        levels = coarsest - finest + 1
        stages = _pyramid.assign_stages(boxes, levels, finest, self.canonical_scale, self.canonical_level)
        beyond = None
        if levels > len(features):
            beyond = (stages >= len(features))[:, None, None, None]
            stages = stages.clamp(max=len(features) - 1)
        pooled = _pyramid.multiscale_roi_align(
            features, boxes, stages, scales[: len(features)], *size, self.sampling_ratio, self.box_grad
        )
        return (pooled if beyond is None else pooled.masked_fill(beyond, 0)).to(dtype)

    def extra_repr(self) -> str:
        """What the module was made with."""
        return (
            f"featmap_names={self.featmap_names}, output_size={self.output_size}, sampling_ratio={self.sampling_ratio}"
        )


def _scales(features: list[Tensor], image_shapes: Sequence[tuple[int, int]]) -> list[float]:
    """Scale of each map, by its height in that of the tallest image."""
    if not image_shapes:
        raise ValueError("image_shapes: expected the size of at least one image")
    height = max(shape[0] for shape in image_shapes)
    return [2.0 ** round(math.log2(one.shape[2] / height)) for one in features]
