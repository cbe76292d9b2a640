"""torchvision's RoI operators on PyTorch's CPU tensors, by the kernels of this package.

Either call the functions here, which have torchvision's signatures and defaults (``aligned=False`` among them), or call
`accelerate` and leave a model that uses torchvision as it is.

Functions
---------
roi_align, roi_pool : as ``torchvision.ops``
RoIAlign, RoIPool : the same as modules
MultiScaleRoIAlign : as ``torchvision.ops``, a drop-in for a detector's ``box_roi_pool`` and the like
accelerate : let torchvision's own operators use these kernels on the CPU
accelerate_worker : the same in the workers of a DataLoader

A call uses ``min(roialign_rs.get_num_threads(), torch.get_num_threads())`` threads.
"""

try:
    import torch as _torch  # noqa: F401  # asked for here, so that its absence is explained
except ImportError as error:
    raise ImportError("roialign_rs.torch needs PyTorch: pip install 'roialign_rs[torch]'") from error

from roialign_rs.torch._accelerate import Acceleration, accelerate, accelerate_worker
from roialign_rs.torch._functions import roi_align, roi_pool
from roialign_rs.torch._modules import RoIAlign, RoIPool
from roialign_rs.torch._multiscale import MultiScaleRoIAlign

__all__ = [
    "Acceleration",
    "MultiScaleRoIAlign",
    "RoIAlign",
    "RoIPool",
    "accelerate",
    "accelerate_worker",
    "roi_align",
    "roi_pool",
]
