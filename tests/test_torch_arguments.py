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
    with pytest.raises(NotImplementedError, match=r"boxes is sparse.*to_dense"):
        function(features, boxes.to_sparse(), 3)
    with pytest.raises(NotImplementedError, match=r"boxes\[0\] is sparse.*to_dense"):
        function(features, [boxes[:, 1:].to_sparse()], 3)
    with pytest.raises(NotImplementedError, match=r"input is on cuda.*cpu"), torch._subclasses.FakeTensorMode():
        function(torch.empty(1, 1, 4, 4, device="cuda"), torch.empty(1, 5, device="cuda"), 3)
    with pytest.raises(ValueError, match="4 dimensions"):
        function(features[0], boxes, 3)
    with pytest.raises(ValueError, match=r"\(K, 5\)"):
        function(features, boxes[:, 1:], 3)
    with pytest.raises(ValueError, match=r"boxes\[1\]"):
        function(features, [boxes[:, 1:], boxes], 3)
    with pytest.raises(TypeError, match=r"list of one \(K, 4\) tensor for each image, got ndarray$"):
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
        ("aligned", np.int64(2), TypeError),
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


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("dtype", [torch.int32, torch.bool, torch.complex64, torch.float8_e4m3fn])
def test_other_dtypes_of_the_input(function, dtype):
    with pytest.raises(TypeError, match=rf"^input: dtype {dtype} is not supported; use float16"):
        function(torch.zeros(2, 1, 4, 4).to(dtype), draw()[1], 3)


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")  # deprecated, and still in use
@pytest.mark.parametrize("function", FUNCTIONS)
def test_quantized_tensors(function):
    features, boxes = draw()
    for name, tensor in {"input": features, "boxes": boxes}.items():
        quantized = torch.quantize_per_tensor(tensor.float(), 0.1, 0, torch.quint8)
        with pytest.raises(NotImplementedError, match=f"^{name} is quantized: call .dequantize"):
            function(**{"input": features, "boxes": boxes, "output_size": 3, name: quantized})


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("shape", [(0, 1, 4, 4), (1, 1, 0, 4), (1, 1, 4, 0)])
def test_boxes_of_an_empty_input(function, device, shape):
    with pytest.raises(ValueError, match=r"^input: cannot pool 1 boxes from an empty tensor of shape \("):
        function(torch.ones(shape, device=device), torch.zeros(1, 5, device=device), 3)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("shape", [(0, 3, 4, 4), (2, 3, 0, 4)])
def test_no_boxes_of_an_empty_input(function, shape):
    assert function(torch.ones(shape), torch.empty(0, 5), 2).shape == (0, 3, 2, 2)
    assert torch.compile(function, backend="eager")(torch.ones(shape), torch.empty(0, 5), 2).shape == (0, 3, 2, 2)


def test_numbers_of_other_kinds():
    features, boxes = draw()
    expected = roi_align(features, boxes, (2, 3), 0.5, 2, True)
    size, half, two = np.array([2, 3]), torch.tensor(0.5), torch.tensor(2)
    for flag in (1, np.True_, np.int64(1), np.uint8(1)):
        assert_same(roi_align(features, boxes, tuple(size), half, two, flag), expected, 0)
    assert_same(roi_pool(features, boxes, np.int64(3), np.float32(0.5)), roi_pool(features, boxes, 3, 0.5), 0)
    assert_same(roi_align(features, boxes, 3, 1), roi_align(features, boxes, 3), 0)
