"""`nnxp evaluate`: a trained model tested."""

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nnxp import data
from nnxp.cli import account, dividing, opening, presentation, seen, table_options, tables
from nnxp.cli.parser import UsageError
from nnxp.cli.recipes import is_table
from nnxp.cli.results import Result, fingerprint
from nnxp.cli.runs import TRAINING_ROWS
from nnxp.cli.saved import as_spelled, open_model, wanted
from nnxp.data.dataset import Array, listing
from nnxp.data.npzfile import Arrays
from nnxp.errors import DataError, hint
from nnxp.sequential import Sequential
from nnxp.tabular import Encoder, Notes
from nnxp.tabular.encoders.target import ClassTarget, NumberTarget, NumberTargets, Target
from nnxp.tabular.findings.telling import tell
from nnxp.tabular.kinds import Decision
from nnxp.tabular.splitting import drawn
from nnxp.tabular.table import Table

Rows = tuple[Array, Array]


def run(args: argparse.Namespace) -> None:
    """Tests the model and prints the result."""
    model, preprocessing = open_model(args.model, args.backend, args.precision)
    encoder, table = Encoder.of(model), None
    if encoder is None:
        if wrong := table_options.given(args):
            raise UsageError(f"{wrong[0]} is for a table, and {args.model} was not trained on one as they are read now")
        (X, y), part = _test_rows(args, preprocessing, trained_here="format" in model.preprocessing)
        truth, inverse = y, None
    else:
        table, part = _table_rows(args, encoder, preprocessing)
        X, (y, truth), inverse = encoded(table, encoder, preprocessing, quiet=args.json)

    def scored(rows: Any) -> Score:
        return Score.of(model, X[rows], y[rows], truth[rows], inverse)

    score = scored(slice(None))
    known = seen.known(args.model, X, model.dtype)
    others = None
    if known is not None and not known.all():
        others = scored(~known) if known.any() else score
    trained_on = None if known is None else int(known.sum())
    documents = [] if table is None or encoder is None else account.of_test(model, encoder, table, X, truth)
    if args.json:
        figures = {"model": args.model, "data": args.data, "part": part, **score.document(), "trained_on": trained_on}
        figures |= {"others": others and others.document()}
        if documents:
            figures["findings"] = documents if len(documents) > 1 else documents[0]
        print(json.dumps(figures))
        return
    rounded = "; float32 products rounded to TF32" if model.backend.precision == "tf32" else ""
    print(f"{args.data}: {_PARTS[part].format(len(X))}{rounded}")
    print(score)
    print(_trained_on(trained_on, len(X), others))
    if not documents:
        presentation.confusions(score.result)
    for document in documents:
        if len(documents) > 1:
            print(f"\n{document['target']}")
        tell(document)


class Score(NamedTuple):
    """What a test of some rows comes to."""

    result: Result
    loss: float

    @classmethod
    def of(
        cls, model: Sequential, X: Array, y: Array, truth: Array, inverse: Callable[[Array], Array] | None = None
    ) -> "Score":
        """The model's score on the rows, whose y is learned and whose truth is what `inverse` gives predictions of."""
        return cls(Result.of(model, X, truth, inverse), float(model.evaluate(X, y)["loss"]))

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {"samples": self.result.samples, "loss": self.loss, **self.result.figures}

    def __str__(self) -> str:
        return presentation.figures(self.result) + (f"; loss {self.loss:.4g}" if self.result.classes else "")


def _trained_on(count: int | None, samples: int, others: Score | None) -> str:
    """How many of the rows are no test of the model, and the score of those that are."""
    if count is None:
        return f"how many of them the model was trained on is unknown: no {TRAINING_ROWS} of its run is beside it"
    text = f"{count:,} of them equal a row that the model was trained on"
    if count in (0, samples):
        return text + (": this is a training score, not a test's" if count else "")
    return f"{text}; the {samples - count:,} others: {others}"


_PARTS = {
    "test": "its test part, {:,} samples",
    "held out": "the {:,} samples that the model's own training set aside",
    "all": "all {:,} samples",
}


def with_targets(
    args: argparse.Namespace, encoder: Encoder, groups: str | None = None, quiet: bool = False
) -> tuple[Table, Table]:
    """The table of a file, read as a model's encoder needs it, and its rows that have what the model predicts."""
    targets = [one.name for one in each(wanted(encoder))]
    if not is_table(args.data):
        raise DataError(f"{args.model} was trained on a table, and {args.data} is none: expected {table_options.TABLE}")
    table = opening.opened(args, args.data, as_spelled(encoder, *targets, groups), quiet=quiet)
    if lacking := [name for name in targets if name not in table.columns]:
        there = listing(table.columns)
        raise DataError(
            f"{table.source} has no target column {lacking[0]!r}; there are {there}{hint(lacking[0], table.columns)}"
        )
    whole = table
    for name in targets:
        whole = opening.with_target(whole, name, quiet=quiet)
    return table, whole


def _table_rows(args: argparse.Namespace, encoder: Encoder, preprocessing: Mapping[str, Any]) -> tuple[Table, str]:
    """The rows of a table to test on, and which they are: "held out" or "all"."""
    held_out = dict(preprocessing.get("held_out", {}))
    table_options.no_folder(args)
    table, whole = with_targets(args, encoder, held_out.get("split_by"), quiet=args.json)
    if not held_out:
        return whole, "all"
    if (rows := held_out.pop("rows")) is not None:
        table = opening.with_target(drawn(table, rows, held_out["seed"]), each(wanted(encoder))[0].name, quiet=True)
    else:
        table = whole
    if held_out.pop("sha256") != dividing.fingerprint(table):
        return whole, "all"
    labels = None
    if isinstance(encoder.target, ClassTarget):
        labels = encoder.target.encode(table.columns[encoder.target.name])
    return table.take(dividing.divided(table, labels, **held_out)[1]), "held out"


def encoded(
    table: Table, encoder: Encoder, preprocessing: Mapping[str, Any], quiet: bool
) -> tuple[Array, tuple[Array, Array], Callable[[Array], Array] | None]:
    """X; y and the truth; and what gives predictions the truth's units."""
    target, notes = wanted(encoder), Notes()
    targets = {one.name for one in each(target)}  # which is known, and no input
    others = {name: column for name, column in table.columns.items() if name not in targets}
    X = encoder.transform(replace(table, columns=others), notes=notes)
    if not quiet:
        for note in notes:
            print(f"{'':9} {note}")
    decision = Decision(**preprocessing["decision"])
    if isinstance(target, ClassTarget):
        return X, tables.encoded_target(table, target, decision), None
    y, truth = zip(*(tables.encoded_target(table, one, decision) for one in each(target)), strict=True)
    return X, (np.stack(y, axis=1), np.stack(truth, axis=1)), target.inverse


def each(target: Target) -> tuple[ClassTarget | NumberTarget, ...]:
    """A target, or of several numbers each."""
    return target.targets if isinstance(target, NumberTargets) else (target,)


def _test_rows(args: argparse.Namespace, preprocessing: Mapping[str, Any], trained_here: bool) -> tuple[Rows, str]:
    """The rows to test on, and which they are: "test", "held out" or "all"."""
    path = Path(args.data)
    if (
        path.suffix.lower() == ".npz"
        and preprocessing["format"] == "array"
        and "X_test" in (arrays := Arrays(path)).names
    ):
        return arrays.examples(preprocessing, "_test"), "test"
    if path.suffix.lower() in (".csv", ".npz"):
        table_options.no_folder(args)
        X, y = data.examples(path, preprocessing)
    else:
        dataset = data.load(args.data, args.data_dir)
        if trained_here:
            _check(args.data, dataset.preprocessing, preprocessing)
        if dataset.X_test is not None and dataset.y_test is not None:
            return (dataset.X_test, dataset.y_test), "test"
        X, y = dataset.X, dataset.y
    held_out = preprocessing.get("held_out")
    if held_out and held_out["sha256"] == fingerprint(X, y):
        stratify = preprocessing["task"] == "classification"
        rows = data.split(y, held_out["share"], held_out["seed"], stratify=stratify)[1]
        return (X[rows], y[rows]), "held out"
    return (X, y), "all"


def _check(name: str, got: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Raises where a data set is of another kind than the one that the model was trained on."""
    if {**got, "held_out": None} != {**expected, "held_out": None}:
        raise DataError(f"{name} is {_kind(got)}; the model was trained on {_kind(expected)}")


def _kind(preprocessing: Mapping[str, Any]) -> str:
    if preprocessing["format"] == "columns":
        what = f"columns {listing(column['name'] for column in preprocessing['columns'])}"
    else:
        what = f"{' x '.join(map(str, preprocessing['shape']))} {preprocessing['dtype']} values"
    classes = preprocessing["classes"]
    return f"{what}, {'a number to predict' if classes is None else f'classes {listing(classes)}'}"
