"""roialign_rs.torch does what torchvision does: results, gradients, dtypes, devices that it refuses."""

import inspect

import pytest
from subprocesses import python
from torch_support import assert_same, draw, gradients, split, torch, torchvision, watch_kernels

import roialign_rs.torch
from roialign_rs.torch import MultiScaleRoIAlign, RoIAlign, RoIPool, _kernels, roi_align, roi_pool

OPTIONS = [
    {},
    {"spatial_scale": 0.5},
    {"sampling_ratio": 2},
    {"aligned": True},
    {"spatial_scale": 0.25, "sampling_ratio": 3, "aligned": True},
]


def positional(function):
    kept = [p for p in inspect.signature(function).parameters.values() if p.name != "box_grad"]
    return [(p.name, p.kind, p.default) for p in kept]


MODULES = [RoIAlign, RoIPool, MultiScaleRoIAlign]


@pytest.mark.parametrize(
    "ours", [roi_align, roi_pool, *[method for one in MODULES for method in (one.__init__, one.forward)]]
)
def test_signatures_are_torchvisions(ours):
    theirs = torchvision.ops
    for name in ours.__qualname__.split("."):
        theirs = getattr(theirs, name)
    assert positional(ours) == positional(theirs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1, 7, (2, 3), [3, 2]])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_roi_align(dtype, size, options):
    features, boxes = draw(dtype)
    ours = gradients(lambda one: roi_align(one, boxes, size, **options), features)
    theirs = gradients(lambda one: torchvision.ops.roi_align(one, boxes, size, **options), features)
    for actual, expected in zip(ours, theirs, strict=True):
        assert_same(actual, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1, 7, (2, 3)])
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_roi_pool(dtype, size, scale):
    features, boxes = draw(dtype)
    ours = gradients(lambda one: roi_pool(one, boxes, size, scale), features)
    theirs = gradients(lambda one: torchvision.ops.roi_pool(one, boxes, size, scale), features)
    assert_same(ours[0], theirs[0], 0)
    assert_same(ours[1], theirs[1])
    assert_same(roi_pool(features, boxes, size, scale), theirs[0], 0, "without a gradient")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("RoIAlign", (7, 0.25, 2)),
        ("RoIAlign", ((2, 3), 0.5, -1, True)),
        ("RoIPool", (7, 0.25)),
        ("RoIPool", ([2, 3], 1.0)),
        ("MultiScaleRoIAlign", (["0", "1"], 7, 2)),
    ],
)
def test_modules_read_as_torchvisions(name, options):
    ours, theirs = (getattr(library, name)(*options) for library in (roialign_rs.torch, torchvision.ops))
    assert repr(ours) == repr(theirs)
    if name != "MultiScaleRoIAlign":
        features, boxes = draw()
        for rois in (boxes, split(boxes)[0]):
            assert_same(ours(features, rois), theirs(features, rois))
    assert ours.box_grad is False


@pytest.mark.parametrize("function", [roi_align, roi_pool])
def test_boxes_as_a_list(function):
    features, boxes = draw()
    parts, table = split(boxes)
    assert_same(function(features, parts, 3), function(features, table, 3), 0)
    assert_same(function(features, tuple(parts), 3), function(features, table, 3), 0)


@pytest.mark.parametrize("function", [roi_align, roi_pool])
def test_no_boxes(function):
    features, boxes = draw()
    pooled, gradient = gradients(lambda one: function(one, boxes[:0], 3), features)
    assert pooled.shape == (0, 20, 3, 3)
    assert not gradient.any()


def test_a_module_gives_boxes_their_gradient():
    features, boxes = draw()
    boxes.requires_grad_()
    RoIAlign(3, 1.0, 2, box_grad=True)(features, boxes).sum().backward()
    (expected,) = torch.autograd.grad(roi_align(features, boxes, 3, 1.0, 2, box_grad=True).sum(), boxes)
    assert_same(boxes.grad, expected, 0)
    with pytest.raises(ValueError, match="use roi_align"):
        RoIPool(3, 1.0, box_grad=True)(features, boxes)


def test_boxes_have_no_gradient_unless_asked():
    features, boxes = draw()
    _, _, gradient = gradients(lambda *args: roi_align(*args, 3), features, boxes)
    assert gradient is None
    boxes.requires_grad_()
    pooled = roi_align(features, boxes, 3)
    assert pooled.requires_grad == torchvision.ops.roi_align(features, boxes, 3).requires_grad
    pooled.sum().backward()
    assert boxes.grad is None
    with pytest.raises(ValueError, match="use roi_align"):
        roi_pool(features, boxes, 3, box_grad=True)


@pytest.mark.parametrize("aligned", [True, False])
def test_gradcheck(aligned):
    features, boxes = draw(torch.float64, channels=3, size=(6, 7), count=5)
    features.requires_grad_()
    assert torch.autograd.gradcheck(lambda one: roi_align(one, boxes, 2, 1.0, 2, aligned), features)
    assert torch.autograd.gradcheck(lambda one: roi_align(one, boxes, 2, 1.0, -1, aligned), features)
    assert torch.autograd.gradcheck(lambda one: roi_pool(one, boxes, 2), features)


@pytest.mark.parametrize("form", ["table", "list"])
def test_gradcheck_of_boxes(form):
    features, _ = draw(torch.float64, channels=3, size=(9, 9))
    features.requires_grad_()
    # Samples lie between the centres of cells, where the derivative exists.
    corners = torch.tensor([[0.9, 1.2, 5.4, 6.7], [2.3, 0.6, 7.7, 5.1]], dtype=torch.float64, requires_grad=True)

    def pool(features, corners):
        index = torch.tensor([[1.0], [0.0]], dtype=torch.float64)
        boxes = torch.cat([index, corners], dim=1) if form == "table" else [corners[:1], corners[1:]]
        return roi_align(features, boxes, 3, 1.0, 2, True, box_grad=True)

    assert torch.autograd.gradcheck(pool, (features, corners))


def test_frozen_features_cost_no_gradient(monkeypatch):
    features, boxes = draw()
    boxes.requires_grad_()
    monkeypatch.delattr(_kernels, "backward")
    roi_align(features, boxes, 3, box_grad=True).sum().backward()
    assert boxes.grad.shape == boxes.shape
    assert not boxes.grad[:, 0].any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("function", [roi_align, roi_pool])
def test_half_precision_is_computed_in_float32(function, dtype):
    features, boxes = draw(dtype, boxes_dtype=torch.float32)
    pooled, gradient = gradients(lambda one: function(one, boxes, 3), features)
    wide, wide_gradient = gradients(lambda one: function(one, boxes, 3), features.float())
    assert_same(pooled, wide.to(dtype), 0)
    # The weights of the loss are rounded to the dtype of the result, then everything is once.
    assert_same(gradient, wide_gradient.to(dtype), 4 * torch.finfo(dtype).eps)


def test_images_beyond_the_reach_of_half_precision():
    features = torch.arange(2100.0).half().reshape(-1, 1, 1, 1)
    parts = [torch.tensor([[0.0, 0.0, 1.0, 1.0]]).half()] * 2100
    assert_same(roi_align(features, parts, 1).flatten(), features.flatten(), 0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("name", ["roi_align", "roi_pool"])
def test_nothing_is_copied(monkeypatch, name, dtype, memory_format):
    features, boxes = draw(dtype, boxes_dtype=torch.float32)
    features = features.contiguous(memory_format=memory_format)
    seen = []

    def see(_, arguments, result):
        arrays = (*arguments["maps"], arguments["boxes"], result)
        seen.append([one.__array_interface__["data"][0] for one in arrays])

    watch_kernels(monkeypatch, see)
    with torch.no_grad():
        pooled = {"roi_align": roi_align, "roi_pool": roi_pool}[name](features, boxes, 3)
    assert pooled.is_contiguous()
    assert seen == [[features.data_ptr(), boxes.data_ptr(), pooled.data_ptr()]]


def test_strides_do_not_matter():
    features, boxes = draw()
    last = features.to(memory_format=torch.channels_last)
    ours = gradients(lambda one: roi_align(one, boxes, 3), last)
    theirs = gradients(lambda one: roi_align(one, boxes, 3), features)
    for actual, expected in zip(ours, theirs, strict=True):
        assert_same(actual, expected, 0)
    part = torch.nn.functional.pad(features, (1, 2, 3, 1))[:, :, 3:-1, 1:-2]
    assert_same(roi_align(part, boxes, 3), theirs[0], 0)
    # The gradient of a sum is one number, repeated by strides of 0.
    (repeated,) = torch.autograd.grad(roi_align(features.requires_grad_(), boxes, 3).sum(), features)
    (theirs,) = torch.autograd.grad(torchvision.ops.roi_align(features, boxes, 3).sum(), features)
    assert_same(repeated, theirs)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_as_torchvision(dtype):
    features, boxes = draw(dtype, boxes_dtype=torch.float32)
    with torch.autocast("cpu", dtype=dtype):
        ours = gradients(lambda one: roi_align(one, boxes, 3), features)
        theirs = gradients(lambda one: torchvision.ops.roi_align(one, boxes, 3), features)
        assert roi_align(features.float(), boxes, 3).dtype == torch.float32
    for actual, expected in zip(ours, theirs, strict=True):
        assert_same(actual, expected, torch.finfo(dtype).eps)


@pytest.mark.parametrize("function", [roi_align, roi_pool])
def test_double_backward_says_what_to_do(function):
    features, boxes = draw()
    features.requires_grad_()
    (gradient,) = torch.autograd.grad((function(features, boxes, 3) ** 2).sum(), features, create_graph=True)
    with pytest.raises(RuntimeError, match=r"twice.*create_graph"):
        torch.autograd.grad(gradient.sum(), features)


def test_without_torch_the_extra_is_named():
    code = "import sys; sys.modules['torch'] = None\ntry:\n    import roialign_rs.torch\nexcept ImportError as e:\n    print(e)"
    assert "pip install 'roialign_rs[torch]'" in python(code)
