"""roialign_rs.torch uses no more threads than PyTorch does; DataLoader workers can have acceleration."""

import threading

import pytest
from test_torch_multiscale import IMAGES, NAMES, boxes as pyramid_boxes, pyramid
from torch_support import draw, torch, torchvision, watch_kernels

import roialign_rs as ra
from roialign_rs import _call, _core
from roialign_rs.torch import (
    MultiScaleRoIAlign,
    _accelerate,
    accelerate,
    accelerate_worker,
    roi_align,
    roi_pool,
)


@pytest.fixture
def torch_threads():
    """Give a setter of PyTorch's number of threads, put back afterwards."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture
def threads_seen(monkeypatch):
    """Give the number of threads that each call of the kernels may use."""
    seen = {}
    watch_kernels(monkeypatch, lambda name, *_: seen.update({name: ra.get_num_threads()}))
    return seen


def run_everything():
    features, boxes = draw()
    features.requires_grad_()
    boxes.requires_grad_()
    roi_align(features, boxes, 3, box_grad=True).sum().backward()
    roi_pool(features, boxes, 3).sum().backward()
    maps = {name: one.requires_grad_() for name, one in pyramid().items()}
    rois = [part.requires_grad_() for part in pyramid_boxes()]
    MultiScaleRoIAlign(NAMES, 3, 2, box_grad=True)(maps, rois, IMAGES).sum().backward()


@pytest.mark.parametrize(("ours", "torchs", "used"), [(3, 1, 1), (3, 2, 2), (2, 4, 2)])
def test_the_smaller_number_counts(thread_count, torch_threads, threads_seen, ours, torchs, used):
    thread_count(ours)
    torch_threads(torchs)
    run_everything()
    assert len(threads_seen) == 8
    assert set(threads_seen.values()) == {used}
    assert ra.get_num_threads() == ours, "other calls keep theirs"


def test_torchvisions_operators(thread_count, torch_threads, threads_seen):
    features, boxes = draw()
    thread_count(3)
    torch_threads(1)
    with accelerate():
        torchvision.ops.roi_align(features, boxes, 3)
        torchvision.ops.MultiScaleRoIAlign(NAMES, 3, 2)(pyramid(), pyramid_boxes(), IMAGES)
    assert threads_seen == {"roi_align": 1, "multiscale_roi_align": 1}


def test_an_error_leaves_no_limit(thread_count, torch_threads):
    features, boxes = draw()
    thread_count(3)
    torch_threads(1)
    with pytest.raises(ValueError, match="batch index"):
        roi_align(features, boxes + 5, 3)
    assert ra.get_num_threads() == 3


def test_a_limit_is_the_threads_own(thread_count):
    thread_count(3)
    before = _core.limit_threads(2)
    try:
        assert ra.get_num_threads() == 2
        other = []
        thread = threading.Thread(target=lambda: other.append(ra.get_num_threads()))
        thread.start()
        thread.join()
        assert other == [3]
    finally:
        assert _core.limit_threads(before) == 2
    assert ra.get_num_threads() == 3


class WhatAWorkerDoes(torch.utils.data.Dataset):
    """In each item: whether torchvision's operator is ours in this process, and with how many threads."""

    def __len__(self):
        return 2

    def __getitem__(self, index):
        features, boxes = draw()
        seen = []

        def spy(*args):
            seen.append(ra.get_num_threads())
            return function(*args)

        function, _call.forward = _call.forward, spy
        try:
            torchvision.ops.roi_align(features, boxes, 3)
        finally:
            _call.forward = function
        return torch.tensor([*seen, -1])[:1]


@pytest.mark.parametrize(("init", "threads"), [(accelerate_worker, 1), (None, -1)])
def test_spawned_workers(init, threads):
    loader = torch.utils.data.DataLoader(
        WhatAWorkerDoes(), num_workers=2, multiprocessing_context="spawn", worker_init_fn=init
    )
    assert [item.item() for item in loader] == [threads] * 2
    assert _accelerate._handles == 0
