"""Any strides, order and alignment, any dtype and layout give the same bits."""

import cases
import layouts
import ml_dtypes
import numpy as np
import operators
import pytest

import roialign_rs as ra

OPS = list(operators.OPERATORS)
EVERY = 61
"""Cases are taken at this distance, which has no factor in common with the number of kinds of boxes."""


def some(op):
    """Cases of all kinds."""
    return cases.some(op, EVERY)


def same_bits(actual, expected, about):
    assert actual.dtype == expected.dtype, about
    np.testing.assert_array_equal(actual, expected, err_msg=str(about))


@pytest.mark.parametrize("layout", layouts.LAYOUTS)
@pytest.mark.parametrize("op", OPS)
def test_any_memory_of_the_features(op, layout, backend):
    for case in some(op):
        same_bits(case.run(backend, features=layout(case.inputs()["features"])), case.run(backend), case)


@pytest.mark.parametrize("layout", [layout for layout in layouts.LAYOUTS if layout is not layouts.channels_last])
@pytest.mark.parametrize("op", OPS)
def test_any_memory_of_the_boxes(op, layout, backend):
    for case in some(op):
        inputs = case.inputs()
        output = case.run(backend, boxes=layout(inputs["boxes"]), batch_indices=layout(inputs["batch_indices"]))
        same_bits(output, case.run(backend), case)


@pytest.mark.parametrize("layout", layouts.LAYOUTS)
@pytest.mark.parametrize("op", OPS)
def test_any_memory_of_out(op, layout, backend):
    for case in some(op):
        expected = case.run(backend)
        out = layout(np.full(expected.shape, 77, expected.dtype))
        assert case.run(backend, out=out) is out
        same_bits(out, expected, case)


@pytest.mark.parametrize("op", OPS)
def test_out_is_all_that_is_written(op, backend):
    """The elements between those of a strided ``out`` keep what they had."""
    for case in some(op):
        expected = case.run(backend)
        wide = np.full([2 * side + 1 for side in expected.shape], 77, expected.dtype)
        inner = (slice(1, None, 2),) * 4
        case.run(backend, out=wide[inner])
        same_bits(wide[inner], expected, case)
        wide[inner] = 77
        assert (wide == 77).all(), case


@pytest.mark.parametrize("op", OPS)
def test_a_map_repeated_without_memory(op, backend):
    """Features with strides of 0."""
    for case in some(op):
        features = np.broadcast_to(case.inputs()["features"][:, :1, :, :1], case.shape)
        same_bits(case.run(backend, features=features), case.run(backend, features=features.copy()), case)


@pytest.mark.parametrize("op", OPS)
def test_nhwc_is_nchw(op, backend):
    for case in some(op):
        features = np.ascontiguousarray(np.moveaxis(case.inputs()["features"], 1, -1))
        wants_argmax = case.operator.wanting_argmax(case.options)
        expected = case.run(backend, **wants_argmax)
        got = case.run(backend, features=features, layout="NHWC", **wants_argmax)
        if not case.has_argmax:
            expected, got = (expected,), (got,)
        for ours, theirs in zip(got, expected, strict=True):
            same_bits(np.moveaxis(ours, -1, 1), theirs, case)
            assert ours.flags.c_contiguous


@pytest.mark.parametrize("op", OPS)
def test_nhwc_out_in_any_memory(op, backend):
    for case in some(op):
        features = np.moveaxis(case.inputs()["features"], 1, -1)
        expected = case.run(backend, features=features, layout="NHWC")
        for layout in (np.copy, *layouts.LAYOUTS):
            out = layout(np.full(expected.shape, 77, expected.dtype))
            case.run(backend, features=features, layout="NHWC", out=out)
            same_bits(out, expected, case)


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("dtype", [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)], ids=str)
def test_half_floats_are_computed_in_float32_and_rounded_once(op, dtype, backend):
    for case in some(op):
        features = case.inputs()["features"].astype(dtype)
        output = case.run(backend, features=features)
        assert output.dtype == dtype
        wide = case.run(backend, features=features.astype(np.float32))
        with np.errstate(over="ignore"):
            same_bits(output, wide.astype(dtype), case)


@pytest.mark.parametrize(
    ("dtype", "infinity"), [(np.dtype(np.float16), 0x7C00), (np.dtype(ml_dtypes.bfloat16), 0x7F80)], ids=str
)
def test_every_half_float_passes_unchanged(dtype, infinity):
    """A crop that copies its pixels keeps all 65536 values, subnormal and infinite ones too; NaN stays NaN, -0 may be 0."""
    bits = np.arange(65536, dtype=np.uint16)
    features = bits.view(dtype).reshape(1, 16, 64, 64)
    output = ra.roi_align(features, np.array([[0.0, 0, 64, 64]]), 64, sampling_ratio=1).view(np.uint16).ravel()
    number = (bits & 0x7FFF) <= infinity
    np.testing.assert_array_equal((output & 0x7FFF) <= infinity, number)
    number &= bits != 0x8000
    np.testing.assert_array_equal(output[number], bits[number])


@pytest.mark.parametrize("op", OPS)
def test_bytes_give_float32(op, backend):
    for case in some(op):
        features = np.random.default_rng(case.index).integers(0, 256, case.shape, np.uint8)
        output = case.run(backend, features=features)
        assert output.dtype == np.float32
        same_bits(output, case.run(backend, features=features.astype(np.float32)), case)


@pytest.mark.parametrize("op", OPS)
def test_narrow_boxes_are_widened(op, backend):
    for case in some(op):
        boxes = case.inputs()["boxes"].clip(-60000, 60000)
        for narrow, wide in [
            (np.float16, np.float32),
            (ml_dtypes.bfloat16, np.float32),
            (np.int64, np.float64),
            (np.int16, np.float64),
        ]:
            if np.abs(boxes).max() > 30000 and narrow is np.int16:
                continue
            given = boxes.astype(narrow)
            same_bits(case.run(backend, boxes=given), case.run(backend, boxes=given.astype(wide)), case)


@pytest.mark.parametrize("op", OPS)
def test_every_form_of_boxes(op, backend):
    """(K, 4) with indices, (K, 5), one array for each image, nested lists; indices of any integer type."""
    for case in some(op):
        inputs = case.inputs()
        order = np.argsort(inputs["batch_indices"], kind="stable")
        boxes, images = inputs["boxes"][order], inputs["batch_indices"][order]
        expected = case.run(backend, boxes=boxes, batch_indices=images)
        with_index = np.concatenate([images[:, None].astype(boxes.dtype), boxes], axis=1)
        per_image = [boxes[images == n] for n in range(case.shape[0])]
        forms = [
            {"boxes": with_index, "batch_indices": None},
            {"boxes": per_image, "batch_indices": None},
            {"boxes": tuple(per_image), "batch_indices": None},
            {"boxes": boxes, "batch_indices": images.astype(np.uint8)},
            {"boxes": boxes, "batch_indices": images.tolist()},
        ]
        if boxes.dtype == np.float64:
            forms += [
                {"boxes": boxes.tolist(), "batch_indices": images},
                {"boxes": with_index.tolist(), "batch_indices": None},
                {"boxes": [part.tolist() for part in per_image], "batch_indices": None},
            ]
        if case.shape[0] == 1:
            forms.append({"boxes": boxes, "batch_indices": None})
        for form in forms:
            same_bits(case.run(backend, **form), expected, case)


@pytest.mark.parametrize("op", OPS)
def test_inputs_are_not_changed(op, backend):
    for case in some(op):
        inputs = case.inputs()
        for array in inputs.values():
            array.setflags(write=False)
        case.run(backend, **inputs)
        for name, array in case.inputs().items():
            np.testing.assert_array_equal(inputs[name], array)


class FromElsewhere:
    """An array that only speaks DLPack."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **kwargs):
        return self.array.__dlpack__(**kwargs)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


@pytest.mark.parametrize("op", OPS)
def test_arrays_of_other_libraries(op, backend):
    for case in some(op):
        arrays = {name: FromElsewhere(array) for name, array in case.inputs().items()}
        same_bits(case.run(backend, **arrays), case.run(backend), case)
        same_bits(case.run(backend, features=memoryview(case.inputs()["features"])), case.run(backend), case)
