"""accelerate(): torchvision's pooler of feature pyramids is one call, and torchvision's own where it has to be."""

import threading

import pytest
from test_torch_multiscale import IMAGES, NAMES, boxes, pyramid
from torch_support import assert_same, gradients, torch, torchvision, watch_kernels
from torchvision.ops import MultiScaleRoIAlign as ImportedEarlier

from roialign_rs.torch import _pooler, accelerate


@pytest.fixture
def pyramids(monkeypatch):
    """Names of the pyramid functions that were called, in order."""
    seen = []
    watch_kernels(monkeypatch, lambda name, *_: seen.append(name) if name.startswith("multiscale") else None)
    return seen


def run(pooler, maps, rois):
    names = list(maps)
    return gradients(lambda *leaves: pooler(dict(zip(names, leaves, strict=True)), rois, IMAGES), *maps.values())


def compare(pooler, maps, rois):
    """Raise unless results and gradients are torchvision's, under acceleration and after it."""
    before = run(pooler, maps, rois)
    with accelerate():
        during = run(pooler, maps, rois)
    after = run(pooler, maps, rois)
    for actual, again, expected in zip(during, after, before, strict=True):
        if expected is None:
            assert actual is again is None
            continue
        assert_same(actual, expected)
        assert_same(again, expected, 0, "torchvision's own pooler is back")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("ratio", [2, 0])
@pytest.mark.parametrize("size", [7, (2, 3)])
def test_results_and_gradients(pyramids, dtype, ratio, size):
    compare(ImportedEarlier(NAMES, size, ratio), pyramid(dtype), boxes(dtype))
    assert pyramids == ["multiscale_roi_align", "multiscale_roi_align_backward"]


@pytest.mark.parametrize("names", [["1", "2"], ["0", "2"], ["0", "1", "3"]])
def test_some_of_the_maps(pyramids, names):
    compare(ImportedEarlier(names, 3, 2), pyramid(), boxes())
    assert len(pyramids) == 2


def test_canonical_box():
    compare(ImportedEarlier(NAMES, 3, 2, canonical_scale=100, canonical_level=3), pyramid(), boxes())


def test_boxes_without_a_level_give_0(pyramids):
    rois = boxes()
    rois[1][5] = torch.tensor([90.0, 10.0, 20.0, 60.0])  # a negative area has no root
    pooler = ImportedEarlier(NAMES, 3, 2)
    compare(pooler, pyramid(), rois)
    with accelerate():
        assert not pooler(pyramid(), rois, IMAGES)[65].any()
    assert len(pyramids) == 3


def test_an_image_without_boxes_and_no_boxes_at_all():
    pooler = ImportedEarlier(NAMES, 3, 2)
    compare(pooler, pyramid(), [boxes()[0], torch.empty(0, 4)])
    with accelerate():
        assert pooler(pyramid(), [torch.empty(0, 4)] * 2, IMAGES).shape == (0, 5, 3, 3)


def test_no_bins(pyramids):
    compare(ImportedEarlier(NAMES, (2, 0), 2), pyramid(), boxes())
    assert not pyramids


def test_the_mapper_is_the_poolers_own(pyramids):
    maps, pooler = pyramid(), ImportedEarlier(NAMES, 3, 2)
    pooler(maps, boxes(), IMAGES)
    pooler.map_levels = lambda parts: torch.arange(sum(map(len, parts))) % 4
    compare(pooler, maps, boxes())
    assert len(pyramids) == 2


def test_a_model_made_earlier(pyramids):
    torch.manual_seed(0)
    model = torchvision.models.detection.fasterrcnn_mobilenet_v3_large_320_fpn(
        weights=None, weights_backbone=None, box_score_thresh=0.0, box_detections_per_img=5
    ).eval()
    images = [torch.rand(3, 96, 128)]
    with torch.no_grad():
        (before,) = model(images)
        with accelerate():
            (during,) = model(images)
            assert pyramids == ["multiscale_roi_align"]
        (after,) = model(images)
    assert pyramids == ["multiscale_roi_align"]
    assert len(before["boxes"])
    for name, expected in before.items():
        assert_same(during[name].double(), expected.double(), 1e-4)
        assert torch.equal(after[name], expected)


def test_inference_mode(pyramids):
    pooler = ImportedEarlier(NAMES, 3, 2)
    expected = pooler(pyramid(), boxes(), IMAGES)
    with torch.inference_mode(), accelerate():
        assert_same(pooler(pyramid(), boxes(), IMAGES), expected)
    assert len(pyramids) == 1


def test_boxes_have_no_gradient():
    rois = [part.requires_grad_() for part in boxes()]
    with accelerate():
        ImportedEarlier(NAMES, 3, 2)(pyramid(), rois, IMAGES).sum().backward()
    assert all(part.grad is None for part in rois)


def test_other_devices_and_dtypes_stay_torchvisions(monkeypatch):
    def pool(*_):
        raise AssertionError("pooled by us")

    monkeypatch.setattr(_pooler, "pool", pool)
    pooler = ImportedEarlier(NAMES, 3, 2)
    pooler(pyramid(), boxes(), IMAGES)
    with accelerate():
        with pytest.raises(RuntimeError) as during:
            pooler(pyramid(), boxes(torch.float64), IMAGES)
        meta = {name: one.to("meta") for name, one in pyramid().items()}
        stages = torch.zeros(100, dtype=torch.int64)
        pooler.map_levels = lambda _: stages
        assert pooler({**meta}, [part.to("meta") for part in boxes()], IMAGES).is_meta
    pooler = ImportedEarlier(NAMES, 3, 2)
    with pytest.raises(RuntimeError) as before:
        pooler(pyramid(), boxes(torch.float64), IMAGES)
    assert str(during.value) == str(before.value)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(dtype):
    pooler, maps = ImportedEarlier(NAMES, 3, 2), pyramid(dtype)
    with torch.autocast("cpu", dtype=dtype):
        before = pooler(maps, boxes(), IMAGES)
        with accelerate():
            assert_same(pooler(maps, boxes(), IMAGES), before, torch.finfo(dtype).eps)


def test_traces_show_torchvisions_operators(pyramids):
    maps, rois, pooler = pyramid(), boxes(), ImportedEarlier(NAMES, 3, 2)
    expected = pooler(maps, rois, IMAGES)

    def call(features, parts):
        return pooler(dict(zip(NAMES, features, strict=True)), parts, IMAGES)

    with accelerate():
        with pytest.warns(FutureWarning, match=r"torch\.jit"):
            script = torch.jit.script(pooler)
        torch.compiler.reset()
        compiled = torch.compile(call, backend="aot_eager")
        graph = torch.fx.symbolic_trace(ImportedEarlier(NAMES, 3, 2))
        results = [script(maps, rois, IMAGES), compiled(list(maps.values()), rois)]
        assert not pyramids
        results.append(graph(maps, rois, IMAGES))
        assert len(pyramids) == 1, "a call of the pooler in a graph stays one"
    for actual in results:
        assert_same(actual, expected)


def test_nesting_and_threads(pyramids):
    maps, rois, pooler = pyramid(), boxes(), ImportedEarlier(NAMES, 3, 2)
    expected = pooler(maps, rois, IMAGES)
    with accelerate() as outer:
        with accelerate():
            outer.restore()
            pooler(maps, rois, IMAGES)
            assert len(pyramids) == 1
        assert torch.equal(pooler(maps, rois, IMAGES), expected)
        assert len(pyramids) == 1
    failures = []

    def work():
        try:
            for _ in range(20):
                with accelerate():
                    assert_same(pooler(maps, rois, IMAGES), expected)
                assert_same(pooler(maps, rois, IMAGES), expected)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    pyramids.clear()
    assert torch.equal(pooler(maps, rois, IMAGES), expected)
    assert not pyramids
