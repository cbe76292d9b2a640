"""roialign_rs.jax gives what roialign_rs gives, under jit, vmap and grad."""

import inspect

import numpy as np
import operators
import pytest
from checks import assert_within, largest_finite
from subprocesses import python

jax = pytest.importorskip("jax", reason="jax is not installed: pip install 'roialign_rs[jax]'")
jnp = jax.numpy

import roialign_rs as ra  # noqa: E402
import roialign_rs.jax  # noqa: E402
from roialign_rs.jax import multiscale_roi_align, roi_align, roi_pool  # noqa: E402

SCALES = (1 / 4, 1 / 8, 1 / 16)
CALLS = [
    ("roi_align", {}),
    ("roi_align", {"sampling_ratio": 2, "aligned": False, "spatial_scale": 0.5}),
    ("roi_align", {"mode": "max", "sampling_ratio": (1, 2)}),
    ("roi_align", {"mode": "onnx_max", "sampling_ratio": 2}),
    ("roi_align", {"sample_points": "interior", "sampling_ratio": 2}),
    ("roi_pool", {}),
    ("roi_pool", {"mode": "avg", "quantization": "floor"}),
]


def inputs(seed=0, images=2, layout="NCHW"):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(images, 3, 11, 13)).astype(np.float32)
    start = rng.uniform(-2, 10, (6, 2))
    boxes = np.concatenate([start, start + rng.uniform(0.5, 9, (6, 2))], axis=1).astype(np.float32)
    features = features if layout == "NCHW" else np.ascontiguousarray(features.transpose(0, 2, 3, 1))
    return features, boxes, rng.integers(0, images, 6)


def functions(name):
    return getattr(ra, name), getattr(roialign_rs.jax, name)


def assert_same(actual, expected, bound=0.0):
    actual = np.asarray(actual)
    assert actual.dtype == expected.dtype
    assert_within(actual, expected, bound * largest_finite(expected))


def backward(name, options, features, boxes, indices, grad, layout):
    """The gradient from the package's NumPy functions."""
    options, row = {**options, "batch_indices": indices, "layout": layout}, operators.OPERATORS[name]
    if row.has_argmax({**row.modes[0], **options}):
        _, options["argmax"] = getattr(ra, name)(features, boxes, 3, **options, return_argmax=True)
    return getattr(ra, f"{name}_backward")(grad, boxes, features.shape, **options)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize(("name", "options"), CALLS, ids=str)
def test_results_and_gradients_under_jit(name, options, layout):
    features, boxes, indices = inputs(layout=layout)
    ours, theirs = functions(name)
    expected = ours(features, boxes, 3, batch_indices=indices, layout=layout, **options)
    grad = np.random.default_rng(5).normal(size=expected.shape).astype(np.float32)

    @jax.jit
    def loss(features, boxes, indices):
        pooled = theirs(features, boxes, 3, batch_indices=indices, layout=layout, **options)
        return (pooled * grad).sum(), pooled

    (_, pooled), (gradient, for_boxes) = jax.value_and_grad(loss, (0, 1), has_aux=True)(features, boxes, indices)
    assert_same(pooled, expected)
    assert_same(gradient, backward(name, options, features, boxes, indices, grad, layout))
    assert not np.any(for_boxes)


def test_forms_of_boxes():
    features, boxes, indices = inputs()
    expected = ra.roi_align(features, boxes, 3, batch_indices=indices)
    table = np.concatenate([indices[:, None].astype(np.float32), boxes], axis=1)
    assert_same(roi_align(features, table, 3), expected)
    order = np.argsort(indices, kind="stable")
    parts = [jnp.asarray(boxes[indices == image]) for image in range(2)]
    assert_same(jax.jit(lambda *args: roi_align(*args, 3))(features, parts), expected[order])
    assert_same(roi_align(features[:1], boxes, 3), ra.roi_align(features[:1], boxes, 3))
    assert roi_align(features, boxes[:0], 3, batch_indices=indices[:0]).shape == (0, 3, 3, 3)


@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0)])
def test_vmap(axes):
    many = [inputs(seed) for seed in range(3)]
    features = np.stack([one[0] for one in many]) if axes[0] == 0 else many[0][0]
    boxes = np.stack([one[1] for one in many]) if axes[1] == 0 else many[0][1]
    indices = many[0][2]

    def loss(features, boxes):
        pooled = roi_align(features, boxes, 3, sampling_ratio=2, batch_indices=indices)
        return (pooled**2).sum(), pooled

    mapped = jax.jit(jax.vmap(jax.grad(loss, has_aux=True), in_axes=axes))
    gradients, pooled = mapped(features, boxes)
    for at in range(3):
        one = (features[at] if axes[0] == 0 else features, boxes[at] if axes[1] == 0 else boxes)
        gradient, alone = jax.grad(loss, has_aux=True)(*one)
        assert_same(pooled[at], np.asarray(alone))
        assert_same(gradients[at], np.asarray(gradient))


def test_vmap_twice():
    features, boxes, indices = inputs()
    pool = jax.vmap(lambda one, rows: roi_align(one, rows, 2, batch_indices=indices), in_axes=(0, None))
    pooled = jax.vmap(pool, in_axes=(None, 0))(
        jnp.stack([features, 2 * features]), jnp.stack([boxes, boxes + 1, boxes])
    )
    assert pooled.shape == (3, 2, 6, 3, 2, 2)
    assert_same(pooled[1, 1], ra.roi_align(2 * features, boxes + 1, 2, batch_indices=indices))


def test_pyramid():
    rng = np.random.default_rng(0)
    maps = [rng.normal(size=(2, 3, 64 >> i, 80 >> i)).astype(np.float32) for i in range(3)]
    start = rng.uniform(0, 200, (30, 2))
    boxes = np.concatenate([start, start + np.exp(rng.uniform(2, 6, (30, 2)))], axis=1).astype(np.float32)
    indices = rng.integers(0, 2, 30)
    expected = ra.multiscale_roi_align(maps, boxes, 3, spatial_scales=SCALES, batch_indices=indices)

    @jax.jit
    def loss(maps):
        pooled = multiscale_roi_align(maps, boxes, 3, spatial_scales=SCALES, batch_indices=indices)
        return (pooled * expected).sum(), pooled

    gradients, pooled = jax.grad(loss, has_aux=True)(maps)
    assert_same(pooled, expected)
    truth = ra.multiscale_roi_align_backward(
        expected, boxes, [one.shape for one in maps], spatial_scales=SCALES, batch_indices=indices
    )
    for actual, one in zip(gradients, truth, strict=True):
        assert_same(actual, one)


@pytest.mark.parametrize("aligned", [True, False])
def test_gradient_of_boxes(aligned):
    features, boxes, indices = inputs()
    options = {"sampling_ratio": 2, "aligned": aligned}

    def loss(boxes):
        return (roi_align(features, boxes, 3, batch_indices=indices, box_grad=True, **options) ** 2).sum()

    grad = 2 * ra.roi_align(features, boxes, 3, batch_indices=indices, **options)
    expected = ra.roi_align_box_gradient(grad, features, boxes, batch_indices=indices, **options)
    assert_same(jax.jit(jax.grad(loss))(jnp.asarray(boxes)), expected.astype(np.float32), 1e-6)
    with pytest.raises(ValueError, match="box_grad"):
        roi_align(features, boxes, 3, batch_indices=indices, box_grad=True, mode="max")


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "uint8"])
def test_other_dtypes(dtype):
    features, boxes, indices = inputs()
    features = np.asarray(jnp.asarray(np.abs(features) * 20).astype(dtype))
    expected = ra.roi_align(features, boxes, 3, batch_indices=indices)
    assert_same(jax.jit(roi_align, static_argnums=2)(features[:1], boxes, 3), ra.roi_align(features[:1], boxes, 3))
    assert_same(roi_align(features, boxes, 3, batch_indices=indices), expected)


def test_one_box():
    features, boxes, _ = inputs()
    assert_same(roi_align(features[:1], boxes[0], 3), ra.roi_align(features[:1], boxes[:1], 3))


BOX = np.array([[1, 1, 5, 5]], np.float32)


@pytest.mark.parametrize(
    "boxes",
    [
        [BOX, []],
        [[], BOX],
        [[], []],
        (BOX, ()),
        [BOX, BOX[:0]],
        [np.empty((0, 5)), BOX],
        [[], [[]]],
        [[[1, 1, 5, 5]], [[1, 1, 5, 5], [0, 0, 3, 2]]],
        [BOX.astype(np.float16), BOX.astype(np.int32)],
        [[0, 1, 1, 5, 5], [1, 0, 0, 3, 2]],
    ],
    ids=str,
)
def test_lists_of_boxes(boxes):
    features, _, _ = inputs()
    # Positions of integers are computed in float32 here, and in float64 there.
    assert_same(roi_align(features, boxes, 3), ra.roi_align(features, boxes, 3), 1e-6)


def test_no_boxes():
    features, _, _ = inputs()
    for images, options in [(1, {}), (0, {}), (2, {"batch_indices": []}), (1, {"layout": "NHWC"})]:
        pooled = roi_align(features[:images], [], 3, **options)
        assert_same(pooled, ra.roi_align(features[:images], [], 3, **options))
    parts = jax.jit(lambda features, part: roi_align(features, [[], part], 3))(features, BOX)
    assert_same(parts, ra.roi_align(features, [[], BOX], 3))


def test_an_image_without_boxes_keeps_the_dtype_of_the_others():
    features, _, _ = inputs()
    with jax.enable_x64(True):
        program = jax.make_jaxpr(lambda part: roi_align(features, [part, []], 3))(BOX)
    assert "f32[1,5]" in str(program)
    assert "f64[1,5]" not in str(program)


@pytest.mark.parametrize(
    ("name", "boxes", "error"),
    [
        ("boxes", None, ValueError),
        ("boxes", BOX.astype(bool), TypeError),
        ("boxes", BOX.astype(np.complex64), TypeError),
        ("boxes", [], ValueError),
        (r"boxes\[1\]", [BOX, BOX[0]], ValueError),
        (r"boxes\[1\]", [BOX, np.zeros((1, 5))], ValueError),
        (r"boxes\[1\]", [BOX, [[1, 1, 5, 5], [1, 1]]], ValueError),
        (r"boxes\[0\]", [["x"], BOX], TypeError),
    ],
    ids=str,
)
def test_wrong_boxes_are_named(name, boxes, error):
    with pytest.raises(error, match=rf"^{name}"):
        roi_align(inputs()[0], boxes, 3)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("features", np.ones((1, 4, 4), np.float32), ValueError),
        ("features", np.float32(1), ValueError),
        ("features", np.ones((1, 1, 4, 4), np.int32), TypeError),
        ("batch_indices", [0, 0], ValueError),
        ("output_size", 0, ValueError),
        ("spatial_scale", (1, 1), TypeError),
        ("spatial_scale", -1.0, ValueError),
        ("sampling_ratio", 2.5, TypeError),
        ("aligned", 2, TypeError),
        ("mode", 3, TypeError),
        ("mode", "median", ValueError),
        ("sample_points", 2, TypeError),
        ("quantization", 2, TypeError),
        ("box_grad", 2, TypeError),
        ("box_grad", None, TypeError),
        ("layout", 1, TypeError),
        ("features_list", None, TypeError),
        ("spatial_scales", 3, TypeError),
        ("spatial_scales", (1,), ValueError),
        ("canonical_size", "x", TypeError),
        ("canonical_level", 4.5, TypeError),
        ("rule", 2, TypeError),
    ],
    ids=str,
)
def test_a_wrong_argument_is_refused_when_the_program_is_traced(name, value, error):
    features = np.ones((1, 1, 4, 4), np.float32)
    given = {"features": features, "features_list": [features, features[:, :, ::2, ::2]], "boxes": BOX}
    given |= {"output_size": 3, "batch_indices": [0], "spatial_scales": (1, 0.5), name: value}
    functions = [one for one in (roi_align, roi_pool, multiscale_roi_align) if name in parameters(one)]
    assert functions
    for function in functions:
        arguments = {key: one for key, one in given.items() if key in parameters(function)}
        with pytest.raises(error, match=rf"^{name}\b"):
            jax.make_jaxpr(lambda arguments=arguments, function=function: function(**arguments))()


def parameters(function):
    return inspect.signature(function).parameters


def test_flags_of_other_kinds():
    features, boxes, indices = inputs()
    expected = ra.roi_align(features, boxes, 3, batch_indices=indices)
    for flag in (1, np.True_, np.int64(1)):
        assert_same(roi_align(features, boxes, 3, batch_indices=indices, aligned=flag, box_grad=flag), expected)


def test_errors():
    features, boxes, indices = inputs()
    with pytest.raises(ValueError, match=r"\(K, 4\) or \(K, 5\)"):
        roi_align(features, boxes[0, :3], 3)
    with pytest.raises(ValueError, match=r"batch_indices is needed for boxes of shape \(K, 4\) and 2 images"):
        roi_align(features, boxes, 3)
    with pytest.raises(ValueError, match="expected a list of 2 arrays, one for each image"):
        roi_align(features, [boxes], 3)
    with pytest.raises(Exception, match="batch index 9 is out of range"):
        jax.block_until_ready(roi_align(features, boxes, 3, batch_indices=indices + 9))


def test_without_jax_the_extra_is_named():
    code = "import sys; sys.modules['jax'] = None\ntry:\n    import roialign_rs.jax\nexcept ImportError as e:\n    print(e)"
    assert "pip install 'roialign_rs[jax]'" in python(code)
