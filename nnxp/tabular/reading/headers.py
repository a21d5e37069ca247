"""The names of columns: every column has one, and no two have the same."""

from collections.abc import Sequence


def distinct(names: Sequence[str]) -> list[str]:
    """Names without blanks around them; a column that has none is named by its place, one that comes again counted.

    Examples
    --------
    >>> distinct(["", " age ", "age", "age"])
    ['column 1', 'age', 'age (2)', 'age (3)']
    """
    found: dict[str, None] = {}
    given = [name.strip() for name in names]
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
    pairs = [(old.strip(), new) for old, new in zip(given, names, strict=True) if old.strip() != new]
    if not pairs:
        return ()
    words = ", ".join(f"{new!r}" if old else f"{new!r} (without a name)" for old, new in pairs[:5])
    more = f" and {len(pairs) - 5} more" if len(pairs) > 5 else ""
    return (f"columns without a name, or with one that was there before, are called {words}{more}",)
