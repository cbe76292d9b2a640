"""The licences of the crates in the wheel: write THIRD-PARTY-NOTICES.txt, or check that it names these crates.

``python tools/notices.py`` writes the file and needs cargo-about. ``--check`` needs Cargo only, so that CI need not build
cargo-about.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
NOTICES = ROOT / "THIRD-PARTY-NOTICES.txt"
FEATURES = "python"
SYSTEMS = (
    "aarch64-apple-darwin",
    "aarch64-unknown-linux-gnu",
    "aarch64-unknown-linux-musl",
    "x86_64-apple-darwin",
    "x86_64-pc-windows-msvc",
    "x86_64-unknown-linux-gnu",
    "x86_64-unknown-linux-musl",
)
TARGETS = [word for system in SYSTEMS for word in ("--target", system)]

START = """\
Third-party software in the wheels of roialign_rs
=================================================

The extension module contains the Rust standard library and the crates below in compiled form.
`make notices` writes this file.
"""
APACHE = """\
The text of this licence is in the file LICENSE-APACHE beside this one.

* Rust standard library, https://github.com/rust-lang/rust
"""


def main() -> None:
    """Write the file, or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare the file with Cargo.lock")
    if parser.parse_args().check:
        check(compiled())
    else:
        NOTICES.write_text(notices(licences(), compiled()), encoding="utf-8")


def compiled() -> set[str]:
    """Give name and version of each crate in the wheels. Procedural macros only run while it is built."""
    command = ["cargo", "tree", "--locked", "--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"]
    tree = run(*command, "--features", FEATURES, *TARGETS)
    crates = {" ".join(line.split()[:2]).replace(" v", " ") for line in tree.splitlines() if line}
    return {crate for crate in crates if not crate.startswith("roialign_rs ")}


def licences() -> list[dict[str, Any]]:
    """Give each licence text that cargo-about finds, with the crates that it is for."""
    about = ["cargo", "about", "-L", "error", "generate", "--locked", "--fail", "--format", "json"]
    found: list[dict[str, Any]] = json.loads(run(*about, "--features", FEATURES, *TARGETS))["licenses"]
    return found


def run(*command: str) -> str:
    """Give what a command prints."""
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, encoding="utf-8").stdout


def notices(found: list[dict[str, Any]], wanted: set[str]) -> str:
    """Make the file: a list of crates for each text, and the text."""
    apache: list[str] = []
    parts = []
    for licence in found:
        crates = [used["crate"] for used in licence["used_by"]]
        crates = [crate for crate in crates if f"{crate['name']} {crate['version']}" in wanted]
        if licence["id"] == "Apache-2.0":
            apache += map(listed, crates)
        elif crates:
            parts.append((licence["name"], sorted(map(listed, crates)), with_holders(licence["text"], crates)))
    sections = [section("Apache License 2.0", APACHE + "\n".join(sorted(apache)))]
    sections += [section(name, "\n".join(names) + "\n\n" + text) for name, names, text in sorted(parts)]
    return START + "".join(sections)


def listed(crate: dict[str, Any]) -> str:
    """Make the line of one crate, which `check` reads again."""
    return f"* {crate['name']} {crate['version']}, {crate['repository']}"


def with_holders(text: str, crates: list[dict[str, Any]]) -> str:
    """Name the authors in a text that is the licence's template, because a crate came without its own."""
    authors = sorted({author.split(" <")[0] for crate in crates for author in crate["authors"]})
    return text.replace("<year> <copyright holders>", ", ".join(authors))


def section(title: str, body: str) -> str:
    """Set a part under its title."""
    lines = (line.rstrip() for line in body.strip().splitlines())
    return "\n".join(["", "", title, "-" * len(title), "", *lines, ""])


def check(wanted: set[str]) -> None:
    """Exit with a message if the file names other crates than those in the wheel."""
    named = set(re.findall(r"^\* (\S+ \S+), ", NOTICES.read_text(encoding="utf-8"), re.MULTILINE))
    changes = sorted(f"+ {crate}" for crate in wanted - named) + sorted(f"- {crate}" for crate in named - wanted)
    if changes:
        raise SystemExit("\n".join([f"{NOTICES.name} is not current: run `make notices`", *changes]))


if __name__ == "__main__":
    main()
