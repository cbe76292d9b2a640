"""Comparisons that raise, and whose messages say which element of which case is wrong and how to draw the case again."""

import numpy as np
from tolerances import BOUNDS, FLOAT16_SPACING, bound_for, chooses_a_pixel


def assert_within(actual, expected, limit, about=""):
    """Raise unless shapes are equal and all elements are within ``limit``; NaN and infinities must be equal."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    if actual.shape != expected.shape:
        raise AssertionError(f"shape {actual.shape}, expected {expected.shape}\n    {about}")
    actual, expected = actual.astype(np.float64), expected.astype(np.float64)
    with np.errstate(invalid="ignore"):
        difference = np.where(actual == expected, 0.0, np.abs(actual - expected))
    difference[np.isnan(actual) & np.isnan(expected)] = 0.0
    wrong = ~(difference <= limit)
    if not wrong.any():
        return
    worst = np.unravel_index(np.argmax(np.where(np.isnan(difference), np.inf, difference)), difference.shape)
    index = tuple(int(i) for i in worst)
    raise AssertionError(
        f"{int(wrong.sum())} of {wrong.size} elements differ by more than {limit:g}; worst at {index}: "
        f"got {actual[worst]!r}, expected {expected[worst]!r}, difference {difference[worst]:g}\n    {about}"
    )


def largest_finite(array):
    """Largest absolute value, NaN and infinities left out; 1 when nothing is left."""
    values = np.abs(np.asarray(array, np.float64))
    values = values[np.isfinite(values)]
    return float(values.max()) if values.size else 1.0


def assert_close(actual, expected, case, against="oracle"):
    """Raise unless all elements are within the bound for this case."""
    bound, reason = bound_for(case, against)
    scale = largest_finite(case.inputs()["features"])
    assert_within(actual, expected, bound * scale, f"{case}\n    against {against}: {bound:g} x {scale:g} ({reason})")


def check(case, backend="cpu"):
    """Raise unless values, dtype and argmax are those of the definition."""
    truth = case.truth()
    if not case.has_argmax:
        output = case.run(backend)
    else:
        output, argmax = case.run(backend, return_argmax=True)
        check_argmax(argmax, truth, case)
        np.testing.assert_array_equal(case.run(backend), output, f"{case}: return_argmax changes the output")
    assert output.dtype == case.features_dtype, f"{case}: dtype {output.dtype}"
    assert_close(output, truth.output, case)


def check_backward(case, backend="cpu"):
    """Raise unless the gradient is the transpose of the definition."""
    gradient, truth = case.run_backward(backend), case.true_gradient()
    assert gradient.dtype == case.features_dtype, f"{case}: dtype {gradient.dtype}"
    bound, reason = BOUNDS["transpose", case.features_dtype]
    scale = largest_finite(truth)
    limit = bound * scale + (FLOAT16_SPACING / 2 if case.features_dtype == "float16" else 0)
    assert_within(gradient, truth, limit, f"gradient of {case}\n    {bound:g} x {scale:g} ({reason})")


def check_box_gradient(case, **overrides):
    """Raise unless the gradient for the boxes is the derivative of the definition, in both layouts."""
    truth = case.true_box_gradient(**overrides)
    for layout in ("NCHW", "NHWC"):
        assert_box_gradient(case.run_box_gradient(layout, **overrides), truth, case)


def assert_box_gradient(gradient, truth, case):
    """Raise unless ``gradient`` is the derivative ``truth``."""
    assert gradient.dtype == case.boxes_dtype, f"{case}: dtype {gradient.dtype}"
    computed_in = "float64" if (case.features_dtype, case.boxes_dtype) == ("float64", "float64") else "float32"
    bound, reason = BOUNDS[case.operator.box_gradient_bound, computed_in]
    scale = truth.terms.max(initial=0.0)
    assert_within(
        gradient, truth.gradient, bound * scale, f"box gradient of {case}\n    {bound:g} x {scale:g} ({reason})"
    )


def check_argmax(argmax, truth, case):
    """Raise unless each index names a largest candidate; where nothing is rounded, it must be the first of them."""
    assert argmax.dtype == np.int64, f"{case}: argmax is {argmax.dtype}"
    if chooses_a_pixel(case) or case.exact:
        assert_within(argmax, truth.argmax, 0, f"argmax of {case}")
        return
    assert argmax.shape == truth.argmax.shape, f"{case}: argmax has shape {argmax.shape}"
    computed_in = "float64" if case.features_dtype == "float64" else "float32"
    limit = BOUNDS["oracle", computed_in][0] * largest_finite(case.inputs()["features"])
    for (k, p, q), values in truth.candidates.items():
        chosen = argmax[k, :, p, q]
        about = f"argmax[{k}, :, {p}, {q}] of {case}"
        if values.shape[1] == 0:
            assert_within(chosen, np.full(len(chosen), -1), 0, about)
            continue
        assert np.all((chosen >= 0) & (chosen < values.shape[1])), f"{about}: {chosen}, {values.shape[1]} candidates"
        assert_within(values[np.arange(len(chosen)), chosen], truth.output[k, :, p, q], limit, about)
