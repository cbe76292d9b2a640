"""Time roi_align on a GPU, beside this package's CPU path and torchvision's CUDA kernels.

    python benches/python/compare_gpu.py --rows 1,3 --repeats 50
    python benches/python/compare_gpu.py --rows s1 --repeats 3 --allow-cpu      a smoke check on software Vulkan

Device times are medians of the device's own timestamps; host times are medians of wall time. torchvision is timed with
CUDA events on tensors that lie on the GPU, where torch has CUDA. Every result is compared with the CPU path first.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import roialign_rs as ra
from roialign_rs._bench import report, workloads
from roialign_rs._bench.workloads import Workload

TOLERANCE = 1e-5
BATCH = 32

COLUMNS = {
    "forward": "device",
    "relayout": "relayout",
    "call": "call returns",
    "wall": "call and wait",
    "batched": f"in a batch of {BATCH}",
    "upload": "upload",
    "round_trip": "NumPy to NumPy",
    "cpu": "CPU path",
    "torchvision NCHW": "torchvision NCHW",
    "torchvision NHWC": "torchvision NHWC",
}
"""What is measured, and how it is called in the table."""


def main() -> None:
    options = parse_arguments()
    device = ra.gpu.Device(options.device, allow_cpu=options.allow_cpu)
    chosen = workloads.load()
    if options.rows:
        chosen = [row for row in chosen if row.id in options.rows.split(",")]
    lines = []
    for row in chosen:
        for dtype in (np.float32, np.float16):
            times = measure(row, np.dtype(dtype), device, options.repeats)
            lines.append([row.id, row.summary, np.dtype(dtype).name, *(cell(times.get(name)) for name in COLUMNS)])
            print(" | ".join(lines[-1]), flush=True)
    print(f"\n{table(lines)}\n\nMedian times in milliseconds. {describe(device)}.")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", help="part of the adapter's name (default: the best one)")
    parser.add_argument("--allow-cpu", action="store_true", help="take a software driver if there is no GPU")
    parser.add_argument("--rows", help="ids of the rows, with commas between (default: all)")
    parser.add_argument("--repeats", type=int, default=30, help="rounds (default: 30)")
    return parser.parse_args()


def measure(row: Workload, dtype: np.dtype[Any], device: ra.gpu.Device, repeats: int) -> dict[str, float]:
    """Seconds, by the names of ``COLUMNS``."""
    features, boxes = row.features().astype(dtype), row.boxes()

    def pool(source: Any, **more: Any) -> Any:
        return ra.roi_align(
            source,
            boxes,
            row.output_size,
            spatial_scale=row.spatial_scale,
            sampling_ratio=row.sampling_ratio,
            **more,
        )

    there = device.features(features)
    expected = pool(features)
    check(pool(there).numpy(), expected, features)
    out = np.empty_like(expected)

    def batched() -> None:
        with device.batch():
            for _ in range(BATCH):
                pool(there)
        device.synchronize()

    def waited(call: Callable[[], object]) -> None:
        call()
        device.synchronize()

    device.synchronize()
    times = {
        "forward": device_time(device, lambda: pool(there), repeats, "Sum"),
        "relayout": device_time(device, lambda: device.features(features), repeats, "ToQuads"),
        "call": wall_time(lambda: pool(there), repeats, device.synchronize),
        "wall": wall_time(lambda: waited(lambda: pool(there)), repeats),
        "batched": wall_time(batched, repeats) / BATCH,
        "upload": wall_time(lambda: waited(lambda: device.features(features)), repeats),
        "round_trip": wall_time(lambda: pool(features, device=device, out=out), repeats),
        "cpu": wall_time(lambda: pool(features, out=out), repeats),
    }
    return times | torchvision_times(row, features, boxes, expected, repeats)


def device_time(device: ra.gpu.Device, call: Callable[[], object], repeats: int, shader: str) -> float:
    """Seconds that a shader runs in a call."""
    samples = []
    for _ in range(repeats):
        device._core.start_timer()
        call()
        device.synchronize()
        samples.append(sum(spent for name, spent in device._core.stop_timer() if name.startswith(shader)))
    return statistics.median(samples)


def wall_time(call: Callable[[], object], repeats: int, between: Callable[[], object] = lambda: None) -> float:
    """Seconds until a call returns."""
    samples = []
    call()
    for _ in range(repeats):
        between()
        start = time.perf_counter()
        call()
        samples.append(time.perf_counter() - start)
    return statistics.median(samples)


def torchvision_times(
    row: Workload, features: NDArray[Any], boxes: NDArray[Any], expected: NDArray[Any], repeats: int
) -> dict[str, float]:
    """The same on torchvision's CUDA kernels, for both orders of memory; empty where there are none."""
    try:
        import torch
        import torchvision as tv
    except ImportError:
        return {}
    if not torch.cuda.is_available():
        return {}
    times = {}
    rois = torch.from_numpy(boxes.astype(features.dtype)).cuda()
    for order, name in ((torch.contiguous_format, "NCHW"), (torch.channels_last, "NHWC")):
        there = torch.from_numpy(features).cuda().contiguous(memory_format=order)

        def call(there: Any = there) -> Any:
            return tv.ops.roi_align(there, rois, row.output_size, row.spatial_scale, row.sampling_ratio, True)

        if features.dtype == np.float32:  # in float16 it computes positions in float16, too
            check(call().cpu().numpy(), expected, features)
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        samples = []
        for _ in range(repeats + 1):
            torch.cuda.synchronize()
            start.record()
            call()
            end.record()
            torch.cuda.synchronize()
            samples.append(start.elapsed_time(end) * 1e-3)
        times[f"torchvision {name}"] = statistics.median(samples[1:])
    return times


def check(actual: NDArray[Any], expected: NDArray[Any], features: NDArray[Any]) -> None:
    """End the run if results differ by more than rounding."""
    bound = (TOLERANCE + (2.0**-11 if features.dtype == np.float16 else 0)) * float(np.abs(features).max())
    difference = np.abs(actual.astype(np.float64) - expected).max(initial=0.0)
    if not difference <= bound:
        raise SystemExit(f"results differ by {difference:g}, more than {bound:g}")


def cell(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1e3:.3g}"


def table(lines: list[list[str]]) -> str:
    header = ["", "N,C,H,W; boxes; bins; sampling", "", *COLUMNS.values()]
    rule = ["---"] * 3 + ["---:"] * len(COLUMNS)
    return "\n".join("| " + " | ".join(line) + " |" for line in [header, rule, *lines])


def describe(device: ra.gpu.Device) -> str:
    info = device.info
    return f"{info.name} ({info.driver}), {report.cpu_model()}, roialign_rs {ra.__version__}"


if __name__ == "__main__":
    main()
