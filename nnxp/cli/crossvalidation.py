"""`nnxp train --cv K`: K trainings, each tested on another part of the rows."""

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

from nnxp.cli import account, tables
from nnxp.cli.dividing import group_numbers
from nnxp.cli.opening import Understood
from nnxp.cli.parser import UsageError
from nnxp.cli.tables import Prepared
from nnxp.printing import print_table
from nnxp.sequential import Sequential
from nnxp.tabular import splitting
from nnxp.tabular.findings.influence import ROUNDING
from nnxp.tabular.findings.measures import BY_NAME
from nnxp.tabular.findings.numerals import with_error
from nnxp.tabular.networks.presets import Preset


def check(args: argparse.Namespace) -> None:
    """Raises UsageError where the parts are not to be drawn."""
    if args.cv is not None and args.time is not None:
        raise UsageError("--cv tests on every row once, and --time on the last ones only: leave one of them out")


def cross_validated(
    args: argparse.Namespace, found: Understood, preset: Preset, trained: Callable[[Prepared], Sequential]
) -> dict[str, Any]:
    """The scores of every contender: their mean over the parts, and its standard error, s / √K.

    Parameters
    ----------
    found : Understood
        Of the table that is divided.
    preset : Preset
        What is trained.
    trained
        Gives a model that is trained on what is prepared.
    """
    groups = None if args.split_by is None else group_numbers(found.table, args.split_by)
    labels = len(found.table) if found.labels is None else found.labels
    scores: dict[str, dict[str, list[float]]] = {}
    shown: list[str] = []
    for number, (train, test) in enumerate(splitting.folds(labels, args.cv, args.seed, groups), start=1):
        if not args.quiet:
            print(
                f"{'part':9} {number} of {args.cv}: trained on {len(train):,} rows, tested on {len(test):,}", flush=True
            )
        part = tables.encoded(args, found, preset, train, found.table.take(test))
        document = account.scores(trained(part), part)
        shown = [metric["name"] for metric in document["metrics"]]
        for contender in document["contenders"]:
            own = scores.setdefault(contender["label"], {})
            for name, score in contender["scores"].items():
                own.setdefault(name, []).append(np.nan if score["value"] is None else score["value"])
    return {
        "parts": args.cv,
        "metrics": shown,
        "scores": {label: {name: _mean(values) for name, values in own.items()} for label, own in scores.items()},
    }


def show(result: dict[str, Any]) -> None:
    """Prints the scores."""
    print(f"\nMean over {result['parts']} parts, each tested on once, ± its standard error")
    labels = [*result["scores"]]
    rows = [
        [BY_NAME[name]["label"], *(with_error(*result["scores"][label][name].values()) for label in labels)]
        for name in result["metrics"]
    ]
    print_table(["", *labels], rows)


def _mean(values: list[float]) -> dict[str, float | None]:
    """The mean of the parts that have a value, and its standard error."""
    known = np.array([value for value in values if np.isfinite(value)])
    if not len(known):
        return {"value": None, "error": None}
    value = float(known.mean())
    error = float(known.std(ddof=1) / np.sqrt(len(known))) if len(known) > 1 else None
    return {"value": value, "error": 0.0 if error is not None and error <= ROUNDING * abs(value) else error}
