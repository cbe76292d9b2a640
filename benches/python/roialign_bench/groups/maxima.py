"""Maxima: of samples, of weighted corners, and RoI pooling."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from roialign_bench.goals import Goal, Measurement, mean, ratios
from roialign_bench.groups.forward import ROWS
from roialign_bench.session import Group, Session
from roialign_rs._bench.problem import Operator, Problem, check, ours
from roialign_rs._bench.timing import Sampler, wall
from roialign_rs._bench.workloads import Workload

OPERATORS: tuple[Operator, ...] = ("max", "onnx_max", "roi_pool")
POOL_ROWS = ("1", "5")


def measure(session: Session) -> Iterator[Measurement]:
    """Every operator with out=, beside the peers that have it."""
    for workload in session.rows(ROWS):
        samplers: dict[str, Sampler] = {}
        for op in OPERATORS:
            if op != "roi_pool" or workload.id in POOL_ROWS:
                samplers |= _beside_peers(session, workload, op)
        yield session.time(workload, samplers)


def _beside_peers(session: Session, workload: Workload, op: Operator) -> dict[str, Sampler]:
    problem = Problem.of(workload, op)
    expected, out = ours(problem), problem.output()
    check(ours(problem, out=out), expected, 0.0, f"{op}, out= against a fresh result")
    peers = session.peer_samplers(problem, expected)
    return {op: wall(lambda: ours(problem, out=out)), **{f"{name} {op}": peer for name, peer in peers.items()}}


def goals(measured: Sequence[Measurement]) -> list[Goal]:
    """Each against the library whose maximum it is."""
    found: list[Goal] = []
    for op, peer in (("max", "openvino"), ("onnx_max", "onnxruntime")):
        quotients = ratios(measured, f"{peer} {op}", op)
        found.append(Goal(f"{op}: {peer} / ours", 8, 20, quotients, {"6": 4}))
        found.append(Goal("the same, all rows", 12, 20, mean(quotients)))
    for peer in ("torchvision", "onnxruntime"):
        found.append(Goal(f"roi_pool: {peer} / ours", 15, 40, ratios(measured, f"{peer} roi_pool", "roi_pool")))
    return found


GROUP = Group("roi_align with max and onnx_max, and roi_pool, beside other libraries", measure, goals)
