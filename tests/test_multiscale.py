"""Feature pyramids: one call gives the results and gradients of one call for each map."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
from checks import assert_within, largest_finite
from oracles.roi_align import roi_align
from pyramids import RULES, SCALES, boundary_boxes, literal_stages, pyramid, random_boxes
from tolerances import BOUNDS

import roialign_rs as ra


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_one_call_is_one_call_for_each_map(aligned, rule, dtype):
    for seed in range(4):
        maps, boxes = pyramid(seed, dtype=dtype), random_boxes(seed, 90)
        options = {"sampling_ratio": (2, 3)[seed % 2], "aligned": aligned}
        pooled = ra.multiscale_roi_align(maps, boxes, (3, 2), spatial_scales=SCALES, rule=rule, **options)
        stages = ra.assign_stages(boxes, 4, min_level=2, rule=rule)
        assert set(stages) == {0, 1, 2, 3}
        for stage, (features, scale) in enumerate(zip(maps, SCALES, strict=True)):
            mine = stages == stage
            expected = ra.roi_align(features, boxes[mine], (3, 2), spatial_scale=scale, **options)
            np.testing.assert_array_equal(pooled[mine], expected)


def test_the_definition():
    maps, boxes = pyramid(1), random_boxes(7, 40, np.float64)
    stages = literal_stages(boxes[:, 1:], 4, 2, 224, 4, "detectron2")
    pooled = ra.multiscale_roi_align(maps, boxes, 3, spatial_scales=SCALES)
    grad_output = np.random.default_rng(0).standard_normal(pooled.shape)
    shapes = [features.shape for features in maps]
    spread = ra.multiscale_roi_align_backward(grad_output, boxes, shapes, spatial_scales=SCALES)
    for stage, (features, scale) in enumerate(zip(maps, SCALES, strict=True)):
        mine = stages == stage
        options = {
            "boxes": boxes[mine, 1:],
            "batch_indices": boxes[mine, 0].astype(int),
            "spatial_scale": scale,
        }
        truth = roi_align.forward(features, output_size=3, **options).output
        assert_within(pooled[mine], truth, BOUNDS["oracle", "float64"][0] * largest_finite(features))
        truth = roi_align.backward(grad_output[mine], input_shape=features.shape, **options)
        assert_within(spread[stage], truth, BOUNDS["transpose", "float64"][0] * largest_finite(truth))


@pytest.mark.parametrize(
    "function", [ra.multiscale_roi_align, ra.multiscale_roi_align_backward, ra.assign_stages], ids=lambda f: f.__name__
)
def test_defaults_are_those_of_detectron2(function):
    defaults = {name: parameter.default for name, parameter in inspect.signature(function).parameters.items()}
    expected = {"rule": "detectron2", "canonical_size": 224, "canonical_level": 4}
    if function is not ra.assign_stages:
        expected |= {"sampling_ratio": 0, "aligned": True}
    assert {name: defaults[name] for name in expected} == expected


RECIPE = re.compile(r"side = np\.sqrt\(.*\n(?:[ >]*level = .*\n)?[ >]*stages = np\.clip\(.*")


@pytest.mark.parametrize("document", ["docstring", "crops_and_pyramids.md"])
def test_the_recipe_for_mmdetection(document):
    """The recipe in the documentation gives mmdetection's stages, also where rounding decides between two maps."""
    text = ra.multiscale_roi_align.__doc__
    if document != "docstring":
        path = Path(__file__).parents[1] / "docs" / document
        if not path.is_file():
            pytest.skip("the documents are not here")
        text = path.read_text()
    (recipe,) = RECIPE.findall(text)
    for boxes in boundary_boxes(np.float32):
        x1, y1, x2, y2 = boxes.T
        found = {"np": np, "boxes": boxes, "x1": x1, "y1": y1, "x2": x2, "y2": y2, "n": 4}
        exec("\n".join(line.lstrip(" >") for line in recipe.splitlines()), found)
        scale = np.sqrt((x2 - x1) * (y2 - y1), dtype=np.float32)
        levels = np.log2((scale / np.float32(56) + np.float32(1e-6)).astype(np.float64)).astype(np.float32)
        np.testing.assert_array_equal(found["stages"], np.floor(levels).clip(0, 3))
        assert set(found["stages"]) == {0, 1, 2, 3}


def test_stages_of_the_caller():
    maps, boxes = pyramid(2), random_boxes(2, 30)
    stages = np.arange(30) % 4
    scales = [0.3, 0.21, 0.1, 0.05]
    pooled = ra.multiscale_roi_align(maps, boxes, 2, spatial_scales=scales, stages=stages)
    grad_output = np.random.default_rng(0).standard_normal(pooled.shape)
    options = {"spatial_scales": scales, "stages": stages}
    spread = ra.multiscale_roi_align_backward(grad_output, boxes, [m.shape for m in maps], **options)
    for stage, features in enumerate(maps):
        mine, scale = stages == stage, scales[stage]
        expected = ra.roi_align(features, boxes[mine], 2, spatial_scale=scale)
        np.testing.assert_array_equal(pooled[mine], expected)
        expected = ra.roi_align_backward(grad_output[mine], boxes[mine], features.shape, spatial_scale=scale)
        np.testing.assert_array_equal(spread[stage], expected)


def test_one_map_takes_every_box():
    (features,), boxes = pyramid(3, count=1), random_boxes(3, 20)
    boxes[3, 3] = boxes[3, 1] - 5
    pooled = ra.multiscale_roi_align([features], boxes, 2, spatial_scales=[0.3])
    np.testing.assert_array_equal(pooled, ra.roi_align(features, boxes, 2, spatial_scale=0.3))


def test_invalid_boxes():
    maps, boxes = pyramid(4), random_boxes(4, 12)
    boxes[5, 3] = boxes[5, 1] - 5
    boxes[7, 1] = np.nan
    good = np.delete(np.arange(12), [5, 7])
    with pytest.raises(ValueError, match=r"boxes\[5\]"):
        ra.multiscale_roi_align(maps, boxes, 2, spatial_scales=SCALES)
    expected = ra.multiscale_roi_align(maps, boxes[good], 2, spatial_scales=SCALES)
    for invalid, fill in (("zero", 0), ("nan", np.nan)):
        pooled = ra.multiscale_roi_align(maps, boxes, 2, spatial_scales=SCALES, invalid=invalid)
        np.testing.assert_array_equal(pooled[good], expected)
        np.testing.assert_array_equal(pooled[[5, 7]], np.full_like(pooled[:2], fill))
    pooled = ra.multiscale_roi_align(
        maps, boxes[good], 2, spatial_scales=SCALES, stages=np.where(good == 3, 9, 1), invalid="nan"
    )
    assert np.isnan(pooled[good == 3]).all()
    assert not np.isnan(pooled[good != 3]).any()


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_layouts_outputs_and_threads(dtype, thread_count):
    maps, boxes = pyramid(6, channels=33, dtype=dtype), random_boxes(6, 300)
    options = {"spatial_scales": SCALES}
    pooled = ra.multiscale_roi_align(maps, boxes, 2, **options)
    assert pooled.dtype == dtype
    shapes = [features.shape for features in maps]
    spread = ra.multiscale_roi_align_backward(pooled, boxes, shapes, **options)
    assert all(part.dtype == dtype for part in spread)
    last = [np.ascontiguousarray(np.moveaxis(features, 1, -1)) for features in maps]
    pooled_last = np.ascontiguousarray(np.moveaxis(pooled, 1, -1))
    for count in (1, 2, 7):
        thread_count(count)
        out = np.full_like(pooled, 3)
        assert ra.multiscale_roi_align(maps, boxes, 2, out=out, **options) is out
        np.testing.assert_array_equal(out, pooled)
        result = ra.multiscale_roi_align(last, boxes, 2, layout="NHWC", **options)
        np.testing.assert_array_equal(result, pooled_last)
        outs = [np.full_like(features, 3) for features in maps]
        results = ra.multiscale_roi_align_backward(pooled, boxes, shapes, out=outs, **options)
        assert all(result is out for result, out in zip(results, outs, strict=True))
        last_shapes = [features.shape for features in last]
        results = ra.multiscale_roi_align_backward(pooled_last, boxes, last_shapes, layout="NHWC", **options)
        for part, out, result in zip(spread, outs, results, strict=True):
            np.testing.assert_array_equal(out, part)
            np.testing.assert_array_equal(np.moveaxis(result, -1, 1), part)


def test_accumulate():
    maps, boxes = pyramid(8, dtype=np.float32), random_boxes(8, 50)
    shapes = [features.shape for features in maps]
    grad_output = np.random.default_rng(0).standard_normal((50, 19, 2, 2)).astype(np.float32)
    spread = ra.multiscale_roi_align_backward(grad_output, boxes, shapes, spatial_scales=SCALES)
    outs = [features.copy() for features in maps]
    ra.multiscale_roi_align_backward(grad_output, boxes, shapes, spatial_scales=SCALES, out=outs, accumulate=True)
    for out, part, before in zip(outs, spread, maps, strict=True):
        np.testing.assert_array_equal(out, before + part)


def test_no_boxes():
    maps = pyramid(0)
    assert ra.multiscale_roi_align(maps, np.empty((0, 5)), 2, spatial_scales=SCALES).shape == (0, 19, 2, 2)
    shapes = [features.shape for features in maps]
    spread = ra.multiscale_roi_align_backward(np.empty((0, 19, 2, 2)), np.empty((0, 5)), shapes, spatial_scales=SCALES)
    for part, shape in zip(spread, shapes, strict=True):
        np.testing.assert_array_equal(part, np.zeros(shape))


def test_wrong_pyramids():
    maps, boxes = pyramid(0), random_boxes(0, 5)

    def call(features_list=maps, spatial_scales=SCALES, **options):
        return ra.multiscale_roi_align(features_list, boxes, 2, spatial_scales=spatial_scales, **options)

    with pytest.raises(ValueError, match="consecutive powers of two"):
        call(spatial_scales=[1 / 4, 1 / 8, 1 / 32, 1 / 64])
    with pytest.raises(ValueError, match="consecutive powers of two"):
        call(spatial_scales=[0.3, 0.15, 0.075, 0.0375])
    with pytest.raises(ValueError, match="spatial_scales has 3 entries for 4 maps"):
        call(spatial_scales=SCALES[:3])
    with pytest.raises(ValueError, match="at least one map"):
        call([], [])
    message = r"features_list\[1\] has 2 images of 18 channels, features_list\[0\] has 2 of 19; all maps need the same"
    with pytest.raises(ValueError, match=message):
        call([maps[0], maps[1][:, 1:], *maps[2:]])
    with pytest.raises(TypeError, match="features_list"):
        call([maps[0], maps[1].astype(np.float32), *maps[2:]])
    with pytest.raises(ValueError, match="features_list: expected 4 dimensions"):
        call([maps[0], maps[1][0], *maps[2:]])
    with pytest.raises(ValueError, match="stages has 4 entries for 5 boxes"):
        call(stages=[0] * 4)
    with pytest.raises(ValueError, match="stages has 0 entries for 5 boxes"):
        call(stages=[])
    with pytest.raises(ValueError, match=r"stages\[2\]: 4 is out of range for 4 maps"):
        call(stages=[0, 1, 4, 1, 1])
    with pytest.raises(ValueError, match=r"stages\[0\]: -1 is out of range"):
        call(stages=[-1, 1, 4, 1, 1])
    with pytest.raises(TypeError, match="stages"):
        call(stages=[0.0] * 5)
    with pytest.raises(ValueError, match=r"features_list\[2\]: cannot pool 5 boxes from an empty array"):
        call([*maps[:2], maps[2][:, :, :0], maps[3]])
    with pytest.raises(ValueError, match="spatial_scale must be finite and positive"):
        call(spatial_scales=[1 / 4, -1, 1 / 8, 1 / 16], stages=[0] * 5)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 19, 8, -8), r"input_shapes\[1\] must be four integers of at least 0, got \(2, 19, 8, -8\)"),
        ((2, 19, 8, 2**31), r"input_shapes\[1\]: height and width must be at most 2147483647"),
        ((2, 19, 0, 8), r"input_shapes\[1\]: cannot pool 5 boxes from an empty array"),
    ],
)
def test_wrong_shapes_of_the_gradient(shape, message):
    shapes = [(2, 19, 16, 16), shape]
    with pytest.raises(ValueError, match=message):
        ra.multiscale_roi_align_backward(np.ones((5, 19, 2, 2)), random_boxes(0, 5), shapes, spatial_scales=[1, 0.5])


def test_wrong_outputs_of_the_gradient():
    shapes, boxes = [features.shape for features in pyramid(0)], random_boxes(0, 5)

    def call(out, channels=19, **options):
        grad_output = np.ones((5, channels, 2, 2))
        return ra.multiscale_roi_align_backward(grad_output, boxes, shapes, spatial_scales=SCALES, out=out, **options)

    outs = [np.zeros(shape) for shape in shapes]
    with pytest.raises(ValueError, match="out has 3 arrays for 4 maps"):
        call(outs[:3])
    with pytest.raises(ValueError, match="out: expected shape"):
        call([outs[0], outs[0], *outs[2:]])
    memory = np.zeros(10**6)
    overlapping = [memory[: np.prod(shape)].reshape(shape) for shape in shapes]
    with pytest.raises(ValueError, match="out shares memory"):
        call(overlapping)
    with pytest.raises(ValueError, match="accumulate=True needs out"):
        call(None, accumulate=True)
    with pytest.raises(ValueError, match="grad_output: expected shape"):
        call(outs, 18)
