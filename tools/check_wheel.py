"""Checks a wheel: what it needs, how large it is, and that its page on a package index has no broken link.

python tools/check_wheel.py dist/NAME.whl
"""

import re
import sys
import zipfile
from email import message_from_bytes
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

from absolute_links import repository
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection
from markdown_it import MarkdownIt
from packaging.requirements import Requirement
from packaging.utils import parse_wheel_filename

LARGEST = 3_300_000
"""Bytes."""


class Links(HTMLParser):
    """Collects the links and pictures of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if value and name in ("href", "src", "srcset")]


def wrong_links(description: str) -> list[str]:
    """Return links that are relative, or that name a file which the repository does not have."""
    files = re.compile(re.escape(repository()) + r"/(?:blob|raw)/HEAD/([^#]+)")
    wrong = []
    for link in Links(MarkdownIt("commonmark").enable("table").render(description)).found:
        file = files.match(link)
        if not link.startswith(("https://", "mailto:")) or (file and not Path(file[1]).exists()):
            wrong.append(link)
    return wrong


def glibc_versions(library: bytes) -> set[tuple[int, ...]]:
    """Return the versions of glibc of which an ELF library needs symbols."""
    needed = [s for s in ELFFile(BytesIO(library)).iter_sections() if isinstance(s, GNUVerNeedSection)]
    names = [version.name for section in needed for _, versions in section.iter_versions() for version in versions]
    return {tuple(map(int, name[6:].split("."))) for name in names if name.startswith("GLIBC_")}


def faults(wheel: Path) -> list[str]:
    """Return what is wrong with a wheel."""
    found = []
    with zipfile.ZipFile(wheel) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    if wheel.stat().st_size > LARGEST:
        found.append(f"{wheel.stat().st_size} bytes, of at most {LARGEST}")

    (metadata,) = (message_from_bytes(data) for name, data in files.items() if name.endswith(".dist-info/METADATA"))
    requirements = [Requirement(line) for line in metadata.get_all("Requires-Dist", [])]
    at_run_time = [each.name for each in requirements if "extra" not in str(each.marker)]
    if at_run_time != ["numpy"]:
        found.append(f"needs {at_run_time}, not NumPy alone")
    licences = {name.partition(".dist-info/licenses/")[2] for name in files}
    found += [f"no {name}" for name in metadata.get_all("License-File", []) if name not in licences]
    found += [f"broken link: {link}" for link in wrong_links(metadata.get_payload(decode=True).decode())]

    for tag in parse_wheel_filename(wheel.name)[3]:
        if manylinux := re.match(r"manylinux_(\d+)_(\d+)_", tag.platform):
            oldest = tuple(map(int, manylinux.groups()))
            newer = {
                v for name, data in files.items() if name.endswith(".so") for v in glibc_versions(data) if v > oldest
            }
            found += [f"needs glibc {'.'.join(map(str, version))}" for version in sorted(newer)]
    return found


if __name__ == "__main__":
    wheel = Path(sys.argv[1])
    print(f"{wheel.name}: {wheel.stat().st_size} bytes")
    sys.exit("\n".join(faults(wheel)) or 0)
