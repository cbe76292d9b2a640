"""The pictures of the documentation: they are up to date, and they show what the operators return."""

import importlib
from pathlib import Path

import numpy as np
import pytest
from matplotlib.cbook import get_sample_data
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

import roialign_rs as ra

DOCS = Path(__file__).parent.parent / "docs"
NAMES = ("why", "roi_align", "roi_pool", "roi_pool_rules", "multiscale_roi_align", "gradients")

pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="the source distribution has no docs")


@pytest.fixture(autouse=True)
def _docs_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(DOCS)


def module(name):
    return importlib.import_module(f"pictures.{name}")


def brightness():
    """Compute the map of stride 16 once more: mean brightness of each block, in percent."""
    with Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False)) as picture:
        grey = np.asarray(picture.convert("L"), float) * (100 / 255)
    return grey[:592].reshape(37, 16, 32, 16).mean((1, 3))


def words(panel):
    return [text.get_text() for text in panel.texts]


@pytest.mark.parametrize("name", NAMES)
def test_pictures_are_up_to_date(name):
    record, make = module("record"), importlib.import_module("make_pictures")
    figure = make.PICTURES[f"{name}.png"]()
    assert record.same(record.read(DOCS / "images" / f"{name}.png"), record.record(figure)), "run `make pictures`"


def test_every_picture_is_checked():
    make = importlib.import_module("make_pictures")
    assert [Path(file).stem for file in make.PICTURES] == list(NAMES)


@pytest.mark.parametrize(
    ("words", "numbers", "alike"),
    [
        (["lost 2.5 of 9", "b"], [[1.0, 2.0]], True),
        (["lost 2.4 of 10", "b"], [[1.005, 2.0]], True),
        (["lost 2.3 of 9", "b"], [[1.0, 2.0]], False),
        (["kept 2.5 of 9", "b"], [[1.0, 2.0]], False),
        (["lost 2.5 of 9"], [[1.0, 2.0]], False),
        (["lost 2.5 of 9", "b"], [[1.1, 2.0]], False),
        (["lost 2.5 of 9", "b"], [[1.0]], False),
        (["lost 2.5 of 9", "b"], [], False),
    ],
)
def test_records_are_the_same_up_to_rounding(words, numbers, alike):
    drawn = {"words": ["lost 2.5 of 9", "b"], "numbers": [[1.0, 2.0]]}
    assert module("record").same(drawn, {"words": words, "numbers": numbers}) is alike


@pytest.mark.parametrize("name", NAMES)
def test_files_are_small_and_hold_nothing_but_the_record(name):
    path = DOCS / "images" / f"{name}.png"
    with Image.open(path) as picture:
        assert list(picture.info) == ["Drawn"]
    assert path.stat().st_size < 250_000


# The README's picture.


def test_the_staircase_stands_still_and_jumps_and_the_curve_glides():
    why = module("why")
    pooled, aligned = why.along_the_way()
    steps, glides = (np.abs(np.diff(results, axis=0)).max(axis=(1, 2)) for results in (pooled, aligned))
    assert np.flatnonzero(steps).tolist() == [15, 31, 47]
    assert steps[31] > 70
    assert glides.max() < 5
    assert (glides > 0).all()


def test_the_strip_shows_the_outlined_bin_of_the_tiles():
    why = module("why")
    figure = why.draw_why()
    *tiles, strip = [panel for panel in figure.axes if panel.images or len(panel.lines) == 4][2:]
    boxes = np.array([(39 - 31 + d, 52, 87 - 31 + d, 116) for d in range(64)], float)
    row, column = why.shown_bin(why.along_the_way()[0])
    for operator, line, shown in zip(
        (ra.roi_pool, ra.roi_align), strip.lines[::2], (tiles[:4], tiles[4:]), strict=True
    ):
        results = operator(brightness()[None, None], boxes, 7, spatial_scale=1 / 16)[:, 0]
        assert_allclose(line.get_ydata(), results[:, row, column])
        assert_allclose([tile.images[0].get_array() for tile in shown], results[[16, 31, 32, 47]])


# The operators.

STAR = (39, 52, 87, 116)


def test_roi_align_shows_points_that_average_to_its_result():
    *_, taps, means = module("roi_align").draw_roi_align().axes
    result = ra.roi_align(brightness()[None, None], [STAR], 2, spatial_scale=1 / 16)[0, 0]
    numbers = np.array(words(means), float).reshape(4, 5)
    assert_array_equal(numbers[:, 4], result.ravel().round(1))
    assert_allclose(numbers[:, :4].mean(axis=1), result.ravel(), atol=0.5)
    products = zip(words(taps)[:8:2], words(taps)[1:8:2], strict=True)
    total = sum(float(value) * float(weight.removeprefix("x ")) for value, weight in products)
    assert_allclose(float(words(taps)[8].removeprefix("= ")), total, atol=1)


def test_roi_pool_shows_the_largest_of_each_bin():
    *_, bins, maxima = module("roi_pool").draw_roi_pool().axes
    result = ra.roi_pool(brightness()[None, None], [STAR], 2, spatial_scale=1 / 16)[0, 0]
    assert_array_equal(np.array(words(maxima), float), result.ravel().round())
    bold = {text.get_text() for text in bins.texts if text.get_fontweight() == "bold"}
    assert bold == set(words(maxima))
    assert_array_equal(np.array(words(bins), float).reshape(5, 4), brightness()[3:8, 2:6].round())


def test_rules_of_roi_pool_lose_and_gain_what_is_written_under_them():
    written = [text.get_text() for text in module("roi_pool").draw_roi_pool_rules().texts]
    assert written[::4] == ['"caffe"', '"mmcv"', '"floor"', '"truncate"']
    for rule, lost, gained in zip(written[::4], written[2::4], written[3::4], strict=True):
        e = ra.explain(STAR, 2, spatial_scale=1 / 16, map_size=(37, 32), quantization=rule.strip('"'))
        assert (lost, gained) == (f"lost {e.loss_area:.1f} cells", f"gained {e.gain_area:.1f} cells")


def test_each_box_is_read_from_the_map_of_its_size():
    multiscale, photograph = module("multiscale"), module("photograph")
    sides = np.sqrt(np.prod(multiscale.BOXES[:, 2:] - multiscale.BOXES[:, :2], axis=1))
    expected = np.clip(np.floor(np.log2(sides / 224) + 4), 2, 5) - 2
    assert multiscale.stages() == expected.tolist() == [0, 0, 1, 2, 3]
    for box, stage, result in zip(multiscale.BOXES, multiscale.stages(), multiscale.results(), strict=True):
        stride = multiscale.STRIDES[stage]
        alone = ra.roi_align(photograph.colours(stride), [box], multiscale.BINS, spatial_scale=1 / stride)
        assert_array_equal(result, alone[0].transpose(1, 2, 0))


def test_gradients_of_one_bin():
    gradients = module("gradients")
    pooling, align, _ = gradients.draw_gradients().axes
    assert words(pooling) == ["100"]
    assert np.argwhere(gradients.of_pooling()).tolist() == [[5, 4]]
    assert brightness()[5, 4] == brightness()[5:8, 4:6].max()
    assert len(words(align)) == 9
    assert_allclose(sum(map(float, words(align))), 100, atol=4.5)


def test_arrows_say_what_moving_an_edge_by_a_cell_changes():
    gradients, shift = module("gradients"), 1e-3
    bins = []
    for edge in range(4):
        boxes = np.repeat(gradients.BOX, 2, axis=0)
        boxes[:, edge] += 16 * shift * np.array([-1, 1])
        options = {"spatial_scale": 1 / 16, "sampling_ratio": 2}
        low, high = ra.roi_align(brightness()[None, None], boxes, 2, **options)[:, 0, 1, 1]
        bins.append((high - low) / (2 * shift))
    assert_allclose(gradients.of_the_box(), bins, rtol=1e-6)
    arrows = gradients.draw_gradients().axes[2]
    assert words(arrows) == [f"{abs(change):.0f}" for change in bins]
