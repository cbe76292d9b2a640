"""Leaves out the doctests of modules for frameworks that are not installed; their tests in ``tests/`` say so aloud."""

import importlib.util

collect_ignore = [f"python/roialign_rs/{name}" for name in ("jax", "torch") if importlib.util.find_spec(name) is None]
