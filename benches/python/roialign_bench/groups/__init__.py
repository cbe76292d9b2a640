"""Measurements that belong together, one module each."""

from __future__ import annotations

from roialign_bench.groups import (
    backward,
    edges,
    formats,
    forward,
    levels,
    maxima,
    memory,
    plan,
    pyramid,
    scaling,
    small,
)
from roialign_bench.session import Group

GROUPS: dict[str, Group] = {
    "forward": forward.GROUP,
    "small": small.GROUP,
    "formats": formats.GROUP,
    "maxima": maxima.GROUP,
    "backward": backward.GROUP,
    "pyramid": pyramid.GROUP,
    "scaling": scaling.GROUP,
    "levels": levels.GROUP,
    "plan": plan.GROUP,
    "memory": memory.GROUP,
    "edges": edges.GROUP,
    "crowded": scaling.CROWDED,
}
"""In the order in which they are run."""

ALIASES: dict[str, tuple[str, ...]] = {
    "must-hold": tuple(name for name in GROUPS if name not in ("edges", "crowded")),
    "all": tuple(GROUPS),
}
"""Several groups under one name."""
