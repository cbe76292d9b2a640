"""Forward-mode derivatives agree with reverse mode or are refused; they are never silently zero."""

import pytest
from test_torch_multiscale import IMAGES, NAMES, boxes as pyramid_boxes, pyramid
from torch.autograd import forward_ad
from torch_support import assert_same, draw, torch

from roialign_rs.torch import MultiScaleRoIAlign, roi_align, roi_pool

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")  # PyTorch scripts what it has for duals

FUNCTIONS = [roi_align, roi_pool]


def pool_pyramid(*maps):
    return MultiScaleRoIAlign(NAMES, 3, 2)(dict(zip(NAMES, maps, strict=True)), pyramid_boxes(maps[0].dtype), IMAGES)


def assert_products_agree(pool, inputs):
    """Raise unless <w, J t> of forward mode is <J' w, t> of reverse mode."""
    torch.manual_seed(0)
    tangents = tuple(torch.rand_like(one) for one in inputs)
    result, tangent = torch.func.jvp(pool, inputs, tangents)
    assert_same(result, pool(*inputs), 0)
    weights = torch.rand_like(result)
    leaves = [one.clone().requires_grad_() for one in inputs]
    gradients = torch.autograd.grad((pool(*leaves) * weights).sum(), leaves)
    expected = sum((gradient * one).sum() for gradient, one in zip(gradients, tangents, strict=True))
    assert expected.abs() > 1
    assert_same((tangent * weights).sum(), expected, 1e-10)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_jvp(function, scale):
    features, boxes = draw(torch.float64)
    assert_products_agree(lambda one: function(one, boxes, (2, 3), scale), (features,))
    assert_products_agree(lambda one: function(one.transpose(2, 3), boxes, (2, 3), scale), (features,))


def test_jvp_of_a_pyramid():
    maps = tuple(pyramid(torch.float64).values())
    assert_products_agree(pool_pyramid, maps)
    assert_products_agree(lambda first, third: pool_pyramid(first, maps[1], third, maps[3]), (maps[0], maps[2]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_jvp_is_the_operator_of_the_tangent(dtype):
    features, boxes = draw(dtype, boxes_dtype=torch.float32)
    tangent = torch.rand(features.shape).to(dtype)
    _, actual = torch.func.jvp(lambda one: roi_align(one, boxes, 3), (features,), (tangent,))
    assert_same(actual, roi_align(tangent, boxes, 3), 0)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.filterwarnings("ignore:There is a performance drop")  # vmap calls the kernels once for each element
def test_jacfwd(function):
    features, boxes = draw(torch.float64, channels=2, size=(4, 5), count=5)

    def pool(one):
        return function(one, boxes, 2)

    assert_same(torch.func.jacfwd(pool)(features), torch.autograd.functional.jacobian(pool, features), 1e-12)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_gradcheck_of_both_modes(function):
    features, boxes = draw(torch.float64, channels=3, size=(6, 7), count=5)
    features.requires_grad_()
    assert torch.autograd.gradcheck(lambda one: function(one, boxes, 2), features, check_forward_ad=True)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_bins_off_the_map(function):
    features, _ = draw(channels=2, count=1)
    boxes = torch.tensor([[1.0, -50, -50, 5, 5], [0, 100, 100, 110, 110]])
    _, tangent = torch.func.jvp(lambda one: function(one, boxes, 4), (features,), (torch.ones_like(features),))
    assert tangent[0].any()
    assert not tangent[1].any()


@pytest.mark.parametrize("form", ["align", "pool", "pyramid"])
def test_forward_over_reverse(form):
    """The tangent of a gradient: of (pool(x) ** 2).sum(), it is twice the gradient at the pooled tangent."""
    features, boxes = draw(torch.float64)
    maps = list(pyramid(torch.float64).values())
    pool, first = {
        "align": (lambda one: roi_align(one, boxes, 3), features),
        "pool": (lambda one: roi_pool(one, boxes, 3), features),
        "pyramid": (lambda one: pool_pyramid(one, *maps[1:]), maps[0]),
    }[form]
    tangent = torch.rand_like(first)
    with forward_ad.dual_level():
        leaf = forward_ad.make_dual(first.clone().requires_grad_(), tangent)
        (gradient,) = torch.autograd.grad((pool(leaf) ** 2).sum(), leaf)
        actual = forward_ad.unpack_dual(gradient).tangent
    leaf = first.clone().requires_grad_()
    _, pooled_tangent = torch.func.jvp(pool, (first,), (tangent,))
    (expected,) = torch.autograd.grad((pool(leaf) * pooled_tangent).sum() * 2, leaf)
    assert_same(actual, expected, 1e-12)


def test_gradients_of_boxes():
    features, boxes = draw(torch.float64)
    boxes.requires_grad_()
    weights = torch.rand(24, 20, 3, 3, dtype=torch.float64)

    def pool(features):
        return roi_align(features, boxes, 3, box_grad=True)

    def gradient(features, weights):
        return torch.autograd.grad(pool(features), boxes, weights)[0]

    _, tangent = torch.func.jvp(pool, (features,), (features**2,))
    actual = torch.autograd.grad(tangent, boxes, weights)[0]
    assert_same(actual, gradient(features**2, weights), 1e-12, "reverse over forward")
    with forward_ad.dual_level():
        actual = forward_ad.unpack_dual(gradient(features, forward_ad.make_dual(weights, weights**2))).tangent
        assert_same(actual, gradient(features, weights**2), 1e-12, "forward over reverse, of the loss")
        with pytest.raises(NotImplementedError, match=r"^boxes: .* not supported with box_grad=True; call \.detach"):
            pool(forward_ad.make_dual(features, features**2))


@pytest.mark.parametrize("box_grad", [False, True])
def test_tangents_of_boxes_are_refused(box_grad):
    features, boxes = draw()
    tangent = torch.ones_like(boxes)
    with pytest.raises(NotImplementedError, match=r"^boxes: .*detach.*reverse mode"):
        torch.func.jvp(lambda one: roi_align(features, one, 3, box_grad=box_grad), (boxes,), (tangent,))
    with pytest.raises(NotImplementedError, match=r"^boxes: "):
        torch.func.jvp(lambda one: roi_pool(features, one, 3), (boxes,), (tangent,))
    pool = MultiScaleRoIAlign(NAMES, 3, 2, box_grad=box_grad)
    with pytest.raises(NotImplementedError, match=r"^boxes: "):
        torch.func.jvp(lambda one: pool(pyramid(), [one[:, 1:], one[:, 1:]], IMAGES), (boxes,), (tangent,))
    result, tangent = torch.func.jvp(lambda one: roi_align(features * one.sum(), one.detach(), 3), (boxes,), (tangent,))
    assert tangent.any()
    assert result.shape == tangent.shape


def test_under_the_compiler():
    features, boxes = draw()
    tangent = torch.rand_like(features)

    def pool(features, tangent):
        return torch.func.jvp(lambda one: roi_align(one, boxes, 3), (features,), (tangent,))

    torch.compiler.reset()
    compiled = torch.compile(pool, backend="aot_eager")
    for actual, expected in zip(compiled(features, tangent), pool(features, tangent), strict=True):
        assert_same(actual, expected, 0)
