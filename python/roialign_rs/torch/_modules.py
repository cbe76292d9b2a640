"""torchvision.ops' modules of one map, with its signatures and representations.

TorchScript reads annotations as they are, so there is no ``from __future__ import annotations``.
"""

from collections.abc import Sequence

import torch
import torch.fx
from torch import Tensor, nn

from roialign_rs.torch._functions import roi_align, roi_pool

# torch.fx's tracer keeps calls from here as they are, as it does calls from torchvision's modules.
torch.fx.wrap("roi_align")
torch.fx.wrap("roi_pool")


class RoIAlign(nn.Module):
    """`roi_align` with its options kept, as ``torchvision.ops.RoIAlign``.

    Parameters
    ----------
    output_size, spatial_scale, sampling_ratio, aligned, box_grad
        As for `roi_align`.

    Examples
    --------
    >>> import torch
    >>> from roialign_rs.torch import RoIAlign
    >>> pool = RoIAlign(output_size=7, spatial_scale=1 / 16, sampling_ratio=2)
    >>> pool
    RoIAlign(output_size=7, spatial_scale=0.0625, sampling_ratio=2, aligned=False)
    >>> pool(torch.rand(1, 8, 50, 50), [torch.tensor([[10.0, 10.0, 200.0, 90.0]])]).shape
    torch.Size([1, 8, 7, 7])
    """

    def __init__(
        self,
        output_size: int | Sequence[int],
        spatial_scale: float,
        sampling_ratio: int,
        aligned: bool = False,
        *,
        box_grad: bool = False,
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.spatial_scale = spatial_scale
        self.sampling_ratio = sampling_ratio
        self.aligned = aligned
        self.box_grad = box_grad

    def forward(self, input: Tensor, rois: Tensor | list[Tensor]) -> Tensor:
        """Pool boxes.

        Parameters
        ----------
        input, rois
            As ``input`` and ``boxes`` of `roi_align`.

        Returns
        -------
        (K, C, height, width) tensor
            As of `roi_align`.
        """
        return roi_align(
            input,
            rois,
            self.output_size,
            self.spatial_scale,
            self.sampling_ratio,
            self.aligned,
            box_grad=self.box_grad,
        )

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(output_size={self.output_size}, spatial_scale={self.spatial_scale}, "
            f"sampling_ratio={self.sampling_ratio}, aligned={self.aligned})"
        )


class RoIPool(nn.Module):
    """`roi_pool` with its options kept, as ``torchvision.ops.RoIPool``.

    Parameters
    ----------
    output_size, spatial_scale, box_grad
        As for `roi_pool`.

    Examples
    --------
    >>> import torch
    >>> from roialign_rs.torch import RoIPool
    >>> pool = RoIPool(output_size=(3, 5), spatial_scale=1 / 16)
    >>> pool
    RoIPool(output_size=(3, 5), spatial_scale=0.0625)
    >>> pool(torch.rand(1, 8, 50, 50), [torch.tensor([[10.0, 10.0, 200.0, 90.0]])]).shape
    torch.Size([1, 8, 3, 5])
    """

    def __init__(self, output_size: int | Sequence[int], spatial_scale: float, *, box_grad: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.spatial_scale = spatial_scale
        self.box_grad = box_grad

    def forward(self, input: Tensor, rois: Tensor | list[Tensor]) -> Tensor:
        """Pool boxes.

        Parameters
        ----------
        input, rois
            As ``input`` and ``boxes`` of `roi_pool`.

        Returns
        -------
        (K, C, height, width) tensor
            As of `roi_pool`.
        """
        return roi_pool(input, rois, self.output_size, self.spatial_scale, box_grad=self.box_grad)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(output_size={self.output_size}, spatial_scale={self.spatial_scale})"
