"""Measured values, and what they should be."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True)
class Measurement:
    """What was measured on one row of the table: seconds or bytes, by what was measured."""

    row: str
    summary: str
    values: Mapping[str, float]

    def ratio(self, over: str | Sequence[str], under: str) -> float | None:
        """Give a quotient of two values, if there are both; of several names above, the smallest value counts."""
        names = (over,) if isinstance(over, str) else over
        found = [self.values[name] for name in names if name in self.values]
        return min(found) / self.values[under] if found and under in self.values else None


class Quotient(NamedTuple):
    """A column of a table."""

    heading: str
    #: As for `Measurement.ratio`.
    over: str | Sequence[str]
    under: str


def ratios(
    measured: Iterable[Measurement], over: str | Sequence[str], under: str, rows: Sequence[str] | None = None
) -> dict[str, float]:
    """By row, where both were measured."""
    found = {m.row: m.ratio(over, under) for m in measured if rows is None or m.row in rows}
    return {row: ratio for row, ratio in found.items() if ratio is not None}


def mean(values: Mapping[str, float]) -> dict[str, float]:
    """Give the geometric mean, as what a `Goal` takes."""
    if not values:
        return {}
    return {"geometric mean": math.exp(math.fsum(map(math.log, values.values())) / len(values))}


@dataclass(frozen=True)
class Goal:
    """Values by row, with the bound that all must hold and the aim above it."""

    what: str
    bound: float
    aim: float
    values: Mapping[str, float]
    #: Bounds of the rows that have their own.
    exceptions: Mapping[str, float] = field(default_factory=dict)
    #: Less is better.
    at_most: bool = False

    @property
    def verdict(self) -> str:
        """How it went, in one word or two."""
        if not self.values:
            return "not measured"
        if not all(self._holds(value, self.exceptions.get(row, self.bound)) for row, value in self.values.items()):
            return "**not met**"
        return "aim met" if all(self._holds(value, self.aim) for value in self.values.values()) else "met"

    def cells(self) -> list[str]:
        """One line of a table: what, bound, aim, measured, verdict."""
        sign = "≤" if self.at_most else "≥"
        own = "".join(f", row {row}: {bound:g}" for row, bound in self.exceptions.items())
        measured = ", ".join(f"{row}: {value:.3g}" for row, value in self.values.items())
        return [self.what, f"{sign} {self.bound:g}{own}", f"{sign} {self.aim:g}", measured, self.verdict]

    def _holds(self, value: float, bound: float) -> bool:
        return value <= bound if self.at_most else value >= bound
