"""What make_article.py builds the page from: the article's inputs, measurements, Markdown and pictures."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import roialign_rs as ra

BOX = (296, 192, 496, 337)
ON_MAP: dict[str, Any] = {"spatial_scale": 1 / 32, "map_size": 16}
ARTICLE: dict[str, Any] = {"sampling_ratio": 2, "sample_points": "interior", "quantization": "truncate"}
VALUES = """
0.88 0.44 0.14 0.16 0.37 0.77 0.96 0.27
0.19 0.45 0.57 0.16 0.63 0.29 0.71 0.70
0.66 0.26 0.82 0.64 0.54 0.73 0.59 0.26
0.85 0.34 0.76 0.84 0.29 0.75 0.62 0.25
0.32 0.74 0.21 0.39 0.34 0.03 0.33 0.48
0.20 0.14 0.16 0.13 0.73 0.65 0.96 0.32
0.19 0.69 0.09 0.86 0.88 0.07 0.01 0.48
0.83 0.24 0.97 0.04 0.24 0.35 0.50 0.91
"""
RULES = ("truncate", "floor", "caffe", "mmcv")
SIDES = (1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32)
"""Typical sides of a box, in cells."""
BOXES = 200
"""Random boxes of each side, over which costs are averaged."""


@functools.cache
def rounding_cost(side: float, rule: Any) -> tuple[float, float]:
    """Return what RoI pooling loses and gains, as parts of the box, averaged over boxes of about this side."""
    boxes = [ra.explain(box, 3, spatial_scale=1 / 32, map_size=48, quantization=rule) for box in random_boxes(side)]
    lost, gained = np.mean([(e.loss_area / e.roi_area, e.gain_area / e.roi_area) for e in boxes], axis=0)
    return float(lost), float(gained)


def unread(side: float, ratio: int) -> float:
    """Return the part of the box to which RoI Align gives no weight, averaged over boxes of about this side."""
    boxes = [ra.explain(box, 3, spatial_scale=1 / 32, map_size=48, sampling_ratio=ratio) for box in random_boxes(side)]
    return float(np.mean([e.box_cells[e.aligned_weight == 0].sum() / e.roi_area for e in boxes]))


def random_boxes(side: float) -> NDArray[np.float64]:
    """Return boxes in pixels of stride 32 that start anywhere in a cell, with sides within a quarter of `side`."""
    random = np.random.default_rng(0)
    corners = random.uniform(3, 4, (BOXES, 2))
    return 32 * np.hstack([corners, corners + side * random.uniform(0.75, 1.25, (BOXES, 2))])


def filled(part: str) -> str:
    """Break the lines of each paragraph, and leave alone what is none."""
    if part.startswith(("#", "|", "```", "!", "<")):
        return part
    return "\n\n".join(textwrap.fill(paragraph, 120) for paragraph in part.strip().split("\n\n"))


def example(names: dict[str, Any], code: str) -> str:
    """Run code in the namespace of the page and show it with what it prints."""
    code = textwrap.dedent(code).strip("\n")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, names)
    shown = f"```python\n{code}\n```"
    return f"{shown}\n\n```text\n{printed.getvalue().rstrip()}\n```" if printed.getvalue() else shown


def as_code(options: dict[str, Any]) -> str:
    """Write options as a call of dict."""
    return "dict(" + ", ".join(f"{name}={json.dumps(value)}" for name, value in options.items()) + ")"


def table(heading: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(heading), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def region(rectangle: NDArray[np.int64]) -> str:
    x1, y1, x2, y2 = rectangle
    return f"[{x1}, {x2}) x [{y1}, {y2})"


def size(rectangle: NDArray[np.int64]) -> str:
    x1, y1, x2, y2 = rectangle
    return f"{x2 - x1} x {y2 - y1}"


def draw_pictures(folder: Path) -> None:
    """Draw what the page shows."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    folder.mkdir(exist_ok=True)
    save = {"dpi": 80, "pil_kwargs": {"optimize": True}}
    ra.explain(BOX, 3, **ON_MAP, **ARTICLE).plot().savefig(folder / "box.png", **save)
    values = np.array(VALUES.split(), float).reshape(8, 8)
    first_figure = ra.explain((0, 3, 7, 8), 2, features=values, **{**ARTICLE, "quantization": "floor"})
    first_figure.plot().savefig(folder / "values.png", **save)

    figure, panels = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained", sharex=True)
    for title, part, panel in zip(("lost", "gained"), (0, 1), panels, strict=True):
        panel.axhline(0, color="black", linewidth=4, label="RoI Align")
        for rule in RULES:
            costs = [100 * rounding_cost(side, rule)[part] for side in SIDES]
            panel.plot(SIDES, costs, marker="o", markersize=4, label=f'RoI pooling, "{rule}"')
        panel.set(xscale="log", xlabel="side of the box, in cells", ylabel="% of the box")
        panel.set_title(f"{title} by rounding", fontweight="bold")
        panel.set_xticks(SIDES, [f"{side:g}" for side in SIDES])
        panel.minorticks_off()
        panel.grid(alpha=0.3)
    panels[0].legend(frameon=False)
    figure.savefig(folder / "small.png", **save)
