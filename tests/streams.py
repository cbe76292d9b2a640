"""Large results from boxes that repeat, so that a small call gives the expected values.

Results over ``STREAMED`` bytes are written with non-temporal stores where they have whole cache lines; smaller results
are not. Both must have the same bits.
"""

import ml_dtypes
import numpy as np
import operators

import roialign_rs as ra

STREAMED = 4 << 20
DTYPES = {str(np.dtype(t)): np.dtype(t) for t in ("float32", "float64", "float16", ml_dtypes.bfloat16, "uint8")}
DISTINCT = 41
"""Number of boxes before they repeat: a prime, so that each box meets each position in cache lines and tasks."""
GUARD = 0xA5


class Stream:
    """A call with any number of boxes."""

    def __init__(self, dtype, layout, channels, size, call=0):
        rng = np.random.default_rng([channels, *size])
        features = rng.integers(0, 256, (2, channels, 9, 12)) - (0 if dtype == "uint8" else 128)
        features = features.astype(DTYPES[dtype])
        self.features = np.ascontiguousarray(np.moveaxis(features, 1, -1)) if layout == "NHWC" else features
        self.boxes = np.sort(rng.uniform(-2, 13, (DISTINCT, 2, 2)), axis=1).reshape(-1, 4).astype(np.float32)
        self.images = rng.integers(0, 2, DISTINCT)
        op, mode = operators.MODES[call % len(operators.MODES)]
        self.about = f"{op} {mode} {dtype} {layout} C={channels} {size}"
        self.options = {"layout": layout, **mode}
        self.call, self.size = getattr(ra, op), size
        self.small = self.call(self.features, self.boxes, size, batch_indices=self.images, **self.options)
        assert self.small.nbytes <= STREAMED

    def boxes_for(self, nbytes):
        """The largest number of boxes whose results take at most ``nbytes``."""
        return nbytes * DISTINCT // self.small.nbytes

    def expected(self, count):
        """Results of ``count`` boxes, from a call that is not streamed."""
        return np.resize(self.small, (count, *self.small.shape[1:]))

    def run(self, count, out=None):
        """Results of ``count`` boxes."""
        boxes, images = np.resize(self.boxes, (count, 4)), np.resize(self.images, count)
        return self.call(self.features, boxes, self.size, batch_indices=images, out=out, **self.options)

    def check_at(self, count, offset):
        """Write results that start ``offset`` bytes after a cache line begins; raise if they, or bytes around them, are wrong."""
        dtype, nbytes = self.small.dtype, count * self.small.nbytes // DISTINCT
        memory = np.full(nbytes + 256, GUARD, np.uint8)
        start = 64 - memory.ctypes.data % 64 + offset
        out = np.ndarray((count, *self.small.shape[1:]), dtype, memory, start)
        self.run(count, out)
        np.testing.assert_array_equal(out, self.expected(count), err_msg=f"{self.about} at {offset}")
        around = (memory[:start], memory[start + nbytes :])
        assert all((part == GUARD).all() for part in around), f"{self.about} at {offset}: written beside the result"
