"""A person's table of 300,000 rows and 30 columns, numbers and words, 67 MB: from the file to a table, and its memory.

python -m benchmarks.tables               # seven rounds
python -m benchmarks.tables --quick       # a tenth of the rows, three rounds

A ratio is of medians of one run, in which the contenders take turns, so that whatever else the machine does falls on
both. Memory is the most that a process of its own held (VmHWM), less what it held when everything was imported, to the
bytes of the file and of the float32 matrix that is made of it, words one-hot.
"""

import argparse
import csv
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from nnxp.tabular.reading.reader import read

ROWS, NUMBERS, WORDS = 300_000, 20, 10
DIFFERENT = (3, 5, 8, 12, 20, 40, 60, 100, 2_000, 20_000)
"""How many different words each column of words has."""
ONE_HOT = 100
"""A column of no more different words becomes as many of the matrix."""
TOLD = """
import sys
def held(key):
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(key))
{imports}
before = held("VmRSS")
{action}
print(held("VmHWM") - before)
"""


@dataclass(frozen=True)
class Figure:
    """What was measured, beside what is wanted at most."""

    what: str
    value: float
    wanted: float
    spelled: str


def write(path: Path, rows: int) -> None:
    """The file: numbers of two and four decimals, some missing, whole numbers, and words of all frequencies."""
    rng = np.random.default_rng(0)
    columns: list[list[str]] = []
    for place in range(NUMBERS):
        if place % 3 == 2:
            columns.append([str(value) for value in rng.integers(0, 100_000, rows)])
        else:
            columns.append([f"{value:.{4 - place % 3}f}" for value in rng.normal(20 * (place % 4), 10, rows)])
        if place % 5 == 4:
            for row in np.flatnonzero(rng.random(rows) < 0.05):
                columns[-1][row] = ""
    for different in DIFFERENT:
        words = [f"{'abcdefgh'[k % 8] * 3}{k:x}" for k in range(different)]
        columns.append([words[k] for k in np.minimum(rng.geometric(2 / different, rows), different) - 1])
    with open(path, "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow([f"column_{place}" for place in range(len(columns))])
        out.writerows(zip(*columns, strict=True))


def turns(rounds: int, *actions: Callable[[], object]) -> list[float]:
    """The median seconds of each, which take turns."""
    seconds: list[list[float]] = [[] for _ in actions]
    for _ in range(rounds):
        for action, times in zip(actions, seconds, strict=True):
            start = time.perf_counter()
            action()
            times.append(time.perf_counter() - start)
    return [statistics.median(times) for times in seconds]


def peak(imports: str, action: str) -> int:
    """The most bytes that a process holds during an action, over those after its imports."""
    command = [sys.executable, "-c", TOLD.format(imports=imports, action=action)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def bare(path: Path) -> None:
    """The least that a reader in Python does: cut the file into cells."""
    with open(path, encoding="utf-8", newline="") as file:
        for _ in csv.reader(file):
            pass


def matrix_bytes(rows: int) -> int:
    """Of the float32 matrix of all numbers and of words of which there are few."""
    return 4 * rows * (NUMBERS + sum(different for different in DIFFERENT if different <= ONE_HOT))


def reading(path: Path, rows: int, rounds: int) -> list[Figure]:
    """The figures of reading: times, then memory."""
    import polars

    own, ours = turns(rounds, lambda: polars.read_csv(path), lambda: read(path, reader="polars"))
    loop, core = turns(max(rounds // 2, 1), lambda: bare(path), lambda: read(path, reader="core"))
    total = path.stat().st_size + matrix_bytes(rows)
    figures = [
        Figure("file to table with polars, to polars' own read_csv", ours / own, 2, f"{ours:.2f} s / {own:.2f} s"),
        Figure("file to table, the core, to a bare csv.reader loop", core / loop, 5, f"{core:.2f} s / {loop:.2f} s"),
    ]
    for reader, wanted in (("polars", 3), ("core", 2)):
        imports = "from nnxp.tabular.reading.reader import read" + ("\nimport polars" if reader == "polars" else "")
        held = peak(imports, f"table = read({str(path)!r}, reader={reader!r})")
        spelled = f"{held / 1e6:.0f} MB / {total / 1e6:.0f} MB"
        figures.append(Figure(f"peak memory with {reader}, to file and matrix", held / total, wanted, spelled))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, three rounds")
    options = parser.parse_args()
    rows, rounds = (ROWS // 10, 3) if options.quick else (ROWS, 7)
    table = Table("", "ratio", "wanted at most", "", title=f"{rows:,} rows, {NUMBERS + WORDS} columns")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "table.csv")
        write(path, rows)
        for figure in reading(path, rows, rounds):
            table.add_row(figure.what, f"{figure.value:.2f}", f"{figure.wanted:g}", figure.spelled)
        table.caption = f"the file: {path.stat().st_size / 1e6:.0f} MB"
    Console().print(table)


if __name__ == "__main__":
    main()
