"""An explanation in words and as a picture."""

import subprocess
import sys

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from numpy.testing import assert_allclose
from test_explain import HEIGHT, RULES, WIDTH, explain, random_boxes

import roialign_rs as ra
from roialign_rs import _draw


@pytest.fixture(autouse=True)
def close_figures():
    plt.switch_backend("Agg")
    yield
    plt.close("all")


ARTICLE = {
    "spatial_scale": 1 / 32,
    "sampling_ratio": 2,
    "sample_points": "interior",
    "quantization": "truncate",
}


def test_repr_is_one_line():
    e = ra.explain((296, 192, 496, 337), 3, map_size=16, **ARTICLE)
    assert repr(e) == (
        "<Explanation of box (296, 192, 496, 337) at scale 0.03125: "
        "28.320 cells, RoI pooling loses 11.070 and gains 0.750>"
    )


def test_text_draws_the_cells():
    text = str(ra.explain((296, 192, 496, 337), 3, map_size=16, **ARTICLE))
    assert "loses 5.320, gains 1.000" in text
    assert "together         loses 11.070 (39.1% of the box), gains 0.750" in text
    assert "35, of which 15 hold no point and 0 have no weight" in text
    assert "    8  #  #  #  #  #  #  1      8  o  o  ~  o  ~  o  ~" in text
    assert "    9  2  2  2  2  2  2  1      9  o  o  ~  o  ~  o  ~" in text


@pytest.mark.parametrize("box", [(1000, 3, 1010, 8), (40, 40, 16, 8), (-1e6, -1e6, 1e6, 1e6), (8, 8, 8, 8)])
@pytest.mark.parametrize(("sampling_ratio", "quantization"), [(2, "caffe"), (1, "mmcv"), (2, "floor"), (3, "truncate")])
def test_every_box_has_words_and_a_picture(box, sampling_ratio, quantization):
    options = {"sampling_ratio": sampling_ratio, "quantization": quantization}
    e = explain(box, features=np.zeros((HEIGHT, WIDTH)), **options)
    assert "RoI pooling rounds twice" in str(e)
    e.plot().canvas.draw()


def test_a_box_without_points_has_words_and_a_picture():
    e = explain((40, 40, 16, 8), sampling_ratio=0, features=np.zeros((HEIGHT, WIDTH)))
    assert "0 x 0 points in each" in str(e)
    e.plot().canvas.draw()


def painted(axes, colour):
    """Return the area of all patches of a colour."""
    return sum(p.get_width() * p.get_height() for p in axes.patches if to_hex(p.get_facecolor()) == colour)


@pytest.mark.parametrize("quantization", RULES)
def test_the_picture_paints_the_areas(quantization):
    for box in random_boxes(8):
        e = explain(box, quantization=quantization)
        pooling, align = e.plot().axes
        taken_back = e.first_loss_area + e.second_loss_area - e.loss_area
        assert_allclose(painted(pooling, _draw.FIRST_LOSS), e.first_loss_area - taken_back, atol=1e-12)
        assert_allclose(painted(pooling, _draw.SECOND_LOSS), e.second_loss_area, atol=1e-12)
        assert_allclose(painted(pooling, _draw.GAIN), e.gain_area, atol=1e-12)
        for axes in (pooling, align):
            assert axes.yaxis_inverted()
            assert axes.get_aspect() == 1
        plt.close("all")


def test_the_picture_does_not_paint_what_bins_take_back():
    e = ra.explain((0, 0, 2.5, 1), (1, 3), map_size=4, quantization="truncate")
    assert e.first_loss_area == 0.5
    assert painted(e.plot().axes[0], _draw.FIRST_LOSS) == 0


def test_plot_draws_where_it_is_told():
    e = explain((3, 5, 71, 60))
    figure, axes = plt.subplots(1, 2)
    assert e.plot(axes) is figure
    assert [bool(panel.get_title()) for panel in axes] == [True, True]
    figure, one = plt.subplots()
    assert e.plot(one) is figure
    assert len(one.child_axes) == 2
    assert isinstance(e.plot(), Figure)


@pytest.mark.parametrize("ax", [3, "ab", [1, 2], [1, 2, 3], [None, None]], ids=str)
def test_plot_names_what_is_no_axes(ax):
    with pytest.raises(TypeError, match="ax must be Matplotlib Axes or two of them, got "):
        explain((3, 5, 71, 60)).plot(ax)


def texts(panel):
    return [text.get_text() for text in panel.texts]


@pytest.mark.parametrize("right", [6.8, 7, 7.2])
def test_plot_writes_no_value_on_the_edge_of_a_bin(right):
    e = ra.explain((0, 3, right, 8), 2, features=np.ones((8, 8)), sampling_ratio=2)
    edges = np.append(e.bins[0, :, 0], right)
    places = [text.get_position()[0] for text in e.plot().axes[1].texts if text.get_text() == "1.00"]
    assert len(places) == 6 * 8
    assert np.abs(np.subtract.outer(places, edges)).min() > 0.2


def test_plot_writes_values_where_they_can_be_read():
    values = np.arange(HEIGHT * WIDTH, dtype=np.float32).reshape(HEIGHT, WIDTH)
    pooling, align = explain((3, 5, 71, 60), features=values, sampling_ratio=1).plot().axes
    assert "13.00" in texts(pooling)
    assert "13.00" in texts(align)
    crowded = explain((3, 5, 71, 60), features=values, sampling_ratio=3).plot().axes[1]
    assert "13.00" not in texts(crowded), "54 points are in the way"
    wide = ra.explain((0, 0, 300, 300), 3, features=np.zeros((320, 320))).plot().axes[0]
    assert not wide.texts


def test_a_small_box_is_shown_enlarged_too():
    small, large = explain((33, 33, 35, 36)), explain((3, 5, 71, 60))
    assert not large.plot().axes[1].child_axes
    (lens,) = small.plot().axes[1].child_axes
    (left, right), (bottom, top) = lens.get_xlim(), lens.get_ylim()
    x1, y1, x2, y2 = small.mapped_box
    assert left < x1 < x2 < right
    assert top < y1 < y2 < bottom
    assert 1.2 < max((right - left) / (x2 - x1), (bottom - top) / (y2 - y1)) < 2


@pytest.mark.parametrize("box", [(110, 10, 130, 40), (10, -1e6, 30, -1e5), (-130, -140, -110, -100)])
def test_a_box_off_the_map_is_said_to_be_there(box):
    for panel in explain(box).plot().axes:
        assert "The box lies outside the map" in texts(panel)
    for panel in explain((-10, -10, 5, 5)).plot().axes:
        assert "The box lies outside the map" not in texts(panel)


def test_a_box_near_the_map_is_shown_with_its_edge():
    panel = explain((120, 16, 136, 40)).plot().axes[0]
    left, right = panel.get_xlim()
    assert left < WIDTH < 17 < right


def test_a_huge_map_is_drawn_by_its_part():
    figure = ra.explain((3200, 3200, 3500, 3400), 3, spatial_scale=1 / 32, map_size=10**6).plot()
    figure.canvas.draw()
    lines = sum(len(c.get_segments()) for c in figure.axes[0].collections)
    assert 10 < lines < 40


def test_plot_without_matplotlib_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install 'roialign_rs\[plot\]'"):
        explain((3, 5, 71, 60)).plot()


def test_importing_and_explaining_needs_no_drawing_library():
    code = (
        "import sys, roialign_rs as ra\n"
        "print(ra.explain((0, 0, 4, 4), 2, map_size=8))\n"
        "assert not {'matplotlib', 'PIL'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_neighbours_that_are_one_cell_share_their_weights():
    """All four taps of a point in the border band are one cell; the plot shows the sum of their weights."""
    weights = texts(ra.explain((0, 0, 1, 1), 1, map_size=1, sampling_ratio=2).plot().axes[1])
    assert weights == ["1.000"]


def test_colours_are_seen_on_a_large_map():
    """On so many cells, grid lines would cover the colours."""
    options = {"sampling_ratio": 2, "quantization": "truncate"}
    figure = ra.explain((100, 100, 500, 400), 7, features=np.zeros((1000, 1500)), **options).plot()
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3].reshape(-1, 3)
    light_blue = (pixels == [int(_draw.SECOND_LOSS[i : i + 2], 16) for i in (1, 3, 5)]).all(axis=1)
    assert light_blue.sum() > 1000
