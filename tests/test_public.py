"""What users see of the package before they call it: names, documentation, types."""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import roialign_rs as ra

FUNCTIONS = [name for name in ra.__all__ if callable(getattr(ra, name))]


def test_dir_lists_what_is_public():
    assert dir(ra) == sorted(ra.__all__)
    assert "gpu" in dir(ra)
    public = {name for name in vars(ra) if not name.startswith("_") and not inspect.ismodule(getattr(ra, name))}
    # `vars` also has the module's own imports.
    assert public - set(ra.__all__) <= {"import_module", "ModuleType", "TYPE_CHECKING"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_name_has_documentation(name):
    text = inspect.getdoc(getattr(ra, name))
    assert text
    if not inspect.isclass(getattr(ra, name)):
        assert "Returns\n-------" in text or name == "set_num_threads"
        assert "Examples\n--------" in text


@pytest.mark.parametrize(
    "of",
    [ra.gpu, ra.gpu.Device, ra.gpu.DeviceArray, ra.gpu.DeviceInfo, ra.Explanation, ra.BoxReport],
    ids=lambda of: of.__name__,
)
def test_attributes_have_documentation(of):
    for name in [name for name in dir(of) if not name.startswith("_") and name not in ("count", "index")]:
        value = inspect.getattr_static(of, name)
        if (of is ra.gpu and name not in ra.gpu.__all__) or (of is ra.BoxReport and name.isupper()):
            continue
        text = inspect.getdoc(value)
        assert text, name
        assert text != inspect.getdoc(type(value)), name
        assert not text.startswith("Alias for field"), name


@pytest.mark.parametrize("name", ["get_num_threads", "set_num_threads", "simd_level", "release_memory"])
def test_examples_of_compiled_functions(name):
    """Doctests are only collected from Python."""
    import doctest

    function = getattr(ra, name)
    examples = doctest.DocTestParser().get_doctest(function.__doc__, {}, name, None, None)
    assert examples.examples
    assert doctest.DocTestRunner().run(examples).failed == 0


def test_signatures_show_all_arguments():
    """Overloads hide none: what runs has every argument with its default."""
    parameters = inspect.signature(ra.roi_align).parameters
    assert parameters["aligned"].default is True
    assert parameters["return_argmax"].default is False
    assert all(parameter.kind is not parameter.VAR_KEYWORD for parameter in parameters.values())


TYPES = """
from typing import Any, assert_type
import numpy as np
from numpy.typing import NDArray
import roialign_rs as ra
from roialign_rs.gpu import Device, DeviceArray

maps, boxes, device = np.ones((1, 1, 4, 4)), np.ones((1, 4)), Device()
there = device.features(maps)
WithArgmax = tuple[NDArray[Any], NDArray[np.int64]]

assert_type(there, DeviceArray)
assert_type(np.asarray(there), NDArray[Any])
assert_type(ra.roi_align(maps, boxes, 7), NDArray[Any])
assert_type(ra.roi_align(maps, [1.0, 1, 5, 5], [7, 7], aligned=False, device=device), NDArray[Any])
assert_type(ra.roi_align(maps, boxes, (7, 7), mode="max", return_argmax=True), WithArgmax)
assert_type(ra.roi_align(there, boxes, 7), DeviceArray)
assert_type(ra.roi_align(there, boxes, 7, mode="max", return_argmax=True), tuple[DeviceArray, DeviceArray])
assert_type(ra.roi_pool(maps, boxes, 7), NDArray[Any])
assert_type(ra.roi_pool(maps, boxes, 7, return_argmax=True), WithArgmax)
assert_type(ra.roi_pool(there, boxes, 7), DeviceArray)
assert_type(ra.roi_align_backward(maps, boxes, (1, 1, 4, 4), out=maps, accumulate=True), NDArray[Any])
assert_type(ra.roi_align_backward(there, boxes, (1, 1, 4, 4)), DeviceArray)
assert_type(ra.roi_pool_backward(maps, boxes, (1, 1, 4, 4), mode="avg"), NDArray[Any])
assert_type(ra.roi_pool_backward(there, boxes, (1, 1, 4, 4), argmax=there), DeviceArray)
assert_type(ra.roi_align_box_gradient(maps, maps, boxes), NDArray[Any])
assert_type(ra.multiscale_roi_align([maps, maps], boxes, 7, spatial_scales=[1, 0.5]), NDArray[Any])
assert_type(ra.multiscale_roi_align([there, there], boxes, 7, spatial_scales=[1, 0.5]), DeviceArray)
assert_type(ra.multiscale_roi_align_backward(maps, boxes, [maps.shape], spatial_scales=[1]), list[NDArray[Any]])
assert_type(ra.multiscale_roi_align_backward(there, boxes, [maps.shape], spatial_scales=[1]), list[DeviceArray])
assert_type(ra.assign_stages(boxes, 4, min_level=2), NDArray[np.int64])
with Device() as opened:
    assert_type(opened, Device)
ra.roi_align(maps, boxes, 7.0)
ra.roi_align(maps, boxes, 7, sampling_ration=2)
"""


def test_results_have_types(tmp_path):
    pytest.importorskip("mypy")
    program = tmp_path / "program.py"
    program.write_text(TYPES)
    found = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--config-file=",
            "--python-version=3.11",
            f"--cache-dir={tmp_path}",
            program,
        ],
        env={**os.environ, "MYPYPATH": str(Path(ra.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    lines = {int(line.split(":")[1]) for line in found.splitlines() if ": error:" in line}
    last = len(TYPES.splitlines())
    assert lines == {last - 1, last}, found
