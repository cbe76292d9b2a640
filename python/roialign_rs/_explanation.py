"""The result of `explain`: the numbers of one box, with a summary in words and a picture.

The code of both is imported when it is used, so that it does not slow ``import roialign_rs`` down.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from roialign_rs._footprint import Footprint

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Explanation(Footprint):
    """What RoI pooling and RoI Align do to one box. Created by `explain`.

    ``print(explanation)`` gives a summary in words, `plot` a picture.

    Coordinates are in cells of the feature map, x before y. Cell j covers ``[j, j + 1)`` and has its centre at ``j +
    0.5``. Rectangles are ``x1, y1, x2, y2`` with exclusive ends. Shapes: (H, W) is the map, (PH, PW) the output grid,
    and (ry, rx) the samples of a bin. Arrays over the map are computed when they are first used.

    Attributes with "quantised", "pooled", "loss" or "gain" in their name are about RoI pooling. `bins`,
    `sample_points`, the taps and `aligned_weight` are about RoI Align.
    """

    def plot(self, ax: Axes | Sequence[Axes] | None = None) -> Figure:
        """Draw RoI pooling and RoI Align side by side over the cells of the map.

        With ``features``, the values are written into the cells if there is room.

        Parameters
        ----------
        ax : Axes or (Axes, Axes), optional
            Matplotlib axes to draw on: one for each operator, or one that is divided in two. By default a new figure is
            created.

        Returns
        -------
        Figure
            The figure of the axes.

        Raises
        ------
        TypeError
            If ``ax`` is neither one nor two axes.
        ImportError
            If Matplotlib is not installed. Install it with ``pip install 'roialign_rs[plot]'``.
        """
        from roialign_rs._plot import plot_explanation

        return plot_explanation(self, ax)

    def __repr__(self) -> str:
        x1, y1, x2, y2 = self.box
        return (
            f"<Explanation of box ({x1:g}, {y1:g}, {x2:g}, {y2:g}) at scale {self.settings.spatial_scale:g}: "
            f"{self.roi_area:.3f} cells, RoI pooling loses {self.loss_area:.3f} and gains {self.gain_area:.3f}>"
        )

    def __str__(self) -> str:
        from roialign_rs._report import report

        return report(self)
