"""What was measured, for people to read: Markdown that lines up in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from roialign_rs._bench.compare import COPY, OURS, Comparison

HEADINGS = f"""\
* workload: number, operator, and what it pools. A box, mask or C4 head is the part of a detector that uses the result;
  "adaptive" takes as many samples in a bin as it has cells.
* {OURS}: milliseconds a call takes, from NumPy array to NumPy array; the median of all rounds.
* Other libraries: milliseconds the same call takes there; in brackets, how many times as long that is. "-": the library
  has no such operator. "refused": its result differs from ours by more than rounding, so it is not timed.
* {COPY}: milliseconds of one `np.copyto` that reads and writes as many bytes together as features and result have."""
"""Every heading in a line."""


def markdown(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Give a whole table; columns after the first one are numbers."""
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    return "\n".join([head(names, widths), *(line(cells, widths) for cells in rows)])


def head(names: Sequence[str], widths: Sequence[int]) -> str:
    """Head and rule of a table."""
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return f"{line(names, widths)}\n{line(rule, widths)}"


def line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """One line of a table."""
    return f"| {' | '.join([cells[0].ljust(widths[0]), *map(str.rjust, cells[1:], widths[1:])])} |"


def row(comparison: Comparison, header: Sequence[str]) -> list[str]:
    """Give the cells of a comparison; the headings are the workload, ours, the names of other libraries, and the copy."""
    cells = dict.fromkeys(comparison.refused, "refused")
    for name, seconds in comparison.others.items():
        cells[name] = f"{milliseconds(seconds)} ({times(seconds / comparison.ours)}x)"
    cells |= {OURS: milliseconds(comparison.ours), COPY: milliseconds(comparison.copy)}
    return [comparison.title, *(cells.get(name, "-") for name in header[1:])]


def milliseconds(seconds: float) -> str:
    """Three digits that count."""
    value = seconds * 1e3
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def times(ratio: float) -> str:
    """Two digits that count."""
    return f"{ratio:.0f}" if ratio >= 9.95 else f"{ratio:.1f}"


def summary(found: Sequence[Comparison]) -> str:
    """What was refused, and for each operator how much faster ours is than the fastest other library that has it."""
    text = [f"Refused: {one.title}: {reason}." for one in found for reason in one.refused.values()]
    for operator in dict.fromkeys(one.operator for one in found):
        timed = [one for one in found if one.operator == operator and one.others]
        ratios = [min(one.others.values()) / one.ours for one in timed]
        if ratios:
            span = " to ".join(dict.fromkeys((times(min(ratios)), times(max(ratios)))))
            text.append(f"{operator} is {span} times as fast as the fastest other library.")
    return "\n".join(text)
