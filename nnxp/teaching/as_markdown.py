"""A step as Markdown: headings and sentences, matrices and formulas in blocks as they are."""

import re

from nnxp.tabular.report.markup import escape
from nnxp.teaching.as_text import blocks, sizes
from nnxp.teaching.facts import Facts
from nnxp.teaching.notation import Style


def markdown(facts: Facts) -> str:
    """The whole step."""
    style, parts = Style(facts.digits), [f"# {plain(facts.title)}", plain(sizes(facts))]
    for i, step in enumerate(facts.steps, 1):
        parts.append(f"## {i}. {plain(step.title)}")
        if step.equation:
            parts.append(plain(step.equation))
        parts += ["\n".join(["```text", *block, "```"]) for block in blocks(step, style)]
        parts += map(plain, step.notes)
    return "\n\n".join(parts) + "\n"


def plain(text: str) -> str:
    r"""Words that Markdown takes as they are.

    Examples
    --------
    >>> print(plain("a_b <i> [x](y)"))
    a\_b &lt;i&gt; \[x\](y)
    """
    return re.sub(r"([\\`*_\[\]#|~])", r"\\\1", escape(text))
