"""Time roi_align beside other libraries on the table of workloads.

    python benches/python/compare.py --rows 1,3,s1 --repeats 15 --threads 2

All libraries run in this process, on the same arrays, with the same number of threads, in turns. Every result is compared with
ours before anything is timed; a difference beyond rounding ends the run.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import peers
import report
import workloads
from numpy.typing import NDArray
from timing import interleave

import roialign_rs as ra


def main() -> None:
    options = parse_arguments()
    ra.set_num_threads(options.threads)
    libraries, missing = peers.installed(options.threads)
    for reason in missing:
        print(f"not compared: {reason}")
    results = []
    for workload in selected(options.rows):
        results.append(measure(workload, libraries, options.repeats))
        print(f"{workload.id}: {workload.summary}: {results[-1].out * 1e3:.4g} ms", flush=True)
    versions = {"roialign_rs": ra.__version__, **{peer.name: peer.version for peer in libraries}}
    where = report.environment(options.threads, versions)
    table = report.markdown(results, where)
    print(f"\n{table}")
    if options.json:
        text = json.dumps(report.as_json(results, where), indent=2)
        options.json.write_text(text + "\n", encoding="utf-8")
    if options.page:
        report.write_between_markers(options.page, table)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", help="ids of the rows, with commas between (default: all)")
    parser.add_argument("--repeats", type=int, default=15, help="rounds (default: 15)")
    parser.add_argument("--threads", type=int, default=2, help="for every library (default: 2)")
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    parser.add_argument("--page", type=Path, help="write the table between this file's markers")
    return parser.parse_args()


def selected(rows: str | None) -> list[workloads.Workload]:
    """The rows asked for, in the table's order."""
    table = workloads.load()
    if rows is None:
        return table
    ids = rows.split(",")
    if unknown := set(ids) - {workload.id for workload in table}:
        raise SystemExit(f"no such rows: {', '.join(sorted(unknown))}")
    return [workload for workload in table if workload.id in ids]


def measure(workload: workloads.Workload, libraries: list[peers.Peer], repeats: int) -> report.Result:
    """Check every library on one row, then time them."""
    features, boxes = workload.features(), workload.boxes()
    out = np.empty(workload.output_shape, features.dtype)

    def ours(out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        return ra.roi_align(
            features,
            boxes,
            workload.output_size,
            spatial_scale=workload.spatial_scale,
            sampling_ratio=workload.sampling_ratio,
            out=out,
        )

    expected = ours()
    np.testing.assert_array_equal(ours(out), expected, err_msg="out= differs from a fresh result")
    calls = {peer.name: peer.prepare(workload, features, boxes) for peer in libraries}
    for peer in libraries:
        check(calls[peer.name](), expected, peer, workload)
    # NumPy's own copy of as many bytes as the operator must read and write, halved because a copy does both.
    source = np.zeros((features.nbytes + out.nbytes) // 2, np.uint8)
    target = np.ones_like(source)
    seconds = interleave(
        {
            "out": lambda: ours(out),
            "fresh": ours,
            "copy": lambda: np.copyto(target, source),
            **calls,
        },
        repeats,
    )
    return report.Result(
        id=workload.id,
        name=workload.name,
        summary=workload.summary,
        out=seconds["out"],
        fresh=seconds["fresh"],
        copy_floor=seconds["copy"],
        peers={peer.name: seconds[peer.name] for peer in libraries},
    )


def check(actual: peers.Array, expected: peers.Array, peer: peers.Peer, workload: workloads.Workload) -> None:
    """Raise unless a peer's result is ours up to rounding; features are below 1 in size."""
    difference = np.abs(actual - expected)
    # Written so that a NaN fails.
    if not difference.max() <= peer.tolerance:
        where = tuple(map(int, np.unravel_index(difference.argmax(), difference.shape)))
        raise AssertionError(
            f"row {workload.id}, {peer.name} {peer.version}: {actual[where]} at {where}, "
            f"ours {expected[where]}; they may differ by {peer.tolerance}"
        )


if __name__ == "__main__":
    main()
