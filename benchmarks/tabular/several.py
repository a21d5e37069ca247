"""What members bring: one network of a preset, 8 and 32, on the tables for reporting.

OMP_NUM_THREADS=1 python -m benchmarks.tabular.several      # goes on where it was stopped; --show prints what is kept
OMP_NUM_THREADS=1 python -m benchmarks.tabular.several --splits 1 --members 8 32

Beside the protocol's scores: ROC AUC and calibration error of classes, and than how many of the members alone all
together are better, split by split. (Than the best of them is said with hindsight: only the test rows name it.)
"""

import argparse
import copy
import os
import statistics
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import measurements
from benchmarks.table import markdown
from benchmarks.tabular import contenders, runner, tables
from benchmarks.tabular.runner import Row
from benchmarks.tabular.tables import CLASSES, MAIN, NUMBERS, REPORTING, Split
from nnxp import metrics
from nnxp.typing import Floats

RESULTS = measurements.KEPT / "tabular-several.jsonl"
MEMBERS = (1, 8, 32)
OF_CLASSES = ("roc_auc", "calibration_error")


def contender(members: int) -> str:
    """Its name in the file."""
    return f"nnxp binned x {members}"


def more(split: Split, model: Any, predicted: Floats) -> Row:
    """AUC and calibration of classes, and the score of every member alone."""
    data, task = split.data, split.data.table.task
    truth, trained = data.y[split.test], data.y[split.train]
    found: Row = {}
    if task == CLASSES:
        found["scores"] = {name: getattr(metrics, name)(predicted, truth) for name in OF_CLASSES}
    if model.members > 1:
        X = data.X.iloc[split.test].reset_index(drop=True)
        found["members"] = []
        for number in range(model.members):
            one = copy.copy(model)
            one.model_ = model.model_.member(number)
            alone = np.asarray((one.predict_proba if task == CLASSES else one.predict)(X), np.float64)
            found["members"].append(tables.scores(task, truth, alone, trained)[MAIN[task]])
    return found


def rows_of(rows: Sequence[Row], table: tables.Table, members: int, splits: int) -> list[Row]:
    """The results of one table."""
    wanted = table.title, contender(members)
    found = [row for row in rows if (row["table"], row["contender"]) == wanted and row["split"] < splits]
    return [row for row in found if "scores" in row]


def mean(rows: Sequence[Row], score: str) -> str:
    """Of a score over the splits."""
    values = [row["scores"][score] for row in rows if score in row["scores"]]
    return f"{statistics.mean(values):.3f}" if values else "–"


def beaten(row: Row) -> int:
    """Than how many of the members alone all together are better."""
    sign = 1 if row["task"] == NUMBERS else -1
    score: float = row["scores"][MAIN[row["task"]]]
    return sum(sign * score > sign * one for one in row["members"])


def shown(rows: Sequence[Row], members: Sequence[int], splits: int) -> list[list[str]]:
    """A line for each table."""
    counts = ", ".join(map(str, members))
    heads = [f"{name} of {counts}" for name in ("log loss or R²", "AUC", "calibration error", "seconds")]
    lines = [["table", *heads, *(f"of {count}, all are better than" for count in members if count > 1)]]
    for table in tables.TABLES:
        found = [rows_of(rows, table, count, splits) for count in members]
        if table.part != REPORTING or any(len(one) < splits for one in found):
            continue
        cells = [", ".join(mean(one, name) for one in found) for name in (MAIN[table.task], *OF_CLASSES)]
        seconds = ", ".join(f"{statistics.median(row['seconds'] for row in one):.1f}" for one in found)
        better = [", ".join(str(beaten(row)) for row in one) for one in found if "members" in one[0]]
        lines.append(
            [table.title, *("–" if set(cell) <= {"–", ",", " "} else cell for cell in cells), seconds, *better]
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--members", type=int, nargs="+", default=MEMBERS)
    parser.add_argument("--show", action="store_true", help="run nothing")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    if not options.show:
        if os.environ.get("OMP_NUM_THREADS") != "1":
            parser.error("times are those of one thread: set OMP_NUM_THREADS=1")
        todo = [table for table in tables.TABLES if table.part == REPORTING]
        made = {contender(count): partial(contenders.preset, "binned", members=count) for count in options.members}
        runner.run(todo, options.splits, made, options.out, more=more)
    print(*markdown(shown(runner.load(options.out), options.members, options.splits)), sep="\n")


if __name__ == "__main__":
    main()
