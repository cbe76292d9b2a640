"""Write docs/article.md and its pictures; every number in them is computed here.

``python docs/make_article.py`` writes both, `page` makes the text alone. Examples are run as they stand on the page and
followed by what they print; numbers in the prose and in tables are formatted from results.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from article_parts import (
    ARTICLE,
    BOX,
    BOXES,
    ON_MAP,
    RULES,
    SIDES,
    VALUES,
    as_code,
    draw_pictures,
    example,
    filled,
    region,
    rounding_cost,
    size,
    table,
    unread,
)

import roialign_rs as ra

DOCS = Path(__file__).parent


def main() -> None:
    (DOCS / "article.md").write_text(page(), encoding="utf-8")
    draw_pictures(DOCS / "images")


def page() -> str:
    names: dict[str, Any] = {"np": np, "ra": ra}
    parts: list[str] = []
    for section in (introduction, mapping, pooling, aligning, coverage, small_objects, values):
        parts += section(names)
    return "\n\n".join(map(filled, parts)) + "\n"


def introduction(names: dict[str, Any]) -> Iterator[str]:
    yield "<!-- Written by docs/make_article.py. Change it there and run `make article`. -->"
    yield "# RoI pooling and RoI Align, number by number"
    yield """
A detector has found a box and wants a small array of fixed size, say 3 x 3, from the part of the feature map that lies
under it. *RoI pooling* rounds the box to whole cells of the map, rounds again to cut it into bins, and takes the
largest value of each bin. *RoI Align* rounds neither: it reads the map at a few points of each exact bin, interpolating
between the four nearest cell centres, and pools what it reads.

This page follows "the article", a Chinese explanation of RoI Align "in 10 seconds, 1 minute, 10 minutes", with this
library. Every example was run when the page was made, and what it printed is shown below it. Coordinates are cells of
the map with x before y: cell 9 covers [9, 10), its centre is 9.5, and ends are exclusive."""
    yield """
The article's rules are not the defaults: it drops the cells that do not divide evenly among the bins (`"truncate"`), and
reads each bin at 2 x 2 points that stand at its thirds (`"interior"`)."""
    yield example(names, f"import numpy as np\nimport roialign_rs as ra\n\narticle = {as_code(ARTICLE)}")


def mapping(names: dict[str, Any]) -> Iterator[str]:
    e = ra.explain(BOX, 3, **ON_MAP, **ARTICLE)
    width, height = e.mapped_box[2:] - e.mapped_box[:2]
    yield "## The box on the map"
    yield f"""
The picture has 512 x 512 pixels, the map 16 x 16 cells, so one cell stands for 32 pixels each way. The box is
{BOX[2] - BOX[0]} pixels wide and {BOX[3] - BOX[1]} high. Its corner lands {e.mapped_box[0]:g} cells from the left and
{e.mapped_box[1]:g} from the top, and neither side is a whole number of cells: {width:g} x {height:g}, an area of
{e.roi_area:.3f} cells."""
    yield example(
        names,
        f"""
        e = ra.explain({BOX}, 3, spatial_scale=1 / 32, map_size=16, **article)
        print(e.mapped_box, e.roi_area)
        """,
    )


def pooling(names: dict[str, Any]) -> Iterator[str]:
    e = names["e"]
    share = e.loss_area / e.roi_area
    yield "## RoI pooling rounds twice"
    yield example(names, "print(e.quantised_box, e.pooled_region)\nprint(e.pooled_bins[0])")
    yield f"""
The first rounding, when the box is mapped, cuts it down to {size(e.quantised_box)} cells at
({e.quantised_box[0]}, {e.quantised_box[1]}). The second, when it is divided into 3 x 3 bins, rounds the bins down to
{size(e.pooled_bins[0, 0])} cells, so the last row of cells is in no bin. Both cost feature cells that belong to the
object, and the first also takes in a strip that does not:"""
    yield table(
        ("", "cells", "lost", "gained"),
        (
            ("first rounding", region(e.quantised_box), f"{e.first_loss_area:.3f}", f"{e.first_gain_area:.3f}"),
            ("second rounding", region(e.pooled_region), f"{e.second_loss_area:.3f} more", ""),
            ("together", f"{share:.1%} of {e.roi_area:.3f} lost", f"{e.loss_area:.3f}", f"{e.gain_area:.3f}"),
        ),
    )
    yield f"""
The gain shrinks from {e.first_gain_area:.3f} to {e.gain_area:.3f} because part of the strip was in the row that no bin
takes. `e.loss_mask` and `e.gain_mask` hold the same areas cell by cell, and `e.plot()` draws them: dark blue is lost by
the first rounding, light blue by the second, green is gained."""
    yield "![RoI pooling and RoI Align on the same box](images/box.png)"


def aligning(names: dict[str, Any]) -> Iterator[str]:
    e = names["e"]
    bin_width, bin_height = e.bins[0, 0, 2:] - e.bins[0, 0, :2]
    first = e.sample_points[0, 0]
    yield "## RoI Align rounds nothing"
    yield f"""
The same box is divided as it is: every bin is {bin_width:.2f} wide and {bin_height:.2f} high. The article puts four
points into each, at one third and two thirds of its sides:"""
    yield example(names, "print(e.sample_points[0, 0].round(2))")
    yield f"""
The first is x = {e.mapped_box[0]:g} + {bin_width:.3f} / 3 = {first[0, 0, 0]:.2f}, y =
{e.mapped_box[1]:g} + {bin_height:.3f} / 3 = {first[0, 0, 1]:.2f}. (The article once prints this x as 9.44; its formula
and its other figures say {first[0, 0, 0]:.2f}.) Each point is read between the four nearest cell centres:"""
    rows = []
    for point, taps, weights in zip(
        *(part[0, 0].reshape(4, -1) for part in (e.sample_points, e.tap_indices, e.tap_weights)), strict=True
    ):
        centres = (taps.reshape(4, 2) + 0.5).tolist()
        rows.append(
            [f"({point[0]:.2f}, {point[1]:.2f})"]
            + [f"({x}, {y}) x {w:.3f}" for (x, y), w in zip(centres, weights, strict=True)]
        )
    yield table(("point", "top left", "top right", "bottom left", "bottom right"), rows)
    yield """
A map that holds its own x coordinate shows that nothing is rounded on the way. The mean of the points of a bin is the
exact x of the bin's centre, and the maximum, which the article takes, is the x of its rightmost points:"""
    yield example(
        names,
        f"""
        x = np.broadcast_to(np.arange(16) + 0.5, (1, 1, 16, 16))
        options = dict(spatial_scale=1 / 32, sampling_ratio=2, sample_points="interior")
        print(ra.roi_align(x, [{BOX}], 3, **options)[0, 0, 0], (e.bins[0, :, 0] + e.bins[0, :, 2]) / 2)
        print(ra.roi_align(x, [{BOX}], 3, mode="max", **options)[0, 0, 0])
        """,
    )
    yield "Every channel is treated alike, so the article's map of 512 channels gives 512 times 3 x 3 values:"
    yield example(
        names,
        f"""
        features = np.random.default_rng(0).random((1, 512, 16, 16), np.float32)
        print(ra.roi_align(features, [{BOX}], 3, mode="max", **options).shape)
        """,
    )
    centred = ra.explain(BOX, 3, **ON_MAP, sampling_ratio=2).sample_points[0, 0]
    yield f"""
Thirds are the article's. Released libraries put two points at one quarter and three quarters, here x =
{centred[0, 0, 0]:.2f} and {centred[0, 1, 0]:.2f}, y = {centred[0, 0, 1]:.2f} and {centred[1, 0, 1]:.2f}, and take their
mean unless told otherwise. So does this library: `sample_points="center"`, `mode="avg"`."""
    shifted = ra.explain(BOX, 3, **ON_MAP, **ARTICLE, aligned=False).sample_points[0, 0, 0, 0]
    yield f"""
That the centre of a cell is at one half is `aligned=True`. With `aligned=False`, the older rule and torchvision's
default, every point lies half a cell further right and down: the first at ({shifted[0]:.2f}, {shifted[1]:.2f})."""


def coverage(names: dict[str, Any]) -> Iterator[str]:
    e = names["e"]
    empty = np.argwhere((e.box_cells > 0) & (e.sample_cells == 0))
    rows, columns = (np.unique(part).tolist() for part in empty.T)
    yield "## Cells without a point still count"
    yield f"""
Not every cell of the box has a point inside. {len(empty)} have none: those of columns
{", ".join(map(str, columns))} in rows {rows[0]} to {rows[-1]}. All of them carry weight nevertheless, through points in
neighbouring cells: the point ({e.sample_points[0, 0, 0, 1, 0]:.2f}, {e.sample_points[0, 0, 0, 1, 1]:.2f}) is in cell
(10, 6) and reads cells (11, 6) and (11, 7) too."""
    yield example(
        names,
        """
        box = e.box_cells > 0
        print(box.sum(), "cells in the box")
        print((box & (e.sample_cells == 0)).sum(), "without a point")
        print((box & (e.aligned_weight == 0)).sum(), "without weight")
        print(e.sample_cells[6:11, 9:16])
        print(e.aligned_weight[6:11, 9:16].round(2))
        """,
    )
    quarters = ra.explain(BOX, 3, **ON_MAP, sampling_ratio=2)
    without, unweighted = (
        np.count_nonzero((quarters.box_cells > 0) & (plane == 0))
        for plane in (quarters.sample_cells, quarters.aligned_weight)
    )
    yield f"""
With points at the quarters {without} cells hold no point and {unweighted} have no weight. So RoI Align draws on the
whole of this box, and RoI pooling on {1 - e.loss_area / e.roi_area:.0%} of it. It is not so for every box: 2 x 2 points
reach at most 4 cells each way, and a bin can be larger. This is the part of a box that gets no weight at all (pooled to
3 x 3; mean of {BOXES} random boxes whose sides are within a quarter of the given one):"""
    sides = SIDES[3:]
    yield table(
        ("side in cells", *map(str, sides)),
        [
            (name, *(f"{unread(side, ratio):.0%}" for side in sides))
            for name, ratio in (("2 x 2 points", 2), ("adaptive (`sampling_ratio=0`)", 0))
        ],
    )
    yield """
The adaptive rule, one point per cell, is the default of `roi_align` and of `explain` and leaves nothing out. The whole explanation also
prints as text, and `python -m roialign_rs explain` does so for a picture of yours:"""
    yield example(names, "print(e)")


def small_objects(names: dict[str, Any]) -> Iterator[str]:
    yield "## Why small objects suffer most"
    yield """
Rounding moves an edge by up to a cell or two, whatever the size of the box. What it costs grows with the circumference,
so it weighs the more the smaller the area is. This is what RoI pooling loses and gains, in percent of the box, under
the four rules of `quantization` (pooled to 3 x 3; means over the same random boxes):"""
    costs = {(side, rule): rounding_cost(side, rule) for side in SIDES for rule in RULES}
    yield table(
        ("side in cells", *(f"`{rule}` lost / gained" for rule in RULES)),
        [(f"{side:g}", *(" / ".join(f"{cost:.0%}" for cost in costs[side, rule]) for rule in RULES)) for side in SIDES],
    )
    yield """
`truncate` is the article's, and the only one whose second rounding loses cells; boxes below three cells it makes
larger, because each of the three bins takes at least one. `caffe` counts the cell at the end of a box as a part of it,
`mmcv` rounds every edge outwards, and in both bins overlap: they lose little or nothing, and take in a border instead.
RoI Align rounds nothing, so it neither loses nor gains by rounding at any size."""
    yield "![Loss and gain against the size of the box](images/small.png)"


def values(names: dict[str, Any]) -> Iterator[str]:
    yield "## Values: one region, four roundings"
    code = "\n".join(f"    {row}" for row in VALUES.split("\n")[1:-1])
    yield "One of the article's figures pools a region 7 wide and 5 high, the box (0, 3)-(7, 8) of this map, to 2 x 2:"
    yield example(
        names,
        f'values = np.array("""\n{code}\n""".split(), float).reshape(1, 1, 8, 8)\n'
        'print(ra.roi_pool(values, [(0, 3, 7, 8)], 2, quantization="floor")[0, 0])',
    )
    yield """
That is the figure's result. Other roundings see other cells, even though the box lies on the grid:"""
    lines = []
    features = names["values"]
    for box, rule in [((0, 3, 7, 8), rule) for rule in ("floor", "truncate", "caffe", "mmcv")] + [
        ((0, 3, 6, 7), "caffe")
    ]:
        pooled = ra.roi_pool(features, [box], 2, quantization=rule)[0, 0]
        bins = ra.explain(box, 2, map_size=8, quantization=rule).pooled_bins
        columns, rows = (" ".join(f"[{b[i]}, {b[i + 2]})" for b in part) for i, part in ((0, bins[0]), (1, bins[:, 0])))
        lines.append(
            (str(box), f"`{rule}`", columns, rows, " / ".join(" ".join(f"{v:.2f}" for v in row) for row in pooled))
        )
    yield table(("box", "`quantization`", "columns of the bins", "rows of the bins", "result"), lines)
    yield """
`caffe` is what torchvision, ONNX Runtime and OpenVINO do. It takes both ends of a box as cells that belong to it, so
the region of the figure is (0, 3, 6, 7) there, and (0, 3, 7, 8) means one more column and one more row. It also
rounds the start of a bin down and its end up, so neighbouring bins share cells: the top right bin reaches row 5, where 0.96 is.
For (0, 3, 7, 8) the lower bins begin at row 6 and miss it, which leaves 0.91."""
    yield example(
        names,
        """
        for box in (0, 3, 6, 7), (0, 3, 7, 8):
            print(box, ra.roi_pool(values, [box], 2).ravel())
        """,
    )
    yield "RoI Align on the same box, largest point of each bin, at thirds and at quarters:"
    yield example(
        names,
        """
        for places in "interior", "center":
            pooled = ra.roi_align(values, [(0, 3, 7, 8)], 2, sampling_ratio=2, mode="max", sample_points=places)
            print(places, pooled.ravel().round(3))
        """,
    )
    yield "![The region on the map of values](images/values.png)"
    box = (1.75, 3, 6.75, 6.5)
    pooled = ra.roi_pool(features, [box], 2, quantization="floor")[0, 0, 0, 0]
    aligned = ra.roi_align(features, [box], 2, sampling_ratio=2, mode="max", sample_points="interior")[0, 0, 0, 0]
    f = ra.explain(box, 2, map_size=8, sampling_ratio=2, quantization="floor", sample_points="interior")
    yield f"""
The article says of another figure, whose map it does not give, that interpolation raises the top-left value from 0.8 to
0.88. The same happens here. Rounding moves the box {box} so that its first bin covers only cells
{region(f.pooled_bins[0, 0])}; the exact bin reaches x = {f.bins[0, 0, 2]:g}, into the cell of {features[0, 0, 3, 3]},
and the top-left value goes from {pooled:.2f} to {aligned:.2f}:"""
    yield example(
        names,
        f"""
        box = {box}
        print(ra.roi_pool(values, [box], 2, quantization="floor")[0, 0])
        print(ra.roi_align(values, [box], 2, sampling_ratio=2, mode="max", sample_points="interior")[0, 0].round(3))
        """,
    )
    yield """
It is no rule: an interpolated value lies between its four neighbours, so on a map as rough as this one the maximum
of a few points is more often the smaller of the two. What RoI Align gains is not larger values but the right place."""


if __name__ == "__main__":
    main()
