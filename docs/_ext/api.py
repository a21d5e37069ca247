"""Docstrings on the API's pages: equations stand below their first sentence, and names lead to what they name."""

import re
from typing import Any

from docutils import nodes
from equations import equations
from sphinx import addnodes
from sphinx.util.docutils import SphinxRole

import nnxp


def public(name: str) -> str | None:
    """Where the API pages have a name: "Adam", "nnxp.Adam" and "nnxp.optimizers.rules.Adam" are one."""
    last = name.rpartition(".")[2]
    return f"nnxp.{last}" if last in nnxp._HOME else None


class Name(SphinxRole):
    """What single backticks make."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """A link or code."""
        text = nodes.literal(self.text, self.text)
        if page := re.fullmatch(r"(docs/\S+)\.md", self.text):
            options = {"refdomain": "std", "reftype": "doc", "reftarget": f"/{page[1]}"}
        elif re.fullmatch(r"(nnxp\.)?\w+", self.text) and (target := public(self.text)):
            options = {"refdomain": "py", "reftype": "obj", "reftarget": target}
        else:
            return [text], []
        return [addnodes.pending_xref("", text, refdoc=self.env.docname, refexplicit=True, **options)], []


OF_THE_HOUSE = set(
    """
    adopt attach bind bind_to check_factors check_layers common constants course default_backend entries formula
    functions get_metadata_routing gradient_formula join kept may_join metric_formula moment prediction progress replan
    restore_optimizer restore_state resume run_backward run_forward running saved_state set_fit_request
    set_partial_fit_request set_score_request stored training update_store
    """.split()
)
"""Methods without an underscore that one room has for another, or scikit-learn for itself."""


def left_out(app: Any, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """Whether a page goes without a member."""
    return True if what == "class" and name in OF_THE_HOUSE else None


def plain(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """In a docstring's prose, bars are absolute values and "val_" is a text: reStructuredText would refer to names."""
    for i, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            parts = re.split(r"(`+[^`]*`+)", line)
            lines[i] = "".join(p if p.startswith("`") else re.sub(r'\||(?<=\w)_(?=")', r"\\\g<0>", p) for p in parts)


def with_equations(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """The first paragraph, the equations, and the rest."""
    found = []
    for of_what, group in equations(thing) if what in ("class", "function") else ():
        if group:
            title = of_what or ("Equations" if what == "class" else "")
            found += ["", f"{title}, traced from what is run:", ""] if title else []
            found += [text for line in group for text in (".. math::", "", f"   {line}", "")]
    end = next((i for i, line in enumerate(lines) if i and not line and lines[i - 1]), len(lines))
    lines[end:end] = ["", *found] if found else []


def base(app: Any, env: Any, node: addnodes.pending_xref, text: nodes.Element) -> nodes.Element | None:
    """A class by the name of its module, as the bases of a class are given, leads to where it is public."""
    target = public(node["reftarget"])
    if node.get("refdomain") != "py" or target in (None, node["reftarget"]):
        return None
    return env.domains["py"].resolve_xref(env, node["refdoc"], app.builder, "obj", target, node, text)


def bases(app: Any, name: str, thing: Any, options: Any, found: list[Any]) -> None:
    """Of what a class is derived, only classes that pages are about are named."""
    known = [next((one for one in cls.__mro__ if public(one.__name__)), object) for cls in thing.__mro__[1:]]
    found[:] = [next((one for one in known if one is not object), object)]


def setup(app: Any) -> dict[str, bool]:
    """Sphinx's door."""
    app.add_role("name", Name())
    app.connect("autodoc-process-docstring", plain, priority=450)  # before numpydoc
    app.connect("autodoc-process-docstring", with_equations, priority=600)  # after it
    app.connect("autodoc-skip-member", left_out)
    app.connect("autodoc-process-bases", bases)
    app.connect("missing-reference", base)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
