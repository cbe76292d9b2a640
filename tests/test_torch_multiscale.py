"""roialign_rs.torch.MultiScaleRoIAlign does what torchvision's does."""

import copy
import pickle

import numpy as np
import pytest
from torch_support import assert_same, gradients, torch, torchvision

from roialign_rs.torch import MultiScaleRoIAlign

NAMES = ["0", "1", "2", "3"]
IMAGES = [(256, 320), (250, 310)]


def pyramid(dtype=torch.float32, names=NAMES, channels=5):
    rng = np.random.default_rng(1)
    shapes = [(2, channels, 64 >> level, 80 >> level) for level in range(len(names))]
    return {name: torch.from_numpy(rng.normal(size=shape)).to(dtype) for name, shape in zip(names, shapes, strict=True)}


def boxes(dtype=torch.float32, counts=(60, 40)):
    """Boxes of every level, some with sizes on a boundary between two."""
    rng = np.random.default_rng(2)
    result = []
    for count in counts:
        side = np.exp(rng.uniform(np.log(4), np.log(600), (count, 2)))
        side[:4] = [[112, 112], [224, 224], [448, 448], [223.9999, 223.9999]]
        start = rng.uniform(-20, 250, (count, 2))
        start[:4] = 0
        result.append(torch.from_numpy(np.concatenate([start, start + side], axis=1)).to(dtype))
    return result


def both(*args, **kwargs):
    return MultiScaleRoIAlign(*args, **kwargs), torchvision.ops.MultiScaleRoIAlign(*args, **kwargs)


def compare(ours, theirs, maps, rois, images=IMAGES):
    names = list(maps)
    results = [
        gradients(lambda *leaves, pool=pool: pool(dict(zip(names, leaves, strict=True)), rois, images), *maps.values())
        for pool in (ours, theirs)
    ]
    for actual, expected in zip(*results, strict=True):
        if expected is None:
            assert actual is None
            continue
        assert_same(actual, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("ratio", [2, 0])
@pytest.mark.parametrize("size", [7, (2, 3)])
def test_results_and_gradients(dtype, ratio, size):
    compare(*both(NAMES, size, ratio), pyramid(dtype), boxes(dtype))


@pytest.mark.parametrize("names", [["0"], ["2"], ["1", "2"], ["0", "2"], ["0", "1", "3"]])
def test_some_of_the_maps(names):
    compare(*both(names, 3, 2), pyramid(), boxes())


def test_canonical_box():
    compare(*both(NAMES, 3, 2, canonical_scale=100, canonical_level=3), pyramid(), boxes())


def test_an_image_without_boxes_and_no_boxes_at_all():
    compare(*both(NAMES, 3, 2), pyramid(), [boxes()[0], torch.empty(0, 4)])
    pooled = MultiScaleRoIAlign(NAMES, 3, 2)(pyramid(), [torch.empty(0, 4)] * 2, IMAGES)
    assert pooled.shape == (0, 5, 3, 3)


def test_scales_are_those_of_the_first_call():
    ours, theirs = both(NAMES, 3, 2)
    compare(ours, theirs, pyramid(), boxes())
    compare(ours, theirs, pyramid(), boxes(), images=[(1024, 1280)] * 2)
    assert ours.scales == theirs.scales


def test_copies_pool_the_same():
    pool = MultiScaleRoIAlign(NAMES, 3, 2)
    expected = pool(pyramid(), boxes(), IMAGES)
    for other in (copy.deepcopy(pool), pickle.loads(pickle.dumps(pool))):
        assert_same(other(pyramid(), boxes(), IMAGES), expected, 0)


def test_maps_of_several_dtypes():
    maps = pyramid()
    maps["1"] = maps["1"].bfloat16()
    pool = MultiScaleRoIAlign(NAMES, 3, 2)
    rounded = {name: one.float() for name, one in maps.items()}
    assert_same(pool(maps, boxes(), IMAGES), pool(rounded, boxes(), IMAGES), 0)


def test_gradient_of_boxes():
    maps = pyramid(torch.float64)
    rois = [part.requires_grad_() for part in boxes(torch.float64)]
    pool = MultiScaleRoIAlign(NAMES, 3, 2, box_grad=True)
    weights = torch.from_numpy(np.random.default_rng(3).normal(size=(100, 5, 3, 3)))
    (pool(maps, rois, IMAGES) * weights).sum().backward()
    step = 1e-6
    for image, row, column in [(0, 7, 0), (0, 11, 3), (1, 9, 1), (1, 20, 2)]:
        values = []
        for sign in (1, -1):
            moved = [part.detach().clone() for part in rois]
            moved[image][row, column] += sign * step
            values.append((pool(maps, moved, IMAGES) * weights).sum().item())
        slope = (values[0] - values[1]) / (2 * step)
        assert abs(rois[image].grad[row, column].item() - slope) < 1e-5 * max(1, abs(slope))


def test_boxes_have_no_gradient_unless_asked():
    rois = [part.requires_grad_() for part in boxes()]
    MultiScaleRoIAlign(NAMES, 3, 2)(pyramid(), rois, IMAGES).sum().backward()
    assert all(part.grad is None for part in rois)


def test_what_cannot_be_pooled_says_what_to_do():
    pool = MultiScaleRoIAlign(NAMES, 3, 2)
    with pytest.raises(ValueError, match="x: expected at least one of the maps"):
        pool({"other": torch.ones(1, 1, 4, 4)}, boxes(), IMAGES)
    with pytest.raises(ValueError, match="image_shapes"):
        pool(pyramid(), boxes(), [])
    with pytest.raises(TypeError, match=r"x\['0'\] must be a torch.Tensor, got ndarray.*from_numpy"):
        pool({name: one.numpy() for name, one in pyramid().items()}, boxes(), IMAGES)
    with pytest.raises(TypeError, match="output_size must be"):
        MultiScaleRoIAlign(NAMES, 7.0, 2)
    with pytest.raises(TypeError, match="sampling_ratio must be"):
        MultiScaleRoIAlign(NAMES, 7, 2.0)
    sparse = {name: one.to_sparse() for name, one in pyramid().items()}
    with pytest.raises(NotImplementedError, match=r"x\['0'\] is sparse.*to_dense"):
        pool(sparse, boxes(), IMAGES)
    maps = {name: one.requires_grad_() for name, one in pyramid().items()}
    (gradient,) = torch.autograd.grad((pool(maps, boxes(), IMAGES) ** 2).sum(), maps["0"], create_graph=True)
    with pytest.raises(RuntimeError, match=r"twice.*create_graph"):
        gradient.sum().backward()


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("featmap_names", None, TypeError),
        ("featmap_names", "0", TypeError),
        ("featmap_names", [0, 1], TypeError),
        ("canonical_scale", "x", TypeError),
        ("canonical_scale", None, TypeError),
        ("canonical_scale", 0, ValueError),
        ("canonical_scale", float("inf"), ValueError),
        ("canonical_level", None, TypeError),
        ("canonical_level", 4.0, TypeError),
        ("canonical_level", 2**70, ValueError),
    ],
    ids=repr,
)
def test_a_wrong_option_is_named(name, value, error):
    with pytest.raises(error, match=rf"^{name}\b"):
        MultiScaleRoIAlign(**{"featmap_names": NAMES, "output_size": 3, "sampling_ratio": 2, name: value})


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("x", None, TypeError),
        ("x", tuple(pyramid().values()), TypeError),
        ("x", {name: one.int() for name, one in pyramid().items()}, TypeError),
        ("x", {name: one[:0] for name, one in pyramid().items()}, ValueError),
        ("x", {name: one[:, :, :0] for name, one in pyramid().items()}, ValueError),
        ("boxes", None, TypeError),
        ("boxes", [part.to_sparse() for part in boxes()], NotImplementedError),
        ("image_shapes", None, TypeError),
        ("image_shapes", (256, 320), TypeError),
        ("image_shapes", [("a", 8)], TypeError),
        ("image_shapes", [(None, 8)], TypeError),
        ("image_shapes", [(8,)], ValueError),
        ("image_shapes", [(0, 8)], ValueError),
        ("image_shapes", [(8, 8), (8, -1)], ValueError),
        ("image_shapes", [(float("nan"), 8)], ValueError),
    ],
    ids=[
        *("no maps", "tuple", "int", "no images", "no rows", "no boxes", "sparse"),
        *("no shapes", "one shape", "text", "no height", "no width", "height 0", "width -1", "height nan"),
    ],
)
def test_a_wrong_argument_is_named(name, value, error):
    arguments = {"x": pyramid(), "boxes": boxes(), "image_shapes": IMAGES, name: value}
    for names in (NAMES, ["0"]):
        with pytest.raises(error, match=rf"^{name}\b"):
            MultiScaleRoIAlign(names, 3, 2)(**arguments)


def test_numbers_of_other_kinds():
    expected = MultiScaleRoIAlign(NAMES, 3, 2, canonical_scale=100, canonical_level=3)(pyramid(), boxes(), IMAGES)
    options = {"canonical_scale": np.float32(100), "canonical_level": np.int64(3)}
    pool = MultiScaleRoIAlign(tuple(NAMES), np.int64(3), 2, **options, box_grad=np.int64(0))
    assert_same(pool(pyramid(), boxes(), [np.array(shape) for shape in IMAGES]), expected, 0)
    assert_same(pool(pyramid(), boxes(), [torch.Size(shape) for shape in IMAGES]), expected, 0)
