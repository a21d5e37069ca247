"""Rows by column name in, answers by column name out: what `nnxp predict` does with a file, for rows in memory."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from nnxp import data
from nnxp.data.npzfile import conform
from nnxp.errors import DataError
from nnxp.network.answers import answer_names, answered, class_names
from nnxp.sequential import Sequential
from nnxp.tabular import Encoder, Notes
from nnxp.tabular.encoders.target import NumberTargets
from nnxp.tabular.networks import trained
from nnxp.tabular.reading.frames import as_table
from nnxp.typing import HostArray

Rows: TypeAlias = Sequence[Mapping[str, Any]]
GIVEN = "the rows given"
"""What errors call them."""


@dataclass(frozen=True)
class Input:
    """A column that rows have.

    Attributes
    ----------
    name, kind : str
        "number", "yes/no", "date" or "category"; "numbers" of an array X, whose cell is a list.
    words : tuple of str
        Those that the training knows.
    """

    name: str
    kind: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What a request is told: an object a row, and a sentence for each column with cells that do not fit."""

    predictions: list[dict[str, Any]]
    notes: list[str]


class Answering:
    """A model, and what it knows of its data.

    Parameters
    ----------
    model : Sequential
    preprocessing : dict
        How rows become rows of X, where the model has no encoder of tables.
    texts : collection of str
        The columns of a table whose cells stay as they are spelled.

    Attributes
    ----------
    inputs : list of Input
    predicted : str
        What is predicted: the name of the target.
    outputs : list of str
        What an answer's values are called: those of the columns that `nnxp predict` writes.
    """

    def __init__(self, model: Sequential, preprocessing: Mapping[str, Any], texts: Collection[str] = ()) -> None:
        self.model, self.preprocessing, self.texts = model, preprocessing, texts
        self.encoder = Encoder.of(model)
        self.target = None if self.encoder is None else self.encoder.target
        self.classes = class_names(model) if self.target is None else self.target.classes
        self.inputs = _columns(preprocessing) if model.encoder is None else _columns_of_table(model.encoder[0])
        several = [one.name for one in self.target.targets] if isinstance(self.target, NumberTargets) else None
        self.predicted = target = preprocessing.get("target", "") if self.target is None else self.target.name
        outputs = 1 if self.target is not None else model.n_out or 1
        self.outputs = several or answer_names(self.classes, target, outputs)

    def schema(self) -> dict[str, Any]:
        """What rows have and answers have, for JSON."""
        columns = [vars(one) if one.words else {"name": one.name, "kind": one.kind} for one in self.inputs]
        return {
            "task": "regression" if self.classes is None else "classification",
            "inputs": columns,
            "outputs": self.outputs,
        }

    def answer(self, requests: Sequence[Rows]) -> list[Answer | Exception]:
        """The answer of each request, or why it has none. A request's rows are read by themselves, as a file's are, and
        computed together with the others': a row's answer is the same to the last bit, whatever stands beside it (see
        `nnxp.tabular.networks.trained.predicted`)."""
        encoded = [self._encoded(rows) for rows in requests]
        there = [one[0] for one in encoded if not isinstance(one, Exception)]
        if not there:
            return [one for one in encoded if isinstance(one, Exception)]
        with np.errstate(all="ignore"):
            outputs = trained.predicted(self.model, np.concatenate(there))
        parts = iter(np.split(outputs, np.cumsum([len(X) for X in there])[:-1]))
        return [one if isinstance(one, Exception) else self._answer(next(parts), one[1]) for one in encoded]

    def _encoded(self, rows: Rows) -> tuple[HostArray, Notes] | Exception:
        notes = Notes()
        try:
            if self.encoder is not None:
                return self.encoder.transform(as_table(rows, texts=self.texts, name=GIVEN), notes=notes), notes
            if self.preprocessing["format"] == "columns":
                return data.features(rows, self.preprocessing), notes
            return conform(_numbers(rows), self.preprocessing, "X"), notes
        except ValueError as error:
            return error

    def _answer(self, outputs: HostArray, notes: Notes) -> Answer | Exception:
        try:
            if self.target is None:
                values = answered(self.model, outputs)
            else:
                with np.errstate(all="ignore"):
                    values = trained.in_units(self.model, self.target, outputs)
            if not np.isfinite(values).all():  # of a target's logarithm
                raise ValueError("a prediction is beyond the largest number")
        except ValueError as error:
            return error
        values = values.reshape(len(values), -1)
        shortest = [[float(str(value)) for value in row] for row in values]  # as `nnxp predict` writes them
        if self.classes is not None:
            first = [self.classes[k] for k in values.argmax(axis=1).tolist()]
            shortest = [[name, *row] for name, row in zip(first, shortest, strict=True)]
        return Answer([dict(zip(self.outputs, row, strict=True)) for row in shortest], [*notes])


def _columns_of_table(document: Mapping[str, Any]) -> list[Input]:
    """The columns that an encoder uses, by what its file says."""
    used = [entry for entry in document["columns"] if "missing" in entry]
    return [
        Input(entry["decision"]["name"], entry["decision"]["kind"], (*entry.get("words", ()), *entry.get("rare", ())))
        for entry in used
    ]


def _columns(preprocessing: Mapping[str, Any]) -> list[Input]:
    if preprocessing["format"] != "columns":
        return [Input("X", "numbers")]
    return [
        Input(column["name"], "category" if "categories" in column else "number", tuple(column.get("categories", ())))
        for column in preprocessing["columns"]
    ]


def _numbers(rows: Rows) -> HostArray:
    """X of rows that have nothing else, each a list of numbers."""
    lists = []
    for number, row in enumerate(rows, 1):
        values = row.get("X")
        if {*row} != {"X"} or not isinstance(values, list):
            raise DataError(f'row {number} has the columns {", ".join(row)}; expected X alone, {{"X": [0.5, 1, ...]}}')
        if wrong := [value for value in values if type(value) not in (int, float)]:
            raise DataError(f"row {number}, X: {wrong[0]!r:.60} is not a number")
        lists.append(values)
    if len({*map(len, lists)}) > 1:
        raise DataError(
            f"the rows have {min(map(len, lists))} to {max(map(len, lists))} numbers; expected as many each"
        )
    try:
        return np.array(lists, dtype=np.float64)
    except OverflowError:
        raise DataError("X: a number is larger than float64 can hold") from None
