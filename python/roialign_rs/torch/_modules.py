"""The modules of ``torchvision.ops`` for one map, with its signatures and representations.

TorchScript reads annotations at run time, so there is no ``from __future__ import annotations``.
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
    """`roi_align` as a module that stores its options, as ``torchvision.ops.RoIAlign``.

    Parameters
    ----------
    output_size : int or (int, int)
        Number of bins along y and x: height and width of each result. An int means both.
    spatial_scale : float
        Map cells per image pixel, 1 / stride of the feature map.
    sampling_ratio : int
        Samples per bin along each axis, at most 65536. If 0 or less, ``ceil(side of the bin in map cells)``.
    aligned : bool, default False
        True shifts boxes by half a map cell, so that integer coordinates are pixel edges. False: no shift, and sides
        shorter than one map cell are widened to one. The default is that of torchvision; `roialign_rs.roi_align` has
        True.
    box_grad : bool, default False
        Compute the gradient for the boxes too.

    See Also
    --------
    roi_align : The same as a function, with all details.

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
        """Pool boxes from feature maps.

        Parameters
        ----------
        input : (N, C, H, W) tensor of float16, bfloat16, float32, float64 or uint8
            Feature maps of N images with C channels, on the CPU, with any strides (such as ``channels_last``). Not
            copied.
        rois : (K, 5) tensor, or list of N (K_i, 4) tensors
            Boxes ``x1, y1, x2, y2`` in image pixels. In a (K, 5) tensor the first column is the batch index: the number
            of the image, from 0. In a list, entry i holds the boxes of image i. The dtype may differ from that of
            ``input``, unlike in torchvision. Coordinates are computed in float64 if the boxes have float64, otherwise
            in float32.

        Returns
        -------
        (K, C, height, width) tensor
            The result of `roi_align`.
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
    """`roi_pool` as a module that stores its options, as ``torchvision.ops.RoIPool``.

    Parameters
    ----------
    output_size : int or (int, int)
        Number of bins along y and x: height and width of each result. An int means both.
    spatial_scale : float
        Map cells per image pixel, 1 / stride of the feature map.
    box_grad : bool, default False
        Must be False: rounded boxes have no gradient.

    See Also
    --------
    roi_pool : The same as a function, with all details.

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
        """Pool boxes from feature maps.

        Parameters
        ----------
        input : (N, C, H, W) tensor of float16, bfloat16, float32, float64 or uint8
            Feature maps of N images with C channels, on the CPU, with any strides (such as ``channels_last``). Not
            copied.
        rois : (K, 5) tensor, or list of N (K_i, 4) tensors
            Boxes ``x1, y1, x2, y2`` in image pixels. In a (K, 5) tensor the first column is the batch index: the number
            of the image, from 0. In a list, entry i holds the boxes of image i. The dtype may differ from that of
            ``input``, unlike in torchvision. Coordinates are computed in float64 if the boxes have float64, otherwise
            in float32.

        Returns
        -------
        (K, C, height, width) tensor
            The result of `roi_pool`.
        """
        return roi_pool(input, rois, self.output_size, self.spatial_scale, box_grad=self.box_grad)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(output_size={self.output_size}, spatial_scale={self.spatial_scale})"
