"""`nnxp evaluate`: a trained model tested."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnxp import data
from nnxp.cli import presentation
from nnxp.cli.results import Result, fingerprint
from nnxp.cli.saved import open_model
from nnxp.data.dataset import Array, listing
from nnxp.data.npzfile import Arrays
from nnxp.errors import DataError

Rows = tuple[Array, Array]


def run(args: argparse.Namespace) -> None:
    """Tests the model and prints the result."""
    model, preprocessing = open_model(args.model, args.backend, args.precision)
    (X, y), part = _test_rows(args, preprocessing, trained_here="format" in model.preprocessing)
    loss = model.evaluate(X, y)["loss"]
    result = Result.of(model, X, y)
    if args.json:
        figures = {"model": args.model, "data": args.data, "part": part, "samples": len(X), "loss": loss}
        print(json.dumps(figures | result.figures))
        return
    rounded = "; float32 products rounded to TF32" if model.backend.precision == "tf32" else ""
    print(f"{args.data}: {_PARTS[part].format(len(X))}{rounded}")
    print(presentation.figures(result) + (f"; loss {loss:.4g}" if result.classes else ""))
    presentation.confusions(result)


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
