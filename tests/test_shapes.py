"""Shapes that are hard to cut into tasks: one box or very many, few channels or many, and maps larger than 4 GB."""

import sys
from dataclasses import replace

import cases
import numpy as np
import operators
import pytest
from checks import assert_within
from oracles.roi_align import roi_align
from subprocesses import python
from tolerances import BOUNDS

import roialign_rs as ra
from roialign_rs._bench import workloads

EDGES = [row for row in workloads.load() if row.id.startswith("e")]
ANY_CHANNELS = (0, 7, -1)
"""Channels that are compared with the definition, which is slow."""


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("row", EDGES, ids=lambda row: row.name)
def test_rows_of_the_table(row, layout, thread_count):
    """Some boxes match the definition; all have the same bits on 1, 2, 7 and 64 threads."""
    features, table = row.features(), row.boxes()
    images, boxes = table[:, 0].astype(int), table[:, 1:]
    options = {"spatial_scale": row.spatial_scale, "sampling_ratio": row.sampling_ratio}
    given = np.ascontiguousarray(np.moveaxis(features, 1, -1)) if layout == "NHWC" else features
    results = []
    for threads in (1, 2, 7, 64):
        thread_count(threads)
        output = ra.roi_align(given, boxes, row.output_size, batch_indices=images, layout=layout, **options)
        results.append(np.moveaxis(output, -1, 1) if layout == "NHWC" else output)
        np.testing.assert_array_equal(results[-1], results[0], err_msg=f"{row.name}, {threads} threads")
    some = np.unique(np.linspace(0, len(boxes) - 1, 3).astype(int))
    channels = [number % row.shape[1] for number in ANY_CHANNELS]
    part = np.ascontiguousarray(features[:, channels])
    expected = roi_align.forward(part, boxes[some], row.output_size, batch_indices=images[some], **options).output
    bound, reason = BOUNDS["oracle", "float32"]
    # Positions on maps of a hundred cells and more are rounded in float32, in the definition as well as here.
    assert_within(results[0][some][:, channels], expected, bound, f"{row.name}: {reason}")
    alone = ra.roi_align(part, boxes, row.output_size, batch_indices=images, **options)
    np.testing.assert_array_equal(results[0][:, channels], alone, err_msg=row.name)


def test_many_threads_and_little_to_do(thread_count):
    """More threads than boxes, channels or rows."""
    for op in operators.OPERATORS:
        for index in range(0, 600, 7):
            case = replace(cases.case(op, index), boxes=1)
            thread_count(64)
            many = case.run()
            thread_count(1)
            np.testing.assert_array_equal(many, case.run(), err_msg=str(case))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere zeros take memory")
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_a_map_larger_than_four_gigabytes(dtype, layout):
    """The map is zero, which takes no memory, except for a patch at its end, past offset 2^32."""
    code = f"""
import operators
import numpy as np
import roialign_rs as ra
dtype, layout = np.dtype({dtype!r}), {layout!r}
# Two images of 17 channels: the second one's last channel starts behind 4 GB.
side = int((4.6e9 / dtype.itemsize / 34) ** 0.5)
shape = (2, 17, side, side) if layout == "NCHW" else (2, side, side, 17)
features = np.zeros(shape, dtype)
assert features.nbytes > 1 << 32
planes = features if layout == "NCHW" else np.moveaxis(features, -1, 1)
patch = np.random.default_rng(1).integers(0, 200, (1, 17, 40, 40)).astype(dtype)
planes[1:, :, -40:, -40:] = patch
# Sides of bins, and so all positions, are exact in float64 at any distance from 0.
inside = np.array([[3.0, 5, 30, 37], [20, 20, 40, 40], [-3, 4, 9, 8]])
for op, mode in operators.MODES:
    call = getattr(ra, op)
    # The border of zeros is for the box that reaches over the edge of the patch.
    expected = call(np.pad(patch, [(0, 0), (0, 0), (10, 0), (10, 0)]), inside + 10, (2, 4), **mode)
    at = inside + side - 40
    got = call(features, at, (2, 4), batch_indices=[1, 1, 1], layout=layout, **mode)
    got = got if layout == "NCHW" else np.moveaxis(got, -1, 1)
    np.testing.assert_array_equal(got, expected)
print(got.any())
"""
    assert python(code) == "True"
