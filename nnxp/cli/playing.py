"""`nnxp train --page`: the training as a page to play with."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nnxp.cli.parser import UsageError
from nnxp.data import Dataset

NEEDS = "expected two features and one target: spiral, moons, or an .npz file with X of two columns"


def watching(args: argparse.Namespace, dataset: Dataset, of_table: bool) -> list[Any]:
    """The callback that watches the training, if one is to; raises where no plane can be drawn of it."""
    if not args.page:
        return []
    features, targets = dataset.X.shape[1], 1 if dataset.y.ndim == 1 else dataset.y.shape[1]
    if of_table:
        raise UsageError(
            f"--page: got the table {args.data}, whose columns a network takes in units of its own; {NEEDS}"
        )
    if (features, targets) != (2, 1):
        raise UsageError(f"--page: got {dataset.name} with {features} features and {targets} to predict, {NEEDS}")
    if (args.members or 1) > 1:
        raise UsageError(f"--page: got --members {args.members}, expected one network: leave one of them out")
    from nnxp.teaching import Playground

    columns = [column["name"] for column in dataset.preprocessing.get("columns", ())]
    names = {"features": columns} if len(columns) == 2 else {}
    return [Playground(dataset.X, dataset.y, held_out="validation" if args.validation_split else "test", **names)]


def write(watching: Sequence[Any], path: Path) -> str:
    """Writes what it saw; else gives the line that says why not: that is no reason to lose a trained model."""
    try:
        for playground in watching:
            playground.save(path)
    except OSError:
        raise  # which is said of the whole run
    except Exception as error:
        return f"no {path.name}: writing it failed ({type(error).__name__}: {error})"
    return ""
