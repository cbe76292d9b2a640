"""Signatures of classes as users write them."""

from typing import Any

from sphinx.application import Sphinx
from sphinx.util.inspect import signature, stringify_signature
from sphinx.util.typing import ExtensionMetadata


def of_class(_: Sphinx, kind: str, __: str, cls: Any, *___: Any) -> tuple[str, str] | None:
    """Read a class's parameters from its own ``__init__``; none if only the package calls it."""
    if kind != "class" or "__init__" not in vars(cls):
        return None  # what autodoc found
    found = signature(cls.__init__, bound_method=True)
    if any(name.startswith("_") for name in found.parameters):
        return "", ""
    return stringify_signature(found, show_annotation=False), ""


def setup(app: Sphinx) -> ExtensionMetadata:
    app.connect("autodoc-process-signature", of_class)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
