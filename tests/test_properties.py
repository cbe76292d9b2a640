"""Identities on cases that hypothesis picks from the registry, and boxes that it makes up."""

import cases
import numpy as np
import operators
from checks import assert_within, largest_finite
from hypothesis import HealthCheck, given, settings, strategies as st

ANY_CASE = st.sampled_from(list(operators.OPERATORS)).flatmap(
    lambda op: st.integers(0, operators.OPERATORS[op].count - 1).map(lambda index: cases.case(op, index))
)
MEANS = ANY_CASE.filter(lambda case: not case.has_argmax)
MAXIMA = ANY_CASE.filter(lambda case: case.has_argmax)


def wide(case):
    """The inputs, with features in float64."""
    inputs = case.inputs()
    return {**inputs, "features": inputs["features"].astype(np.float64)}


@given(MEANS, st.floats(-4, 4), st.floats(-4, 4), st.integers(0, 99))
def test_means_are_linear(case, a, b, seed):
    inputs = wide(case)
    other = np.random.default_rng(seed).standard_normal(case.shape)
    separate = a * case.run(**inputs) + b * case.run(**{**inputs, "features": other})
    together = case.run(**{**inputs, "features": a * inputs["features"] + b * other})
    scale = largest_finite(inputs["features"]) + largest_finite(other)
    assert_within(together, separate, 1e-11 * scale, str(case))


@given(MAXIMA, st.integers(-8, 8))
def test_maxima_scale_with_powers_of_two(case, power):
    inputs = wide(case)
    scaled = case.run(**{**inputs, "features": inputs["features"] * 2.0**power})
    np.testing.assert_array_equal(scaled, case.run(**inputs) * 2.0**power)


@given(ANY_CASE, st.integers(0, 99))
def test_larger_features_never_give_less(case, seed):
    inputs = wide(case)
    larger = inputs["features"] + np.random.default_rng(seed).uniform(0, 1, case.shape)
    before, after = case.run(**inputs), case.run(**{**inputs, "features": larger})
    assert np.all(after >= before - 1e-12 * largest_finite(larger)), case


@given(ANY_CASE, st.floats(0.01, 100))
def test_a_constant_map_gives_at_most_its_constant(case, value):
    constant = case.run(**{**wide(case), "features": np.full(case.shape, value)})
    assert constant.min() >= 0, case
    assert constant.max() <= value * (1 + 1e-12), case


INSIDE = ANY_CASE.filter(lambda case: case.box_kind == "inside" and case.options.get("aligned"))


@settings(max_examples=40, suppress_health_check=[HealthCheck.filter_too_much])
@given(INSIDE.filter(lambda case: case.options["mode"] != "onnx_max"), st.floats(0.01, 100))
def test_samples_inside_a_constant_map_give_its_constant(case, value):
    constant = case.run(**{**wide(case), "features": np.full(case.shape, value)})
    np.testing.assert_allclose(constant, value, rtol=1e-12, err_msg=str(case))


@given(ANY_CASE, st.randoms(use_true_random=False))
def test_the_order_of_boxes_does_not_matter(case, random):
    inputs = case.inputs()
    order = list(range(case.boxes))
    random.shuffle(order)
    shuffled = case.run(boxes=inputs["boxes"][order], batch_indices=inputs["batch_indices"][order])
    np.testing.assert_array_equal(shuffled, case.run()[order], err_msg=str(case))


@given(ANY_CASE, st.data())
def test_one_call_is_two_calls(case, data):
    """Calls for some of the boxes, images or channels give the bits of the whole call."""
    inputs, whole = case.inputs(), case.run()
    cut = data.draw(st.integers(0, case.boxes), label="boxes")
    for part in (slice(0, cut), slice(cut, None)):
        output = case.run(boxes=inputs["boxes"][part], batch_indices=inputs["batch_indices"][part])
        np.testing.assert_array_equal(output, whole[part], err_msg=str(case))
    image = data.draw(st.integers(0, case.shape[0] - 1), label="image")
    mine = inputs["batch_indices"] == image
    output = case.run(
        features=inputs["features"][image : image + 1],
        boxes=inputs["boxes"][mine],
        batch_indices=np.zeros(mine.sum(), np.int64),
    )
    np.testing.assert_array_equal(output, whole[mine], err_msg=str(case))
    cut = data.draw(st.integers(0, case.shape[1]), label="channels")
    for channels in (slice(0, cut), slice(cut, None)):
        output = case.run(features=inputs["features"][:, channels])
        np.testing.assert_array_equal(output, whole[:, channels], err_msg=str(case))


@given(ANY_CASE.filter(lambda case: case.options.get("quantization") != "mmcv"))
def test_scale_and_boxes_go_together(case):
    """A factor of 4 moved from boxes to scale changes no bit. mmcv's RoI pooling is left out: it adds an image pixel."""
    boxes = case.inputs()["boxes"]
    scale = case.options["spatial_scale"]
    np.testing.assert_array_equal(case.run(boxes=boxes / 4, spatial_scale=scale * 4), case.run(), err_msg=str(case))


@given(ANY_CASE)
def test_transposing_everything_transposes_the_result(case):
    """Rows and columns follow the same rule. Only the order of rounding differs."""
    inputs = wide(case)
    pairs = {name: value[::-1] for name, value in case.options.items() if isinstance(value, tuple)}
    output = case.run(
        **pairs,
        features=np.swapaxes(inputs["features"], 2, 3),
        boxes=inputs["boxes"][:, [1, 0, 3, 2]],
        batch_indices=inputs["batch_indices"],
    )
    assert_within(np.swapaxes(output, 2, 3), case.run(**inputs), 1e-12 * largest_finite(inputs["features"]), str(case))


@given(ANY_CASE)
def test_calls_repeat_to_the_bit(case):
    np.testing.assert_array_equal(case.run(), case.run())


coordinate = st.floats(-50, 150, width=32)


@settings(max_examples=150)
@given(
    boxes=st.lists(st.tuples(coordinate, coordinate, coordinate, coordinate), min_size=1, max_size=4),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(1, 12)),
    case=ANY_CASE,
    seed=st.integers(0, 99),
)
def test_made_up_boxes_match_the_definition(boxes, shape, case, seed):
    """Boxes that hypothesis finds interesting, shrunk to the simplest that fails."""
    inputs = {
        "features": np.random.default_rng(seed).standard_normal((1, *shape)),
        "boxes": np.array(boxes, np.float64) / case.options["spatial_scale"],
        "batch_indices": np.zeros(len(boxes), np.int64),
    }
    expected = case.truth(**inputs).output
    assert_within(case.run(**inputs), expected, 1e-12 * largest_finite(inputs["features"]), f"{case.op} {case.options}")
