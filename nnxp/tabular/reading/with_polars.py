"""Text files read by polars, to the same table as `plaintext` reads."""

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nnxp.beside import workers
from nnxp.data.spelling import EXACT, PLAIN
from nnxp.tabular.reading.growing import Codes, values_of
from nnxp.tabular.reading.scan import Plain
from nnxp.tabular.reading.textform import Form
from nnxp.tabular.table import Column, Numbers

if TYPE_CHECKING:
    import polars

THREADS = 4
"""So many columns of words are made at a time, most of which is polars' work."""
HEAD = 100
"""So many cells tell which columns may be numbers."""
SHARE = 0.5
"""Up to this share of different cells, they are looked up by polars; beyond it, by Python."""


def columns(
    where: Path | bytes, form: Form, looked: Callable[[], Plain | None], texts: Collection[str]
) -> dict[str, Column] | None:
    """The columns of a UTF-8 text; None where it is not plain, polars refuses it, or cuts it into other rows.

    Columns that seem to be numbers are read as such, and as text where a cell of theirs is spelled in another way.
    What the look at the bytes has found is asked for last: it goes on beside the reading.
    """
    text = _Text(where, form)
    seeming = set() if form.decimal == "," else text.seeming_numbers(texts)
    frame = text.read(seeming)
    if frame is None and seeming:
        seeming = set()
        frame = text.read(seeming)
    plain = looked()
    if frame is None or plain is None or frame.height != plain.rows:
        return None
    found: dict[int, Column] = {}
    for place in seeming - plain.odd:
        numbers = frame.to_series(place).fill_nan(None)
        if numbers.null_count() < len(numbers) and (numbers.abs().max() or 0.0) < EXACT:
            found[place] = Numbers(numbers.fill_null(np.nan).to_numpy())
    again = seeming - found.keys()
    other = text.read(set(), again) if again else frame
    if other is None:
        return None
    left = [place for place in range(len(form.names)) if place not in found]
    series = [(other if place in again else frame).get_column(str(place)).fill_null("") for place in left]
    with workers(THREADS) as pool:
        made = pool.map(lambda place, cells: _column(cells, form.decimal, form.names[place] in texts), left, series)
        found.update(zip(left, made, strict=True))
    return {name: found[place] for place, name in enumerate(form.names)}


class _Text:
    def __init__(self, where: Path | bytes, form: Form) -> None:
        self.where, self.form = where, form

    def read(self, numbers: set[int], only: Iterable[int] | None = None, rows: int | None = None) -> Any:
        """A frame whose columns are named by their places; None where polars cannot."""
        import polars

        places = range(len(self.form.names))
        schema = {str(place): polars.Float64 if place in numbers else polars.String for place in places}
        try:
            return polars.read_csv(
                self.where,
                separator=self.form.separator,
                has_header=False,
                schema=schema,
                columns=None if only is None else sorted(only),
                skip_rows=1,
                n_rows=rows,
                glob=False,
            )
        except polars.exceptions.PolarsError:
            return None

    def seeming_numbers(self, texts: Collection[str]) -> set[int]:
        """The columns whose first cells are numbers, or empty."""
        head = self.read(set(), rows=HEAD)
        if head is None:
            return set()
        found = set()
        for place, name in enumerate(self.form.names):
            cells = {cell for cell in head.to_series(place).to_list() if cell}
            values = values_of(cells, ".")
            if cells and name not in texts and values is not None and not np.isnan([*values.values()]).any():
                found.add(place)
        return found


def _column(series: "polars.Series", decimal: str, as_spelled: bool) -> Column:
    import polars

    if not as_spelled and values_of(series.head(HEAD).to_list(), decimal) is not None:
        numbers = _numbers(series, decimal)
        if numbers is not None:
            return numbers
    codes = Codes(decimal, as_spelled)
    distinct = series.unique(maintain_order=True)
    if len(distinct) > SHARE * len(series):
        found = codes.of(series.to_list())
    else:
        new = codes.of(distinct.to_list())
        found = new[series.cast(polars.Enum(distinct)).to_physical().to_numpy()]
    return codes.words(found)


def _numbers(series: "polars.Series", decimal: str) -> Numbers | None:
    """The numbers of a column that has some, NaN where a cell is missing; None where a cell is neither."""
    import polars

    text = series.str.replace(",", ".", literal=True) if decimal == "," else series
    usual = text.str.contains(f"^(?:{PLAIN})$")
    if decimal == ",":
        usual &= ~series.str.contains(".", literal=True)
    values = text.cast(polars.Float64, strict=False)
    sure = usual & values.is_not_null() & (values.abs() < EXACT)
    doubtful = series.filter(~sure)
    found = values_of(doubtful.unique().to_list(), decimal)
    if found is None:
        return None
    numbers = values.fill_null(np.nan).to_numpy(writable=True)
    numbers[~sure.to_numpy()] = [found[cell] for cell in doubtful.to_list()]
    return None if np.isnan(numbers).all() else Numbers(numbers)
