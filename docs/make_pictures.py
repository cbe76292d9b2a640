"""Write the pictures of the README and of the operators' pages to docs/images; ``make pictures`` runs it.

Every number in them comes from the operators and from `explain`.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
from pictures import record
from pictures.gradients import draw_gradients
from pictures.multiscale import draw_multiscale
from pictures.roi_align import draw_roi_align
from pictures.roi_pool import draw_roi_pool, draw_roi_pool_rules
from pictures.why import draw_why

IMAGES = Path(__file__).parent / "images"
PICTURES = {
    "why.png": draw_why,
    "roi_align.png": draw_roi_align,
    "roi_pool.png": draw_roi_pool,
    "roi_pool_rules.png": draw_roi_pool_rules,
    "multiscale_roi_align.png": draw_multiscale,
    "gradients.png": draw_gradients,
}


def main() -> None:
    matplotlib.rcdefaults()
    for name, draw in PICTURES.items():
        record.save(draw(), IMAGES / name)
        print(f"{IMAGES / name}: {(IMAGES / name).stat().st_size / 1e3:.0f} KB")


if __name__ == "__main__":
    main()
