"""`nnxp evaluate`: a trained model tested."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from nnxp import data
from nnxp.cli import presentation, seen
from nnxp.cli.results import Result, fingerprint
from nnxp.cli.runs import TRAINING_ROWS
from nnxp.cli.saved import open_model
from nnxp.data.dataset import Array, listing
from nnxp.data.npzfile import Arrays
from nnxp.errors import DataError
from nnxp.sequential import Sequential

Rows = tuple[Array, Array]


def run(args: argparse.Namespace) -> None:
    """Tests the model and prints the result."""
    model, preprocessing = open_model(args.model, args.backend, args.precision)
    (X, y), part = _test_rows(args, preprocessing, trained_here="format" in model.preprocessing)
    score = Score.of(model, X, y)
    known = seen.known(args.model, X, model.dtype)
    others = None
    if known is not None and not known.all():
        others = Score.of(model, X[~known], y[~known]) if known.any() else score
    trained_on = None if known is None else int(known.sum())
    if args.json:
        figures = {"model": args.model, "data": args.data, "part": part, **score.document(), "trained_on": trained_on}
        print(json.dumps(figures | {"others": others and others.document()}))
        return
    rounded = "; float32 products rounded to TF32" if model.backend.precision == "tf32" else ""
    print(f"{args.data}: {_PARTS[part].format(len(X))}{rounded}")
    print(score)
    print(_trained_on(trained_on, len(X), others))
    presentation.confusions(score.result)


class Score(NamedTuple):
    """What a test of some rows comes to."""

    result: Result
    loss: float

    @classmethod
    def of(cls, model: Sequential, X: Array, y: Array) -> "Score":
        """The model's score on the rows."""
        return cls(Result.of(model, X, y), float(model.evaluate(X, y)["loss"]))

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
        if args.data_dir is not None:
            raise DataError(f"--data-dir is the folder of fashion-mnist or mnist; {args.data} takes none")
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
