"""Time roi_align called from JAX beside the same call on NumPy arrays: what the way through the host costs.

    python benches/python/compare_jax.py
    python benches/python/compare_jax.py --repeats 30 --page docs/jax.md

Results are compared first: they are the same to the last bit.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np

import roialign_rs as ra
from roialign_rs._bench import machine, pages, workloads
from roialign_rs._bench.problem import Array, Problem, check, ours
from roialign_rs._bench.table import markdown, milliseconds
from roialign_rs._bench.timing import interleave, wall
from roialign_rs.jax import roi_align

ROWS = "s1,s4,5,1"
COLUMNS = ("NumPy forward", "JAX forward", "NumPy gradient", "JAX gradient")
HEADINGS = """\
* workload: number and what is pooled.
* NumPy forward, NumPy gradient: milliseconds of `roi_align` and of `roi_align_backward` on NumPy arrays.
* JAX forward, JAX gradient: milliseconds of `roialign_rs.jax.roi_align` under `jit`, and of the gradient of its sum for
  the features, until the result is there."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default=ROWS, help="ids of workloads, with commas between (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=15, help="rounds (default: %(default)s)")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the table between this page's markers")
    options = parser.parse_args()
    if options.page:
        pages.split(options.page, "jax")  # no minutes are spent for a page without markers
    rows = {row.id: row for row in workloads.load()}
    lines = []
    for row in (rows[name] for name in options.rows.split(",")):
        seconds = measure(Problem.of(row), options.repeats)
        lines.append([f"{row.id} {row.label}", *(milliseconds(seconds[name]) for name in COLUMNS)])
    table = markdown(["workload (ms)", *COLUMNS], lines)
    where, software = machine.name(ra.get_num_threads()), machine.software({"jax": jax.__version__})
    print(f"{where}\n{software}\n\n{table}\n\n{HEADINGS}")
    if options.page:
        text = f"{table}\n\nMedians of {options.repeats} rounds; {software}."
        pages.write_section(options.page, "jax", where, text, HEADINGS)


def measure(problem: Problem, repeats: int) -> dict[str, float]:
    """Seconds by column; results are compared first."""
    ones = np.ones(problem.pooled_shape, np.float32)
    options = {"spatial_scale": problem.row.spatial_scale, "sampling_ratio": problem.row.sampling_ratio}
    features, boxes = jax.numpy.asarray(problem.features), jax.numpy.asarray(problem.boxes)
    size = tuple(problem.row.output_size)

    def pooled(features: jax.Array, boxes: jax.Array) -> jax.Array:
        return roi_align(features, boxes, size, **options)

    forward, gradient = jax.jit(pooled), jax.jit(jax.grad(lambda *arrays: pooled(*arrays).sum()))
    calls: tuple[Callable[[], Array], ...] = (
        lambda: ours(problem),
        lambda: forward(features, boxes).block_until_ready(),
        lambda: ra.roi_align_backward(ones, problem.boxes, problem.features.shape, **options),
        lambda: gradient(features, boxes).block_until_ready(),
    )
    for numpy, other, what in ((calls[0], calls[1], "forward"), (calls[2], calls[3], "gradient")):
        check(np.asarray(other()), numpy(), 0.0, f"JAX's {what}, workload {problem.row.id}")
    return interleave(dict(zip(COLUMNS, map(wall, calls), strict=True)), repeats)


if __name__ == "__main__":
    main()
