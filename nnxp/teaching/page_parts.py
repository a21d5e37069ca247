"""What pages that need nothing beside themselves have in common: no network, no other file."""

import json
from importlib import resources
from typing import Any

from nnxp.tabular.report.markup import Markup, element, joined

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def whole_page(title: str, body: Markup, style: str, script: str) -> str:
    """A page with the common style and its own, and its script, of the files of these names beside this module."""
    head = joined(
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
        element("title", title),
        element("style", Markup(_file("page.css")), Markup(_file(style))),
    )
    code = element("script", Markup(_file(script)))
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body>{body}{code}</body></html>\n'


def data(document: Any, name: str) -> Markup:
    r"""An element that holds data as JSON, for the script: what is in it ends no element and begins none.

    Examples
    --------
    >>> data({"name": "</script><!--"}, "data")
    '<script type="application/json" id="data">{"name":"\\u003c/script\\u003e\\u003c!--"}</script>'
    """
    text = json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return element("script", Markup(text), type="application/json", id=name)


def _file(name: str) -> str:
    return (resources.files("nnxp.teaching") / name).read_text(encoding="utf-8")
