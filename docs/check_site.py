"""Checks the built site: every link and anchor leads somewhere, every picture has a text, nothing is loaded from elsewhere.

``python docs/check_site.py [dist/docs]`` lists what is wrong and ends with status 1 if there is anything. Links to other
hosts are counted, not followed; ``--external`` prints them.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

LOADED = {
    "script": "src",
    "img": "src",
    "source": "src",
    "iframe": "src",
    "video": "src",
    "audio": "src",
    "image": "href",
}
"""Elements whose attribute a browser loads; a <link> is loaded but for the relations in `NAVIGATION`."""
NAVIGATION = {"canonical", "next", "prev", "search", "index", "author", "help"}
CSS_URL = re.compile(r"""(?:url\(\s*|@import\s+)['"]?(?P<url>[^'")\s;]+)""")


class Site:
    """The pages below a folder, each parsed once."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.pages = {path: BeautifulSoup(path.read_text("utf-8"), "html.parser") for path in self.root.rglob("*.html")}
        self.anchors = {
            path: {tag[name] for name in ("id", "name") for tag in page.find_all(attrs={name: True})}
            for path, page in self.pages.items()
        }
        self.external: set[str] = set()

    def problems(self) -> Iterator[str]:
        for path, page in self.pages.items():
            yield from (f"{path.relative_to(self.root)}: {problem}" for problem in self._of_page(path, page))
        for path in self.root.rglob("*.css"):
            for problem in self._of_css(path, path.read_text("utf-8")):
                yield f"{path.relative_to(self.root)}: {problem}"

    def _of_page(self, path: Path, page: BeautifulSoup) -> Iterator[str]:
        if not (page.title and page.title.get_text(strip=True)):
            yield "has no title"
        for image in page.find_all("img"):
            if not image.get("alt", "").strip():
                yield f"{image['src']} has no text in its place"
        for tag in page.find_all(LOADED):
            if url := tag.get(LOADED[tag.name]):
                yield from self._loaded(path, url)
        for link in page.find_all("link", href=True):
            if NAVIGATION.isdisjoint(link.get("rel", [])):
                yield from self._loaded(path, link["href"])
        for style in [*page.find_all("style"), *(tag["style"] for tag in page.find_all(style=True))]:
            yield from self._of_css(path, style if isinstance(style, str) else style.get_text())
        for link in page.find_all(["a", "area"], href=True):
            yield from self._followed(path, link["href"])

    def _of_css(self, path: Path, text: str) -> Iterator[str]:
        for match in CSS_URL.finditer(text):
            yield from self._loaded(path, match["url"])

    def _loaded(self, path: Path, url: str) -> Iterator[str]:
        parts = urlsplit(url)
        if parts.netloc or parts.scheme not in ("", "data"):
            yield f"loads {url}"
        elif not parts.scheme and parts.path and not self._file(path, parts.path).is_file():
            yield f"{url} is not there"

    def _followed(self, path: Path, url: str) -> Iterator[str]:
        parts = urlsplit(url)
        if parts.scheme or parts.netloc:
            self.external.add(url)
            return
        target = self._file(path, parts.path) if parts.path else path
        if not target.is_file():
            yield f"{url} is not there"
        elif parts.fragment and target in self.anchors and unquote(parts.fragment) not in self.anchors[target]:
            yield f"{url} has no such anchor"

    def _file(self, path: Path, url: str) -> Path:
        target = (path.parent / unquote(url)).resolve()
        return target / "index.html" if target.is_dir() else target


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("root", nargs="?", type=Path, default=Path("dist/docs"))
    parser.add_argument("--external", action="store_true", help="print the links to other hosts")
    arguments = parser.parse_args()
    site = Site(arguments.root)
    problems = sorted(set(site.problems()))
    print(*problems, sep="\n", end="\n" if problems else "")
    if arguments.external:
        print(*sorted(site.external), sep="\n")
    print(f"{len(site.pages)} pages, {len(site.external)} links to other hosts, {len(problems)} problems")
    return 1 if problems or not site.pages else 0


if __name__ == "__main__":
    sys.exit(main())
