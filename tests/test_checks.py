"""Comparisons raise when a single element is off by more than its bound, in any kind of case."""

import cases
import numpy as np
import operators
import pytest
from checks import assert_close, assert_within, check, check_argmax, largest_finite
from tolerances import BOUNDS, bound_for

SOME = [cases.case(op, index) for op in operators.OPERATORS for index in range(0, 220, 7)]


@pytest.mark.parametrize("case", SOME, ids=lambda case: case.id)
def test_one_wrong_element_is_found(case):
    truth = case.truth().output
    limit = bound_for(case)[0] * largest_finite(case.inputs()["features"])
    where = np.unravel_index(case.index * 31 % truth.size, truth.shape)
    assert_close(truth, truth, case)
    near, far = truth.copy(), truth.copy()
    near[where] += 0.9 * limit
    assert_close(near, truth, case)
    far[where] += 1.1 * limit + 1e-13
    index = ", ".join(str(i) for i in where)
    with pytest.raises(AssertionError, match=rf"1 of {truth.size} elements differ .* worst at \({index}\)") as caught:
        assert_close(far, truth, case)
    assert f"cases.case({case.op!r}, {case.index})" in str(caught.value)
    for wrong in (np.nan, np.inf):
        far[where] = wrong
        with pytest.raises(AssertionError, match="1 of"):
            assert_close(far, truth, case)
        with pytest.raises(AssertionError, match="1 of"):
            assert_close(truth, far, case)
    with pytest.raises(AssertionError, match="shape"):
        assert_close(truth[:, :, :, :0], truth, case)


@pytest.mark.parametrize("case", [case for case in SOME if case.has_argmax], ids=lambda case: case.id)
def test_a_wrong_argmax_is_found(case):
    truth = case.truth()
    check_argmax(truth.argmax, truth, case)
    for wrong in (truth.argmax + 10**6, truth.argmax - 10**6, truth.argmax.astype(np.int32)):
        with pytest.raises(AssertionError):
            check_argmax(wrong, truth, case)


def test_a_result_of_another_dtype_is_found(monkeypatch):
    case = next(case for case in SOME if case.features_dtype == "float32" and not case.has_argmax)
    check(case)
    monkeypatch.setattr(cases.Case, "run", lambda self, *_, **__: self.truth().output)
    with pytest.raises(AssertionError, match="dtype float64"):
        check(case)


def test_equal_infinities_and_nan_are_equal():
    values = np.array([np.inf, -np.inf, np.nan, 1.0])
    assert_within(values, values, 0)
    with pytest.raises(AssertionError, match="2 of 4"):
        assert_within(-values, values, 3)


def test_every_bound_has_a_reason_and_is_small():
    for (_, dtype), (bound, reason) in BOUNDS.items():
        assert reason
        assert bound <= (1e-3 if dtype == "float16" else 1e-5)
