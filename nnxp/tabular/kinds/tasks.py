"""What is asked of the column to predict: classes to tell apart, or a number."""

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from nnxp.errors import DataError
from nnxp.tabular.kinds import dates
from nnxp.tabular.kinds.deciding import FEW, Decision, decide
from nnxp.tabular.kinds.looks import Look
from nnxp.tabular.table import Moments, Table

Name: TypeAlias = Literal["classification", "regression"]

MOST_NUMBERED = 20
"""So many different whole numbers may be classes."""
MOST_CLASSES = 1000
"""So many words may be classes, however long the table is."""

RULE = (
    "Words are classes; whole numbers in digits are classes where there are at most 20 different ones and each occurs "
    "twice or more on average; all other numbers are a regression."
)

_whole = re.compile("[+-]?[0-9]{1,18}")  # what int64 holds


@dataclass(frozen=True)
class Task:
    """What a target asks for.

    Attributes
    ----------
    task : "classification" or "regression"
    why : str
    decision : Decision
        How the cells are read: of kind number for a regression, otherwise category. Its `missing` is the number of rows
        without a target.
    """

    task: Name
    why: str
    decision: Decision


def task_of(table: Table, target: str, task: Name | None = None) -> Task:
    """The task that a target's cells ask for, by `RULE`.

    Parameters
    ----------
    table : Table
    target : str
        Its column, best read as it is spelled: ``3.0`` asks for a regression, where ``3`` may be a class.
    task : "classification" or "regression", optional
        What is known better.

    Raises
    ------
    DataError
        The target has fewer than two different values, is a date, has too many different words to be classes, or holds
        a word, named by its row, where a regression was asked for.

    Examples
    --------
    >>> import numpy as np
    >>> from nnxp.tabular.table import Words
    >>> table = Table("t.csv", {"y": Words(["3", "4"], np.array([0, 1, 1, 0], np.int32))}, range(2, 6))
    >>> task_of(table, "y").task, task_of(table, "y", "regression").task
    ('classification', 'regression')
    """
    look = Look(table, target)
    what = f"{table.source}, target column {target!r}"
    if len(look.texts) < 2:
        held = f"holds {look.texts[0]!r} in every row" if look.texts else "holds no value in any row"
        raise DataError(f"{what} {held}; there is nothing to tell apart")
    if task == "regression":
        return _regression(table, target, "as asked for")
    if task == "classification":
        return _classes(look, "as asked for")
    if isinstance(table.columns[target], Moments) or _are_dates(look):
        raise DataError(
            f"{what} holds dates, which are neither classes nor numbers: put a number in their place, such as the days "
            "from a date on, or ask for classes, task='classification'"
        )
    spelling = look.spelling()
    if not spelling.odd:
        if not all(map(_whole.fullmatch, look.texts)):
            return _regression(table, target, "numbers")
        different = len({int(text) for text in look.texts})
        if different > MOST_NUMBERED or 2 * different > look.known:
            return _regression(table, target, f"whole numbers, {different} different ones in {look.known} rows")
        why = f"whole numbers, {different} different ones"
        return _classes(look, f"{why}; --task regression predicts a number" if different > 2 else why)
    most = max(FEW, min(MOST_CLASSES, look.known // 2))
    if len(look.texts) > most:
        near = (
            f": {look.named(spelling.odd[0])} is no number, nearly all others are"
            if spelling.nearly(len(look.texts))
            else ""
        )
        raise DataError(
            f"{what} holds {len(look.texts)} different words in {look.known} rows, too many to be classes ({most} at "
            f"most here){near}; correct it, or ask for classes, task='classification'"
        )
    return _classes(look, f"words, {len(look.texts)} different ones")


def _are_dates(look: Look) -> bool:
    manner = dates.manner_of(look.texts)
    return manner is not None and not np.isnat(dates.read(look.texts, manner).values).any()


def _classes(look: Look, why: str) -> Task:
    return Task("classification", why, Decision(look.name, "category", why, look.missing, f"{len(look.texts)} classes"))


def _regression(table: Table, target: str, why: str) -> Task:
    others = [name for name in table.columns if name != target]
    (decision,) = decide(table, kinds={target: "number"}, drop=others)
    if decision.kind != "number":
        raise DataError(f"{table.source}, target column {target!r} holds {decision.why}; there is nothing to learn")
    return Task("regression", why, decision)
