"""What all tests share: fixtures, and what happens when a backend or a library is missing.

``ROIALIGN_REQUIRE=cpu,gpu,torch`` makes it an error when a named backend or library is missing; without it tests
that need it are skipped.
"""

import functools
import importlib.util
import os

import pytest
from backends import BACKENDS, gpu_device
from hypothesis import HealthCheck, settings

import roialign_rs as ra

settings.register_profile(
    "suite",
    max_examples=120,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("suite")

OPTIONAL = {
    name: functools.partial(lambda name: importlib.util.find_spec(name) is not None, name)
    for name in ("torch", "torchvision", "jax")
}


def required() -> set[str]:
    """Names in ``ROIALIGN_REQUIRE``."""
    return {name.strip() for name in os.environ.get("ROIALIGN_REQUIRE", "").split(",") if name.strip()}


def pytest_configure(config):
    """Refuse to start without what is required; a skip would hide it."""
    present = {name for name, probe in {**BACKENDS, **OPTIONAL}.items() if probe()}
    missing = required() - present
    if missing:
        raise pytest.UsageError(f"ROIALIGN_REQUIRE names {', '.join(sorted(missing))}, which cannot run here")


def pytest_report_header(config):
    """Say what is not tested, at the top of every run."""
    lines = [f"threads: {ra.get_num_threads()}"]
    lines += [f"not here: {name}" for name, probe in {**BACKENDS, **OPTIONAL}.items() if not probe()]
    return lines


@pytest.fixture(params=list(BACKENDS))
def backend(request):
    """Give the name of a backend; the test is skipped where it cannot run."""
    if not BACKENDS[request.param]():
        pytest.skip(f"no {request.param} here")
    return request.param


@pytest.fixture
def device():
    """Give a device; the test is skipped where there is none."""
    device = gpu_device()
    if device is None:
        pytest.skip("no gpu here")
    return device


@pytest.fixture
def thread_count():
    """Give a setter of the number of threads, put back afterwards."""
    before = ra.get_num_threads()
    yield ra.set_num_threads
    ra.set_num_threads(before)
