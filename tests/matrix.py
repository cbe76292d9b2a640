"""Every operator and mode in every dtype, layout and number of threads, at the instruction set of this process.

``test_levels`` runs this module in one process for each instruction set. Results that must agree within one are compared
here. Digests of the results are returned, for comparisons between instruction sets.
"""

import functools
import hashlib

import numpy as np
import operators
from streams import DTYPES, Stream

import roialign_rs as ra

SHAPE = (2, 37, 24, 26)
DISTINCT, COPIES = 30, 17
"""30 boxes, repeated 17 times, are work for seven threads."""
THREADS = (1, 2, 7)
POISON = {"uint8": (255, 0)}
"""Dtype -> values put into pixels without weight. Dtypes that are not here get NaN and infinities."""


def boxes():
    """Boxes from less than a cell to more than half of the map, on the map and across its border; and their images."""
    rng = np.random.default_rng(7)
    side = 0.3 * 50 ** rng.uniform(0, 1, (DISTINCT, 2))
    low = rng.uniform(-0.1, 1, (DISTINCT, 2)) * (np.array(SHAPE[:1:-1]) - side)
    table = np.concatenate([low, low + side], axis=1).astype(np.float32)
    return table, np.arange(DISTINCT) % 4 // 3


def options_of(op, mode):
    """Options that leave pixels without weight between others."""
    return {"output_size": (5, 7), **operators.OPERATORS[op].sparse, **mode}


@functools.cache
def weightless(op):
    """The pixels that have no weight in any result, by the definition: (N, 1, H, W) bool."""
    table, images = boxes()
    row = operators.OPERATORS[op]
    ones, shape = np.ones((len(table), 1, 5, 7)), (SHAPE[0], 1, *SHAPE[2:])
    gradient = row.oracle.backward(ones, table, shape, batch_indices=images, **row.sparse, **row.mean)
    assert 0.2 < (gradient == 0).mean() < 0.8, "neither all pixels nor none"
    return gradient == 0


def check(op, mode, dtype):
    """Raise if layout, threads or pixels without weight change the bits of a result; return the digest of the bits."""
    about = f"{op} {mode} {dtype} at {ra.simd_level()}"
    unread = weightless(op)
    features = np.random.default_rng(3).integers(0, 200, SHAPE)
    features = ((features if dtype == "uint8" else features - 100) * 0.75).astype(DTYPES[dtype])
    table, images = boxes()
    call, options = getattr(ra, op), options_of(op, mode)

    def run(features, layout="NCHW", copies=COPIES):
        features = np.ascontiguousarray(np.moveaxis(features, 1, -1)) if layout == "NHWC" else features
        rows = {"boxes": np.tile(table, (copies, 1)), "batch_indices": np.tile(images, copies)}
        output = call(features, layout=layout, **rows, **options)
        return np.moveaxis(output, -1, 1) if layout == "NHWC" else output

    expected = run(features)
    wide = run(features.astype(np.float64 if dtype == "float64" else np.float32)).astype(expected.dtype)
    np.testing.assert_array_equal(expected, wide, err_msg=f"{about}: not computed wide and rounded once")
    for layout in ("NCHW", "NHWC"):
        for threads in THREADS:
            ra.set_num_threads(threads)
            np.testing.assert_array_equal(run(features, layout), expected, err_msg=f"{about} {layout} {threads}")
        for poison in POISON.get(dtype, (np.nan, np.inf, -np.inf)):
            dirty = np.where(unread, np.array(poison, features.dtype), features)
            got = run(dirty, layout, copies=1)
            np.testing.assert_array_equal(got, expected[:DISTINCT], err_msg=f"{about} {layout}: {poison} leaks")
    return hashlib.sha256(expected.tobytes()).hexdigest()


def digests():
    """Digests by operator, mode and dtype; raises where results within this instruction set disagree."""
    for number, dtype in enumerate(DTYPES):
        for layout in ("NCHW", "NHWC"):
            for channels, size in [(1, (7, 7)), (3, (2, 3)), (17, (14, 14)), (33, (1, 257))]:
                stream = Stream(dtype, layout, channels, size, number)
                stream.check_at(stream.boxes_for(5 << 20), 4 * number)
    return {f"{op} {mode} {dtype}": check(op, mode, dtype) for op, mode in operators.MODES for dtype in DTYPES}
