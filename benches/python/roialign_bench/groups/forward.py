"""``roi_align``'s mean in float32 and NCHW, beside everything that it can be held against."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from roialign_bench.goals import Goal, Measurement, Quotient, mean, ratios
from roialign_bench.session import NAMES, NODE, Group, Page, Session
from roialign_rs._bench.compare import copying
from roialign_rs._bench.problem import Problem, check, ours
from roialign_rs._bench.table import markdown, milliseconds, times
from roialign_rs._bench.timing import wall
from roialign_rs._bench.workloads import Workload

ROWS = ("1", "2", "3", "4", "5", "6")


def measure(session: Session) -> Iterator[Measurement]:
    """Ours into ``out=`` and fresh, a copy of as many bytes, the peers, the peers' node in a network."""
    for workload in session.rows(ROWS):
        problem = Problem.of(workload)
        yield beside_peers(session, workload, problem, in_network=True)


def beside_peers(session: Session, workload: Workload, problem: Problem, in_network: bool = False) -> Measurement:
    """Check and time one problem."""
    expected, out = ours(problem), problem.output()
    check(ours(problem, out=out), expected, 0.0, "out= against a fresh result")
    samplers = {
        "out=": wall(lambda: ours(problem, out=out)),
        "fresh": wall(lambda: ours(problem)),
        "copy": copying(problem.features.nbytes + out.nbytes),
        **session.peer_samplers(problem, expected),
    }
    if in_network:
        samplers |= session.node_samplers(problem, expected)
    return session.time(workload, samplers)


def goals(measured: Sequence[Measurement]) -> list[Goal]:
    """Called from NumPy, inside a network, against the copy floor, and without ``out=``."""
    called, node = ratios(measured, NAMES, "out="), ratios(measured, NODE, "out=")
    copied = ratios(measured, "out=", "copy", ("1", "3", "4", "5"))
    fresh = ratios(measured, "fresh", "out=")
    return [
        Goal("f32 NCHW mean: fastest peer / ours", 15, 25, called, {"6": 7}),
        Goal("the same, all rows", 20, 35, mean(called)),
        Goal("f32 NCHW mean: OpenVINO's node in a network / ours", 1, 4, node),
        Goal("the same, all rows", 2.5, 4, mean(node)),
        Goal("ours / copy floor", 2.5, 1.5, copied, at_most=True),
        Goal("a loop of calls without out= / with it", 1.2, 1, fresh, at_most=True),
    ]


def _page(measured: Sequence[Measurement]) -> str:
    """What a call from NumPy and the operator inside a network take."""
    header = ["workload (ms)", "out=", "fresh", "copy", "OpenVINO in a network", "times as long"]
    rows = []
    for m in measured:
        cells = [milliseconds(m.values[name]) if name in m.values else "-" for name in ("out=", "fresh", "copy", NODE)]
        ratio = m.ratio(NODE, "out=")
        rows.append([f"{m.row} {m.summary}", *cells, "-" if ratio is None else times(ratio)])
    return markdown(header, rows)


HEADINGS = """\
* out=, fresh: milliseconds of our `roi_align` into an array given by the caller, and into a new one.
* copy: milliseconds of one `np.copyto` that reads and writes as many bytes together as features and result have.
* OpenVINO in a network: milliseconds of its operator alone, by OpenVINO's own counters, where it follows a convolution
  and gets its features in the layout of 8 or 16 channels together that convolutions use. "-": no such layout was chosen.
* times as long: as ours with `out=`."""
QUOTIENTS = (
    Quotient("fastest peer / ours", NAMES, "out="),
    Quotient("in-network / ours", NODE, "out="),
    Quotient("ours / copy", "out=", "copy"),
)
GROUP = Group(
    "roi_align, mean, float32, NCHW, beside other libraries and a copy; in-network: OpenVINO's operator after a convolution",
    measure,
    goals,
    quotients=QUOTIENTS,
    page=Page("network", HEADINGS, _page),
)
