"""RoI operators for JAX arrays on the CPU, with ``jit``, ``vmap`` and gradients.

`roi_align`, `roi_pool`, `prroi_pool` and `multiscale_roi_align` are those of `roialign_rs`, for JAX arrays.
"""

try:
    import jax as _jax  # noqa: F401  # asked for here, so that its absence is explained
except ImportError as error:
    raise ImportError("roialign_rs.jax needs JAX: pip install 'roialign_rs[jax]'") from error

from roialign_rs.jax._functions import prroi_pool, roi_align, roi_pool
from roialign_rs.jax._multiscale import multiscale_roi_align

__all__ = ["multiscale_roi_align", "prroi_pool", "roi_align", "roi_pool"]
