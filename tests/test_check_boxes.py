"""check_boxes names what looks like a mistake, and reports nothing of good boxes."""

import warnings

import numpy as np
import pytest

import roialign_rs as ra
from roialign_rs import BoxReport

SIZE = (480, 640)  # height, width
GOOD = [10, 20, 60, 50]


def names(boxes, **options):
    """Name the problems of each row, row by row."""
    report = ra.check_boxes(boxes, options.pop("image_size", SIZE), **options)
    found = [set() for _ in report.rows]
    for row, name, message in report.problems:
        found[row].add(name)
        assert message.startswith(f"boxes[{row}]: ")
    bits = [sum(getattr(BoxReport, name) for name in row) for row in found]
    assert report.rows.dtype == np.uint8
    np.testing.assert_array_equal(report.rows, bits)
    return found


def test_constants_are_different_bits():
    bits = [value for name, value in vars(BoxReport).items() if name.isupper()]
    assert sorted(bits) == [1 << i for i in range(7)]


def test_good_boxes_have_no_problems():
    boxes = [GOOD, [0, 0, 640, 480], [-5, -5, 3, 3], [630, 470, 700, 500], [-1e6, -1e6, 1e6, 1e6]]
    assert names(boxes, images=1) == [set()] * 5
    report = ra.check_boxes(boxes, SIZE, on_problem="raise")
    assert report.problems == []
    assert str(report) == "none of 5 boxes have problems"


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((np.nan, 20, 60, 50), {"NOT_FINITE"}),
        ((10, 20, 60, -np.inf), {"NOT_FINITE"}),
        ((-np.inf, np.nan, np.inf, 0), {"NOT_FINITE"}),
        ((60, 20, 10, 50), {"INVERTED"}),
        ((60, 50, 10, 20), {"INVERTED"}),
        ((10, 20, 10, 50), {"EMPTY"}),
        ((60, 20, 10, 20), {"INVERTED", "EMPTY"}),
        ((640, 20, 660, 50), {"OUTSIDE"}),
        ((10, -30, 60, 0), {"OUTSIDE"}),
        ((60, -20, 10, -30), {"INVERTED", "OUTSIDE"}),
        ((640, 480, 640, 480), {"EMPTY"}),  # on the edge of the image, where a box inside could end too
        ((640.5, 20, 640.5, 50), {"EMPTY", "OUTSIDE"}),
        ((0.1, 0.2, 0.9, 1), {"NORMALISED"}),
        ((0, 0, 0, 0), {"EMPTY", "NORMALISED"}),
        ((0.1, 0.2, 0.9, 1.25), set()),
        ((-0.25, 0.2, 0.9, 1), set()),
    ],
)
def test_what_is_said_of_a_box(box, expected, dtype):
    boxes = np.array([GOOD, box, GOOD], dtype)
    assert names(boxes) == [set(), expected, set()]


@pytest.mark.parametrize(("image_size", "expected"), [(16, set()), ((17, 16), set()), (17, {"NORMALISED"})])
def test_a_unit_box_of_a_tiny_image_may_be_meant(image_size, expected):
    assert names([[0, 0, 1, 1]], image_size=image_size) == [expected]


def test_height_comes_before_width():
    assert names([[500, 20, 520, 50], [20, 500, 50, 520]]) == [set(), {"OUTSIDE"}]


@pytest.mark.parametrize(
    ("box_format", "boxes", "expected"),
    [
        ("yxyx", [[20, 500, 50, 520], [500, 20, 520, 50], [20, 60, 50, 10]], [set(), {"OUTSIDE"}, {"INVERTED"}]),
        ("xywh", [[500, 20, 20, 30], [640, 0, 5, 5], [10, 10, -5, 5], [3, 3, 0, 5]],
         [set(), {"OUTSIDE"}, {"INVERTED"}, {"EMPTY"}]),
        ("cxcywh", [[500, 20, 20, 30], [650, 9, 20, 5], [649, 9, 20, 5], [10, 10, 5, -5]],
         [set(), {"OUTSIDE"}, set(), {"INVERTED"}]),
        ("cxcywh", [[0.5, 0.5, 1, 1]], [{"NORMALISED"}]),
    ],
)  # fmt: skip
def test_other_formats(box_format, boxes, expected):
    assert names(boxes, box_format=box_format) == expected


def test_width_and_height_are_told_from_most_of_the_boxes():
    wide = [[300, 200, 50, 60], [100, 300, 30, 20]]
    assert names([*wide, GOOD]) == [{"INVERTED", "XYWH"}, {"INVERTED", "XYWH"}, set()]
    assert names([*wide, GOOD, GOOD]) == [{"INVERTED"}, {"INVERTED"}, set(), set()], "half is not more than half"
    off = [630, 200, 50, 60]  # inverted as xyxy and outside as xywh: it does not count, but it is marked
    assert names([*wide, off]) == [{"INVERTED", "XYWH"}] * 3
    assert names([*wide, off, off]) == [{"INVERTED"}] * 4
    assert names(wide, box_format="xywh") == [set(), set()]


def test_what_is_said_of_width_and_height_is_true_of_every_row():
    """The last row does not fit the image either way."""
    report = ra.check_boxes([[300, 200, 50, 60], [100, 300, 30, 20], [630, 200, 50, 60]], SIZE)
    assert [message for _, name, message in report.problems if name == "XYWH"] == [
        f"boxes[{row}]: {box} is inverted, and more than half of the boxes are inverted but fit the image as x, y, width, "
        'height: pass box_format="xywh" here, and x + width, y + height as x2, y2 to operators'
        for row, box in enumerate([(300, 200, 50, 60), (100, 300, 30, 20), (630, 200, 50, 60)])
    ]


@pytest.mark.parametrize("index", [-1, 2, 0.5, 1e30, np.nan, np.inf])
def test_an_index_that_is_no_image(index):
    boxes = np.array([[1, *GOOD], [index, *GOOD]])
    assert names(boxes, images=2) == [set(), {"NO_IMAGE"}]
    assert names(boxes) == [set(), set()]


def test_indices_beside_the_boxes_and_lists():
    assert names([GOOD, GOOD, GOOD], images=2, batch_indices=[0, 1, 2]) == [set(), set(), {"NO_IMAGE"}]
    assert names([np.array([GOOD]), [], [GOOD, GOOD]], images=2) == [set(), {"NO_IMAGE"}, {"NO_IMAGE"}]
    assert names([GOOD], images=2) == [{"NO_IMAGE"}], "there is a choice"
    assert names([GOOD], images=1) == [set()]
    assert names([np.nan, 0, 1, 1], images=0) == [{"NOT_FINITE", "NO_IMAGE"}]


def test_messages_say_what_was_found():
    report = ra.check_boxes([[0, 5, 5, 2, 9], [7, *GOOD]], SIZE, images=2)
    assert report.problems == [
        (0, "INVERTED", "boxes[0]: (5, 5, 2, 9) has a negative width or height"),
        (1, "NO_IMAGE", "boxes[1]: batch index 7 belongs to no image"),
    ]
    assert str(report).splitlines() == [
        "2 of 2 boxes have problems",
        "  INVERTED: 1 (rows 0), a box that has a negative width or height",
        "  NO_IMAGE: 1 (rows 1), a box that belongs to no image",
    ]
    assert repr(report) == "<BoxReport: 2 of 2 boxes have problems>"
    missing = ra.check_boxes([GOOD], SIZE, images=2).problems
    assert missing == [(0, "NO_IMAGE", "boxes[0]: batch index is missing")]
    assert "8 (rows 0, 1, 2, 3, 4, ...)" in str(ra.check_boxes(np.full((8, 4), np.nan), SIZE))


def test_on_problem():
    bad = [[60, 20, 10, 50], [np.nan] * 4]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = ra.check_boxes(bad, SIZE)
        ra.check_boxes([GOOD], SIZE, on_problem="warn")
    with pytest.warns(UserWarning, match="2 of 2 boxes") as caught:
        assert ra.check_boxes(bad, SIZE, on_problem="warn").problems == report.problems
    assert [str(warning.message) for warning in caught] == [str(report)]
    assert caught[0].filename == __file__
    with pytest.raises(ValueError, match="2 of 2 boxes have problems") as error:
        ra.check_boxes(bad, SIZE, on_problem="raise")
    assert str(error.value) == str(report)


@pytest.mark.parametrize("boxes", [[], np.empty((0, 4)), np.empty((0, 5)), [[], []]])
def test_no_boxes_have_no_problems(boxes):
    report = ra.check_boxes(boxes, SIZE, images=2)
    assert (report.rows.shape, report.rows.dtype, report.problems) == ((0,), np.uint8, [])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"images": -1}, ValueError, "images must be at least 0, got -1"),
        ({"boxes": np.zeros((2, 3))}, ValueError, r"boxes: expected shape \(K, 4\) or \(K, 5\), got \(2, 3\)"),
        ({"boxes": np.zeros((2, 4), complex)}, TypeError, "boxes: dtype complex128 is not supported"),
        ({"boxes": np.zeros((1, 5)), "batch_indices": [0]}, ValueError, "batch_indices cannot be given with"),
        ({"batch_indices": [0, 0]}, ValueError, r"batch_indices: expected shape \(1,\), got \(2,\)"),
        ({"image_size": 0}, ValueError, "image_size must be at least 1, got 0"),
        ({"image_size": 2.5}, TypeError, "image_size must be an integer or a pair of integers, got 2.5"),
        ({"box_format": "xyhw"}, ValueError, 'box_format must be "xyxy", "yxyx", "xywh" or "cxcywh", got "xyhw"'),
        ({"on_problem": "ask"}, ValueError, 'on_problem must be "report", "warn" or "raise", got "ask"'),
    ],
)
def test_bad_arguments(change, error, message):
    arguments = {"boxes": [GOOD], "image_size": SIZE} | change
    with pytest.raises(error, match=message):
        ra.check_boxes(arguments.pop("boxes"), arguments.pop("image_size"), **arguments)
