"""What an explanation accepts, how much memory it takes, and the values that it gives with features."""

import inspect
import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from test_explain import HEIGHT, RULES, STRIDE, WIDTH, explain, random_boxes

import roialign_rs as ra

# Arguments.


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"box": (1, 2, 3)}, ValueError, r"box: expected four numbers x1, y1, x2, y2, got shape \(3,\)"),
        ({"box": (1, 2, float("nan"), 4)}, ValueError, r"box: coordinates must be finite, got \[1.0, 2.0, nan, 4.0\]"),
        ({"box": (1, 2, float("inf"), 4)}, ValueError, "box: coordinates must be finite"),
        ({"box": (1, 2, 3, "four")}, TypeError, "box: dtype .* is not supported; use float32 or float64"),
        ({"box": np.ma.masked_equal([1, 2, 3, 4], 3)}, TypeError, "box: masked arrays are not supported"),
        ({"output_size": (0, 7)}, ValueError, r"output_size must be at least 1, got \(0, 7\)"),
        ({"output_size": 2.5}, TypeError, "output_size must be an integer or a pair of integers, got 2.5"),
        ({"map_size": 0}, ValueError, "map_size must be at least 1, got 0"),
        ({"map_size": (3, 2**31)}, ValueError, r"map_size must be at most 2147483647, got \(3, 2147483648\)"),
        ({"map_size": None}, ValueError, "map_size is needed without features; pass one of the two"),
        ({"features": np.zeros((8, 9))}, ValueError, r"map_size must be the shape of features, \(8, 9\), got 8"),
        ({"features": np.zeros((1, 8, 8))}, ValueError, r"features: expected shape \(H, W\) .* got \(1, 8, 8\)"),
        ({"features": np.zeros((8, 0))}, ValueError, r"features: expected shape \(H, W\) .* got \(8, 0\)"),
        ({"features": np.zeros((8, 8), int)}, TypeError, "features: dtype int64 is not supported"),
        ({"spatial_scale": 0.0}, ValueError, "spatial_scale must be finite and positive, got 0.0"),
        ({"spatial_scale": (1, 1)}, TypeError, r"spatial_scale must be a number, got \(1, 1\)"),
        ({"aligned": 2}, TypeError, "aligned must be True or False, got 2"),
        ({"aligned": "yes"}, TypeError, "aligned must be True or False, got 'yes'"),
        ({"spatial_scale": float("nan")}, ValueError, "spatial_scale must be finite and positive, got nan"),
        ({"sampling_ratio": 10**9}, ValueError, "box: explain shows at most 1048576 samples, this box has 2e"),
        ({"sampling_ratio": (1, 65537)}, ValueError, "sampling_ratio must be at most 65536, got 65537"),
        ({"box": (-1e308, 0, 1e308, 1)}, ValueError, "box: the area of .* overflows when multiplied by spatial_scale"),
        ({"box": (0, 0, 1e308, 1), "spatial_scale": 9.0}, ValueError, "box: the area of .* overflows"),
        ({"sample_points": "middle"}, ValueError, "sample_points"),
        ({"quantization": "round"}, ValueError, "quantization"),
    ],
)
def test_bad_arguments(change, error, message):
    arguments = {"box": (0, 0, 4, 4), "output_size": 2, "map_size": 8} | change
    with pytest.raises(error, match=message):
        ra.explain(arguments.pop("box"), arguments.pop("output_size"), **arguments)


@pytest.mark.parametrize(
    ("box", "options"),
    [
        ((-1e9, -1e9, 1e9, 1e9), {"output_size": 7}),
        ((0, 0, 1025, 1024), {"output_size": 1}),
        ((0, 0, 1024, 1024), {"output_size": 1025}),  # a point in each of 1025 x 1025 bins
        ((8, 8, 4, 4), {"output_size": 1025}),  # and no less for an empty box
        ((0, 0, 4, 4), {"output_size": 10, "sampling_ratio": (100, 105)}),
    ],
)
def test_too_many_points_are_refused(box, options):
    options = dict(options)
    with pytest.raises(ValueError, match=r"explain shows at most 1048576 samples, this box has .* or more"):
        ra.explain(box, options.pop("output_size"), map_size=16, **options)


def test_as_many_points_as_that_are_explained():
    e = ra.explain((0, 0, 1024, 1024), 1, map_size=16)
    assert e.sample_points.size == 2 * 2**20
    assert e.aligned_weight.sum() == 17**2, "of 16 cells and a border band of one, on one side"
    e = ra.explain((-1e9, -1e9, 1e9, 1e9), 7, map_size=16, sampling_ratio=2)
    assert e.pooled_cells.all()


def test_defaults_are_those_of_the_operators():
    defaults = {
        name: parameter.default
        for function in (ra.roi_align, ra.roi_pool)
        for name, parameter in inspect.signature(function).parameters.items()
    }
    for name, parameter in inspect.signature(ra.explain).parameters.items():
        if name not in ("box", "map_size", "features"):
            assert parameter.default == defaults[name], name


def test_settings_have_the_names_of_the_arguments():
    options = {"sampling_ratio": (2, 3), "aligned": False, "sample_points": "interior", "quantization": "floor"}
    settings = ra.explain((3, 5, 71, 60), 2, spatial_scale=0.5, map_size=8, **options).settings
    assert vars(settings) == {"spatial_scale": 0.5, **options}


def test_the_scale_is_not_narrowed():
    """A float32 scale does not round the coordinates that it is multiplied with to float32."""
    box = (3.3, 5.1, 71.7, 60.9)
    scale = np.float32(0.1)
    assert_array_equal(ra.explain(box, 2, spatial_scale=scale, map_size=8).mapped_box, np.multiply(box, float(scale)))


def test_any_sequence_is_a_box():
    expected = explain((3, 5, 71, 60)).bins
    for box in ([3, 5, 71, 60], np.array([3, 5, 71, 60], np.float32), np.array([3, 5, 71, 60], np.uint8)):
        assert_array_equal(explain(box).bins, expected)


@pytest.mark.parametrize("aligned", [False, np.False_, 0, True, np.True_, 1])
def test_aligned_is_any_kind_of_truth_value(aligned):
    e = explain((3, 5, 71, 60), aligned=aligned)
    assert e.settings.aligned is bool(aligned)


# Memory.


@pytest.mark.parametrize("side", [8000, 10**6])
@pytest.mark.parametrize("box", [(3200, 3200, 3500, 3400), (-50, 100, 70, 300), (10**9, 0, 10**9 + 100, 50)])
def test_memory_follows_the_box_and_not_the_map(side, box):
    def account():
        e = ra.explain(box, 3, spatial_scale=1 / 32, map_size=side)
        return str(e), repr(e), e.loss_area, e.gain_area, e.pooled_bins, e.tap_weights

    account()  # imports
    tracemalloc.start()
    try:
        account()
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 2**20


def test_areas_of_a_box_over_a_large_map_need_no_cells():
    tracemalloc.start()
    try:
        e = ra.explain((0.5, 0.25, 10**6, 10**6), 3, map_size=10**6, sampling_ratio=2, quantization="floor")
        assert e.gain_area == 10**12 - (10**6 - 0.5) * (10**6 - 0.25)
        assert f"cells of the box {10**12}, of which {10**12 - 36} hold no point" in str(e)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 2**20


def test_masks_of_a_map_that_fits_are_whole():
    e = ra.explain((3200, 3200, 3500, 3400), 3, spatial_scale=1 / 32, map_size=(300, 200))
    masks = ("loss_mask", "gain_mask", "sample_cells", "aligned_weight", "box_cells", "quantised_cells", "pooled_cells")
    assert {getattr(e, name).shape for name in masks} == {(300, 200)}
    assert np.argwhere(e.box_cells)[[0, -1]].tolist() == [[100, 100], [106, 109]]


# Values.


FEATURES = np.random.default_rng(1).standard_normal((HEIGHT, WIDTH))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.uint8])
@pytest.mark.parametrize("quantization", RULES)
def test_values_are_what_the_operators_return(quantization, dtype):
    features = (100 + 20 * FEATURES).astype(dtype)
    options = {"sampling_ratio": 0, "aligned": False, "sample_points": "interior"}
    for box in random_boxes(20):
        e = ra.explain(box, (2, 3), spatial_scale=1 / STRIDE, quantization=quantization, features=features, **options)
        call = (features[None, None], [box], (2, 3))
        pooled = ra.roi_pool(*call, spatial_scale=1 / STRIDE, quantization=quantization)
        aligned = ra.roi_align(*call, spatial_scale=1 / STRIDE, **options)
        assert_array_equal(e.pooled_values, pooled[0, 0])
        assert_array_equal(e.aligned_values, aligned[0, 0])
        assert (e.pooled_values.dtype, e.aligned_values.dtype) == (pooled.dtype, aligned.dtype)
        assert e.values.shape == e.sample_points.shape[:4]
        precision = np.finfo(e.aligned_values.dtype).eps
        assert_allclose(e.values.mean(axis=(2, 3)), e.aligned_values, rtol=4 * precision)


def test_features_make_the_size_of_the_map_unnecessary():
    e = ra.explain((3, 5, 71, 60), 2, features=FEATURES)
    assert e.map_size == FEATURES.shape
    assert e.features is FEATURES
    assert ra.explain((3, 5, 71, 60), 2, map_size=(HEIGHT, WIDTH), features=FEATURES).map_size == e.map_size
    assert ra.explain((1, 1, 3, 3), 1, features=[[0.0, 1.0], [2.0, 3.0]]).map_size == (2, 2)


def test_a_cell_without_weight_is_not_read():
    features = np.full((4, 4), np.nan)
    features[1, 1] = 7.0
    features[1, 2] = np.inf
    e = ra.explain((1, 1, 2, 2), 1, sampling_ratio=1, features=features)
    assert e.values.item() == e.aligned_values.item() == 7.0


@pytest.mark.parametrize("name", ["values", "pooled_values", "aligned_values"])
def test_values_need_the_map(name):
    with pytest.raises(AttributeError, match=rf"Explanation\.{name} needs the feature map: call explain\(\.\.\., feat"):
        getattr(explain((3, 5, 71, 60)), name)
    assert explain((3, 5, 71, 60)).features is None
