"""What the results say: mean rank, gain and time of each contender, and each table's scores."""

import statistics
from collections.abc import Sequence

import numpy as np

from benchmarks.measurements import GRANTED
from benchmarks.tabular.runner import Row
from benchmarks.tabular.tables import MAIN, NUMBERS, TABLES
from nnxp.typing import Floats

FAILED = "–"


class Results:
    """The results of one part by table and contender, over the splits that every contender has.

    Parameters
    ----------
    rows : sequence of dict
    part : str
    contenders : sequence of str
        Of which to tell; those that have no result are left out, and tables that not all have tried.
    splits : int
    """

    def __init__(self, rows: Sequence[Row], part: str, contenders: Sequence[str], splits: int) -> None:
        found: dict[tuple[str, str], list[Row]] = {}
        for row in rows:
            if row["part"] == part and row["split"] < splits:
                found.setdefault((row["table"], row["contender"]), []).append(row)
        self.contenders = [name for name in contenders if any(name == key[1] for key in found)]
        self.tables = [
            table
            for table in TABLES
            if table.part == part and all(len(found.get((table.title, name), [])) == splits for name in self.contenders)
        ]
        self.rows = {(table.title, name): found[table.title, name] for table in self.tables for name in self.contenders}

    def mean(self, table: str, contender: str, score: str) -> float:
        """A score's mean over the splits, NaN where one failed."""
        rows = self.rows[table, contender]
        return statistics.mean(row["scores"][score] if "scores" in row else np.nan for row in rows)

    def ranks(self) -> Floats:
        """The rank of each contender, (tables, contenders): by log loss or R²; those that failed share the last."""
        found = [
            ranks([self.mean(table.title, name, MAIN[table.task]) for name in self.contenders], table.task)
            for table in self.tables
        ]
        return np.array(found).reshape(len(self.tables), len(self.contenders))

    def gains(self) -> Floats:
        """The gain of each, 0 where it failed, (tables, contenders)."""
        gains = [[self.mean(table.title, name, "gain") for name in self.contenders] for table in self.tables]
        return np.nan_to_num(np.array(gains)).reshape(len(self.tables), len(self.contenders))

    def seconds(self, table: str, contender: str) -> tuple[float, bool]:
        """The median of a fit's seconds, and whether one of them had a processor of its own."""
        rows = [row for row in self.rows[table, contender] if "scores" in row]
        if not rows:
            return np.nan, False
        alone = [row["seconds"] for row in rows if row["seconds"] >= GRANTED * row["wall"]]
        return statistics.median(alone or [row["seconds"] for row in rows]), bool(alone)


def ranks(scores: Sequence[float], task: str) -> Floats:
    """1 for the best; equal ones share the mean of their ranks, and so do those that are NaN, the last.

    Examples
    --------
    >>> ranks([0.5, 0.7, 0.7, np.nan], "numbers").tolist()
    [3.0, 1.5, 1.5, 4.0]
    """
    worse = np.nan_to_num(np.array(scores) * (-1 if task == NUMBERS else 1), nan=np.inf)
    return (worse[:, None] > worse).sum(axis=1) + 0.5 * ((worse[:, None] == worse).sum(axis=1) + 1)


def overall(results: Results) -> list[list[str]]:
    """A line for each contender: its mean rank, mean gain, and the median and the longest time of a fit."""
    lines = [["", "mean rank", "mean gain", "seconds of a fit", "the longest"]]
    mean_ranks, gains = results.ranks().mean(axis=0), results.gains().mean(axis=0)
    for place in np.argsort(mean_ranks, kind="stable"):
        name = results.contenders[place]
        times = [results.seconds(table.title, name) for table in results.tables]
        seconds, alone = [time for time, _ in times], all(alone for _, alone in times)
        figures = [shown(float(f(seconds)), alone) for f in (np.nanmedian, np.nanmax)]
        lines.append([name, f"{mean_ranks[place]:.2f}", f"{gains[place]:.3f}", *figures])
    return lines


def by_table(results: Results) -> list[list[str]]:
    """A line for each table: everyone's score and time, the best score in bold."""
    lines = [["table", "score", *results.contenders]]
    for table, places in zip(results.tables, results.ranks(), strict=True):
        cells = []
        for name, place in zip(results.contenders, places, strict=True):
            score = "rmse" if table.log else MAIN[table.task]
            text = f"{results.mean(table.title, name, score):.{4 if table.log else 3}f}"
            text = FAILED if text == "nan" else f"**{text}**" if place == places.min() else text
            cells.append(f"{text}, {shown(*results.seconds(table.title, name))} s")
        lines.append([table.title, ("rmse" if table.log else MAIN[table.task]).replace("_", " "), *cells])
    return lines


def shown(seconds: float, alone: bool) -> str:
    """A time, in brackets where the machine was busy."""
    if np.isnan(seconds):
        return FAILED
    text = f"{seconds:.2f}" if seconds < 10 else f"{seconds:.0f}"
    return text if alone else f"({text})"
