"""CSV as other languages write it: semicolons or tabs between the cells, decimal commas in them."""

import os
import re
import shlex

SEPARATORS = ";\t|"
BEGINNING = 1 << 16
"""Characters of a file that are looked at."""
DECIMAL_COMMA = re.compile(r"[+-]?([0-9]+|[0-9]{1,3}(\.[0-9]{3})+)?,[0-9]+([eE][+-]?[0-9]+)?")


def advice(path: str | os.PathLike[str]) -> str | None:
    """What to do about a file whose cells are not separated by commas; None where they are.

    A decimal comma is told from one between cells by where it is: within what another separator separates.
    """
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        names, _, rows = file.read(BEGINNING).lstrip("\n").partition("\n")
    separator = max(SEPARATORS, key=names.count)
    if names.count(separator) <= names.count(","):
        return None
    cells = [cell.strip(' "') for row in rows.splitlines() for cell in row.split(separator)]
    numbers = [cell for cell in cells if DECIMAL_COMMA.fullmatch(cell)]
    source, options, points = os.fspath(path), f"sep={separator!r}", ""
    if numbers:
        options += ", decimal=','"
    if any("." in number for number in numbers):
        options, points = f"{options}, thousands='.'", "-d . | tr "
    anew = f"pandas.read_csv({source!r}, {options}).to_csv('new.csv', index=False)"
    if not numbers:
        return f"{source} has one column, {names!r}: save the file with commas between the cells, {anew}"
    signs = separator.replace("\t", r"\t")
    return (
        f"{source} has {separator!r} between the cells and decimal commas in them ({numbers[0]!r}), expected commas "
        f"between the cells and decimal points: write it anew, {anew}, or without pandas, "
        f"cat {shlex.quote(source)} | tr {points}',{signs}' '.,' > new.csv"
    )
