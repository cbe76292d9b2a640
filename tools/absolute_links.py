"""Writes a copy of README.md with absolute links: python tools/absolute_links.py COPY.

In the repository, links are relative to the file. A package index shows the text without the files around it, so there
each link starts with the address of the repository, ``project.urls.Repository`` in pyproject.toml.
"""

import re
import sys
from pathlib import Path

PICTURES = (".gif", ".jpg", ".png", ".svg", ".webp")
LINK = re.compile(
    r"""(?P<opening>\]\(             # [text](target) and ![text](target)
        | ^\[[^\]]+\]:\s*            # [name]: target
        | \b(?:href|src|srcset)=")   # in HTML
    (?!https?:|mailto:)(?:\./)?(?P<target>[^\s)"]+)""",
    re.MULTILINE | re.VERBOSE,
)


def repository() -> str:
    """Return the address of the repository."""
    return re.search(r'^Repository = "(.+)"', Path("pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)[1]


def absolute(match: re.Match[str]) -> str:
    """Return the link with the address of its file on the default branch; of a picture, the address of its bytes."""
    opening, target = match["opening"], match["target"]
    if target.startswith("#"):
        return f"{opening}{repository()}{target}"
    return f"{opening}{repository()}/{'raw' if target.endswith(PICTURES) else 'blob'}/HEAD/{target}"


if __name__ == "__main__":
    readme = Path("README.md").read_text(encoding="utf-8")
    Path(sys.argv[1]).write_text(LINK.sub(absolute, readme), encoding="utf-8")
