"""Text files read by pyarrow, to the same table as `plaintext` reads."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np

from nnxp.data.spelling import EXACT, PLAIN
from nnxp.tabular.reading.growing import Codes, values_of
from nnxp.tabular.reading.scan import Plain
from nnxp.tabular.reading.textform import Form
from nnxp.tabular.table import Column, Numbers

HEAD = 100
"""So many cells tell at once that most columns of words are some."""


def columns(
    where: Path | bytes, form: Form, looked: Callable[[], Plain | None], texts: Collection[str]
) -> dict[str, Column] | None:
    """The columns of a UTF-8 text; None where it is not plain, pyarrow refuses it, or cuts it into other rows."""
    import pyarrow
    import pyarrow.csv

    places = [str(place) for place in range(len(form.names))]
    source: Any = str(where) if isinstance(where, Path) else pyarrow.BufferReader(where)
    try:
        table = pyarrow.csv.read_csv(
            source,
            pyarrow.csv.ReadOptions(column_names=places, skip_rows=1),
            pyarrow.csv.ParseOptions(delimiter=form.separator, newlines_in_values=True),
            pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(places, pyarrow.string()), strings_can_be_null=False),
        )
    except pyarrow.ArrowException:
        return None
    plain = looked()
    if plain is None or table.num_rows != plain.rows:
        return None
    return {
        name: _column(column.combine_chunks(), form.decimal, name in texts)
        for name, column in zip(form.names, table.columns, strict=True)
    }


def _column(cells: Any, decimal: str, as_spelled: bool) -> Column:
    if not as_spelled and values_of(cells[:HEAD].to_pylist(), decimal) is not None:
        numbers = _numbers(cells, decimal)
        if numbers is not None:
            return numbers
    codes, found = Codes(decimal, as_spelled), cells.dictionary_encode()
    new = codes.of(found.dictionary.to_pylist())
    return codes.words(new[found.indices.to_numpy()])


def _numbers(cells: Any, decimal: str) -> Numbers | None:
    """The numbers of a column that has some, NaN where a cell is missing; None where a cell is neither."""
    import pyarrow
    import pyarrow.compute as compute

    text = compute.replace_substring(cells, ",", ".") if decimal == "," else cells
    usual = compute.match_substring_regex(text, f"^(?:{PLAIN})$")
    if decimal == ",":
        usual = compute.and_not(usual, compute.match_substring(cells, "."))
    values = compute.cast(compute.if_else(usual, text, None), pyarrow.float64())
    sure = compute.fill_null(compute.less(compute.abs(values), float(EXACT)), False)
    doubtful = cells.filter(compute.invert(sure))
    found = values_of(doubtful.unique().to_pylist(), decimal)
    if found is None:
        return None
    numbers = np.array(values.to_numpy(zero_copy_only=False))
    numbers[~sure.to_numpy(zero_copy_only=False)] = [found[cell] for cell in doubtful.to_pylist()]
    return None if np.isnan(numbers).all() else Numbers(numbers)
