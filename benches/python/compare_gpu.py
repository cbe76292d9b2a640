"""Time RoI Align and its gradient on a GPU, beside this package's CPU path and torchvision's CUDA kernels.

    python benches/python/compare_gpu.py --rows f1,f2,1,3 --repeats 50
    python benches/python/compare_gpu.py --rows s1 --repeats 3 --allow-cpu      a smoke check on software Vulkan
    python benches/python/compare_gpu.py --rows f1,f2,1 --page docs/gpu.md      the table of that page

Rows f1 and f2 are feature pyramids, the others those of the table of workloads. Device times are medians of the device's
own timestamps, host times medians of wall time. torchvision is timed with CUDA events on tensors that lie on the GPU,
and so is a copy of the same bytes to the GPU and back, where torch has CUDA. Every result is compared with the CPU path
first.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import roialign_rs as ra
from gpu_problems import Problem, all_problems
from roialign_rs._bench import machine, pages, workloads
from roialign_rs._bench.table import markdown, milliseconds

TOLERANCE = 1e-5
BATCH = 32

COLUMNS = {
    "device": "device",
    "relayout": "relayout",
    "submit": "call returns",
    "wall": "call and wait",
    "batched": f"in a batch of {BATCH}",
    "upload": "upload",
    "round_trip": "NumPy to NumPy",
    "copy": "bytes alone, pinned",
    "cpu": "CPU path",
    "torchvision NCHW": "torchvision NCHW",
    "torchvision NHWC": "torchvision NHWC",
}
"""What is measured, and how it is called in the table that is printed."""

PAGE_COLUMNS = {"wall": "on the device", "round_trip": "from and to NumPy", "cpu": "CPU path", "cuda": "torchvision"}
"""The same for pages; "cuda" is torchvision in the layout that is faster there."""

HEADINGS = """\
* workload: forward pass, or backward pass (the gradient for the features); what is pooled; dtype.
* on the device: milliseconds of a call whose arrays lie on the device, until it has finished.
* from and to NumPy: milliseconds of a call with `device=`, which uploads, computes and downloads.
* CPU path: milliseconds of the same call without a device.
* torchvision: milliseconds of its CUDA kernel, arrays on the GPU; "-" where torch has no CUDA."""


def main() -> None:
    options = parse_arguments()
    if options.page:
        pages.split(options.page, "gpu")  # no minutes are spent for a page without markers
    device = ra.gpu.Device(options.device, allow_cpu=options.allow_cpu)
    wanted = set(options.rows.split(",")) if options.rows else set()
    dtypes = [np.dtype(name) for name in options.dtypes.split(",")]
    lines, page_lines = [], []
    for problem in all_problems(workloads.load(), wanted, dtypes):
        for direction, times in measure(problem, device, options.repeats).items():
            cells = [cell(times.get(name)) for name in COLUMNS]
            page_lines.append([f"{direction}, {problem.summary}, {problem.dtype.name}", *page_cells(times)])
            lines.append([problem.id, problem.summary, problem.dtype.name, direction, *cells])
            print(" | ".join(lines[-1]), flush=True)
    print(f"\n{table(lines)}\n\nMedian times in milliseconds. {describe(device)}.")
    if options.page:
        text = markdown(["workload (ms)", *PAGE_COLUMNS.values()], page_lines)
        text += f"\n\nMedians of {options.repeats} rounds; {machine.software(libraries())}."
        pages.write_section(options.page, "gpu", describe(device), text, HEADINGS)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", help="part of the adapter's name (default: the best one)")
    parser.add_argument("--allow-cpu", action="store_true", help="take a software driver if there is no GPU")
    parser.add_argument("--rows", help="ids of the rows, with commas between (default: all)")
    parser.add_argument("--dtypes", default="float32,float16", help="with commas between (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=30, help="rounds (default: 30)")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write a table between this page's markers")
    return parser.parse_args()


def measure(problem: Problem, device: ra.gpu.Device, repeats: int) -> dict[str, dict[str, float]]:
    """Seconds of both directions, by the names of ``COLUMNS``."""
    maps, grads = problem.maps, problem.grads()
    maps_there, grads_there = [device.features(features) for features in maps], device.features(grads)
    pooled, spread = problem.forward(maps), problem.backward(grads)
    check([problem.forward(maps_there).numpy()], [pooled], maps)
    check([part.numpy() for part in problem.backward(grads_there)], spread, spread)
    outs = [np.empty_like(features) for features in maps]
    timer = Timer(device, repeats)
    forward = timer.times("Sum", maps, lambda: problem.forward(maps_there)) | {
        "round_trip": timer.wall(lambda: problem.forward(maps, device=device, out=pooled)),
        "cpu": timer.wall(lambda: problem.forward(maps, out=pooled)),
        **copy_time([*maps], [pooled], repeats),
    }
    backward = timer.times("Scatter", [grads], lambda: problem.backward(grads_there)) | {
        "round_trip": timer.wall(lambda: problem.backward(grads, device=device, out=outs)),
        "cpu": timer.wall(lambda: problem.backward(grads, out=outs)),
        **copy_time([grads], outs, repeats),
    }
    for channels_last, name in ((False, "torchvision NCHW"), (True, "torchvision NHWC")):
        calls = problem.on_cuda(channels_last)
        if calls is not None:
            forward[name], backward[name] = (cuda_time(call, repeats) for call in calls)
    return {"forward": forward, "backward": backward}


class Timer:
    """Medians of so many rounds on a device."""

    def __init__(self, device: ra.gpu.Device, repeats: int) -> None:
        self.device, self.repeats = device, repeats

    def times(self, shader: str, inputs: list[NDArray[Any]], call: Callable[[], object]) -> dict[str, float]:
        """What concerns a call on arrays that lie on the device, and their upload."""

        def batched() -> None:
            with self.device.batch():
                for _ in range(BATCH):
                    call()

        def upload() -> list[Any]:
            return [self.device.features(array) for array in inputs]

        return {
            "device": self.shaders(call, shader),
            "relayout": self.shaders(upload, "ToQuads"),
            "submit": self.wall(call, between=self.device.synchronize),
            "wall": self.wall(call, wait=True),
            "batched": self.wall(batched, wait=True) / BATCH,
            "upload": self.wall(upload, wait=True),
        }

    def shaders(self, call: Callable[[], object], name: str) -> float:
        """Seconds that shaders of this name run in a call."""

        def once() -> float:
            self.device._core.start_timer()
            call()
            self.device.synchronize()
            return sum(spent for shader, spent in self.device._core.stop_timer() if shader.startswith(name))

        return statistics.median(once() for _ in range(self.repeats))

    def wall(
        self, call: Callable[[], object], *, wait: bool = False, between: Callable[[], object] = lambda: None
    ) -> float:
        """Seconds until a call returns, or until the device has done what it asked for."""

        def once() -> float:
            between()
            start = time.perf_counter()
            call()
            if wait:
                self.device.synchronize()
            return time.perf_counter() - start

        once()
        return statistics.median(once() for _ in range(self.repeats))


def cuda_time(call: Callable[[], object], repeats: int) -> float:
    """Seconds between CUDA events around a call."""
    import torch

    def once() -> float:
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        start.record()
        call()
        end.record()
        torch.cuda.synchronize()
        return float(start.elapsed_time(end)) * 1e-3

    once()
    return statistics.median(once() for _ in range(repeats))


def copy_time(inputs: list[NDArray[Any]], outputs: list[NDArray[Any]], repeats: int) -> dict[str, float]:
    """How long the bytes of a round trip take from and to pinned memory; empty without CUDA."""
    try:
        import torch
    except ImportError:
        return {}
    if not torch.cuda.is_available():
        return {}
    up, down = (
        torch.empty(sum(array.nbytes for array in arrays), dtype=torch.uint8, pin_memory=True)
        for arrays in (inputs, outputs)
    )
    there = [torch.empty_like(host, device="cuda") for host in (up, down)]

    def both() -> None:
        there[0].copy_(up, non_blocking=True)
        down.copy_(there[1], non_blocking=True)

    return {"copy": cuda_time(both, repeats)}


def check(actual: list[NDArray[Any]], expected: list[NDArray[Any]], scale: list[NDArray[Any]]) -> None:
    """End the run if results differ by more than rounding."""
    largest = max(float(np.abs(array).max(initial=0)) for array in scale)
    bound = (TOLERANCE + (2.0**-10 if expected[0].dtype == np.float16 else 0)) * largest
    for ours, theirs in zip(actual, expected, strict=True):
        difference = np.abs(ours.astype(np.float64) - theirs).max(initial=0.0)
        if not difference <= bound:
            raise SystemExit(f"results differ by {difference:g}, more than {bound:g}")


def cell(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1e3:.3g}"


def page_cells(times: dict[str, float]) -> list[str]:
    """The cells of ``PAGE_COLUMNS``."""
    cuda = [times[name] for name in ("torchvision NCHW", "torchvision NHWC") if name in times]
    found = times | ({"cuda": min(cuda)} if cuda else {})
    return [milliseconds(found[name]) if name in found else "-" for name in PAGE_COLUMNS]


def libraries() -> dict[str, str]:
    """Versions of what takes part, where it does."""
    try:
        import torch
        import torchvision
    except ImportError:
        return {}
    return {"torch": torch.__version__, "torchvision": torchvision.__version__} if torch.cuda.is_available() else {}


def table(lines: list[list[str]]) -> str:
    header = ["", "workload", "", "", *COLUMNS.values()]
    rule = ["---"] * 4 + ["---:"] * len(COLUMNS)
    return "\n".join("| " + " | ".join(line) + " |" for line in [header, rule, *lines])


def describe(device: ra.gpu.Device) -> str:
    """The device, and the CPU beside it."""
    software = ", a software driver: these are times of the CPU" if device.info.kind == "cpu" else ""
    return f"{device.info.name} ({device.info.driver}){software}; CPU: {machine.name(ra.get_num_threads())}"


if __name__ == "__main__":
    main()
