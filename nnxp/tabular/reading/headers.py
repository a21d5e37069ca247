"""The names of columns: every column has one, and no two have the same."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from nnxp.errors import DataError

_ending = re.compile(r"\s*[\r\n]\s*")


def on_one_line(name: str) -> str:
    r"""A name without the blanks around it, and with one where it goes on in another line.

    Examples
    --------
    >>> on_one_line(" height\n(mm) ")
    'height (mm)'
    """
    return _ending.sub(" ", name.strip())


def of_frame(given: Iterable[object], source: str) -> list[str]:
    """The names of columns that are told apart by theirs: each as `on_one_line` has it, or by its place without one.

    Raises
    ------
    DataError
        Two are the same.
    """
    names = [*map(str, given)]
    found = Counter(map(on_one_line, names))
    again = next((name for name in found if found[name] > 1), None)
    if again is not None:
        got = ", ".join(repr(name) for name in names if on_one_line(name) == again)
        raise DataError(
            f"{source}: got columns named {got}; expected names that differ by more than the blanks around them: "
            "rename one, or leave it out"
        )
    return distinct(names)


def distinct(names: Sequence[str]) -> list[str]:
    """Names as `on_one_line` has them; a column without one is named by its place, one that comes again counted.

    Examples
    --------
    >>> distinct(["", " age ", "age", "age"])
    ['column 1', 'age', 'age (2)', 'age (3)']
    """
    found: dict[str, None] = {}
    given = [on_one_line(name) for name in names]
    for place, name in enumerate(given, 1):
        name = name or f"column {place}"
        times, new = 1, name
        while new in found or (times > 1 and new in given):
            times += 1
            new = f"{name} ({times})"
        found[new] = None
    return list(found)


def renamed(given: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """The note about columns whose names are not those of the source; none where all are."""
    pairs = [(old, new) for old, new in zip(map(on_one_line, given), names, strict=True) if old != new]
    if not pairs:
        return ()
    words = ", ".join(f"{new!r}" if old else f"{new!r} (without a name)" for old, new in pairs[:5])
    more = f" and {len(pairs) - 5} more" if len(pairs) > 5 else ""
    return (f"columns without a name, or with one that was there before, are called {words}{more}",)
