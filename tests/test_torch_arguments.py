"""roialign_rs.torch names the argument that is wrong, and takes numbers of every kind."""

import inspect

import numpy as np
import pytest
from torch_support import assert_same, draw, torch

from roialign_rs.torch import roi_align, roi_pool

FUNCTIONS = [roi_align, roi_pool]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_cannot_be_pooled_says_what_to_do(function):
    features, boxes = draw()
    with pytest.raises(NotImplementedError, match="to_dense"):
        function(features.to_sparse(), boxes, 3)
    with pytest.raises(NotImplementedError, match=r"input is on cuda.*cpu"), torch._subclasses.FakeTensorMode():
        function(torch.empty(1, 1, 4, 4, device="cuda"), torch.empty(1, 5, device="cuda"), 3)
    with pytest.raises(ValueError, match="4 dimensions"):
        function(features[0], boxes, 3)
    with pytest.raises(ValueError, match=r"\(K, 5\)"):
        function(features, boxes[:, 1:], 3)
    with pytest.raises(ValueError, match=r"boxes\[1\]"):
        function(features, [boxes[:, 1:], boxes], 3)
    with pytest.raises(TypeError, match="list of one"):
        function(features, boxes.numpy(), 3)
    with pytest.raises(ValueError, match="output_size"):
        function(features, boxes, (1, 2, 3))
    with pytest.raises(ValueError, match="batch index 2 is out of range"):
        function(features, torch.tensor([[2.0, 0, 0, 1, 1]]), 3)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("input", np.ones((1, 1, 4, 4), np.float32), TypeError),
        ("input", [[1.0]], TypeError),
        ("boxes", np.zeros((1, 5), np.float32), TypeError),
        ("boxes", [np.zeros((1, 4), np.float32)], TypeError),
        ("output_size", 7.0, TypeError),
        ("output_size", "7", TypeError),
        ("output_size", (7, 7.0), TypeError),
        ("output_size", None, TypeError),
        ("output_size", 2**70, ValueError),
        ("output_size", 0, ValueError),
        ("spatial_scale", 2**1100, ValueError),
        ("spatial_scale", float("inf"), ValueError),
        ("spatial_scale", "1", TypeError),
        ("spatial_scale", (1, 1), TypeError),
        ("spatial_scale", torch.ones(2), TypeError),
        ("sampling_ratio", 2.5, TypeError),
        ("sampling_ratio", (2, 2), TypeError),
        ("sampling_ratio", 2**70, ValueError),
        ("aligned", "yes", TypeError),
        ("aligned", 2, TypeError),
        ("aligned", None, TypeError),
        ("box_grad", "no", TypeError),
    ],
    ids=repr,
)
def test_a_wrong_argument_is_named(name, value, error):
    features, boxes = draw()
    arguments = {"input": features, "boxes": boxes, "output_size": 3, name: value}
    functions = [one for one in FUNCTIONS if name in inspect.signature(one).parameters]
    assert functions
    for function in functions:
        with pytest.raises(error, match=rf"^{name}\b"):
            function(**arguments)


def test_numbers_of_other_kinds():
    features, boxes = draw()
    expected = roi_align(features, boxes, (2, 3), 0.5, 2, True)
    size, half, two = np.array([2, 3]), torch.tensor(0.5), torch.tensor(2)
    for flag in (1, np.True_):
        assert_same(roi_align(features, boxes, tuple(size), half, two, flag), expected, 0)
    assert_same(roi_pool(features, boxes, np.int64(3), np.float32(0.5)), roi_pool(features, boxes, 3, 0.5), 0)
    assert_same(roi_align(features, boxes, 3, 1), roi_align(features, boxes, 3), 0)
