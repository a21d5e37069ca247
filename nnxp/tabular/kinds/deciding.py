"""What each column of a table is: a number, a category, a date, ... Each kind has its rule, in one sentence."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnxp.data.dataset import listing
from nnxp.data.spelling import Spelling, canonical, is_code
from nnxp.errors import DataError, hint
from nnxp.printing import counted
from nnxp.tabular.kinds import dates
from nnxp.tabular.kinds.cycles import parts_of
from nnxp.tabular.kinds.looks import Look, counts_rows
from nnxp.tabular.table import Indices, Moments, Numbers, Table, Words

FEW = 20
"""Up to so many different words are categories in a table of any length."""
LONG = 50
"""Words whose different values have more characters than this on average are sentences."""

RULES = {
    "constant": "The same value in every row, or no value in any.",
    "yes/no": "The different values are yes and no, y and n, true and false, t and f, on and off, or 1 and 0; both of "
    "one pair, and perhaps some of the others.",
    "identifier": "Every cell is different, and the column is called id or like customer_id, or is the first and "
    f"nameless; or there are {FEW} cells or more, and they count the rows from 0 or 1, all or those drawn from a file, "
    "or each is different and one word, no number or date.",
    "date": "Every cell is a date, with or without a time, or every cell is a time of day.",
    "number": "Every cell is a number in a usual spelling, with the same unit or none, and none is a code, which has "
    "leading zeros or is beyond 2^53; or every cell is a duration like 39:05:12, and one is of 24 hours or more.",
    "text": f"More than {FEW} different words, which are more than half as many as there are cells, or longer than "
    f"{LONG} characters on average.",
    "category": "All other words.",
}
"""The rule of each kind: the first that fits decides. But for a constant, a missing cell is none of the cells here."""

PAIRS = (("no", "yes"), ("n", "y"), ("false", "true"), ("f", "t"), ("off", "on"), ("0", "1"))
MEANING = {text: float(i) for pair in PAIRS for i, text in enumerate(pair)}
"""What the words of a yes/no column mean, in small letters."""

NOTHING = "no value in any row"

CALLED_ID = re.compile(r"(?i:[pu]?id|[ug]uid|rownames|column 1|unnamed: 0|\.{3}1|.*[^a-z]id|id[^a-z].*)|.*[a-z]I[dD]")
"""What identifiers are called."""


@dataclass(frozen=True)
class Decision:
    """What a column is, and how its cells are read.

    Attributes
    ----------
    name, kind, why : str
        The column, one of `RULES`, and what decided.
    missing : int
        How many cells have no value.
    becomes : str
        What the column is to a network, in words.
    decimal, unit : str
        Of numbers: as `nnxp.data.spelling.Spelling`.
    day_first, clock
        Of dates: as `nnxp.tabular.kinds.dates.Manner`.
    """

    name: str
    kind: str
    why: str
    missing: int
    becomes: str = "left out"
    decimal: str = "."
    unit: str = ""
    day_first: bool | None = None
    clock: bool = False

    @property
    def used(self) -> bool:
        """Whether a network sees the column."""
        return self.kind in ("number", "yes/no", "date", "category")

    def document(self) -> dict[str, Any]:
        """As JSON has it: ``Decision(**document)`` is the way back."""
        return dict(vars(self))  # `asdict` copies what is flat anyway, and of 10,000 columns slowly


def decide(
    table: Table,
    *,
    kinds: Mapping[str, str] | None = None,
    drop: Collection[str] = (),
    target: str | None = None,
    day_first: bool | None = None,
    decimal: str = ".",
) -> list[Decision]:
    """What each column of a table is, by `RULES`.

    Parameters
    ----------
    table : Table
    kinds : mapping of str to str, optional
        The kinds of columns, by name, that are known better.
    drop : collection of str
        Columns that are passed over.
    target : str, optional
        The column to predict, which is passed over too: `nnxp.tabular.kinds.tasks.task_of` decides about it.
    day_first : bool, optional
        Whether 01/02/2020 is the first of February; by default the column's other cells say so, or else it is not.

    decimal : {".", ","}
        With ",", words are read as those of a source of decimal commas: `1.200 €` is 1200.

    Returns
    -------
    list of Decision
        In the order of the table.

    Raises
    ------
    DataError
        A name or a kind that does not exist; a cell, by its row, that is not of the kind that was asked for.

    Examples
    --------
    >>> from nnxp.tabular.table import Words
    >>> prices = Words(["$5", "$1,200", ""], np.array([0, 1, 2, 1], np.int32))
    >>> (price,) = decide(Table("prices.csv", {"price": prices}, range(2, 6)))
    >>> price.kind, price.why, price.becomes
    ('number', "numbers like '$5', all in $", '1 number, 1 column of 0 and 1 (missing)')
    """
    kinds = dict(kinds or {})
    if decimal == ",":
        read = {name: replace(c, decimal=",") if isinstance(c, Words) else c for name, c in table.columns.items()}
        table = replace(table, columns=read)
    for word, names in (("kinds", kinds), ("drop", drop), ("target", () if target is None else (target,))):
        for name in names:
            if name not in table.columns:
                texts = table.columns if isinstance(name, str) else map(repr, table.columns)  # a frame's 0 is '0' here
                known = f"expected columns of {table.source}: {listing(texts)}"
                raise DataError(f"{word}: got {name!r}, {known}{hint(str(name), table.columns)}")
    for name, kind in kinds.items():
        if kind not in RULES:
            expected = f"expected one of {listing(RULES)}{hint(kind, RULES)}"
            raise DataError(f"kinds: got {kind!r} for the column {name!r}, {expected}")
    return [
        _asked(table, name, kinds[name], day_first) if name in kinds else _found(table, name, day_first)
        for name in table.columns
        if name not in drop and name != target
    ]


def _found(table: Table, name: str, day_first: bool | None) -> Decision:
    """What the cells of a column say."""
    column = table.columns[name]
    if isinstance(column, Numbers):
        return _of_numbers(name, column.values, table.lines)
    if isinstance(column, Moments):
        return _of_moments(name, column.values)
    return _of_words(Look(table, name), day_first)


def _asked(table: Table, name: str, kind: str, day_first: bool | None) -> Decision:
    """What was asked for, where the cells of a column allow it."""
    column, why = table.columns[name], "as asked for"
    if kind == "number" and isinstance(column, Numbers):
        return _number(name, why, int(np.isnan(column.values).sum()))
    if kind == "date" and isinstance(column, Moments):
        return _date(name, why, column.values)
    look = Look(table, name)
    if not look.texts:
        return Decision(name, "constant", NOTHING, look.missing)
    if kind == "number":
        spelling = look.spelling()
        for i in spelling.odd:
            unit = f" with the unit {spelling.unit!r}" if spelling.unit else ""
            raise look.complaint(i, f"is no number{unit}: correct it, or empty the cell, which counts as missing then")
        return _spelled_number(look, why, spelling)
    if kind == "date":
        manner = dates.manner_of(look.texts, day_first)
        if manner is None:
            raise look.complaint(0, "is no date: write it like 2020-01-31, or empty the cell")
        values = dates.read(look.texts, manner).values
        for i in np.flatnonzero(np.isnat(values)).tolist():
            raise look.complaint(i, "is no date as the column's others are: correct it, or empty the cell")
        return _date(name, why, values, look.missing, manner)
    if kind == "yes/no":
        for i, text in enumerate(look.texts):
            if text.lower() not in MEANING:
                raise look.complaint(i, f"is none of {listing(MEANING, 20)}: correct it, or empty the cell")
        return _yes_no(name, why, look.missing)
    return _category(look, why) if kind == "category" else Decision(name, kind, why, look.missing)


def _of_numbers(name: str, values: NDArray[np.float64], lines: Sequence[int] | Indices) -> Decision:
    known = values[~np.isnan(values)]
    missing = len(values) - len(known)
    if not len(known):
        return Decision(name, "constant", NOTHING, missing)
    low, high = known.min(), known.max()
    if low == high and not missing:
        return Decision(name, "constant", f"{canonical(float(low))} in every row", 0)
    if low == 0 and high == 1 and ((known == 0) | (known == 1)).all():
        return _yes_no(name, "0 and 1", missing)
    if len(values) >= FEW and counts_rows(values, lines):
        return Decision(name, "identifier", "counts the rows", 0)
    if CALLED_ID.fullmatch(name) and (known == np.trunc(known)).all() and len(np.unique(known)) == len(known):
        return Decision(name, "identifier", "all are different, and it is called so", missing)
    return _number(name, "numbers", missing)


def _of_moments(name: str, values: NDArray[np.datetime64]) -> Decision:
    known = values[~np.isnat(values)]
    missing = len(values) - len(known)
    if not len(known):
        return Decision(name, "constant", NOTHING, missing)
    if known.min() == known.max() and not missing:
        return Decision(name, "constant", f"{known[0]} in every row", 0)
    return _date(name, "dates", values)


def _of_words(look: Look, day_first: bool | None) -> Decision:
    name, texts, missing = look.name, look.texts, look.missing
    if not texts:
        return Decision(name, "constant", NOTHING, missing)
    if len(texts) == 1 and not missing:
        return Decision(name, "constant", f"{texts[0]!r} in every row", 0)
    low = {text.lower() for text in texts[: 2 * len(MEANING) + 1]}
    if low <= {*MEANING} and any(low.issuperset(pair) for pair in PAIRS):
        return _yes_no(name, " and ".join(texts) if len(texts) == 2 else listing(texts), missing)
    different = look.known == len(texts)
    if different and CALLED_ID.fullmatch(name):
        return Decision(name, "identifier", "all are different, and it is called so", missing)
    manner = dates.manner_of(texts, day_first)
    but = ""
    if manner is not None:
        moments = dates.read(texts, manner)
        odd = np.flatnonzero(np.isnat(moments.values))
        if not len(odd):
            why = f"{'times' if manner.clock else 'dates'} like {texts[0]!r}{manner.order(texts[0])}"
            return _date(name, f"{why}{', in UTC' if moments.zoned else ''}", moments.values, missing, manner)
        if odd[0] > 0:
            but = f"; {texts[0]!r} is a date{manner.order(texts[0])}, but {look.named(int(odd[0]))} is none"
    spelling = look.spelling()
    codes = [i for i, text in enumerate(texts) if is_code(text)]
    if not spelling.odd and not codes:
        return _spelled_number(look, None, spelling)
    if spelling.nearly(len(texts)):
        none, what = (spelling.odd[0], "is none") if spelling.odd else (codes[0], "is a code")
        but = f"; numbers{f' in {spelling.unit}' if spelling.unit else ''}, but {look.named(none)} {what}"
    if different and look.known >= FEW and all(len(text.split()) == 1 for text in texts):
        return Decision(name, "identifier", f"all are different{but}", missing)
    why = f"{len(texts)} different values{but}"
    if len(texts) > FEW and (2 * len(texts) > look.known or sum(map(len, texts)) > LONG * len(texts)):
        return Decision(name, "text", why, missing)
    return _category(look, why)


def _spelled_number(look: Look, why: str | None, spelling: Spelling) -> Decision:
    """Numbers in another spelling, the infinite ones among the missing."""
    infinite = int(look.counts[spelling.infinite].sum())
    if infinite == look.known:
        return Decision(look.name, "constant", NOTHING, look.missing + infinite)
    why = look.said(spelling) if why is None else why
    why += f"; {infinite} infinite, which count as missing" if infinite else ""
    number = _number(look.name, why, look.missing + infinite)
    return replace(number, decimal=spelling.decimal, unit=spelling.unit)


def _number(name: str, why: str, missing: int) -> Decision:
    return Decision(name, "number", why, missing, f"1 number{_flag(missing)}")


def _yes_no(name: str, why: str, missing: int) -> Decision:
    return Decision(name, "yes/no", why, missing, f"1 column of -1 and 1{_flag(missing)}")


def _category(look: Look, why: str) -> Decision:
    columns = len(look.texts)
    becomes = "1 column of -1 and 1" if columns == 2 else f"{counted(columns, 'column')} of 0 and 1"
    return Decision(look.name, "category", why, look.missing, becomes + _flag(look.missing))


def _date(
    name: str,
    why: str,
    values: NDArray[np.datetime64],
    missing: int | None = None,
    manner: dates.Manner = dates.DAYS,
) -> Decision:
    """Dates: of a typed column its moments, of words those of the different ones."""
    missing = int(np.isnat(values).sum()) if missing is None else missing
    becomes = parts_of(values).becomes() + _flag(missing)
    return Decision(name, "date", why, missing, becomes, day_first=manner.day_first, clock=manner.clock)


def _flag(missing: int) -> str:
    return ", 1 column of 0 and 1 (missing)" if missing else ""
