"""Ensembles of nnxp's beside pytabkit's TabM_D: eight tables for reporting, a split each, scores and whole fits.

OMP_NUM_THREADS=1 python -m benchmarks.tabular.published.ensembles    # goes on where it was stopped; --show prints
OMP_NUM_THREADS=1 python -m benchmarks.tabular.published.ensembles --ours "nnxp ensemble"

The tables are the eight on which networks were compared first (PROTOCOL.md). A difference is of the losses of the test
rows (log loss, or squared error over the targets' variance), TabM_D's less nnxp's, so that what is above 0 speaks for
nnxp; its standard error is over those rows.
"""

import argparse
import os
import statistics
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import measurements
from benchmarks.tabular import contenders, report, runner, tables
from benchmarks.tabular.published import peer
from benchmarks.tabular.runner import Row
from benchmarks.tabular.tables import CLASSES, LEAST, MAIN, Split
from nnxp.typing import Floats

TABLES = ("credit_data", "wa_churn", "mlc_churn", "HMDA", "cells", "ames", "diamonds", "hotel_rates")
THEIRS = f"pytabkit {peer.ENSEMBLE}"
OURS = ("nnxp ensemble", "nnxp tabm")
RESULTS = measurements.KEPT / "tabular-ensembles.jsonl"


def losses(split: Split, model: Any, predicted: Floats) -> Row:
    """Of every test row."""
    y = split.data.y[split.test]
    if split.data.table.task == CLASSES:
        found = -np.log(np.maximum(predicted[np.arange(len(y)), y], LEAST))
    else:
        found = np.square(y - predicted.ravel()) / np.var(y)
    return {"losses": [float(f"{loss:.3g}") for loss in found]}


def compared(found: dict[str, Row], table: tables.Table, ours: Sequence[str]) -> list[str]:
    """A line of the table: scores, seconds, and how far each of ours is from theirs."""
    score = MAIN[table.task]
    cells = [f"{found[name]['scores'][score]:.4f}, {found[name]['seconds']:.1f} s" for name in (THEIRS, *ours)]
    for name in ours:
        off = np.subtract(found[THEIRS]["losses"], found[name]["losses"])
        cells.append(f"{off.mean():+.4f} ± {off.std(ddof=1) / len(off) ** 0.5:.4f}")
    return [table.title, *cells]


def show(rows: Sequence[Row], chosen: Sequence[tables.Table], ours: Sequence[str]) -> None:
    """What is kept, mean ranks, and the time of ours to theirs."""
    names = THEIRS, *ours
    shown = Table("table", *names, *(f"{name} to theirs" for name in ours))
    ranked, times = [], []
    for table in chosen:
        found = {row["contender"]: row for row in rows if row["table"] == table.title and "scores" in row}
        if all(name in found for name in names):
            shown.add_row(*compared(found, table, ours))
            ranked.append(report.ranks([found[name]["scores"][MAIN[table.task]] for name in names], table.task))
            times.append([found[THEIRS]["seconds"] / found[name]["seconds"] for name in ours])
    console = Console(width=160)
    console.print(shown)
    if ranked:
        for name, rank in zip(names, np.mean(ranked, axis=0), strict=True):
            console.print(f"{name}: mean rank {rank:.2f} on {len(ranked)} tables")
        for name, ratios in zip(ours, zip(*times, strict=True), strict=True):
            console.print(f"{name}: theirs takes {min(ratios):.0f} to {max(ratios):.0f} times its time")
            console.print(f"{name}: the median is {statistics.median(ratios):.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", nargs="+", choices=OURS, default=[*OURS], metavar="NAME")
    parser.add_argument("--show", action="store_true", help="run nothing")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    chosen = [table for name in TABLES for table in tables.TABLES if table.name.endswith(f"/{name}") and not table.log]
    if not options.show:
        if os.environ.get("OMP_NUM_THREADS") != "1":
            parser.error("times are those of one thread: set OMP_NUM_THREADS=1")
        made = {
            THEIRS: partial(peer.estimator, peer.ENSEMBLE),
            **{name: contenders.CONTENDERS[name] for name in options.ours},
        }
        runner.run(chosen, 1, made, options.out, more=losses)
    show(runner.load(options.out), chosen, options.ours)


if __name__ == "__main__":
    main()
