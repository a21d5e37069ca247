"""Elements of a page, and how people's words stand in them: the one place where text is escaped."""

import html
import re
import unicodedata

_unfit = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


class Markup(str):
    """Text that is markup already: `element` escapes all other text."""

    __slots__ = ()


def element(name: str, *children: str, **attributes: object) -> Markup:
    """An element with its children; text that is no `Markup` is escaped, and an attribute that is None left out.

    Attributes are spelled with `_` for `-`, and a trailing one where Python has the word: `class_`.

    Examples
    --------
    >>> element("td", "<b>", class_="number")
    '<td class="number">&lt;b&gt;</td>'
    """
    options = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{options}>{joined(*children)}</{name}>")


def joined(*parts: str) -> Markup:
    """The parts one after the other, escaped where they are no `Markup`."""
    return Markup("".join(part if isinstance(part, Markup) else escape(part) for part in parts))


def escape(text: str) -> str:
    r"""Text as it stands in an element or an attribute.

    Control characters, half pairs of UTF-16 and marks that turn the direction of what follows become U+FFFD: no page
    may hold the former, and the latter would reorder the words beside them.

    Examples
    --------
    >>> escape('a < "b"'), escape("bell\x07") == "bell\ufffd"
    ('a &lt; &quot;b&quot;', True)
    """
    return html.escape(_unfit.sub("\ufffd", text))


def given(text: str) -> Markup:
    """A word of a person's data: whatever direction it is written in, what stands beside it stays where it is."""
    return element("bdi", text)


def columns(text: str) -> int:
    """About how many letters wide a text is: the wide ones of East Asia count for two.

    Examples
    --------
    >>> columns("Kyoto"), columns("京都")
    (5, 4)
    """
    return sum(1 + (unicodedata.east_asian_width(letter) in "WF") for letter in text)


def cut(text: str, most: int) -> str:
    """A text of at most so many columns, with an ellipsis where there was more.

    Examples
    --------
    >>> cut("sepal length", 12), cut("sepal length", 8)
    ('sepal length', 'sepal l…')
    """
    if columns(text) <= most:
        return text
    while columns(text) >= most:
        text = text[:-1]
    return text + "…"
