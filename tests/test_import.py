"""Importing the package starts no thread and imports nothing but NumPy."""

import ast
import sys
import sysconfig
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from subprocesses import python

import roialign_rs


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_import_starts_no_thread():
    code = """
import os, numpy
before = os.listdir("/proc/self/task")
import roialign_rs
print(len(os.listdir("/proc/self/task")) - len(before), len(before))
"""
    added, before = python(code).split()
    assert int(before) >= 1
    assert added == "0"


def test_import_brings_only_numpy():
    code = """
import sys
import numpy
before = {name.partition(".")[0] for name in sys.modules}
import roialign_rs
after = {name.partition(".")[0] for name in sys.modules} - before
print(" ".join(sorted(name for name in after if name not in sys.stdlib_module_names)))
"""
    assert python(code) == "roialign_rs"


@pytest.mark.parametrize(
    "name", ["torch", "torchvision", "jax", "matplotlib", "PIL", "onnx", "onnxruntime", "openvino"]
)
def test_import_does_not_need(name):
    code = f"""
import sys
sys.modules[{name!r}] = None
import roialign_rs, numpy
roialign_rs.roi_align(numpy.ones((1, 1, 4, 4)), numpy.ones((1, 4)), 2)
print(sys.modules[{name!r}])
"""
    assert python(code) == "None"


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this Python has the GIL in any case")
def test_import_leaves_the_gil_off():
    assert python("import roialign_rs, sys; print(sys._is_gil_enabled())") == "False"


def test_wrong_settings_do_not_stop_the_import():
    code = "import roialign_rs; print(roialign_rs.__version__ != '')"
    assert python(code, ROIALIGN_NUM_THREADS="none", ROIALIGN_LEVEL="none") == "True"


def test_numpys_functions_are_looked_up_during_the_import():
    """The look-up takes a lock. If the first call did it, a child forked meanwhile by another thread would wait for ever."""
    code = """
import roialign_rs, numpy
try:
    from numpy._core import multiarray
except ImportError:
    from numpy.core import multiarray
del multiarray._ARRAY_API  # the table of functions
print(roialign_rs.roi_align(numpy.ones((1, 1, 4, 4)), [[0, 0, 4, 4]], 1).item())
"""
    assert python(code) == "1.0"


def imported(name: str, path: Path, modules: dict[str, Path]) -> set[str]:
    """Find the modules of the package that a file imports: at its top, in functions, and for type checkers alone."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names if names <= modules.keys() else {node.module} | names
    return found & modules.keys() - {name}


def test_no_modules_import_each_other():
    root = Path(roialign_rs.__file__).parent
    modules = {
        ".".join(path.relative_to(root.parent).with_suffix("").parts).removesuffix(".__init__"): path
        for path in root.rglob("*.py*")
        if path.suffix in (".py", ".pyi")
    }
    assert "roialign_rs._explain" in modules
    graph = {name: imported(name, path, modules) for name, path in modules.items()}
    assert graph["roialign_rs._explain"] >= {"roialign_rs._align", "roialign_rs._explanation"}
    TopologicalSorter(graph).prepare()  # raises a CycleError that names the circle
