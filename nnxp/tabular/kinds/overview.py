"""What was decided about columns, as a table for people."""

from collections import defaultdict
from collections.abc import Sequence

from nnxp.tabular.kinds.deciding import Decision

HEADER = ("column", "kind", "why", "missing", "becomes")

MANY, ALIKE = 100, 10
"""Of more columns than these, so many of those that are alike but for their name are shown."""


def printed(decisions: Sequence[Decision]) -> list[tuple[str, ...]]:
    """The rows of a table for people, below `HEADER`; of very many columns those that are like ten before are counted.

    Examples
    --------
    >>> rows = printed([Decision(f"gene {i}", "number", "numbers", 0, "1 number") for i in range(9000)])
    >>> len(rows), rows[-1]
    (11, ('8,990 more', 'number', 'numbers', '0', '1 number'))
    """
    rows = list[tuple[str, ...]]()
    alike = defaultdict[tuple[str, ...], int](int)
    for one in decisions:
        said = (one.kind, one.why, str(one.missing), one.becomes)
        alike[said] += 1
        if len(decisions) <= MANY or alike[said] <= ALIKE:
            rows.append((one.name, *said))
    if len(decisions) > MANY:
        rows += [(f"{count - ALIKE:,} more", *said) for said, count in alike.items() if count > ALIKE]
    return rows
