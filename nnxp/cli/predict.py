"""`nnxp predict`: a trained model's predictions for the rows of a file, as CSV."""

import argparse
import csv
import io
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from nnxp import data
from nnxp.cli import account, table_options
from nnxp.cli.opening import reading_options
from nnxp.cli.parser import UsageError
from nnxp.cli.results import predict
from nnxp.cli.runs import OutputFile
from nnxp.cli.saved import as_spelled, open_model, wanted
from nnxp.data.dataset import Array, listing
from nnxp.errors import DataError, hint
from nnxp.network.answers import answer_names, class_names
from nnxp.printing import counted
from nnxp.sequential import Sequential
from nnxp.tabular import Encoder, Notes, blocks
from nnxp.tabular.encoders.target import NumberTargets
from nnxp.tabular.table import words_of


def run(args: argparse.Namespace) -> None:
    """Writes the predictions."""
    out = None if args.out is None else OutputFile(args.out, args.overwrite)
    model, preprocessing = open_model(args.model, args.backend, args.precision)
    if (encoder := Encoder.of(model)) is not None:
        of_table(args, model, encoder, out)
        return
    if wrong := table_options.given(args):
        raise UsageError(f"{wrong[0]} is for a table, and {args.model} was not trained on one as they are read now")
    X = data.features(args.file, preprocessing)
    text = table(predict(model, X), class_names(model), preprocessing)
    if out is None:
        print(text, end="")  # which is silent where there is no standard output
    else:
        out.write([text])
        print(f"{counted(len(X), 'prediction')} written to {out.path}")


def of_table(args: argparse.Namespace, model: Sequential, encoder: Encoder, out: OutputFile | None) -> None:
    """Writes the predictions of a table, a block of rows at a time; what is to be said goes to standard error."""
    notes = Notes()
    texts = _texts(args, model, encoder, notes)
    if out is None:
        for text in texts:
            print(text, end="")  # which is silent where there is no standard output
    else:
        out.write(texts)
    for note in notes:
        print(f"nnxp: {note}", file=sys.stderr)
    if out is not None:
        print(f"{counted(notes.rows, 'prediction')} written to {out.path}")


def _texts(args: argparse.Namespace, model: Sequential, encoder: Encoder, notes: Notes) -> Iterator[str]:
    """The predictions as CSV, in parts."""
    target = wanted(encoder)
    texts: Collection[str] = _All() if args.with_input else as_spelled(encoder, *args.keep)
    kept: list[str] | None = None
    for block in blocks(args.file, **reading_options(args), texts=texts):
        head = []
        if kept is None:
            kept = [*block.columns] if args.with_input else [*args.keep]
            if lacking := [name for name in kept if name not in block.columns]:
                there = f"there are {listing(block.columns)}{hint(lacking[0], block.columns)}"
                raise DataError(f"--keep: {block.source} has no column {lacking[0]!r}; {there}")
            several = [one.name for one in target.targets] if isinstance(target, NumberTargets) else None
            head = [[*(several or answer_names(target.classes, target.name, 1)), *kept]]
        output = account.outputs(model, target, encoder.transform(block, notes=notes))
        cells = [words_of(block.columns[name]) for name in kept]
        beside = [[words.texts[code] for code in words.codes.tolist()] for words in cells]
        yield _csv([*head, *zip(*columns(output, target.classes), *beside, strict=True)])


def _csv(rows: Iterable[Iterable[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


class _All(Collection[str]):
    """The names of all columns, whatever they are."""

    def __contains__(self, name: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def table(output: Array, classes: list[str] | None, preprocessing: Mapping[str, Any]) -> str:
    """The predictions as CSV.

    Examples
    --------
    >>> import numpy as np
    >>> print(table(np.array([[0.25, 0.75]]), ["no", "yes"], {}), end="")
    class,p(no),p(yes)
    yes,0.25,0.75
    >>> print(table(np.array([[1.5, 2.0]]), None, {"target": "y"}), end="")
    y0,y1
    1.5,2.0
    """
    head = answer_names(classes, preprocessing.get("target", ""), output.shape[1])
    return _csv([head, *zip(*columns(output, classes), strict=True)])


def columns(output: Array, classes: Sequence[str] | None) -> list[Any]:
    """What is predicted, first the prediction itself; each number in the shortest text that gives it again."""
    if classes is None:
        return [[*map(str, values)] for values in (output.T if output.ndim == 2 else [output])]
    return [[classes[k] for k in output.argmax(axis=1).tolist()], *([*map(str, values)] for values in output.T)]
