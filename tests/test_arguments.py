"""Every argument that is refused, with the message that the caller reads."""

import re

import numpy as np
import operators
import pytest

import roialign_rs as ra

FEATURES = np.ones((2, 3, 8, 8), np.float32)
BOXES = np.array([[0, 1, 1, 5, 5], [1, 2, 2, 7, 7]], np.float32)


def refuses(message, op="roi_align", error=ValueError, **overrides):
    """Call an operator with wrong arguments, and expect ``message`` in the error."""
    arguments = {"features": FEATURES, "boxes": BOXES, "output_size": 2, **overrides}
    with pytest.raises(error, match=re.escape(message)):
        getattr(ra, op)(**arguments)


every_op = pytest.mark.parametrize("op", operators.OPERATORS)


@pytest.mark.parametrize(
    ("size", "shown"), [((0, 7), "(0, 7)"), ((7, 0), "(7, 0)"), (0, "(0, 0)"), (-1, "(-1, -1)"), ((3, -2), "(3, -2)")]
)
@every_op
def test_output_size(op, size, shown):
    refuses(f"output_size must be positive, got {shown}", op, output_size=size)


@pytest.mark.parametrize("size", [1.5, "7", None, (1, 2, 3), (1.5, 2), (1,), []], ids=str)
@every_op
def test_output_size_that_is_no_pair(op, size):
    refuses("output_size must be an integer or a pair of integers, got ", op, TypeError, output_size=size)


@pytest.mark.parametrize(
    ("scale", "shown"), [(0, "0"), (-0.5, "-0.5"), (np.nan, "NaN"), (np.inf, "inf"), (-np.inf, "-inf")]
)
@every_op
def test_spatial_scale(op, scale, shown):
    refuses(f"spatial_scale must be finite and positive, got {shown}", op, spatial_scale=scale)


with_sampling_ratio = pytest.mark.parametrize("op", operators.with_option("sampling_ratio"))


@pytest.mark.parametrize("ratio", [10**9, 65537, (2, 65537), (65537, 0)], ids=str)
@with_sampling_ratio
def test_sampling_ratio(op, ratio):
    largest = max(ratio) if isinstance(ratio, tuple) else ratio
    refuses(f"sampling_ratio must be at most 65536, got {largest}", op, sampling_ratio=ratio)


@pytest.mark.parametrize("ratio", [0.5, "2", None, (1, 2, 3)], ids=str)
@with_sampling_ratio
def test_sampling_ratio_that_is_no_pair(op, ratio):
    refuses("sampling_ratio must be an integer or a pair of integers, got ", op, TypeError, sampling_ratio=ratio)


EVERYWHERE = {"layout": ("NCHW", "NHWC"), "invalid": ("raise", "zero", "nan")}
WORDS = [
    (name, word, values)
    for name, row in operators.OPERATORS.items()
    for word, values in (row.words | EVERYWHERE).items()
]
"""(operator, option, its values)"""


@pytest.mark.parametrize(("op", "name", "choices"), WORDS, ids=lambda part: part if isinstance(part, str) else "")
@pytest.mark.parametrize("value", ["sum", "", "AVG", "thirds"])
def test_options_that_are_words(op, name, choices, value):
    *others, last = [f'"{choice}"' for choice in choices]
    refuses(f'{name} must be {", ".join(others)} or {last}, got "{value}"', op, **{name: value})


@pytest.mark.parametrize("op", operators.with_option("mode"))
def test_argmax_of_a_mean(op):
    message = 'return_argmax must be False for mode="avg", which has no argmax; or use mode="max"'
    refuses(message, op, mode="avg", return_argmax=True)


@every_op
def test_names_that_no_operator_has(op):
    with pytest.raises(TypeError, match="sampling_ration"):
        getattr(ra, op)(FEATURES, BOXES, 2, sampling_ration=2)
    with pytest.raises(TypeError, match="positional"):
        getattr(ra, op)(FEATURES, BOXES, 2, 0.5)


# Features.


@pytest.mark.parametrize("shape", [(3, 8, 8), (8,), (), (1, 2, 3, 8, 8)])
@every_op
def test_dimensions_of_features(op, shape):
    features = np.ones(shape, np.float32)
    refuses(f"features: expected 4 dimensions (N, C, H, W), got shape {shape}", op, features=features)
    refuses(f"(N, H, W, C), got shape {shape}", op, features=features, layout="NHWC")


@pytest.mark.parametrize(
    "dtype", ["O", "c8", "c16", "U4", "S4", "u2", "i1", "i2", "i4", "i8", "?", "M8[s]", "V4", "longdouble"]
)
@every_op
def test_dtype_of_features(op, dtype):
    features = np.zeros(FEATURES.shape, dtype)
    message = f"features: dtype {features.dtype} is not supported; use float16, bfloat16 (ml_dtypes), float32"
    refuses(message, op, TypeError, features=features)


@pytest.mark.parametrize("dtype", [">f2", ">f4", ">f8"])
@every_op
def test_byte_order_of_features(op, dtype):
    refuses("is not supported; use native byte order", op, TypeError, features=FEATURES.astype(dtype))


# Boxes.


@pytest.mark.parametrize("shape", [(2, 3), (2, 6), (3,), (6,), (), (1, 2, 4), (0, 3)])
@every_op
def test_shape_of_boxes(op, shape):
    boxes = np.ones(shape, np.float32)
    shown = re.sub(r"\s", " ", str(shape))
    refuses(f"boxes: expected shape (K, 4) or (K, 5), got {shown}", op, features=FEATURES[:1], boxes=boxes)


@pytest.mark.parametrize("dtype", ["c8", "c16", "U4", "S4", ">f4", ">f8", ">i4", "?", "longdouble"])
@every_op
def test_dtype_of_boxes(op, dtype):
    boxes = np.zeros((2, 4), dtype)
    refuses(f"boxes: dtype {boxes.dtype} is not supported; ", op, TypeError, features=FEATURES[:1], boxes=boxes)


@pytest.mark.parametrize("count", [0, 1, 3])
@every_op
def test_list_with_the_wrong_number_of_arrays(op, count):
    boxes = [np.ones((1, 4), np.float32)] * count
    refuses(f"boxes: expected a list of 2 arrays, one for each image, got {count}", op, boxes=boxes)


@every_op
def test_list_with_more_arrays_than_images(op):
    message = "boxes: expected a list of 1 array, one for each image, got 2"
    refuses(message, op, features=FEATURES[:1], boxes=[[[1, 1, 5, 5]]] * 2)


@every_op
def test_list_with_a_wrong_array(op):
    refuses("boxes[1]: expected shape (K, 4), got (2, 5)", op, boxes=[np.ones((1, 4)), np.ones((2, 5))])
    refuses("boxes[0]: expected shape (K, 4), got (1, 3)", op, boxes=[np.ones((1, 3)), np.ones((2, 4))])


@every_op
def test_batch_indices_with_boxes_that_have_them(op):
    indices = np.array([0, 1])
    message = (
        "batch_indices cannot be given with boxes of shape (K, 5), whose first column is the batch index; leave it out"
    )
    refuses(message, op, batch_indices=indices)
    message = "batch_indices cannot be given with a list of one array for each image; leave it out"
    refuses(message, op, boxes=[BOXES[:1, 1:], BOXES[1:, 1:]], batch_indices=indices)


@every_op
def test_batch_indices_that_are_missing(op):
    message = "batch_indices is needed for boxes of shape (K, 4) and 2 images; pass it, or boxes of shape (K, 5) with"
    refuses(message, op, boxes=BOXES[:, 1:])


@every_op
def test_batch_indices_of_another_shape(op):
    boxes = BOXES[:, 1:]
    refuses("batch_indices: expected shape (2,), got (3,)", op, boxes=boxes, batch_indices=np.zeros(3, int))
    refuses("batch_indices: expected shape (2,), got (2, 1)", op, boxes=boxes, batch_indices=np.zeros((2, 1), int))
    refuses("batch_indices: expected shape (2,), got ()", op, boxes=boxes, batch_indices=np.array(0))


@pytest.mark.parametrize("dtype", ["f4", "f8", "?", "c8", "U1", ">i8"])
@every_op
def test_batch_indices_of_another_dtype(op, dtype):
    indices = np.zeros(2, dtype)
    message = f"batch_indices: dtype {indices.dtype} is not supported; "
    refuses(message, op, TypeError, boxes=BOXES[:, 1:], batch_indices=indices)


# Results.


@every_op
def test_shape_of_out(op):
    for shape in [(2, 3, 2, 3), (1, 3, 2, 2), (2, 3, 4), (24,), (2, 2, 2, 3)]:
        message = f"out: expected shape (2, 3, 2, 2), got {shape}"
        refuses(message, op, out=np.empty(shape, np.float32))
    refuses("out: expected shape (2, 2, 2, 8), got (2, 8, 2, 2)", op, layout="NHWC", out=np.empty((2, 8, 2, 2)))


@pytest.mark.parametrize("dtype", ["f2", "f8", "i4", ">f4", "O", "u1"])
@every_op
def test_dtype_of_out(op, dtype):
    out = np.zeros((2, 3, 2, 2), dtype)
    refuses(f"out: expected dtype float32, got {out.dtype}", op, out=out)


@every_op
def test_out_that_cannot_be_written(op):
    out = np.zeros((2, 3, 2, 2), np.float32)
    out.flags.writeable = False
    refuses("out is read-only; pass a writable array", op, out=out)
    refuses("out must be a NumPy array, got [[[[", op, TypeError, out=out.tolist())


@every_op
def test_out_that_overlaps_an_input(op):
    memory = np.zeros(1000, np.float32)
    features = memory[:384].reshape(2, 3, 8, 8)
    for start in (0, 100, 383):
        out = memory[start : start + 24].reshape(2, 3, 2, 2)
        refuses("out shares memory with an input", op, features=features, out=out)
    boxes = memory[500:510].reshape(2, 5)
    refuses("out shares memory with an input", op, boxes=boxes, out=memory[505:529].reshape(2, 3, 2, 2))
    beside = memory[384:408].reshape(2, 3, 2, 2)
    assert getattr(ra, op)(features, BOXES, 2, out=beside) is beside


@every_op
def test_out_between_the_elements_of_an_input(op):
    """``out`` may interleave with an input, if they have no element in common."""
    memory = np.zeros((2, 3, 8, 16), np.float32)
    out = memory[:, :, :2, 1:5:2]
    memory[..., ::2] = 3
    expected = getattr(ra, op)(memory[..., ::2].copy(), BOXES, 2)
    np.testing.assert_array_equal(getattr(ra, op)(memory[..., ::2], BOXES, 2, out=out), expected)
    assert (memory[..., ::2] == 3).all()


@every_op
def test_out_that_overlaps_itself(op):
    out = np.broadcast_to(np.zeros((1, 3, 2, 2), np.float32), (2, 3, 2, 2))
    writable = np.lib.stride_tricks.as_strided(np.zeros(12, np.float32), (2, 3, 2, 2), (0, 16, 8, 4))
    refuses("out", op, out=out)
    refuses("out has elements that share memory with each other; pass a copy", op, out=writable)


@every_op
def test_nothing_is_written_when_the_call_is_refused(op):
    out = np.full((2, 3, 2, 2), 7, np.float32)
    boxes = BOXES.copy()
    boxes[1, 3] = np.nan
    refuses("boxes[1]", op, boxes=boxes, out=out)
    assert (out == 7).all()


def test_numbers_of_threads():
    for count in (0, -1, 1025, 10**9):
        with pytest.raises(ValueError, match=f"between 1 and 1024, got {count}"):
            ra.set_num_threads(count)
    for count in (1.5, "2", None):
        with pytest.raises(TypeError, match=re.escape(f"n must be an integer, got {count!r}")):
            ra.set_num_threads(count)


@pytest.mark.parametrize("value", [2**63, 2**64, -(2**63) - 1, 10**30])
def test_integers_too_large_for_the_machine(value):
    with pytest.raises((ValueError, MemoryError)):
        ra.roi_align(FEATURES, BOXES, value)
    with pytest.raises((ValueError, MemoryError)):
        ra.roi_align(FEATURES, BOXES, (2, value))
    if value > 0:
        with pytest.raises(ValueError, match="sampling_ratio"):
            ra.roi_align(FEATURES, BOXES, 2, sampling_ratio=value)
    with pytest.raises(ValueError, match="between 1 and 1024"):
        ra.set_num_threads(value)
