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
from roialign_rs import _plot


@pytest.fixture(autouse=True)
def close_figures():
    plt.switch_backend("Agg")
    yield
    plt.close("all")


def test_repr_is_one_line():
    e = ra.explain((296, 192, 496, 337), 3, spatial_scale=1 / 32, map_size=16)
    assert repr(e) == (
        "<Explanation of box (296, 192, 496, 337) at scale 0.03125: "
        "28.320 cells, RoI pooling loses 11.070 and gains 0.750>"
    )


def test_text_draws_the_cells():
    text = str(ra.explain((296, 192, 496, 337), 3, spatial_scale=1 / 32, map_size=16, sample_points="interior"))
    assert "loses 5.320, gains 1.000" in text
    assert "together         loses 11.070 (39.1% of the box), gains 0.750" in text
    assert "35, of which 15 hold no point and 0 have no weight" in text
    assert "    8  #  #  #  #  #  #  1      8  o  o  ~  o  ~  o  ~" in text
    assert "    9  2  2  2  2  2  2  1      9  o  o  ~  o  ~  o  ~" in text


@pytest.mark.parametrize("box", [(1000, 3, 1010, 8), (40, 40, 16, 8), (-1e6, -1e6, 1e6, 1e6), (8, 8, 8, 8)])
@pytest.mark.parametrize(("sampling_ratio", "quantization"), [(2, "caffe"), (1, "mmcv"), (2, "floor"), (3, "truncate")])
def test_every_box_has_words_and_a_picture(box, sampling_ratio, quantization):
    e = explain(box, sampling_ratio=sampling_ratio, quantization=quantization)
    assert "RoI pooling rounds twice" in str(e)
    e.plot(values=np.zeros((HEIGHT, WIDTH))).canvas.draw()


def test_a_box_without_points_has_words_and_a_picture():
    e = explain((40, 40, 16, 8), sampling_ratio=0)
    assert "0 x 0 points in each" in str(e)
    e.plot(values=np.zeros((HEIGHT, WIDTH))).canvas.draw()


def painted(axes, colour):
    """Return the area of all patches of a colour."""
    return sum(p.get_width() * p.get_height() for p in axes.patches if to_hex(p.get_facecolor()) == colour)


@pytest.mark.parametrize("quantization", RULES)
def test_the_picture_paints_the_areas(quantization):
    for box in random_boxes(8):
        e = explain(box, quantization=quantization)
        pooling, align = e.plot().axes
        taken_back = e.first_loss_area + e.second_loss_area - e.loss_area
        assert_allclose(painted(pooling, _plot.FIRST_LOSS), e.first_loss_area - taken_back, atol=1e-12)
        assert_allclose(painted(pooling, _plot.SECOND_LOSS), e.second_loss_area, atol=1e-12)
        assert_allclose(painted(pooling, _plot.GAIN), e.gain_area, atol=1e-12)
        for axes in (pooling, align):
            assert axes.yaxis_inverted()
            assert axes.get_aspect() == 1
        plt.close("all")


def test_the_picture_does_not_paint_what_bins_take_back():
    e = ra.explain((0, 0, 2.5, 1), (1, 3), map_size=4)
    assert e.first_loss_area == 0.5
    assert painted(e.plot().axes[0], _plot.FIRST_LOSS) == 0


def test_plot_draws_where_it_is_told():
    e = explain((3, 5, 71, 60))
    figure, axes = plt.subplots(1, 2)
    assert e.plot(axes) is figure
    assert [bool(panel.get_title()) for panel in axes] == [True, True]
    figure, one = plt.subplots()
    assert e.plot(one) is figure
    assert len(one.child_axes) == 2
    assert isinstance(e.plot(), Figure)


def test_plot_writes_values_where_they_can_be_read():
    values = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    pooling = explain((3, 5, 71, 60)).plot(values=values).axes[0]
    assert "13.00" in [text.get_text() for text in pooling.texts]
    wide = ra.explain((0, 0, 300, 300), 3, map_size=320).plot(values=np.zeros((320, 320))).axes[0]
    assert not wide.texts


def test_plot_wants_values_of_the_map():
    with pytest.raises(ValueError, match=r"values: expected shape \(9, 12\), got \(12, 9\)"):
        explain((3, 5, 71, 60)).plot(values=np.zeros((WIDTH, HEIGHT)))


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
    """A point in the border band is interpolated from one cell, four times; its weights are one number there."""
    figure = ra.explain((0, 0, 1, 1), 1, map_size=1).plot()
    weights = [text.get_text() for text in figure.axes[1].texts]
    assert weights == ["1.000"]


def test_colours_are_seen_on_a_large_map():
    """Lines between so many cells would cover what is between them."""
    figure = ra.explain((100, 100, 500, 400), 7, map_size=(1000, 1500)).plot(values=np.zeros((1000, 1500)))
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3].reshape(-1, 3)
    light_blue = (pixels == [int(_plot.SECOND_LOSS[i : i + 2], 16) for i in (1, 3, 5)]).all(axis=1)
    assert light_blue.sum() > 1000
