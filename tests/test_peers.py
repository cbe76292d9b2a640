"""Released libraries give our results, on the cases of the registry where they promise the same."""

from functools import partial

import cases
import numpy as np
import operators
import pytest
from backends import arguments
from checks import assert_close, assert_within, largest_finite
from peers import PEERS, onnx_reference_roi_align, onnxruntime_roi_align, openvino_roi_align
from tolerances import BOUNDS

import roialign_rs as ra

ENOUGH = 120
"""Cases compared with each peer: every kind of box about ten times."""


def peer_id(peer):
    return f"{peer.name}-{peer.op}"


@pytest.mark.parametrize("peer", PEERS, ids=peer_id)
def test_matches_the_library(peer, backend):
    compared = 0
    for case in cases.cases(peer.op):
        if compared == ENOUGH:
            break
        if peer.covers(case):
            theirs = peer.call(**case.inputs(), **case.options)
            assert_close(peer.as_there(case, case.run(backend)), theirs, case, peer.name)
            compared += 1
    assert compared == ENOUGH


def test_opset_10_is_the_unaligned_kind(backend):
    compared = 0
    for case in cases.cases("roi_align", count=2000):
        peer = next(peer for peer in PEERS if (peer.name, peer.op) == ("onnxruntime", "roi_align"))
        if peer.covers(case) and case.features_dtype == "float32" and not case.options["aligned"]:
            theirs = onnxruntime_roi_align(**case.inputs(), **case.options, opset=10)
            assert_close(case.run(backend), theirs, case, "onnxruntime")
            compared += 1
    assert compared > 20


ROWS = {
    "ONNX half_pixel": ("onnx", onnx_reference_roi_align, {}),
    "ONNX output_half_pixel": ("onnx", onnx_reference_roi_align, {"aligned": False}),
    "ONNX max": ("onnx", onnx_reference_roi_align, {"mode": "onnx_max"}),
    "ONNX Runtime max": ("onnxruntime", onnxruntime_roi_align, {"mode": "onnx_max"}),
    "OpenVINO half_pixel": ("openvino", partial(openvino_roi_align, aligned_mode="half_pixel"), {}),
    "OpenVINO max": ("openvino", openvino_roi_align, {"mode": "max"}),
}
"""Rows of the table in ``docs/options.md`` that the peers' scopes do not cover: bound, caller, options."""


@pytest.mark.parametrize("sampling_ratio", [0, 2])
@pytest.mark.parametrize("row", ROWS)
def test_row_of_the_options_page(row, sampling_ratio, backend):
    bound, call, changes = ROWS[row]
    rng = np.random.default_rng(len(row) + sampling_ratio)
    corners = rng.uniform(-20, 120, (12, 2))
    boxes = np.hstack([corners, corners + rng.uniform(4, 100, (12, 2))]).astype(np.float32)
    features = rng.standard_normal((2, 3, 14, 16), np.float32)
    options = {"aligned": True, "mode": "avg", **changes, "spatial_scale": 1 / 8, "sampling_ratio": sampling_ratio}
    images = rng.integers(0, 2, 12)
    theirs = call(features, boxes, 5, batch_indices=images, **options)

    moved = boxes + np.float32(0.5) if row == "OpenVINO half_pixel" else boxes
    ours = ra.roi_align(features, moved, 5, batch_indices=images, **options, **arguments(backend))
    if row == "OpenVINO max":
        assert ours.min() < 0
        ours = np.maximum(ours, 0)
    limit, reason = BOUNDS[bound, "float32"]
    assert_within(ours, theirs, limit * largest_finite(features), f"{row} ({reason})")


def test_every_operator_has_a_peer():
    assert {peer.op for peer in PEERS} == {row.name for row in operators.OPERATORS.values() if not row.without_peer}


@pytest.mark.parametrize("peer", PEERS, ids=peer_id)
def test_seven_bins_over_29_57_and_58_cells(peer, backend):
    """Boxes where rounding decides about the number of samples and the edges of bins."""
    boxes = np.array([[0, 0, side, side] for side in (29, 57, 58)], np.float32)
    case = next(case for case in cases.cases(peer.op) if peer.covers(case) and case.options["spatial_scale"] == 1)
    options = case.using(output_size=7, sampling_ratio=0).options
    rng = np.random.default_rng(0)
    arrays = {
        "features": rng.standard_normal((1, 3, 60, 60), np.float32).astype(case.features_dtype),
        "boxes": boxes.astype(case.boxes_dtype),
        "batch_indices": np.zeros(3, np.int64),
    }
    theirs = peer.call(**arrays, **options)
    ours = peer.as_there(case, case.run(backend, **arrays, **options))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * np.abs(arrays["features"]).max())
