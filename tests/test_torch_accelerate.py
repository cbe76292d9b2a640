"""accelerate(): torchvision's operators use these kernels as long as one acceleration is active, and only then."""

import copy
import threading

import pytest
from subprocesses import python
from test_torch_multiscale import IMAGES, NAMES, boxes as pyramid_boxes, pyramid
from torch_support import assert_same, draw, gradients, torch, torchvision, watch_kernels
from torchvision.ops import roi_align as imported_earlier, roi_pool as pool_imported_earlier

from roialign_rs.torch import _accelerate, accelerate


@pytest.fixture
def calls(monkeypatch):
    """Names of the kernels that ran."""
    seen = []
    watch_kernels(monkeypatch, lambda name, *_: seen.append(name))
    return seen


@pytest.fixture(autouse=True)
def nothing_stays():
    yield
    assert _accelerate._handles == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("options", [{}, {"sampling_ratio": 2}, {"spatial_scale": 0.5, "aligned": True}], ids=str)
def test_roi_align(calls, dtype, options):
    features, boxes = draw(dtype)

    def run():
        return gradients(lambda one: imported_earlier(one, boxes, (2, 3), **options), features)

    before = run()
    with accelerate():
        during = run()
    assert calls == ["roi_align", "roi_align_backward"]
    for actual, expected in zip(during, before, strict=True):
        assert_same(actual, expected)
    for actual, expected in zip(run(), before, strict=True):
        assert_same(actual, expected, 0, "torchvision's own kernel is back")
    assert len(calls) == 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_roi_pool(calls, dtype):
    features, boxes = draw(dtype)
    operator = torch.ops.torchvision.roi_pool

    def run():
        _, argmax = operator(features, boxes, 0.5, 2, 3)
        return argmax, *gradients(lambda one: pool_imported_earlier(one, boxes, (2, 3), 0.5), features)

    before = run()
    with accelerate():
        during = run()
    assert calls == ["roi_pool", "roi_pool", "roi_pool_backward"]
    assert torch.equal(during[0], before[0])
    assert during[0].dtype == torch.int32
    for actual, expected in zip(during[1:], before[1:], strict=True):
        assert_same(actual, expected)


def test_plain_call_and_nesting(calls):
    features, boxes = draw()

    def is_ours():
        calls.clear()
        imported_earlier(features, boxes, 3)
        return bool(calls)

    assert not is_ours()
    first = accelerate()
    with accelerate() as second:
        assert is_ours()
        first.restore()
        first.restore()  # a second restore does nothing
        assert is_ours()
        with pytest.raises(KeyError), accelerate():
            raise KeyError
        assert is_ours()
    assert not is_ours()
    second.restore()
    assert not is_ours()
    with accelerate():
        assert is_ours()


def test_poolers_copies_scripts_and_compiled_functions(calls):
    poolers = [torchvision.ops.MultiScaleRoIAlign(NAMES, 3, 2), torchvision.ops.RoIAlign(3, 0.25, 2)]
    poolers += copy.deepcopy(poolers)
    maps, rois = pyramid(), pyramid_boxes()
    with pytest.warns(FutureWarning, match=r"torch\.jit"):
        script = torch.jit.script(torchvision.ops.RoIAlign(3, 0.25, 2))
    torch.compiler.reset()
    compiled = torch.compile(torchvision.ops.RoIAlign(3, 0.25, 2), fullgraph=True, backend="aot_eager")
    compiled(maps["0"], rois)

    def run():
        results = [one(maps, rois, IMAGES) for one in poolers[::2]]
        return results + [one(maps["0"], rois) for one in (*poolers[1::2], script, compiled)]

    before = run()
    assert not calls
    with accelerate():
        during = run()
    assert calls == [*["multiscale_roi_align"] * 2, *["roi_align"] * 4]
    for actual, expected in zip(during, before, strict=True):
        assert_same(actual, expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(calls, dtype):
    features, boxes = draw(dtype, boxes_dtype=torch.float32)
    with torch.autocast("cpu", dtype=dtype):
        before = imported_earlier(features, boxes, 3)
        with accelerate():
            during = imported_earlier(features, boxes, 3)
    assert calls == ["roi_align"]
    assert_same(during, before, torch.finfo(dtype).eps)


def test_what_torchvision_refuses_it_still_refuses(calls):
    features, boxes = draw()
    cases = [(features, boxes.double()), (features.int(), boxes.int()), (features.to_sparse(), boxes)]
    for arguments in cases:
        messages = []
        for context in (threading.Lock(), accelerate()):
            with pytest.raises(RuntimeError) as error, context:
                imported_earlier(*arguments, 3)
            messages.append(str(error.value))
        assert messages[0] == messages[1]
    assert not calls


@pytest.mark.parametrize("size", [(2, 0), (0, 3), (0, 0)])
@pytest.mark.parametrize("function", [imported_earlier, pool_imported_earlier])
def test_no_bins(function, size):
    features, boxes = draw()
    before = gradients(lambda one: function(one, boxes, size), features)
    with accelerate():
        during = gradients(lambda one: function(one, boxes, size), features)
        with pytest.raises(RuntimeError, match="negative"):
            function(features, boxes, (2, -1))
    for actual, expected in zip(during, before, strict=True):
        assert actual.shape == expected.shape
        assert torch.equal(actual, expected)


def test_a_wrong_image_is_an_error():
    with accelerate(), pytest.raises(ValueError, match="batch index 5 is out of range"):
        imported_earlier(torch.ones(1, 1, 4, 4), torch.tensor([[5.0, 0, 0, 1, 1]]), 1)


def test_meta_tensors_stay_torchvisions(calls):
    features, boxes = draw()
    with accelerate():
        assert imported_earlier(features.to("meta"), boxes.to("meta"), 3).is_meta
    assert not calls


def test_double_backward_raises():
    features, boxes = draw()
    features.requires_grad_()
    with accelerate():
        (gradient,) = torch.autograd.grad(
            (imported_earlier(features, boxes, 3) ** 2).sum(), features, create_graph=True
        )
        with pytest.raises(RuntimeError, match="double"):
            gradient.sum().backward()


def test_many_threads_come_and_go():
    features, boxes = draw(channels=2, count=3)
    expected = imported_earlier(features, boxes, 2)
    failures = []

    def work(is_user):
        try:
            for _ in range(200):
                if is_user:
                    assert_same(imported_earlier(features, boxes, 2), expected)
                    continue
                with accelerate(), accelerate():
                    assert_same(imported_earlier(features, boxes, 2), expected)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(i % 2 == 0,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_without_torchvision_the_extra_is_named():
    code = """
import sys
sys.modules["torchvision"] = None
import roialign_rs.torch
try:
    roialign_rs.torch.accelerate()
except ImportError as error:
    print(error)
"""
    assert "pip install 'roialign_rs[torch]'" in python(code)
