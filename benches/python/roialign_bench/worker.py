"""A process of its own for one problem: what can only be set, or measured, at the start of one.

Run as a script with a request as its argument. It answers with one line of JSON, and
then with the seconds of one sample for every line that it reads.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

import roialign_rs as ra
from roialign_rs._bench import workloads
from roialign_rs._bench.problem import Problem, ours
from roialign_rs._bench.timing import wall

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def main() -> None:
    """Solve the problem once, then time it as often as asked to."""
    request = json.loads(sys.argv[1])
    try:
        ra.set_num_threads(request["threads"])
        level = ra.simd_level()
    except ValueError as error:
        print(json.dumps({"error": str(error)}))
        return
    (workload,) = (row for row in workloads.load() if row.id == request["row"])
    images, channels, height, width = workload.shape
    problem = Problem.of(replace(workload, shape=(images, channels * request["widen"], height, width)))
    out = problem.output()
    before = memory("VmRSS")
    ours(problem, out=out)
    peak = memory("VmHWM")
    if request["save"]:
        np.save(request["save"], out)
    # Where the peak could not be reset it is the one before the call, if that was higher.
    extra = None if before is None or peak is None else max(peak - before, 0)
    print(json.dumps({"level": level, "extra": extra}), flush=True)
    sample = wall(lambda: ours(problem, out=out))
    for _ in sys.stdin:
        print(sample(), flush=True)


def memory(name: str) -> int | None:
    """Bytes that this process has ("VmRSS", and forget its peak), or had at most ("VmHWM"); None where nobody tells."""
    try:
        if name == "VmRSS":
            CLEAR.write_text("5")
        lines = STATUS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith(name)]
    return int(found[0]) << 10 if found else None


if __name__ == "__main__":
    main()
