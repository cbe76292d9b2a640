"""From the points, taps and bins of an explanation follow the operators' results, and its areas are exact."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import roialign_rs as ra

RULES = ("caffe", "mmcv", "floor", "truncate")
STRIDE = 8
HEIGHT, WIDTH = 9, 12


def random_boxes(count):
    """Boxes in whole pixels, which are eighths of cells at stride 8: inside, across and off the map."""
    random = np.random.default_rng(7)
    corners = random.integers(-40, 110, (count, 2))
    return np.hstack([corners, corners + random.integers(-6, 90, (count, 2))]).astype(np.float64)


def explain(box, output_size=(2, 3), **options):
    return ra.explain(box, output_size, spatial_scale=1 / STRIDE, map_size=(HEIGHT, WIDTH), **options)


# What the operators compute.


@pytest.mark.parametrize("sample_points", ["center", "interior"])
@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("sampling_ratio", [0, 1, (3, 2)])
def test_points_and_taps_give_roi_align(sampling_ratio, aligned, sample_points):
    features = np.random.default_rng(0).standard_normal((1, 1, HEIGHT, WIDTH))
    options = {"sampling_ratio": sampling_ratio, "aligned": aligned, "sample_points": sample_points}
    for box in random_boxes(60):
        e = explain(box, **options)
        x, y = e.tap_indices[..., 0], e.tap_indices[..., 1]
        samples = (features[0, 0, y, x] * e.tap_weights).sum(axis=-1)
        mean = samples.sum(axis=(2, 3)) / max(samples.shape[2] * samples.shape[3], 1)
        assert_allclose(
            ra.roi_align(features, [box], (2, 3), spatial_scale=1 / STRIDE, **options)[0, 0], mean, atol=1e-12
        )
        largest = samples.max(axis=(2, 3)) if samples.size else np.zeros((2, 3))
        pooled = ra.roi_align(features, [box], (2, 3), spatial_scale=1 / STRIDE, mode="max", **options)
        assert_allclose(pooled[0, 0], largest, atol=1e-12)


@pytest.mark.parametrize("quantization", RULES)
def test_pooled_bins_give_roi_pool(quantization):
    features = np.random.default_rng(0).standard_normal((1, 1, HEIGHT, WIDTH))
    for box in random_boxes(60):
        bins = explain(box, quantization=quantization).pooled_bins.reshape(-1, 4)
        cells = [features[0, 0, y1:y2, x1:x2] for x1, y1, x2, y2 in bins]
        largest = [part.max() if part.size else 0.0 for part in cells]
        pooled = ra.roi_pool(features, [box], (2, 3), spatial_scale=1 / STRIDE, quantization=quantization)
        assert_array_equal(pooled.ravel(), largest)


# Areas, compared with counts of eighths of cells, which are exact for these boxes.


def parts_inside(rectangle):
    """Mask (8 H, 8 W) of the eighths of cells that are in a rectangle."""
    x1, y1, x2, y2 = np.asarray(rectangle) * STRIDE
    x, y = np.arange(WIDTH * STRIDE) + 0.5, np.arange(HEIGHT * STRIDE) + 0.5
    return np.outer((y1 < y) & (y < y2), (x1 < x) & (x < x2))


def per_cell(parts):
    return parts.reshape(HEIGHT, STRIDE, WIDTH, STRIDE).mean(axis=(1, 3))


@pytest.mark.parametrize("quantization", RULES)
@pytest.mark.parametrize("output_size", [1, (2, 3), 7])
def test_areas_are_what_counting_gives(output_size, quantization):
    for box in random_boxes(60):
        e = explain(box, output_size, quantization=quantization)
        inside, kept = parts_inside(e.mapped_box), parts_inside(e.quantised_box)
        used = np.any([parts_inside(cells) for cells in e.pooled_bins.reshape(-1, 4)], axis=0)
        assert_array_equal(e.loss_mask, per_cell(inside & ~used))
        assert_array_equal(e.gain_mask, per_cell(used & ~inside))
        counted = {
            "loss_area": inside & ~used,
            "gain_area": used & ~inside,
            "first_loss_area": inside & ~kept,
            "first_gain_area": kept & ~inside,
            "second_loss_area": inside & kept & ~used,
        }
        assert {name: getattr(e, name) for name in counted} == {
            name: np.count_nonzero(parts) / STRIDE**2 for name, parts in counted.items()
        }


def test_roi_area_includes_what_is_off_the_map():
    e = explain((-16, -16, 16, 8))
    assert e.roi_area == 4 * 3
    assert e.box_cells.sum() == 2 * 1


def test_what_is_off_the_map_is_told():
    e = explain((-16, -16, 16, 8))
    assert (e.off_map_area, e.is_outside) == (10, False)
    assert "outside the map  10.000 cells (83.3% of the box)" in str(e)
    e = explain((WIDTH * STRIDE, 8, WIDTH * STRIDE + 16, 24))
    assert (e.off_map_area, e.is_outside) == (4, True)
    assert "outside the map  the whole box" in str(e)
    assert explain((-4, -4, -4, -4)).is_outside
    assert "outside" not in str(explain((3, 5, 71, 60), quantization="floor")).replace("gained from outside", "")


def test_an_inverted_box_has_no_area():
    e = explain((40, 40, 16, 8))
    assert (e.roi_area, e.loss_area) == (0, 0)
    assert e.mapped_box.tolist() == [5, 5, 2, 1]


def test_bins_that_pass_the_quantised_box_take_back_what_it_lost():
    e = ra.explain((0, 0, 2.5, 1), (1, 3), map_size=4, quantization="truncate")
    assert e.quantised_box.tolist() == [0, 0, 2, 1]
    assert e.pooled_region.tolist() == [0, 0, 3, 1]
    assert (e.first_loss_area, e.second_loss_area) == (0.5, 0)
    assert (e.loss_area, e.gain_area) == (0, 0.5)


# Regions.


@pytest.mark.parametrize(
    ("quantization", "box", "expected"),
    [
        ("truncate", (9.25, 6, 15.5, 10.53125), (9, 6, 15, 10)),
        ("truncate", (1.75, 1.25, 3.25, 1.5), (1, 1, 2, 2)),  # 1.5 wide is 1 cell, 0.25 high is at least one
        ("floor", (1.75, 1.25, 3.25, 1.5), (1, 1, 3, 2)),
        ("caffe", (1.75, 1.25, 3.25, 1.5), (2, 1, 4, 3)),  # halves away from zero, ends included
        ("mmcv", (1.75, 1.25, 3.25, 1.5), (1, 1, 5, 3)),  # inclusive ends
        ("mmcv", (5.5, 4, 3, 2), (5, 4, 6, 5)),  # inverted: no bins, and yet one cell
        ("caffe", (-3, 14, 3, 30), (-3, 14, 4, 31)),  # not clipped
    ],
)
def test_quantised_box(quantization, box, expected):
    assert tuple(ra.explain(box, 2, map_size=16, quantization=quantization).quantised_box) == expected


def test_pooled_bins_are_clipped_to_the_map():
    e = ra.explain((-3, 14, 3, 30), 2, map_size=16, quantization="floor")
    assert e.pooled_bins.tolist() == [[[0, 14, 0, 16], [0, 14, 3, 16]], [[0, 16, 0, 16], [0, 16, 3, 16]]]
    assert e.pooled_region.tolist() == [0, 14, 3, 16]


@pytest.mark.parametrize("quantization", RULES)
def test_a_box_off_the_map_uses_no_cell(quantization):
    e = ra.explain((100, 3, 120, 8), 2, map_size=16, quantization=quantization, sampling_ratio=0)
    x1, y1, x2, y2 = e.pooled_region
    assert (x2 - x1) * (y2 - y1) == 0
    assert not e.pooled_cells.any()
    assert not e.sample_cells.any()
    assert not e.aligned_weight.any()


# Points and weights.


def test_points_divide_their_bin():
    e = explain((3, 5, 71, 60), sampling_ratio=(4, 3))
    start, end = e.bins[..., None, None, :2], e.bins[..., None, None, 2:]
    y, x = np.meshgrid((np.arange(4) + 0.5) / 4, (np.arange(3) + 0.5) / 3, indexing="ij")
    assert_allclose(e.sample_points, start + (end - start) * np.stack([x, y], axis=-1))


def test_bins_divide_the_box():
    e = explain((3, 5, 71, 60))
    assert_allclose(e.bins[0, 0, :2], e.mapped_box[:2])
    assert_allclose(e.bins[-1, -1, 2:], e.mapped_box[2:])
    assert_array_equal(e.bins[:, 1:, 0], e.bins[:, :-1, 2])
    assert_array_equal(e.bins[1:, :, 1], e.bins[:-1, :, 3])


def test_without_alignment_points_and_bins_are_half_a_cell_further():
    e, f = explain((3, 5, 71, 60)), explain((3, 5, 71, 60), aligned=False)
    assert_allclose(f.sample_points, e.sample_points + 0.5)
    assert_allclose(f.bins, e.bins + 0.5)
    assert_array_equal(f.mapped_box, e.mapped_box)
    assert (f.loss_area, f.gain_area) == (e.loss_area, e.gain_area)


def test_without_alignment_a_box_is_at_least_one_cell():
    e = explain((8, 8, 10, 40), 1, aligned=False)
    assert_allclose(e.bins[0, 0], (1.5, 1.5, 2.5, 5.5))


def test_cells_count_points_and_weights():
    for box in random_boxes(30):
        e = explain(box, sampling_ratio=3)
        points = e.sample_points.reshape(-1, 2)
        on_map = points[((points >= 0) & (points < (WIDTH, HEIGHT))).all(axis=1)]
        counts, weights = np.zeros((HEIGHT, WIDTH), int), np.zeros((HEIGHT, WIDTH))
        np.add.at(counts, tuple(np.floor(on_map).astype(int).T[::-1]), 1)
        np.add.at(weights, (e.tap_indices[..., 1], e.tap_indices[..., 0]), e.tap_weights)
        assert_array_equal(e.sample_cells, counts)
        assert_allclose(e.aligned_weight, weights, atol=1e-12)


def test_taps_of_a_point_add_up_to_one_unless_it_is_dropped():
    e = ra.explain((-3, 2, 5, 6), (1, 8), map_size=8, sampling_ratio=1)
    # Points at -2.5, -1.5, -0.5, ...: a point counts down to one cell before the first centre.
    assert_allclose(e.tap_weights.sum(axis=-1).ravel(), [0, 0, 1, 1, 1, 1, 1, 1])


def test_an_empty_adaptive_box_has_no_points():
    e = explain((40, 40, 16, 8), sampling_ratio=0)
    assert e.sample_points.shape == (2, 3, 0, 0, 2)
    assert not e.aligned_weight.any()
