"""`nnxp explain`: one training step with every number."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnxp import data
from nnxp.cli import table_options
from nnxp.cli.evaluate import encoded, with_targets
from nnxp.cli.parser import UsageError
from nnxp.cli.runs import OutputFile
from nnxp.cli.saved import open_model
from nnxp.data.dataset import Array
from nnxp.errors import DataError
from nnxp.sequential import Sequential
from nnxp.tabular import Encoder
from nnxp.teaching.explanation import FORMATS, Explanation, explain, kind_of


def run(args: argparse.Namespace) -> None:
    """Prints the page, or writes it."""
    out = None if args.out is None else OutputFile(args.out, args.overwrite, what="the page")
    kind = args.format or (args.out and kind_of(args.out)) or "text"
    text = FORMATS[kind](_explained(args).facts)
    if out is None:
        print(text, end="")  # which is silent where there is no standard output
    else:
        out.write([text])
        print(f"one training step written to {out.path}")


def _explained(args: argparse.Namespace) -> Explanation:
    usage = "nnxp explain MODEL FILE --rows 0:2"
    if args.model is None:
        if options := [*(["--rows"] if args.stretch else []), *table_options.given(args)]:
            raise UsageError(f"{options[0]} is for a FILE, and there is none: {usage}")
        return explain()
    if args.data is None:
        raise UsageError(f"got {args.model} without a FILE, expected one with rows to train on: {usage}")
    model, preprocessing = open_model(args.model, "numpy", None)
    if model.members > 1:
        raise UsageError(
            f"got {args.model} of {model.members} networks, expected one: nnxp train ... --members 1, or in Python "
            "nnxp.explain(model.member(0), X, y)"
        )
    X, y = _examples(args, model, preprocessing)
    rows = args.stretch or slice(0, min(2, len(X)))
    if rows.stop > len(X):
        raise DataError(f"got --rows {rows.start}:{rows.stop}, expected some of the {len(X):,} rows of {args.data}")
    return explain(model, X[rows], y[rows])


def _examples(args: argparse.Namespace, model: Sequential, preprocessing: Mapping[str, Any]) -> tuple[Array, Array]:
    """All rows of the file that have a target, as the model was trained on such."""
    if (encoder := Encoder.of(model)) is not None:
        X, (y, _), _ = encoded(with_targets(args, encoder, quiet=True)[1], encoder, preprocessing, quiet=True)
        return X, y
    if wrong := table_options.given(args):
        raise UsageError(f"{wrong[0]} is for a table, and {args.model} was not trained on one as they are read now")
    if Path(args.data).suffix.lower() in (".csv", ".npz"):
        return data.examples(args.data, preprocessing)
    dataset = data.load(args.data)
    return dataset.X, dataset.y
