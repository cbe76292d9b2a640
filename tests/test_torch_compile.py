"""roialign_rs.torch under torch.compile, torch.export, on meta tensors, and PyTorch's own checks of operators."""

import pytest
from test_torch_multiscale import IMAGES, NAMES, boxes as pyramid_boxes, pyramid
from torch_support import assert_same, draw, gradients, library, torch

from roialign_rs.torch import MultiScaleRoIAlign, roi_align, roi_pool

pytestmark = pytest.mark.filterwarnings("default")  # of the compiler, which is not ours

FUNCTIONS = [roi_align, roi_pool]


@pytest.fixture(autouse=True)
def fresh_compiler():
    torch.compiler.reset()


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_compile_without_a_break(function, backend):
    features, boxes = draw()

    def step(features):
        return function(features * 2, boxes, 3, 0.5) + 1

    compiled = torch.compile(step, fullgraph=True, backend=backend)
    for actual, expected in zip(gradients(compiled, features), gradients(step, features), strict=True):
        assert_same(actual, expected, 1e-6)
    with torch.no_grad():
        assert_same(compiled(features), step(features), 1e-6)


def test_compile_serves_any_number_of_boxes():
    features, boxes = draw()
    compiled = torch.compile(lambda *args: roi_align(*args, 3), fullgraph=True, dynamic=True, backend="aot_eager")
    for count in (24, 5, 1):
        assert_same(compiled(features, boxes[:count]), roi_align(features, boxes[:count], 3), 0)


def test_compile_with_numbers_that_it_keeps_as_symbols():
    features, boxes = draw()

    def pool(features, boxes, image):
        return roi_align(features, boxes, features.shape[2] // 4, features.shape[2] / image.shape[2], 2)

    compiled = torch.compile(pool, fullgraph=True, dynamic=True, backend="aot_eager")
    for height in (13, 9):
        part, image = features[:, :, :height], torch.ones(1, 1, 4 * height, 1)
        assert_same(compiled(part, boxes, image), pool(part, boxes, image), 0)


def test_compile_gives_boxes_their_gradient():
    features, boxes = draw()

    def pool(features, boxes):
        return roi_align(features, boxes, 3, 1.0, 2, box_grad=True)

    compiled = torch.compile(pool, fullgraph=True, backend="aot_eager")
    for actual, expected in zip(gradients(compiled, features, boxes), gradients(pool, features, boxes), strict=True):
        assert_same(actual, expected, 1e-6)


def test_compile_a_pyramid():
    pool = MultiScaleRoIAlign(NAMES, 3, 2)
    compiled = torch.compile(MultiScaleRoIAlign(NAMES, 3, 2), fullgraph=True, backend="aot_eager")
    maps, rois = pyramid(), pyramid_boxes()

    def results(module):
        return gradients(lambda *leaves: module(dict(zip(NAMES, leaves, strict=True)), rois, IMAGES), *maps.values())

    for actual, expected in zip(results(compiled), results(pool), strict=True):
        assert_same(actual, expected, 1e-6)


class Pool(torch.nn.Module):
    def forward(self, features, boxes):
        return roi_align(features, boxes, 3), roi_pool(features, boxes, (2, 3))


def test_export_any_number_of_boxes():
    features, boxes = draw()
    count = torch.export.Dim("count", min=2, max=1000)
    program = torch.export.export(Pool(), (features, boxes), dynamic_shapes=({}, {0: count}))
    names = {node.name for node in program.graph.nodes}
    assert {"roi_align", "roi_pool"} <= names
    for rows in (boxes, boxes[:7]):
        for actual, expected in zip(program.module()(features, rows), Pool()(features, rows), strict=True):
            assert_same(actual, expected, 0)


def test_export_a_pyramid():
    arguments = (pyramid(), pyramid_boxes(), IMAGES)
    program = torch.export.export(MultiScaleRoIAlign(NAMES, 3, 2), arguments)
    assert_same(program.module()(*arguments), MultiScaleRoIAlign(NAMES, 3, 2)(*arguments), 0)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_meta_tensors_give_meta_results(function):
    features, boxes = draw(torch.float64)
    expected = function(features, boxes, (2, 3))
    pooled = function(features.to("meta").requires_grad_(), boxes.to("meta"), (2, 3))
    assert pooled.is_meta
    assert (pooled.shape, pooled.dtype, pooled.stride()) == (expected.shape, expected.dtype, expected.stride())
    pooled.sum().backward()


def test_a_pyramid_of_meta_tensors():
    maps = {name: one.to("meta") for name, one in pyramid().items()}
    pooled = MultiScaleRoIAlign(NAMES, 3, 2)(maps, [part.to("meta") for part in pyramid_boxes()], IMAGES)
    assert pooled.is_meta
    assert pooled.shape == (100, 5, 3, 3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.uint8])
def test_pytorchs_checks_of_align(dtype):
    features, boxes = draw(dtype, channels=3, count=5, boxes_dtype=torch.float32)
    features = features.requires_grad_(dtype.is_floating_point)
    ops = torch.ops.roialign_rs
    library.opcheck(ops.roi_align.default, (features, boxes, 0.5, 2, 3, -1, True, False))
    grad = torch.rand(5, 3, 2, 3)
    library.opcheck(ops.roi_align_backward.default, (grad, boxes, [2, 3, 13, 17], 0.5, -1, True))
    if dtype.is_floating_point:
        arguments = (grad.to(dtype), features.detach(), boxes, 0.5, 2, True)
        library.opcheck(ops.roi_align_box_gradient.default, arguments)


@pytest.mark.parametrize("with_argmax", [True, False])
def test_pytorchs_checks_of_pool(with_argmax):
    features, boxes = draw(channels=3, count=5)
    ops = torch.ops.roialign_rs
    library.opcheck(ops.roi_pool.default, (features.requires_grad_(with_argmax), boxes, 1.0, 2, 2, with_argmax))
    _, argmax = ops.roi_pool(features.detach(), boxes, 1.0, 2, 2, True)
    library.opcheck(ops.roi_pool_backward.default, (torch.rand(5, 3, 2, 2), argmax, boxes, [2, 3, 13, 17], 1.0))


def test_pytorchs_checks_of_a_pyramid():
    maps = [one.requires_grad_() for one in pyramid().values()]
    boxes = torch.nn.functional.pad(pyramid_boxes()[0], (1, 0))
    ops, scales = torch.ops.roialign_rs, [1 / 4, 1 / 8, 1 / 16, 1 / 32]
    library.opcheck(ops.assign_stages.default, (boxes, 4, 2, 224.0, 4))
    stages = ops.assign_stages(boxes, 4, 2, 224.0, 4)
    library.opcheck(ops.multiscale_roi_align.default, (maps, boxes, stages, scales, 3, 3, 2, False))
    sides = [side for one in maps for side in one.shape[2:]]
    library.opcheck(
        ops.multiscale_roi_align_backward.default, (torch.rand(60, 5, 3, 3), boxes, stages, sides, 2, scales, 2)
    )
