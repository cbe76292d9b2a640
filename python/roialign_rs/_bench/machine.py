"""The machine and the libraries that numbers come from."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

import roialign_rs as ra


def name(threads: int) -> str:
    """What tells machines apart: processor, instruction set, cores that this process may use, threads."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cpu()}, {ra.simd_level()}, cores: {cores}, threads: {threads}"


def software(libraries: Mapping[str, str]) -> str:
    """System and versions; those of other libraries are given."""
    versions = {"roialign_rs": ra.__version__, **libraries, "NumPy": np.__version__}
    listed = ", ".join(f"{library} {version}" for library, version in versions.items())
    return f"{platform.system()} {platform.machine()}; {listed}, Python {platform.python_version()}"


def cpu() -> str:
    """Name of the processor, as far as the system tells."""
    linux = Path("/proc/cpuinfo")
    match = linux.exists() and re.search(r"model name\s*:\s*(.+)", linux.read_text(encoding="utf-8"))
    found = match[1] if match else platform.processor() or platform.machine()
    return " ".join(re.sub(r"\((R|TM)\)|\bCPU\b|@.*", " ", found).split())
