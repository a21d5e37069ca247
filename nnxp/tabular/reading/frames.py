"""Tables that are in memory already: frames of pandas, polars and pyarrow, rows of named values, named columns."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nnxp.data.spelling import EXACT
from nnxp.errors import DataError
from nnxp.tabular.reading import headers
from nnxp.tabular.reading.growing import Codes
from nnxp.tabular.reading.objects import column_of
from nnxp.tabular.table import Column, Moments, Numbers, Table, Words

if TYPE_CHECKING:
    import narwhals

MICROSECONDS = "datetime64[us]"


def as_table(data: object, *, texts: Collection[str] = (), name: str = "the table given") -> Table:
    """A table of what is in memory.

    Numbers are numbers, whole ones from 2⁵³ on excepted, whose column is one of words; true and false, words and
    categories are words; dates and times are moments. A missing value is one, however the library has it; so is an
    infinite number. A column without a type, and what Python's own lists and dicts hold, is read cell by cell, as the
    cells of a file are.

    Parameters
    ----------
    data : Table, frame, list of dicts or dict of lists
        A frame of pandas, polars or pyarrow, which need narwhals (``pip install "nnxp[tables]"``). Every dict of a list
        has the same keys, all lists of a dict are of one length. Names differ by more than the blanks around them.
    texts : collection of str
        The columns that stay as they are spelled.
    name : str
        What errors call it.

    Raises
    ------
    DataError
        It is no table, or not one of rows.

    Examples
    --------
    >>> table = as_table([{"age": 31, "town": "Fez"}, {"age": None, "town": "Rome"}])
    >>> table.columns["age"].values, table.columns["town"].texts
    (array([31., nan]), ['Fez', 'Rome'])
    """
    if isinstance(data, Table):
        return data
    if isinstance(data, Mapping):
        for key, values in data.items():
            if isinstance(values, str) or not isinstance(values, Iterable):
                raise DataError(f"got {values!r} as the column {key!r}, expected a list of cells: one row is [row]")
        return _of_lists({key: list(values) for key, values in data.items()}, texts, name)
    if isinstance(data, (list, tuple)):
        return _of_lists(_lists(data), texts, name)
    try:
        import narwhals
    except ImportError:
        raise DataError(
            f"got a {type(data).__name__}; a frame is read through narwhals, which is not installed: "
            'pip install "nnxp[tables]", or give a list of dicts, or a dict of lists'
        ) from None
    try:
        frame = narwhals.from_native(data, eager_only=True)
    except TypeError:
        raise DataError(
            f"got a {type(data).__module__}.{type(data).__name__}; expected a frame of pandas, polars or pyarrow, a "
            "list of dicts, or a dict of lists"
        ) from None
    except narwhals.exceptions.DuplicateError:
        native: Any = data
        of_pyarrow = type(native).__module__.startswith("pyarrow")
        headers.of_frame(native.column_names if of_pyarrow else native.columns, name)
        raise
    names = headers.of_frame(frame.columns, name)
    notes: list[str] = [*headers.renamed([*map(str, frame.columns)], names)]
    columns: dict[str, Column] = {}
    for new, series in zip(names, frame.iter_columns(), strict=True):
        columns[new] = _column(series, new in texts)
        if isinstance(found := columns[new], Numbers) and len(infinite := np.flatnonzero(np.isinf(found.values))):
            found.values[infinite] = np.nan
            notes.append(f"column {new!r}: {len(infinite)} infinite numbers are taken as missing")
    return Table(name, columns, range(1, len(frame) + 1), tuple(notes))


def _lists(rows: Sequence[Any]) -> dict[object, list[object]]:
    if not rows:
        raise DataError("there are no rows; expected one or more, each a dict of column name to value")
    for number, row in enumerate(rows, 1):
        if not isinstance(row, Mapping) or row.keys() != rows[0].keys():
            got = f"the columns {', '.join(map(str, row))}" if isinstance(row, Mapping) else f"a {type(row).__name__}"
            expected = ", ".join(map(str, rows[0])) if isinstance(rows[0], Mapping) else "column name to value"
            raise DataError(f"row {number} is {got}; expected a dict of {expected}, as every row")
    return {key: [row[key] for row in rows] for key in rows[0]}


def _of_lists(lists: Mapping[object, list[object]], texts: Collection[str], name: str) -> Table:
    lengths = {key: len(values) for key, values in lists.items()}
    if len({*lengths.values()}) != 1:
        raise DataError(f"the columns have {lengths or 'no names'}; expected one or more of the same length")
    named = zip(headers.of_frame(lists, name), lists.values(), strict=True)
    columns = {key: column_of(values, key in texts) for key, values in named}
    return Table(name, columns, range(1, next(iter(lengths.values())) + 1))


def _column(series: "narwhals.Series[Any]", as_spelled: bool) -> Column:
    import narwhals

    kind = series.dtype
    missing = series.is_null().to_numpy()
    if as_spelled or isinstance(kind, (narwhals.String, narwhals.Categorical, narwhals.Enum, narwhals.Boolean)):
        # Text first: a category's missing value is the last category in the arrays of pyarrow.
        cells = series.cast(narwhals.String).to_list() if not isinstance(kind, narwhals.Object) else series.to_list()
        return _words(cells, missing.tolist(), as_spelled, isinstance(kind, narwhals.Boolean))
    if isinstance(kind, (narwhals.Date, narwhals.Datetime)):
        if getattr(kind, "time_zone", None):
            series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        values = series.cast(narwhals.Datetime("us")).to_numpy().astype(MICROSECONDS)
        return Moments(np.where(missing, np.datetime64("NaT"), values))
    if kind.is_integer():
        if len(series) > missing.sum() and max(abs(int(series.min())), abs(int(series.max()))) >= EXACT:
            return _words([str(cell) for cell in series.to_list()], missing.tolist(), True, False)
        return Numbers(_floats(series, missing))
    if kind.is_numeric():
        return Numbers(_floats(series, missing))
    return column_of(series.to_list(), as_spelled)


def _floats(series: "narwhals.Series[Any]", missing: "np.ndarray[Any, np.dtype[np.bool_]]") -> Any:
    import narwhals

    values = series.cast(narwhals.Float64).to_numpy()
    return np.where(missing, np.nan, np.asarray(values, np.float64))


def _words(cells: Sequence[Any], missing: Sequence[bool], as_spelled: bool, truth: bool) -> Words:
    codes = Codes(".", as_spelled)
    texts = ["" if gone or cell is None else cell for cell, gone in zip(cells, missing, strict=True)]
    if truth:
        texts = [text.capitalize() for text in texts]  # true, in some libraries
    found = codes.of(texts)
    return Words(list(codes.texts), found)
