"""Tables for people, on standard output."""

import sys
from collections.abc import Sequence


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> None:
    """Prints a table; numbers (cells that begin with a digit, columns without a name aside) to the right."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD)
    for i, name in enumerate(header):
        numeric = bool(rows) and all(row[i][:1].isdigit() or row[i][:1] in "-?" for row in rows)
        table.add_column(name, justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*row)
    width = None if sys.stdout.isatty() else 120
    Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False).print(table)
    if caption:
        print(f"  {caption}")
