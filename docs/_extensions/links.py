"""Links that are right both on a code host and on the site.

Pages name the package's objects in backticks, as `roi_align` or `ra.gpu.Device()`. On the site such a name becomes a
link to its page in the reference. Links to documents of the repository lead to the pages that include these.
"""

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode
from sphinx.util.typing import ExtensionMetadata

PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "README.md": "index.md",
    "SECURITY.md": "security.md",
}
REPOSITORY_LINK = re.compile(rf"\]\((?:\.\./)*({'|'.join(map(re.escape, PAGES))})")
NAME = re.compile(r"(?:ra\.|roialign_rs\.)?(?P<name>[A-Za-z_][\w.]*)(?:\(.*\))?")


def lead_to_pages(docname: str, text: str) -> str:
    """Replace links to documents of the repository."""
    up = "../" * docname.count("/")
    return REPOSITORY_LINK.sub(lambda link: f"]({up}{PAGES[link[1]]}", text)


class LinkNames(SphinxPostTransform):
    """Make links of names in backticks, outside of headings and other links."""

    default_priority = 500

    def run(self, **_: Any) -> None:
        objects = self.env.domains.python_domain.objects
        page = self.env.current_document.docname
        # The page about a module means the module's names: on `torch`, `roi_align` is roialign_rs.torch.roi_align.
        modules = [f"roialign_rs.{page.rsplit('/', 1)[-1]}.", "roialign_rs."]
        for literal in list(self.document.findall(nodes.literal)):
            match = NAME.fullmatch(literal.astext())
            if match is None or isinstance(literal.parent, (nodes.title, nodes.reference)):
                continue
            full = next((module + match["name"] for module in modules if module + match["name"] in objects), None)
            if full and objects[full].docname != page:
                entry = objects[full]
                link = make_refnode(self.app.builder, page, entry.docname, entry.node_id, literal.deepcopy(), full)
                literal.replace_self(link)


def setup(app: Sphinx) -> ExtensionMetadata:
    def read(_: Sphinx, docname: str, source: list[str]) -> None:
        source[0] = lead_to_pages(docname, source[0])

    def include(_: Sphinx, __: Any, docname: str, source: list[str]) -> None:
        source[0] = lead_to_pages(docname, source[0])

    app.connect("source-read", read)
    app.connect("include-read", include)
    app.add_post_transform(LinkNames)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
