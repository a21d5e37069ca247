"""A column of Python's own values, as lists, Excel and columns without a type hold them."""

import datetime
import math
import numbers
from collections.abc import Sequence

import numpy as np

from nnxp.data.spelling import canonical
from nnxp.tabular.reading.growing import Growing
from nnxp.tabular.table import Column, Moments

EPOCH = datetime.date(1970, 1, 1)


def column_of(cells: Sequence[object], as_spelled: bool = False) -> Column:
    """Moments, where all cells that are not missing are dates or times; otherwise what their texts are.

    Examples
    --------
    >>> column_of([1, None, 2.5]), column_of(["a", True, 3.0]).texts
    (Numbers(values=array([1. , nan, 2.5])), ['a', 'True', '3'])
    """
    plain = [_plain(cell) for cell in cells]
    present = [cell for cell in plain if cell is not None]
    if present and not as_spelled and all(isinstance(cell, (datetime.date, datetime.time)) for cell in present):
        return Moments(np.array([_moment(cell) for cell in plain], "datetime64[us]"))
    column = Growing(as_spelled=as_spelled)
    column.add([_text(cell) for cell in plain])
    return column.column()


def _plain(cell: object) -> object:
    """A value of Python's own; None where it is missing, whatever a library calls that."""
    if isinstance(cell, np.datetime64):
        return None if np.isnat(cell) else cell.astype("datetime64[us]").item()
    if isinstance(cell, np.generic):
        cell = cell.item()
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
        return None
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float):
        return canonical(cell)
    if isinstance(cell, numbers.Integral) and not isinstance(cell, bool):
        return str(int(cell))
    return str(cell)


def _moment(cell: object) -> datetime.datetime | None:
    if isinstance(cell, datetime.datetime):
        return cell if cell.tzinfo is None else cell.astimezone(datetime.UTC).replace(tzinfo=None)
    if isinstance(cell, datetime.time):
        return datetime.datetime.combine(EPOCH, cell.replace(tzinfo=None))
    return datetime.datetime.combine(cell, datetime.time()) if isinstance(cell, datetime.date) else None
