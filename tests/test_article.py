"""The numbers in the article's figures are what the library computes.

The article explains RoI pooling and RoI Align with three figures: (A) an 8 x 8 map of values, (B) a box of 200 x 145
pixels mapped onto 16 x 16 cells, (C) the points at which RoI Align reads inside that box.
"""

import importlib
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import roialign_rs as ra

DOCS = Path(__file__).parent.parent / "docs"

VALUES = np.array(
    [
        [0.88, 0.44, 0.14, 0.16, 0.37, 0.77, 0.96, 0.27],
        [0.19, 0.45, 0.57, 0.16, 0.63, 0.29, 0.71, 0.70],
        [0.66, 0.26, 0.82, 0.64, 0.54, 0.73, 0.59, 0.26],
        [0.85, 0.34, 0.76, 0.84, 0.29, 0.75, 0.62, 0.25],
        [0.32, 0.74, 0.21, 0.39, 0.34, 0.03, 0.33, 0.48],
        [0.20, 0.14, 0.16, 0.13, 0.73, 0.65, 0.96, 0.32],
        [0.19, 0.69, 0.09, 0.86, 0.88, 0.07, 0.01, 0.48],
        [0.83, 0.24, 0.97, 0.04, 0.24, 0.35, 0.50, 0.91],
    ]
)[None, None]


# A. A region 7 wide and 5 high: columns [0, 7), rows [3, 8).


@pytest.mark.parametrize(
    ("quantization", "box", "expected"),
    [
        ("floor", (0, 3, 7, 8), [[0.85, 0.84], [0.97, 0.96]]),  # the figure
        ("truncate", (0, 3, 7, 8), [[0.85, 0.84], [0.69, 0.88]]),  # bins 3 x 2: the last row and column are in none
        ("caffe", (0, 3, 6, 7), [[0.85, 0.96], [0.97, 0.96]]),  # the same cells, with inclusive ends; bins overlap
        ("caffe", (0, 3, 7, 8), [[0.85, 0.96], [0.97, 0.91]]),  # one row and one column more
        ("mmcv", (0, 3, 7, 8), [[0.85, 0.96], [0.97, 0.91]]),
    ],
)
def test_the_region_under_each_rounding(quantization, box, expected):
    assert_array_equal(ra.roi_pool(VALUES, [box], 2, quantization=quantization)[0, 0], expected)


def test_torchvision_rounding_is_the_default():
    assert_array_equal(ra.roi_pool(VALUES, [(0, 3, 6, 7)], 2)[0, 0], [[0.85, 0.96], [0.97, 0.96]])


def test_bins_of_the_figure_split_at_the_rounded_down_half():
    bins = ra.explain((0, 3, 7, 8), 2, map_size=8, quantization="floor").pooled_bins
    assert bins.tolist() == [[[0, 3, 3, 5], [3, 3, 7, 5]], [[0, 5, 3, 8], [3, 5, 7, 8]]]


def test_torchvision_finds_0_96_because_its_bins_share_row_5():
    bins = ra.explain((0, 3, 6, 7), 2, map_size=8, quantization="caffe").pooled_bins
    assert bins.tolist() == [[[0, 3, 4, 6], [3, 3, 7, 6]], [[0, 5, 4, 8], [3, 5, 7, 8]]]
    assert VALUES[0, 0, 5, 6] == 0.96


def test_interpolation_can_raise_the_top_left_value():
    # The article's values, 0.8 and 0.88, are of a map that it does not show. In this box, rounding moves the first bin
    # away from the 0.84.
    box = [(1.75, 3, 6.75, 6.5)]
    assert ra.roi_pool(VALUES, box, 2, quantization="floor")[0, 0, 0, 0] == 0.76
    aligned = ra.roi_align(VALUES, box, 2, sampling_ratio=2, mode="max", sample_points="interior")[0, 0, 0, 0]
    # The sample two thirds to the right and one third down in the bin of 2.5 x 1.75 is near the 0.84 at (3.5, 3.5).
    x, y = 1.75 + 2.5 * 2 / 3 - 2.5, 3 + 1.75 / 3 - 3.5
    assert_allclose(aligned, (1 - y) * ((1 - x) * 0.76 + x * 0.84) + y * ((1 - x) * 0.21 + x * 0.39))
    assert round(aligned, 2) == 0.80


# B. 512 x 512 pixels, 16 x 16 cells, stride 32; a box of 200 x 145 whose corner lands on (9.25, 6); output 3 x 3.

BOX = (296, 192, 296 + 200, 192 + 145)


@pytest.fixture(name="e")
def explanation():
    article = {"sampling_ratio": 2, "sample_points": "interior", "quantization": "truncate"}
    return ra.explain(BOX, 3, spatial_scale=16 / 512, map_size=16, **article)


def test_the_box_lands_between_cells(e):
    x1, y1, x2, y2 = e.mapped_box
    assert (x1, y1) == (9.25, 6)
    assert (x2 - x1, y2 - y1) == (6.25, 4.53125)
    assert round(e.roi_area, 3) == 28.320


def test_the_first_rounding_leaves_6_by_4_cells(e):
    assert e.quantised_box.tolist() == [9, 6, 15, 10]
    assert round(e.first_loss_area, 3) == 5.320
    assert e.first_gain_area == 1.0


def test_the_second_rounding_makes_bins_of_2_by_1_and_drops_a_row(e):
    assert e.pooled_bins[0, 0].tolist() == [9, 6, 11, 7]
    assert (e.pooled_bins[..., 2:] - e.pooled_bins[..., :2] == [2, 1]).all()
    assert e.pooled_region.tolist() == [9, 6, 15, 9]
    assert e.second_loss_area == 5.75


def test_both_roundings_together(e):
    assert round(e.loss_area, 3) == 11.070
    assert e.loss_area == e.first_loss_area + e.second_loss_area
    assert e.gain_area == 0.75


def test_where_the_loss_and_the_gain_are(e):
    loss = np.zeros((16, 16))
    loss[6:10, 15] = 0.5  # right of column 14, by the first rounding: dark blue
    loss[10, 9:16] = 0.53125 * np.array([0.75, 1, 1, 1, 1, 1, 0.5])  # below row 9, by the first
    loss[9, 9:15] = [0.75, 1, 1, 1, 1, 1]  # the dropped row, by the second: light blue
    assert_array_equal(e.loss_mask, loss)
    gain = np.zeros((16, 16))
    gain[6:9, 9] = 0.25  # left of 9.25: green
    assert_array_equal(e.gain_mask, gain)


def test_roi_pool_reads_the_cells_that_are_left():
    cells = np.arange(256.0).reshape(1, 1, 16, 16)
    pooled = ra.roi_pool(cells, [BOX], 3, spatial_scale=1 / 32, quantization="truncate")[0, 0]
    rows, last_columns = np.array([[6], [7], [8]]), np.array([10, 12, 14])
    assert_array_equal(pooled, 16 * rows + last_columns)


# C. The bins of RoI Align, four points in each, and the centres around them.


def test_bins_are_equal_and_not_rounded(e):
    sizes = e.bins[..., 2:] - e.bins[..., :2]
    assert_allclose(sizes, np.broadcast_to([6.25 / 3, 4.53125 / 3], sizes.shape))
    assert sizes[0, 0].round(2).tolist() == [2.08, 1.51]


def test_four_points_at_one_and_two_thirds(e):
    assert e.sample_points.shape == (3, 3, 2, 2, 2)
    (top_left, top_right), (bottom_left, bottom_right) = e.sample_points[0, 0].round(2).tolist()
    assert top_left == [9.94, 6.50]
    assert bottom_left == [9.94, 7.01]
    assert top_right == [10.64, 6.50]
    assert bottom_right == [10.64, 7.01]


@pytest.mark.parametrize(
    ("row", "column", "centres"),
    [
        (0, 0, [(9.5, 6.5), (10.5, 6.5), (9.5, 7.5), (10.5, 7.5)]),
        (0, 1, [(10.5, 6.5), (11.5, 6.5), (10.5, 7.5), (11.5, 7.5)]),
        (1, 0, [(9.5, 6.5), (10.5, 6.5), (9.5, 7.5), (10.5, 7.5)]),
        (1, 1, [(10.5, 6.5), (11.5, 6.5), (10.5, 7.5), (11.5, 7.5)]),
    ],
)
def test_nearest_centres_of_each_point(e, row, column, centres):
    assert_array_equal(e.tap_indices[0, 0, row, column] + 0.5, centres)


def test_weights_of_the_first_point(e):
    right, down = 9.25 + 6.25 / 9 - 9.5, 6 + 4.53125 / 9 - 6.5
    expected = [(1 - right) * (1 - down), right * (1 - down), (1 - right) * down, right * down]
    assert_allclose(e.tap_weights[0, 0, 0, 0], expected, atol=1e-15)


def test_the_largest_of_four_points_for_each_of_512_channels(e):
    features = np.random.default_rng(0).random((1, 512, 16, 16))
    pooled = ra.roi_align(
        features, [BOX], 3, spatial_scale=1 / 32, sampling_ratio=2, mode="max", sample_points="interior"
    )
    assert pooled.shape == (1, 512, 3, 3)
    x, y = e.tap_indices[0, 0, ..., 0], e.tap_indices[0, 0, ..., 1]
    points = (features[0, :, y, x] * e.tap_weights[0, 0, ..., None]).sum(axis=-2)
    assert_allclose(pooled[0, :, 0, 0], points.max(axis=(0, 1)), rtol=1e-13)


def test_fifteen_cells_hold_no_point(e):
    empty = np.argwhere((e.box_cells > 0) & (e.sample_cells == 0))
    expected = [(row, column) for row in (6, 7, 8, 9, 10) for column in (11, 13, 15)]
    assert sorted(map(tuple, empty.tolist())) == expected


def test_every_cell_of_the_box_has_weight(e):
    assert np.count_nonzero(e.box_cells) == 35
    assert (e.aligned_weight[e.box_cells > 0] > 0).all()


def test_the_second_point_is_in_cell_10_6_and_reads_11_6_and_11_7(e):
    assert np.floor(e.sample_points[0, 0, 0, 1]).tolist() == [10, 6]
    assert {(11, 6), (11, 7)} <= set(map(tuple, e.tap_indices[0, 0, 0, 1].tolist()))


def test_libraries_put_the_points_elsewhere():
    points = ra.explain(BOX, 3, spatial_scale=1 / 32, map_size=16, sampling_ratio=2).sample_points[0, 0]
    assert_allclose(points[0, :, 0], 9.25 + 6.25 / 3 * np.array([0.25, 0.75]))
    assert_allclose(points[:, 0, 1], 6 + 4.53125 / 3 * np.array([0.25, 0.75]))


# The page.


@pytest.mark.skipif(not DOCS.exists(), reason="the source distribution has no docs")
def test_the_page_is_up_to_date(monkeypatch):
    monkeypatch.syspath_prepend(DOCS)
    page = importlib.import_module("make_article").page()
    assert (DOCS / "article.md").read_text(encoding="utf-8") == page, "run `make article`"
