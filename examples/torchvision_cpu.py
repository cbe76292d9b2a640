"""What roialign_rs.torch.accelerate() changes in torchvision's detectors on a CPU: how long they take, and nothing else.

Faster, Mask and Keypoint R-CNN (ResNet-50 with a feature pyramid, random weights, no download) run inference and a
training step, as torchvision does them and inside ``roialign_rs.torch.accelerate()``. Pooled features, losses and
gradients are compared first; then times are printed: of the RoI part, which are the poolers with all they do, and of
the whole model.

    python examples/torchvision_cpu.py
    python examples/torchvision_cpu.py --models faster --size 400 608 --repeats 1
    python examples/torchvision_cpu.py --models faster --page docs/torch.md      writes the table of that page
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler's messages; read when torch is imported

import torch
import torchvision
from torch import Tensor, nn
from torchvision.models import detection
from torchvision.ops import MultiScaleRoIAlign

import roialign_rs as ra
import roialign_rs.torch
from roialign_rs._bench import machine, pages
from roialign_rs._bench.table import markdown

MODELS: dict[str, Callable[..., nn.Module]] = {
    "faster": detection.fasterrcnn_resnet50_fpn,
    "mask": detection.maskrcnn_resnet50_fpn,
    "keypoint": detection.keypointrcnn_resnet50_fpn,
}
CLASSES = {"faster": 91, "mask": 91, "keypoint": 2}
KEYPOINTS = 17
FORWARD = ("torchvision::roi_align", "roialign_rs::multiscale_roi_align")
BACKWARD = ("torchvision::_roi_align_backward", "roialign_rs::multiscale_roi_align_backward")
HEADER = ("what is timed (ms)", "torchvision", "accelerate()", "faster")
HEADINGS = """\
* what is timed: Faster, Mask or Keypoint R-CNN, inference or a step of training, boxes that each pooler gets, and of
  that: the poolers with all they do, the operators in them, the gradients of these operators, or the whole model.
* torchvision, accelerate(): milliseconds without and with `roialign_rs.torch.accelerate()`.
* faster: the one divided by the other."""


@dataclass
class Times:
    """Milliseconds of one run."""

    whole: float = 0.0
    poolers: float = 0.0
    forward: float = 0.0
    backward: float = 0.0


def make(name: str) -> nn.Module:
    torch.manual_seed(0)
    # Random weights are sure of nothing: at the usual threshold no box would reach the second poolers.
    return MODELS[name](
        weights=None, weights_backbone=None, num_classes=CLASSES[name], box_score_thresh=0.0, box_detections_per_img=100
    )


def make_inputs(name: str, height: int, width: int, objects: int = 12) -> tuple[list[Tensor], list[dict[str, Tensor]]]:
    torch.manual_seed(1)
    image = torch.rand(3, height, width)
    corner = torch.rand(objects, 2) * torch.tensor([width * 0.6, height * 0.6])
    boxes = torch.cat([corner, corner + 24 + torch.rand(objects, 2) * min(height, width) * 0.35], dim=1)
    target = {"boxes": boxes, "labels": torch.randint(1, CLASSES[name], (objects,))}
    if name == "mask":
        target["masks"] = torch.zeros(objects, height, width, dtype=torch.uint8)
        for mask, (x1, y1, x2, y2) in zip(target["masks"], boxes.int().tolist(), strict=True):
            mask[y1:y2, x1:x2] = 1
    if name == "keypoint":
        place = boxes[:, None, :2] + torch.rand(objects, KEYPOINTS, 2) * (boxes[:, None, 2:] - boxes[:, None, :2])
        target["keypoints"] = torch.cat([place, torch.ones(objects, KEYPOINTS, 1)], dim=2)
    return [image], [target]


def poolers(model: nn.Module) -> dict[str, MultiScaleRoIAlign]:
    return {name: one for name, one in model.named_modules() if isinstance(one, MultiScaleRoIAlign)}


@contextlib.contextmanager
def timed_poolers(model: nn.Module, times: Times) -> Iterator[None]:
    started = 0.0

    def before(*_: object) -> None:
        nonlocal started
        started = time.perf_counter()

    def after(*_: object) -> None:
        times.poolers += (time.perf_counter() - started) * 1e3

    hooks = [hook for one in poolers(model).values() for hook in hooks_of(one, before, after)]
    yield
    for hook in hooks:
        hook.remove()


def hooks_of(
    module: nn.Module, before: Callable[..., None], after: Callable[..., None]
) -> list[torch.utils.hooks.RemovableHandle]:
    return [module.register_forward_pre_hook(before), module.register_forward_hook(after)]


def infer(model: nn.Module, images: list[Tensor], _: object) -> None:
    model.eval()
    with torch.no_grad():
        model(images)


def train(model: nn.Module, images: list[Tensor], targets: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    model.train()
    for one in model.modules():
        # As in fine-tuning. Statistics of a single picture would blow rounding up a thousandfold on the way back.
        if isinstance(one, nn.BatchNorm2d):
            one.eval()
    model.zero_grad()
    torch.manual_seed(2)  # which proposals are sampled
    losses = model(images, targets)
    sum(losses.values()).backward()
    return losses


def measure(model: nn.Module, step: Callable[..., object], images: list[Tensor], targets: object) -> Times:
    times = Times()
    with (
        torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile,
        timed_poolers(model, times),
    ):
        started = time.perf_counter()
        step(model, images, targets)
        times.whole = (time.perf_counter() - started) * 1e3
    events = {event.key: event.cpu_time_total / 1e3 for event in profile.key_averages()}
    times.forward, times.backward = (sum(events.get(name, 0.0) for name in names) for names in (FORWARD, BACKWARD))
    return times


def largest_difference(actual: Tensor, expected: Tensor) -> float:
    """Relative to the largest expected value."""
    scale = expected.abs().max().item() if expected.numel() else 0.0
    return (actual - expected).abs().max().item() / scale if scale else float(actual.abs().sum())


def compare_pooled(
    model: nn.Module, step: Callable[..., object], images: list[Tensor], targets: object
) -> dict[str, tuple[int, float]]:
    """For each pooler: boxes, and the largest difference of what it makes of the same maps and boxes."""
    calls = []
    hooks = [
        one.register_forward_hook(lambda _, args, result, name=name: calls.append((name, args, result.detach())))
        for name, one in poolers(model).items()
    ]
    step(model, images, targets)
    for hook in hooks:
        hook.remove()
    modules = poolers(model)
    with roialign_rs.torch.accelerate(), torch.no_grad():
        return {name: (len(result), largest_difference(modules[name](*args), result)) for name, args, result in calls}


def compare_training(model: nn.Module, images: list[Tensor], targets: list[dict[str, Tensor]]) -> tuple[float, float]:
    """Largest difference of a loss, relative to it, and of a gradient, relative to the largest of all.

    Rounding that carries one ReLU across its kink moves the gradients of a small head by 1e-4 of their own largest;
    noise of one unit in the last place on torchvision's own pooled features does the same.
    """
    losses = [train(model, images, targets)]
    expected = {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}
    with roialign_rs.torch.accelerate():
        losses.append(train(model, images, targets))
    largest = max(one.abs().max().item() for one in expected.values())
    actual = dict(model.named_parameters())
    difference = max((actual[name].grad - one).abs().max().item() for name, one in expected.items())
    return max(abs((losses[1][name] / losses[0][name]).item() - 1) for name in losses[0]), difference / largest


def report(title: str, plain: list[Times], ours: list[Times]) -> Iterator[list[str]]:
    """Lines of the table."""

    def row(what: str, of: Callable[[Times], float]) -> list[str]:
        before, after = (statistics.median(of(one) for one in runs) for runs in (plain, ours))
        ratio = f"{before / after:.1f} x" if after else ""
        return [f"{title}: {what}", f"{before:.1f}", f"{after:.1f}", ratio]

    yield row("poolers", lambda one: one.poolers)
    yield row("operators", lambda one: one.forward)
    if any(one.backward for one in plain):
        yield row("gradients", lambda one: one.backward)
        yield row("poolers and gradients", lambda one: one.poolers + one.backward)
    yield row("whole model", lambda one: one.whole)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--size", nargs=2, type=int, default=(800, 1216), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the table between this page's markers")
    options = parser.parse_args()

    if options.page:
        pages.split(options.page, "torchvision")  # no minutes are spent for a page without markers
    where = machine.name(min(torch.get_num_threads(), ra.get_num_threads()))
    software = machine.software({"torch": torch.__version__, "torchvision": torchvision.__version__})
    print(f"{where}\n{software}\n")
    results = {}
    for name in options.models:
        model = make(name)
        # The transform would enlarge smaller pictures to its own size.
        model.transform.min_size, model.transform.max_size = (min(options.size),), max(*options.size, 1333)
        images, targets = make_inputs(name, *options.size)
        counts = {}
        for title, step in (("inference", infer), ("training", train)):
            pooled = compare_pooled(model, step, images, targets)
            counts[title] = " + ".join(str(boxes) for boxes, _ in pooled.values())
            for pooler, (boxes, difference) in pooled.items():
                print(f"{name}, {title}: {pooler} of {boxes} boxes differs by {difference:.1e}")
                assert boxes > 0
                assert difference <= 1e-5
        loss, gradient = compare_training(model, images, targets)
        print(f"{name}, training: losses differ by {loss:.1e}, gradients by {gradient:.1e} of the largest")
        assert gradient <= 1e-4
        for title, step in (("inference", infer), ("training", train)):
            plain, ours = [], []
            for _ in range(options.repeats):  # in turn, so that a busy machine is unfair to both
                plain.append(measure(model, step, images, targets))
                with roialign_rs.torch.accelerate():
                    ours.append(measure(model, step, images, targets))
            results[f"{name}, {title}, {counts[title]} boxes"] = (plain, ours)
    table = markdown(HEADER, [row for title, runs in results.items() for row in report(title, *runs)])
    print(f"\n{table}\n\n{HEADINGS}")
    if options.page:
        height, width = options.size
        text = f"{table}\n\nA picture of {height} x {width}; medians of {options.repeats} rounds; {software}."
        pages.write_section(options.page, "torchvision", where, text, HEADINGS)


if __name__ == "__main__":
    main()
