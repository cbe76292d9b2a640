"""The site: Markdown pages, and a reference made from the docstrings. `make docs` builds it into dist/docs."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "docs")]
# For the help of the command line, which the site shows as it is printed.
os.environ.update(
    COLUMNS="80",
    PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    PYTHONPATH=str(ROOT / "python"),
)

from sphinx.ext.autodoc.mock import _MockObject  # noqa: E402

import roialign_rs  # noqa: E402

project = "roialign_rs"
author = "the authors of roialign_rs"
project_copyright = author
version = release = roialign_rs.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_copybutton",
    "sphinxcontrib.programoutput",
    "_extensions.formulas",
    "_extensions.links",
    "_extensions.signatures",
]
exclude_patterns = ["_*"]
templates_path = ["_templates"]

nitpicky = True  # every reference must lead somewhere
nitpick_ignore_regex = [("py:.*", r"(numpy|matplotlib)\..*")]  # named by docstrings, documented elsewhere
smartquotes = False  # "avg" is code

# Markdown, as code hosts understand it: tables, $formulas$, anchors of headings, and > [!NOTE].
myst_enable_extensions = ["alert", "dollarmath"]
myst_heading_anchors = 4

# One page for each public name, with its signature as written and the sections of its docstring.
autosummary_generate = True
autodoc_typehints = "none"  # the docstrings name types; overloads stay with type checkers
autodoc_preserve_defaults = True
autodoc_mock_imports = ["jax", "ml_dtypes", "torch", "torchvision"]  # gigabytes that no docstring needs
_MockObject.__or__ = lambda self, other: self  # in annotations, as in `Tensor | list[Tensor]`
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
default_role = "autolink"  # `name` in a docstring: a link where there is such a name

# Examples are copied without prompts and results.
copybutton_exclude = ".linenos, .gp, .go"

html_math_renderer = "svg"
html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = f"{project} {release}"
html_logo = html_favicon = "_static/logo.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_show_search_summary = False  # browsers refuse to read the summaries of a site on a disk
html_copy_source = False
