"""Formulas are drawn by the browser: docutils makes MathML of LaTeX while the site is built, so no script is needed."""

import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging


def visit_math(self: Any, node: nodes.Element) -> None:
    """Writes a formula; one that docutils cannot read is a warning, and so ends the build."""
    block = isinstance(node, nodes.math_block)
    try:
        made = tex2mathml(re.sub(r"\\dots\b", r"\\ldots", node.astext()), as_block=block)  # it knows no \dots
    except MathError as error:
        logging.getLogger(__name__).warning("no LaTeX that docutils reads: %s", error, location=node)
        made = ""
    self.body.append(f'<div class="math" tabindex="0">{made}</div>\n' if block else made)
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    """Sphinx's door."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
