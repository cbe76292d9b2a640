"""Live parity with released libraries, on the cases of the registry where they promise what we promise."""

import cases
import numpy as np
import pytest
from checks import assert_close
from peers import PEERS, onnxruntime_roi_align

ENOUGH = 120
"""Cases for each peer: every kind of box about ten times."""


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


def test_every_operator_has_a_peer():
    assert {peer.op for peer in PEERS} == set(cases.OPERATORS)


@pytest.mark.parametrize("peer", PEERS, ids=peer_id)
def test_seven_bins_over_29_57_and_58_cells(peer, backend):
    """Where rounding decides about the number of samples, and about the edges of bins."""
    boxes = np.array([[0, 0, side, side] for side in (29, 57, 58)], np.float32)
    case = next(case for case in cases.cases(peer.op) if peer.covers(case) and case.options["spatial_scale"] == 1)
    options = {**case.options, "output_size": 7}
    if "sampling_ratio" in options:
        options["sampling_ratio"] = 0
    rng = np.random.default_rng(0)
    arrays = {
        "features": rng.standard_normal((1, 3, 60, 60), np.float32).astype(case.features_dtype),
        "boxes": boxes.astype(case.boxes_dtype),
        "batch_indices": np.zeros(3, np.int64),
    }
    theirs = peer.call(**arrays, **options)
    ours = peer.as_there(case, case.run(backend, **arrays, **options))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * np.abs(arrays["features"]).max())
