"""`nnxp predict`: a trained model's predictions for the rows of a file, as CSV."""

import argparse
import csv
import io
from collections.abc import Mapping
from typing import Any

from nnxp import data
from nnxp.cli.results import class_names, predict
from nnxp.cli.runs import OutputFile
from nnxp.cli.saved import open_model
from nnxp.data.dataset import Array


def run(args: argparse.Namespace) -> None:
    """Writes the predictions."""
    out = None if args.out is None else OutputFile(args.out, args.overwrite)
    model, preprocessing = open_model(args.model, args.backend, args.precision)
    X = data.features(args.file, preprocessing)
    text = table(predict(model, X), class_names(model), preprocessing)
    if out is None:
        print(text, end="")  # which is silent where there is no standard output
    else:
        out.write(text)
        print(f"{len(X):,} predictions written to {out.path}")


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
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    if classes is not None:
        rows.writerow(["class", *(f"p({name})" for name in classes)])
        guesses = output.argmax(axis=1).tolist()
        rows.writerows([classes[guess], *map(str, row)] for guess, row in zip(guesses, output, strict=True))
    else:
        name = preprocessing["target"]
        rows.writerow([name] if output.shape[1] == 1 else [f"{name}{i}" for i in range(output.shape[1])])
        rows.writerows(map(str, row) for row in output)  # the shortest text that gives the same float again
    return text.getvalue()
