"""Measurements for maintainers: groups of them, and what their numbers should be. ``compare.py`` beside it runs them.

Problems, peers and timing are those of ``python -m roialign_rs bench``, in ``roialign_rs._bench``.
"""
