"""The two pictures of the demo."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import matplotlib.pyplot as plt
import numpy as np
from filters import halve, planes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

import roialign_rs as ra

Array = NDArray[np.float32]
Boxes = Mapping[str, tuple[float, float, float, float]]


def draw_explanation(picture: NDArray[np.uint8], pyramid: Mapping[int, Array], boxes: Boxes) -> Figure:
    """Show the photograph with the cells of the coarsest map, and what both operators do to the face."""
    stride = 32
    features = pyramid[stride]
    # Four points a bin, and the rounding that loses most: a picture that can be read at a glance.
    explanation = ra.explain(
        boxes["face"],
        3,
        spatial_scale=1 / stride,
        sampling_ratio=2,
        quantization="truncate",
        features=features[0, 0],
    )
    figure = plt.figure(figsize=(19, 7.4))
    panels = figure.subplots(1, 3, width_ratios=(0.9, 1.2, 1.2))
    figure.subplots_adjust(left=0.02, right=0.99, top=0.93, bottom=0.17, wspace=0.08)
    panels[0].imshow(picture)
    height, width = picture.shape[:2]
    panels[0].vlines(np.arange(0, width, stride), 0, height, color="white", linewidth=0.5, alpha=0.6)
    panels[0].hlines(np.arange(0, height, stride), 0, width, color="white", linewidth=0.5, alpha=0.6)
    for name, (x1, y1, x2, y2) in boxes.items():
        style = (
            {"edgecolor": "#d62728", "linewidth": 2.5} if name == "face" else {"edgecolor": "#ffd84d", "linewidth": 1.5}
        )
        panels[0].add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, **style))
    panels[0].set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    panels[0].set_title(f"The boxes, and the cells of stride {stride}", fontsize=13, fontweight="bold")
    panels[0].set_xlabel("numbers in the cells: channel 0, blurred brightness", fontsize=11)
    explanation.plot(panels[1:])
    return figure


def draw_crops(picture: NDArray[np.uint8], pyramid: Mapping[int, Array], boxes: Boxes) -> Figure:
    """Show every box as the photograph has it and as both operators return it, in colours and in features."""
    stride, size = 4, 28
    features = pyramid[stride]
    colours = halve(halve(planes(picture)))[None]
    to_rgb = principal_colours(features)
    corners = np.array(list(boxes.values()), np.float32)
    scale = 1 / stride
    columns = {
        "photograph": [picture[int(y1) : int(y2), int(x1) : int(x2)] for x1, y1, x2, y2 in corners],
        "colours\nroi_pool": crops(ra.roi_pool(colours, corners, size, spatial_scale=scale, mode="avg")),
        "colours\nroi_align": crops(ra.roi_align(colours, corners, size, spatial_scale=scale)),
        "features\nroi_pool": to_rgb(crops(ra.roi_pool(features, corners, size, spatial_scale=scale))),
        "features\nroi_align": to_rgb(crops(ra.roi_align(features, corners, size, spatial_scale=scale))),
    }
    figure, axes = plt.subplots(len(columns), len(boxes), figsize=(2.0 * len(boxes), 2.0 * len(columns) + 0.6))
    figure.subplots_adjust(left=0.06, right=0.995, top=0.94, bottom=0.01, wspace=0.04, hspace=0.04)
    for row, (title, images) in zip(axes, columns.items(), strict=True):
        for panel, image in zip(row, images, strict=True):
            panel.imshow(image, aspect="auto", interpolation="nearest")
            panel.set(xticks=[], yticks=[])
        row[0].set_ylabel(title, fontsize=12)
    for panel, name in zip(axes[0], boxes, strict=True):
        panel.set_title(name, fontsize=12)
    figure.suptitle(f"every box pooled to {size} x {size} from the maps of stride {stride}", fontsize=14, y=0.995)
    return figure


def crops(pooled: Array) -> Array:
    """(K, C, H, W) to (K, H, W, C)."""
    return pooled.transpose(0, 2, 3, 1)


def principal_colours(features: Array) -> Callable[[Array], Array]:
    """Return a function that shows the three directions in which features vary most as red, green and blue."""
    cells = features[0].reshape(features.shape[1], -1).T
    mean, deviation = cells.mean(0), cells.std(0)
    directions = np.linalg.svd(((cells - mean) / deviation)[::7], full_matrices=False)[2][:3].T
    low, high = np.percentile((cells - mean) / deviation @ directions, (1, 99), axis=0)

    def show(values: Array) -> Array:
        return np.clip(((values - mean) / deviation @ directions - low) / (high - low), 0, 1)

    return show
