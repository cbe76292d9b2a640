"""``assign_stages``: which map of a pyramid a box is pooled from."""

import numpy as np
import pytest
from pyramids import RULES, boundary_boxes, literal_stages, random_boxes

import roialign_rs as ra


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("size", "level"), [(224, 4), (56, 2), (300.5, 3)])
def test_stages_are_the_formulas_to_the_last_bit(dtype, rule, size, level):
    for boxes in (*boundary_boxes(dtype), random_boxes(1, 20_000, dtype)[:, 1:]):
        stages = ra.assign_stages(boxes, 4, min_level=2, canonical_size=size, canonical_level=level, rule=rule)
        assert stages.dtype == np.int64
        np.testing.assert_array_equal(stages, literal_stages(boxes, 4, 2, size, level, rule))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_stages_are_those_of_torchvision_and_detectron2(dtype):
    """Sizes lie on boundaries exactly. Near them PyTorch may differ: its square root is not correctly rounded."""
    torch = pytest.importorskip("torch")
    poolers = pytest.importorskip("torchvision.ops.poolers")
    for boxes in (boundary_boxes(dtype)[0], random_boxes(2, 100_000, dtype)[:, 1:]):
        tensor = torch.from_numpy(np.ascontiguousarray(boxes))
        mapper = poolers.LevelMapper(2, 5, 224, 4)
        stages = ra.assign_stages(boxes, 4, min_level=2, rule="torchvision")
        np.testing.assert_array_equal(stages, mapper([tensor]).numpy())
        side = torch.sqrt((tensor[:, 2] - tensor[:, 0]) * (tensor[:, 3] - tensor[:, 1]))
        levels = torch.clamp(torch.floor(4 + torch.log2(side / 224 + 1e-8)), 2, 5)
        stages = ra.assign_stages(boxes, 4, min_level=2)
        np.testing.assert_array_equal(stages, levels.numpy().astype(np.int64) - 2)


def test_every_form_of_boxes_has_stages():
    boxes = random_boxes(3, 10)
    expected = ra.assign_stages(boxes[:, 1:], 3, min_level=3)
    np.testing.assert_array_equal(ra.assign_stages(boxes, 3, min_level=3), expected)
    np.testing.assert_array_equal(ra.assign_stages([boxes[:4, 1:], boxes[4:, 1:]], 3, min_level=3), expected)
    assert ra.assign_stages(np.empty((0, 4)), 3, min_level=3).shape == (0,)


@pytest.mark.parametrize("bad", [[2, 0, 1, 5], [0, 5, 5, 2], [0, 0, np.nan, 5], [0, 0, np.inf, 0]])
def test_boxes_without_area(bad):
    boxes = np.array([[0.0, 0, 9, 9], bad, [5, 5, 2, 2]])
    with pytest.raises(ValueError, match=r"boxes\[1\]: .* has a negative or NaN area, which fits no map of a pyramid"):
        ra.assign_stages(boxes, 4, min_level=2)
    for invalid in ("zero", "nan"):
        assert ra.assign_stages(boxes, 4, min_level=2, invalid=invalid).tolist() == [0, -1, 0]
    assert ra.assign_stages(boxes, 1, min_level=2).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_stages": 0}, "num_stages must be positive"),
        ({"num_stages": -(10**30)}, "num_stages must be positive"),
        ({"canonical_size": 0}, "canonical_size must be finite and positive"),
        ({"canonical_size": np.nan}, "canonical_size must be finite and positive"),
        ({"rule": "mmdet"}, "rule must be"),
        ({"invalid": "skip"}, "invalid must be"),
    ],
)
def test_wrong_values_for_stages(change, message):
    with pytest.raises(ValueError, match=message):
        ra.assign_stages(**{"boxes": np.ones((1, 4)), "num_stages": 2, "min_level": 2, **change})
