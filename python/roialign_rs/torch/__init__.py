"""RoI operators for PyTorch tensors on the CPU, with the signatures and defaults of torchvision.

There are two ways to use them: call the functions and modules here instead of those of ``torchvision.ops``, or call
`accelerate` and leave a model that uses torchvision as it is. As in torchvision, ``aligned`` is False by default.

* `roi_align`, `roi_pool`: as in ``torchvision.ops``.
* `RoIAlign`, `RoIPool`: the same as modules.
* `prroi_pool`: an operator that torchvision lacks, with the names and defaults of `roialign_rs`.
* `MultiScaleRoIAlign`: as in ``torchvision.ops``, for the ``box_roi_pool`` of a detector.
* `accelerate`: makes torchvision's operators use these kernels on the CPU.
* `accelerate_worker`: the same in the workers of a DataLoader.

A call uses ``min(roialign_rs.get_num_threads(), torch.get_num_threads())`` threads.
"""

try:
    import torch as _torch  # noqa: F401  # asked for here, so that its absence is explained
except ImportError as error:
    raise ImportError("roialign_rs.torch needs PyTorch: pip install 'roialign_rs[torch]'") from error

from roialign_rs.torch._accelerate import Acceleration, accelerate, accelerate_worker
from roialign_rs.torch._functions import prroi_pool, roi_align, roi_pool
from roialign_rs.torch._modules import RoIAlign, RoIPool
from roialign_rs.torch._multiscale import MultiScaleRoIAlign

__all__ = [
    "Acceleration",
    "MultiScaleRoIAlign",
    "RoIAlign",
    "RoIPool",
    "accelerate",
    "accelerate_worker",
    "prroi_pool",
    "roi_align",
    "roi_pool",
]
