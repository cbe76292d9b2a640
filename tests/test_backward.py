"""Gradients for the features are the transpose of the definition, for any memory layout and number of threads."""

from dataclasses import replace

import cases
import layouts
import numpy as np
import operators
import pytest
from checks import assert_within, check_backward
from test_threads import large_cases

import roialign_rs as ra

BLOCK = 250
OPS = list(operators.OPERATORS)


@pytest.mark.parametrize(("op", "first"), cases.blocks(BLOCK))
def test_random_cases_match_the_transposed_definition(op, first, backend):
    for case in cases.cases(op, first, BLOCK):
        check_backward(case, backend)


@pytest.mark.parametrize("op", OPS)
def test_backward_is_the_adjoint_of_forward(op):
    """For means in float64, ``<forward(f), g> = <f, backward(g)>`` to 1e-12 of the sum of the absolute terms."""
    for case in cases.cases(op):
        if case.has_argmax:
            continue
        inputs = case.inputs()
        features = inputs["features"].astype(np.float64)
        output = case.run(features=features)
        grad_output = np.random.default_rng(case.index).standard_normal(output.shape)
        gradient = case.run_backward(grad_output=grad_output)
        terms, transposed = output * grad_output, features * gradient
        size = np.abs(terms).sum() + np.abs(transposed).sum()
        assert_within(terms.sum(), transposed.sum(), 1e-12 * size, str(case))


@pytest.mark.parametrize("shape", [(3, 4000), (4000, 3), (700, 900), (1, 20000), (20000, 1)], ids=str)
@pytest.mark.parametrize("op", OPS)
def test_large_maps(op, shape, backend):
    """Maps that are cut into many bands of rows, with few and with many columns."""
    for index in range(2 * len(cases.BOX_KINDS)):
        case = cases.case(op, index)
        if case.box_kind in ("inside", "thin", "across", "huge"):
            case = case.using(output_size=(3, 2), sampling_ratio=(3, 2))
            check_backward(replace(case, shape=(1, 17, *shape), boxes=12), backend)


@pytest.mark.parametrize("op", OPS)
def test_many_boxes(op, backend):
    for index in range(len(cases.BOX_KINDS)):
        case = cases.case(op, index).using(output_size=2, sampling_ratio=2)
        check_backward(replace(case, shape=(3, 33, 50, 60), boxes=150), backend)


@pytest.mark.parametrize("op", OPS)
def test_any_number_of_threads_and_any_call_give_the_same_bits(op, thread_count):
    for case in large_cases(op, 12):
        arguments = case.backward_arguments()
        results = []
        for count in (1, 2, 7, 2):
            thread_count(count)
            results.append(case.run_backward(**arguments))
        for result in results[1:]:
            np.testing.assert_array_equal(result, results[0], err_msg=str(case))


@pytest.mark.parametrize("arrange", layouts.LAYOUTS, ids=lambda arrange: arrange.__name__)
@pytest.mark.parametrize("op", OPS)
def test_memory_does_not_matter(op, arrange):
    for index in range(0, 400, 7):
        case = cases.case(op, index)
        arguments = case.backward_arguments()
        expected = case.run_backward(**arguments)
        out = arrange(np.full_like(expected, 7))
        moved = {name: arrange(arguments[name]) for name in ("grad_output", "argmax") if name in arguments}
        assert case.run_backward(**arguments, out=out) is out
        np.testing.assert_array_equal(out, expected, err_msg=str(case))
        np.testing.assert_array_equal(case.run_backward(**{**arguments, **moved}), expected, err_msg=str(case))


@pytest.mark.parametrize("op", OPS)
def test_channels_last(op):
    for index in range(0, 400, 3):
        case = cases.case(op, index)
        arguments = case.backward_arguments()
        expected = case.run_backward(**arguments)
        n, c, h, w = arguments["input_shape"]
        for name in ("grad_output", "argmax"):
            if name in arguments:
                arguments[name] = np.ascontiguousarray(np.moveaxis(arguments[name], 1, -1))
        arguments |= {"input_shape": (n, h, w, c), "layout": "NHWC"}
        result = case.run_backward(**arguments)
        assert result.flags.c_contiguous
        np.testing.assert_array_equal(np.moveaxis(result, -1, 1), expected, err_msg=str(case))


@pytest.mark.parametrize("mode", ["avg", "max"])
@pytest.mark.parametrize("channels", [64, 72, 80])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_large_channels_last(dtype, channels, mode, thread_count):
    """Streamed gradients of several blocks of channels, overwriting and accumulating, with lines that hold two pixels too."""
    thread_count(3)
    rng = np.random.default_rng(channels)
    boxes = np.sort(rng.uniform(-9, 300, (60, 2, 2)), axis=1).reshape(-1, 4) * (1, 0.3, 1, 0.3)
    grad_output = rng.integers(-99, 99, (60, channels, 5, 3)).astype(dtype)
    options, last_options = {"sampling_ratio": 2, "mode": mode}, {"layout": "NHWC"}
    if mode == "max":
        features = rng.random((1, channels, 120, 300)).astype(dtype)
        _, options["argmax"] = ra.roi_align(features, boxes, (5, 3), return_argmax=True, **options)
        last_options["argmax"] = np.ascontiguousarray(np.moveaxis(options["argmax"], 1, -1))
    expected = ra.roi_align_backward(grad_output, boxes, (1, channels, 120, 300), **options)
    last, shape = np.ascontiguousarray(np.moveaxis(grad_output, 1, -1)), (1, 120, 300, channels)
    for offset in (0, 16, 32, 44):
        memory = np.full(expected.nbytes + 128, 7, np.uint8)
        out = np.ndarray(shape, dtype, memory, 64 - memory.ctypes.data % 64 + offset)
        ra.roi_align_backward(last, boxes, shape, out=out, **options | last_options)
        np.testing.assert_array_equal(np.moveaxis(out, -1, 1), expected)
        ra.roi_align_backward(last, boxes, shape, out=out, accumulate=True, **options | last_options)
        np.testing.assert_array_equal(np.moveaxis(out, -1, 1), 2 * expected)


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_added_up_in_float32(op, dtype):
    kind = np.dtype(pytest.importorskip("ml_dtypes").bfloat16 if dtype == "bfloat16" else dtype)
    for case in large_cases(op, 6):
        arguments = case.backward_arguments()
        arguments["grad_output"] = arguments["grad_output"].astype(kind)
        exact = case.run_backward(**{**arguments, "grad_output": arguments["grad_output"].astype(np.float32)})
        result = case.run_backward(**arguments)
        assert result.dtype == kind
        np.testing.assert_array_equal(result, exact.astype(kind), err_msg=str(case))


@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_gradients_of_more_boxes_than_are_planned_at_once_are_rounded_once(dtype, accumulate):
    """All maxima come from pixel (0, 0), whose sum is so large that the narrow dtype would lose single terms."""
    kind = np.dtype(pytest.importorskip("ml_dtypes").bfloat16 if dtype == "bfloat16" else dtype)
    boxes = np.repeat(np.float32([[0, 0, 336, 200]]), 6000, axis=0)
    grads = np.random.default_rng(4).uniform(3, 5, (6000, 8, 1, 1)).astype(kind)
    argmax = np.zeros(grads.shape, np.int64)
    out = np.full((1, 8, 200, 336), 100, kind)
    options = {"mode": "max", "argmax": argmax, "accumulate": accumulate}
    exact = out.astype(np.float32)
    ra.roi_align_backward(grads.astype(np.float32), boxes, out.shape, out=exact, **options)
    ra.roi_align_backward(grads, boxes, out.shape, out=out, **options)
    assert exact[0, :, 0, 0].min() > 20_000
    np.testing.assert_array_equal(out, exact.astype(kind))


@pytest.mark.parametrize("op", OPS)
def test_accumulate_adds_to_what_is_there(op):
    for index in range(0, 900, 7):
        case = cases.case(op, index)
        arguments = case.backward_arguments()
        arguments["grad_output"] = arguments["grad_output"].astype(np.float32)
        gradient = case.run_backward(**arguments)
        before = np.random.default_rng(index).standard_normal(gradient.shape).astype(gradient.dtype)
        for arrange in (np.array, layouts.channels_last, layouts.every_other):
            out = arrange(before.copy())
            assert case.run_backward(**arguments, out=out, accumulate=True) is out
            np.testing.assert_array_equal(out, before + gradient, err_msg=str(case))


def test_accumulate_needs_something_to_add_to():
    with pytest.raises(ValueError, match="accumulate=True needs out"):
        ra.roi_align_backward(np.ones((1, 1, 1, 1)), np.ones((1, 4)), (1, 1, 2, 2), accumulate=True)


def test_no_boxes_give_zeros():
    none = np.empty((0, 4))
    gradient = ra.roi_align_backward(np.ones((0, 3, 2, 2), np.float32), none, (2, 3, 4, 5))
    np.testing.assert_array_equal(gradient, np.zeros((2, 3, 4, 5), np.float32))
    out = np.full((2, 3, 4, 5), 3.0)
    ra.roi_align_backward(np.ones((0, 3, 2, 2)), none, out.shape, out=out, accumulate=True)
    np.testing.assert_array_equal(out, 3.0)
    gradient = ra.roi_pool_backward(np.ones((0, 3, 2, 2)), none, (2, 3, 4, 5), argmax=np.ones((0, 3, 2, 2), int))
    np.testing.assert_array_equal(gradient, np.zeros((2, 3, 4, 5)))


@pytest.mark.parametrize("shape", [(0, 3, 4, 5), (2, 0, 4, 5), (2, 3, 0, 5), (2, 3, 4, 0)])
def test_empty_maps_without_boxes(shape):
    gradient = ra.roi_align_backward(np.ones((0, shape[1], 2, 2)), np.empty((0, 4)), shape)
    assert gradient.shape == shape


def test_no_channels():
    assert ra.roi_align_backward(np.ones((2, 0, 2, 2)), np.ones((2, 4)), (1, 0, 4, 5)).shape == (1, 0, 4, 5)


@pytest.mark.parametrize("invalid", ["zero", "nan"])
def test_invalid_boxes_have_no_gradient(invalid):
    boxes = np.array([[0, 0, 0, 3, 3], [0, np.nan, 0, 3, 3], [5, 0, 0, 3, 3], [0, 1, 1, 2, 2]])
    grad_output = np.ones((4, 2, 2, 2))
    gradient = ra.roi_align_backward(grad_output, boxes, (1, 2, 4, 4), invalid=invalid)
    expected = ra.roi_align_backward(grad_output[[0, 3]], boxes[[0, 3]], (1, 2, 4, 4))
    np.testing.assert_array_equal(gradient, expected)
    with pytest.raises(ValueError, match=r"boxes\[1\]"):
        ra.roi_align_backward(grad_output, boxes, (1, 2, 4, 4))


def test_nan_stays_where_it_belongs():
    """A gradient that is NaN reaches the pixels that its bin reads, and no others."""
    boxes = np.array([[1.0, 1, 5, 5]])
    grad_output = np.ones((1, 1, 2, 2), np.float32)
    grad_output[0, 0, 0, 0] = np.nan
    for ratio in (1, 2, 4):
        read = ra.roi_align_backward(
            np.isnan(grad_output).astype(np.float32), boxes, (1, 1, 8, 8), sampling_ratio=ratio
        )
        gradient = ra.roi_align_backward(grad_output, boxes, (1, 1, 8, 8), sampling_ratio=ratio)
        np.testing.assert_array_equal(np.isnan(gradient), read != 0)


GRAD = np.ones((2, 3, 2, 2))
BOXES = np.array([[0.0, 0, 3, 3], [1, 1, 2, 2]])
WRONG = {
    "boxes": ({"boxes": BOXES[:1]}, r"grad_output: expected shape \(1, 3, 2, 2\), got \(2, 3, 2, 2\)"),
    "channels": ({"input_shape": (1, 4, 4, 4)}, r"grad_output: expected shape \(2, 4, 2, 2\), got \(2, 3, 2, 2\)"),
    "negative": ({"input_shape": (1, 3, -4, 4)}, "input_shape must be four integers of at least 0, got"),
    "no pixels": ({"input_shape": (1, 3, 0, 4)}, r"input_shape: cannot pool 2 boxes"),
    "too many pixels": (
        {"input_shape": (1, 3, 8, 2**31)},
        r"input_shape: height and width must be at most 2147483647, got \(1, 3, 8, 2147483648\)",
    ),
    "argmax too much": ({"argmax": np.zeros(GRAD.shape, int)}, 'argmax must be None for mode="avg"; leave it out'),
    "argmax missing": (
        {"mode": "max"},
        'argmax is needed for mode="max": pass what the forward call returns with return_argmax=True',
    ),
    "argmax missing, onnx_max": ({"mode": "onnx_max"}, 'argmax is needed for mode="onnx_max"'),
    "argmax shape": ({"mode": "max", "argmax": np.zeros((2, 3, 2, 1), int)}, "argmax: expected shape"),
    "argmax large": (
        {"mode": "max", "argmax": np.full(GRAD.shape, 4), "sampling_ratio": 2},
        "argmax: 4 is out of range for its bin",
    ),
    "argmax negative": ({"mode": "max", "argmax": np.full(GRAD.shape, -2)}, "argmax: -2 is out of range for its bin"),
    "argmax huge": ({"mode": "onnx_max", "argmax": np.full(GRAD.shape, 2**63 - 1)}, "is out of range for its bin"),
    "out shape": ({"out": np.zeros((1, 3, 4, 5))}, "out: expected shape"),
    "out dtype": ({"out": np.zeros((1, 3, 4, 4), np.float32)}, "out: expected dtype"),
    "bins": ({"grad_output": np.ones((2, 3, 0, 2))}, "output_size must be positive"),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG)
def test_wrong_values(change, message):
    arguments = {"grad_output": GRAD, "boxes": BOXES, "input_shape": (1, 3, 4, 4), **change}
    with pytest.raises(ValueError, match=message):
        ra.roi_align_backward(**arguments)


def test_argmax_of_roi_pool_is_missing():
    with pytest.raises(ValueError, match='argmax is needed for mode="max": pass'):
        ra.roi_pool_backward(GRAD, BOXES, (1, 3, 4, 4))


def test_out_that_is_an_input():
    both = np.ones((2, 3, 2, 2))
    with pytest.raises(ValueError, match="out shares memory with an input"):
        ra.roi_align_backward(both, np.zeros((2, 4)), both.shape, batch_indices=[0, 1], out=both)


@pytest.mark.parametrize("dtype", ["uint8", "int64", "complex64", ">f4", object])
def test_wrong_dtypes(dtype):
    with pytest.raises(TypeError, match="grad_output"):
        ra.roi_align_backward(GRAD.astype(dtype), BOXES, (1, 3, 4, 4))


def test_wrong_types():
    with pytest.raises(TypeError, match="input_shape must be four integers"):
        ra.roi_align_backward(GRAD, BOXES, (1, 3, 4))
    with pytest.raises(TypeError, match="argmax"):
        ra.roi_pool_backward(GRAD, BOXES, (1, 3, 4, 4), argmax=GRAD)


def test_nothing_is_written_when_an_argmax_is_wrong():
    argmax = np.zeros(GRAD.shape, np.int64)
    argmax[1, 2, 1, 1] = 16
    out = np.full((1, 3, 4, 4), 7.0)
    message = r"argmax: 16 is out of range for its bin \(box 1, channel 2, bin \(1, 1\)\); pass the argmax that"
    with pytest.raises(ValueError, match=message):
        ra.roi_pool_backward(GRAD, BOXES, out.shape, argmax=np.where(argmax == 16, 16, -1), out=out)
    np.testing.assert_array_equal(out, 7.0)
