"""Scores of nnxp's RealMLP presets beside pytabkit's: five seeds, five tables of at most 2,500 rows, the same splits.

python -m benchmarks.tabular.published.paired              # goes on where it was stopped; --show prints what is kept
python -m benchmarks.tabular.published.paired --theirs     # pytabkit's side alone

A seed divides the table, is both networks' own, and draws the fifth of the training part by which both choose an epoch,
the same rows. The scores are those of the protocol; a difference that is above 0 speaks for nnxp; its standard error is
of the seeds' differences.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks import measurements
from benchmarks.tabular import contenders, runner, tables
from benchmarks.tabular.published import peer
from nnxp.typing import HostArray

ROWS, SEEDS, HELD_OUT = 2500, 5, 1 / 5
NAMES = ("AER/HMDA", "ISLR/OJ", "modeldata/attrition", "modeldata/concrete", "ISLR/Wage")
RESULTS = measurements.KEPT / "tabular-published.jsonl"


class Held:
    """An estimator that is told which rows choose its epoch."""

    def __init__(self, model: Any, seed: int, fit: Callable[..., Any]) -> None:
        self.model, self.seed, self.fitted = model, seed, fit

    def fit(self, X: pd.DataFrame, y: HostArray) -> None:
        order = np.random.RandomState(self.seed).permutation(len(y))
        self.fitted(self.model, X, y, order[: round(HELD_OUT * len(y))])

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)


def theirs(preset: str, task: str, seed: int) -> Held:
    """pytabkit's."""

    def fit(model: Any, X: pd.DataFrame, y: HostArray, held_out: HostArray) -> None:
        model.fit(X, y, **{f"{model.steps[-1][0]}__val_idxs": held_out})

    return Held(peer.estimator(preset, task, seed), seed, fit)


def ours(preset: str, task: str, seed: int) -> Held:
    """nnxp's."""

    def fit(model: Any, X: pd.DataFrame, y: HostArray, held_out: HostArray) -> None:
        rest = np.delete(np.arange(len(y)), held_out)
        model.fit(X.iloc[rest], y[rest], X_val=X.iloc[held_out], y_val=y[held_out])

    return Held(contenders.preset(preset, task, seed), seed, fit)


SIDES = {f"{side} {preset}": (f, preset) for preset in peer.NAMES for side, f in (("pytabkit", theirs), ("nnxp", ours))}


def differences(rows: list[runner.Row], table: tables.Table, preset: str) -> list[float]:
    """nnxp's scores less pytabkit's, by seed, what is better above 0; those that both sides have."""
    found = {
        (row["contender"], row["split"]): row["scores"][tables.MAIN[table.task]]
        for row in rows
        if row["table"] == table.title and "scores" in row
    }
    sign = 1 if table.task == tables.NUMBERS else -1
    pairs = [(found.get((f"nnxp {preset}", seed)), found.get((f"pytabkit {preset}", seed))) for seed in range(SEEDS)]
    return [sign * (a - b) for a, b in pairs if a is not None and b is not None]


def show(rows: list[runner.Row], chosen: list[tables.Table]) -> None:
    """Mean scores, their differences in standard errors, seconds."""
    shown = Table("table", "preset", "pytabkit", "nnxp", "difference", "within two standard errors")
    for table in chosen:
        for preset in peer.NAMES:
            cells = []
            for side in ("pytabkit", "nnxp"):
                same = [
                    row
                    for row in rows
                    if row["table"] == table.title and row["contender"] == f"{side} {preset}" and "scores" in row
                ]
                scores, seconds = ([f(row) for row in same] for f in (partial(_score, table), _seconds))
                cells.append(f"{np.mean(scores):.4f}, {np.median(seconds):.1f} s" if same else "–")
            found = differences(rows, table, preset)
            if len(found) > 1:
                mean, error = np.mean(found), np.std(found, ddof=1) / np.sqrt(len(found))
                cells += [f"{mean:+.4f} ± {error:.4f}", "yes" if abs(mean) <= 2 * error else "no"]
            shown.add_row(table.title, preset, *cells)
    Console(width=140).print(shown)


def _score(table: tables.Table, row: runner.Row) -> float:
    return float(row["scores"][tables.MAIN[table.task]])


def _seconds(row: runner.Row) -> float:
    return float(row["seconds"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--theirs", action="store_true", help="pytabkit's side alone")
    parser.add_argument("--show", action="store_true", help="run nothing")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    chosen = [next(table for table in tables.TABLES if table.name == name) for name in NAMES]
    sides = {name: partial(f, preset) for name, (f, preset) in SIDES.items()}
    if options.theirs:
        sides = {name: side for name, side in sides.items() if name.startswith("pytabkit")}
    if not options.show:
        runner.run(chosen, SEEDS, sides, options.out, ROWS)
    show(runner.load(options.out), chosen)


if __name__ == "__main__":
    main()
