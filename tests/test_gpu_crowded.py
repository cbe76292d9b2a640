"""Very many boxes or bins that read one pixel, and bins of very many pixels: no driver may end their loops early."""

import numpy as np
import operators
import pytest

import roialign_rs as ra

every_mode = pytest.mark.parametrize(("op", "mode"), operators.MODES, ids=str)


def both(op, mode, boxes, size, shape, device, dtype=np.float32):
    """Gradients for the features on the device and on the CPU, where each result has the gradient 1/8."""
    features = np.ones(shape, dtype)
    grads = np.full((len(boxes), shape[1], *size), 0.125, dtype)
    row = operators.OPERATORS[op]
    options = {**row.known(sampling_ratio=1), **mode}
    arguments = {"grad_output": grads, "boxes": boxes, "input_shape": shape, **options}
    if row.has_argmax(mode):
        _, arguments["argmax"] = getattr(ra, op)(features, boxes, size, return_argmax=True, **options)
    backward = getattr(ra, f"{op}_backward")
    return backward(**arguments, device=device), backward(**arguments)


@pytest.mark.parametrize("boxes", [6_000, 12_000, 20_000, 33_000])
@every_mode
def test_many_boxes_on_one_pixel(op, mode, boxes, device):
    boxes = np.repeat(np.float32([[0, 3, 0, 4, 1]]), boxes, 0)
    there, here = both(op, mode, boxes, (1, 1), (1, 1, 8, 8), device)
    assert here.sum() == len(boxes) / 8
    np.testing.assert_array_equal(there, here)


@every_mode
def test_many_bins_on_one_pixel(op, mode, device):
    boxes = np.repeat(np.float32([[0, 3, 0, 3.1, 0.1]]), 300, 0)
    dtype, unit = (np.float64, 2.0**-53) if device.info.float64 else (np.float32, 2.0**-24)
    there, here = both(op, mode, boxes, (14, 14), (1, 2, 8, 8), device, dtype)
    terms = 14 * 14 * len(boxes)
    np.testing.assert_allclose(there, here, rtol=0, atol=terms * unit * here.max())


def test_neighbouring_tiles_whose_boxes_are_long_in_turns(device):
    """A group of threads computes pixels of both tiles in lockstep, so that each waits for the other's boxes of many bins."""
    long = [[15.4, 1.4, 15.5, 1.5], [17.0, 1.4, 17.1, 1.5]]
    short = [[0.5, 0.5, 14.5, 14.5], [16.5, 0.5, 19.5, 14.5]]
    boxes = np.float32([long[0], short[1], short[0], long[1]] * 229)
    there, here = both("roi_align", {"mode": "avg"}, np.insert(boxes, 0, 0, axis=1), (14, 14), (1, 1, 16, 20), device)
    np.testing.assert_allclose(there, here, rtol=0, atol=1e-4 * here.max())


def test_more_bins_on_one_pixel_than_a_dispatch_takes_is_an_error(device):
    if device.info.kind != "cpu":
        pytest.skip("GPUs take a million")
    boxes = np.float32([[0, 3, 0, 3.1, 0.1]])
    with pytest.raises(ra.GpuError, match=r"boxes\[0\]: too many bins, or too many bins that read .* use the CPU"):
        both("roi_align", {"mode": "avg"}, boxes, (300, 300), (1, 1, 8, 8), device)


@every_mode
@pytest.mark.parametrize("shape", [(1, 1, 1, 30_000), (1, 1, 1_000_000, 1)])
def test_a_bin_of_one_row_or_column(op, mode, shape, device):
    features = np.zeros(shape, np.float32)
    features.reshape(-1)[-2] = 4
    boxes = np.float32([[0, 0, 0, shape[3], shape[2]]])
    there, here = (getattr(ra, op)(features, boxes, 1, device=where, **mode) for where in (device, None))
    assert here.item() > 0
    np.testing.assert_allclose(there, here, rtol=1e-5)
