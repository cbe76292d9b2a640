"""torch.jit.script compiles roialign_rs.torch, and torch.fx keeps its calls as it keeps torchvision's."""

import io
import warnings

import pytest
from subprocesses import python
from test_torch_multiscale import IMAGES, NAMES, boxes as pyramid_boxes, pyramid
from torch_support import assert_same, draw, gradients, split, torch, torchvision

import roialign_rs.torch
from roialign_rs.torch import MultiScaleRoIAlign, RoIAlign, RoIPool, roi_align, roi_pool

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")  # deprecated, and still in use

FUNCTIONS = [roi_align, roi_pool]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("size", [3, (2, 3)])
def test_scripted_functions(function, size):
    features, boxes = draw()
    script = torch.jit.script(function)
    for rois in (boxes, split(boxes)[0]):
        pairs = zip(
            gradients(lambda one, rois=rois: script(one, rois, size, 0.5), features),
            gradients(lambda one, rois=rois: function(one, rois, size, 0.5), features),
            strict=True,
        )
        for actual, expected in pairs:
            assert_same(actual, expected, 0)
    assert_same(script(features, boxes, size), function(features, boxes, size), 0)


def test_functions_that_scripts_call():
    features, boxes = draw()

    def step(features: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
        return roi_align(features, boxes, 3, box_grad=True) + roialign_rs.torch.roi_pool(features, [boxes[:, 1:]], 3)

    script = torch.jit.script(step)
    one = features[:1]
    boxes[:, 0] = 0
    for actual, expected in zip(gradients(script, one, boxes), gradients(step, one, boxes), strict=True):
        assert_same(actual, expected, 0)


@pytest.mark.parametrize("module", [RoIAlign(7, 0.25, 2), RoIAlign((2, 3), 0.5, -1, True), RoIPool(3, 0.25)], ids=repr)
def test_scripted_modules(module):
    features, boxes = draw()
    script = torch.jit.script(module)
    for rois in (boxes, split(boxes)[0]):
        assert_same(script(features, rois), module(features, rois), 0)


@pytest.mark.parametrize("names", [NAMES, ["1"], ["0", "2"]])
def test_a_scripted_pyramid(names):
    maps, rois = pyramid(), pyramid_boxes()
    maps["1"] = maps["1"].bfloat16()
    script = torch.jit.script(MultiScaleRoIAlign(names, (2, 3), 2))
    expected = MultiScaleRoIAlign(names, (2, 3), 2)(maps, rois, IMAGES)
    for _ in range(2):
        assert_same(script(maps, rois, IMAGES), expected, 0)
    file = io.BytesIO()
    torch.jit.save(script, file)
    file.seek(0)
    assert_same(torch.jit.load(file)(maps, rois, IMAGES), expected, 0)


def test_a_scripted_model():
    torch.manual_seed(0)
    model = torchvision.models.detection.fasterrcnn_mobilenet_v3_large_320_fpn(
        weights=None, weights_backbone=None, box_score_thresh=0.0, box_detections_per_img=5
    ).eval()
    model.roi_heads.box_roi_pool = MultiScaleRoIAlign(["0", "1"], 7, 2)
    images = [torch.rand(3, 96, 128)]
    with torch.no_grad(), warnings.catch_warnings():
        (expected,) = model(images)
        warnings.simplefilter("ignore")  # RCNN always returns a (Losses, Detections) tuple in scripting
        _, (actual,) = torch.jit.script(model)(images)
    assert len(expected["boxes"])
    for name in expected:
        assert_same(actual[name].double(), expected[name].double(), 1e-6)


def test_what_scripts_refuse():
    features, boxes = draw()
    script = torch.jit.script(roi_align)
    with pytest.raises(torch.jit.Error, match=r"boxes: expected shape \(K, 5\)"):
        script(features, boxes[:, 1:], 3)
    with pytest.raises(torch.jit.Error, match=r"boxes\[0\]: expected shape \(K, 4\)"):
        script(features, [boxes], 3)
    with pytest.raises(torch.jit.Error, match="use roi_align"):
        torch.jit.script(RoIPool(3, 1.0, box_grad=True))(features, boxes)
    with pytest.raises(torch.jit.Error, match="x: expected at least one of the maps"):
        torch.jit.script(MultiScaleRoIAlign(NAMES, 3, 2))({"a": features}, [boxes[:, 1:]], IMAGES)


def test_a_saved_script_needs_the_import(tmp_path):
    torch.jit.script(RoIAlign(3, 1.0, 2)).save(tmp_path / "pool.pt")
    code = f"""
import warnings
warnings.simplefilter("ignore")
import torch
import roialign_rs.torch
pool = torch.jit.load({str(tmp_path / "pool.pt")!r})
print(tuple(pool(torch.ones(1, 2, 8, 8), [torch.tensor([[1.0, 1, 5, 5]])]).shape))
"""
    assert python(code) == "(1, 2, 3, 3)"


class Head(torch.nn.Module):
    """What stands around a pooler in a model."""

    def __init__(self, pool):
        super().__init__()
        self.pool = pool

    def forward(self, x, boxes):
        return self.pool(x, boxes) * 2


@pytest.mark.parametrize("name", ["RoIAlign", "RoIPool"])
def test_fx_keeps_modules_of_one_map(name):
    options = {"RoIAlign": (3, 0.5, 2), "RoIPool": (3, 0.5)}[name]
    features, boxes = draw()
    graphs = [
        torch.fx.symbolic_trace(Head(getattr(library, name)(*options)))
        for library in (roialign_rs.torch, torchvision.ops)
    ]
    ops = [[node.op for node in graph.graph.nodes if node.op != "placeholder"] for graph in graphs]
    assert ops[0] == ops[1] == ["call_function", "call_function", "output"]
    assert_same(graphs[0](features, boxes), graphs[1](features, boxes))


@pytest.mark.parametrize("called", [False, True])
def test_fx_keeps_a_pyramid(called):
    """Before the first call the graph finds the scales by itself, afterwards they are constants in it."""
    maps, rois = pyramid(), pyramid_boxes()
    pool = MultiScaleRoIAlign(NAMES, 3, 2)
    if called:
        pool(maps, rois, IMAGES)
    graph = torch.fx.symbolic_trace(pool)
    calls = [node.target.__name__ for node in graph.graph.nodes if node.op == "call_function"]
    assert calls == (["_select", "_pool"] if called else ["_select", "_scales", "_pool"])
    expected = torchvision.ops.MultiScaleRoIAlign(NAMES, 3, 2)(maps, rois, IMAGES)
    assert_same(graph(maps, rois, IMAGES), expected)
    assert_same(pool(maps, rois, IMAGES), expected, about="the module itself is as before")
