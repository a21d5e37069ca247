"""Which rows of a table are tested on, by the options of `nnxp train`; by a model's file they are found again."""

import hashlib
from dataclasses import replace

import numpy as np

from nnxp.errors import DataError
from nnxp.tabular import kinds, splitting
from nnxp.tabular.kinds.cells import moments_of, values_of
from nnxp.tabular.table import Numbers, Table, Words
from nnxp.typing import Floats, Integers


def divided(
    table: Table,
    labels: Integers | None,
    *,
    share: float,
    seed: int,
    split_by: str | None,
    time: str | None,
    day_first: bool | None,
) -> splitting.Parts:
    """The rows to train on and those held out, by the options of `nnxp train`."""
    if time is not None:
        return splitting.by_time(_times(table, time, day_first), share)
    if split_by is not None:
        return splitting.by_group(group_numbers(table, split_by), share, seed)
    return splitting.at_random(len(table) if labels is None else labels, share, seed)


def group_numbers(table: Table, name: str) -> Integers:
    """A number for each row, the same where the column's cells are."""
    column = table.columns[name]
    cells = column.codes if isinstance(column, Words) else column.values
    return np.unique(cells, return_inverse=True)[1].astype(np.int64)


def fingerprint(table: Table) -> str:
    """A digest by which the same table is known again."""
    digest = hashlib.sha256()
    for name, column in table.columns.items():
        digest.update(repr((name, type(column).__name__, len(column))).encode("utf-8", "surrogatepass"))
        if isinstance(column, Words):
            used, codes = np.unique(column.codes, return_inverse=True)
            digest.update(repr([column.texts[k] for k in used.tolist()]).encode("utf-8", "surrogatepass"))
            digest.update(codes.astype("<i8").tobytes())
        else:
            digest.update(np.ascontiguousarray(column.values).view(np.int64).astype("<i8").tobytes())
    return digest.hexdigest()


def _times(table: Table, name: str, day_first: bool | None) -> Floats:
    """What increases with time: seconds of a date, or a number."""
    (decision,) = kinds.decide(replace(table, columns={name: table.columns[name]}), day_first=day_first)
    column = table.columns[name]
    if isinstance(column, Numbers) or decision.kind == "number":
        return column.values if isinstance(column, Numbers) else values_of(column, decision).values
    if decision.kind == "date":
        moments = moments_of(column, decision).values
        return np.where(np.isnat(moments), np.nan, moments.astype("datetime64[us]").astype(np.int64) / 1e6)
    raise DataError(
        f"--time: got {name!r}, whose cells are {decision.kind} ({decision.why}), expected dates or numbers"
    )
