"""The operators for JAX on the CPU: under ``jit`` and ``vmap``, with gradients.

Functions
---------
roi_align, roi_pool, multiscale_roi_align : as in `roialign_rs`, on JAX arrays
"""

try:
    import jax as _jax  # noqa: F401  # asked for here, so that its absence is explained
except ImportError as error:
    raise ImportError("roialign_rs.jax needs JAX: pip install 'roialign_rs[jax]'") from error

from roialign_rs.jax._functions import multiscale_roi_align, roi_align, roi_pool

__all__ = ["multiscale_roi_align", "roi_align", "roi_pool"]
