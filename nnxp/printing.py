"""Tables for people, on standard output."""

import os
import sys
from collections.abc import Sequence
from typing import Any

GIVES_ONE = "OMPI_COMM_WORLD_RANK"
"""Open MPI's launcher gives its processes a terminal as standard output, wherever its own goes: a file, perhaps."""


def is_terminal(stream: Any) -> bool:
    """Whether somebody looks at a standard stream: it may be missing, closed, an object that only writes, or one that
    a launcher made."""
    if GIVES_ONE in os.environ:
        return False
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


def counted(count: int, what: str, several: str = "") -> str:
    """So many of something, in words.

    Examples
    --------
    >>> counted(1, "row"), counted(1200, "row"), counted(0, "class", "classes")
    ('1 row', '1,200 rows', '0 classes')
    """
    return f"{count:,} {what if count == 1 else several or f'{what}s'}"


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> None:
    """Prints a table; numbers (cells that begin with a digit, columns without a name aside) to the right."""
    if sys.stdout is None:  # a program without a console
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    class Piped(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would leave the process

    table = Table(box=SIMPLE_HEAD)
    for i, name in enumerate(header):
        numeric = bool(rows) and all(row[i][:1].isdigit() or row[i][:1] in "-−–?" for row in rows)
        table.add_column(name, justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*row)
    plain: dict[str, Any] = {} if is_terminal(sys.stdout) else {"width": 120, "force_terminal": False}
    Piped(file=sys.stdout, highlight=False, markup=False, emoji=False, **plain).print(table)
    if caption:
        print(f"  {caption}")
