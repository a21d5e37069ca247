"""A person's table of 300,000 rows and 30 columns, 58 MB, from the file to the matrix: its times, and its memory.

python -m benchmarks.tables               # five rounds
python -m benchmarks.tables --quick       # a tenth of the rows, three rounds

A ratio is of medians of one run, in which the contenders take turns, so that whatever else the machine does falls on
both. Memory is the most that a process of its own held (VmHWM) from the file to the matrix, less what it held when
everything was imported, to the bytes of the file and of the float32 matrix that `Encoder` makes of it by its defaults.
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
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from nnxp.tabular import Encoder
from nnxp.tabular.encoders.columns import ONE_HOT
from nnxp.tabular.encoders.encoder import RARE
from nnxp.tabular.kinds import decide
from nnxp.tabular.reading.reader import read

ROWS, NUMBERS, WORDS = 300_000, 20, 10
DIFFERENT = (3, 5, 8, 12, 20, 40, 60, 100, 2_000, 20_000)
"""How many different words each column of words has."""
WHOLE_WAY = """
table = read({path!r}, reader={reader!r})
matrix = Encoder().fit(table).transform(table)
"""
TOLD = """
import sys
def held(key):
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(key))
{imports}
before = held("VmRSS")
{action}
print(held("VmHWM") - before, matrix.nbytes)
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


def peak(imports: str, action: str) -> tuple[int, int]:
    """The most bytes that a process holds during an action, over those after its imports; and its matrix's."""
    command = [sys.executable, "-c", TOLD.format(imports=imports, action=action)]
    held, matrix = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return int(held), int(matrix)


def first_word(path: Path) -> float:
    """The seconds from the start of `nnxp train` to the first byte that it prints."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "nnxp", "train", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        seconds = time.perf_counter() - start
        process.kill()
    return seconds


def bare(path: Path) -> None:
    """The least that a reader in Python does: cut the file into cells."""
    with open(path, encoding="utf-8", newline="") as file:
        for _ in csv.reader(file):
            pass


def transformer(frame: Any, gaps: list[str]) -> Any:
    """Scikit-learn's way to what `Encoder` does with numbers and words, which differs in the smooth clip alone."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, RobustScaler

    names = [*frame.columns]
    words = OneHotEncoder(
        sparse_output=False,
        dtype=np.float32,
        handle_unknown="infrequent_if_exist",
        max_categories=ONE_HOT + 1,
        min_frequency=RARE,
    )
    full, having = (SimpleImputer(strategy="median", add_indicator=indicator) for indicator in (False, True))
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(full, RobustScaler()), [name for name in names[:NUMBERS] if name not in gaps]),
            ("numbers with gaps", make_pipeline(having, RobustScaler()), gaps),
            ("words", words, names[NUMBERS:]),
        ]
    ).fit(frame)


def reading(path: Path, rounds: int) -> list[Figure]:
    """Times from the file to the table, and to what its columns are."""
    import polars

    own, ours, decided = turns(
        rounds,
        lambda: polars.read_csv(path),
        lambda: read(path, reader="polars"),
        lambda: decide(read(path, reader="polars")),
    )
    loop, core = turns(max(rounds // 2, 1), lambda: bare(path), lambda: read(path, reader="core"))
    return [
        Figure("file to table with polars, to polars' own read_csv", ours / own, 2, f"{ours:.2f} s / {own:.2f} s"),
        Figure(
            "file to kinds with polars, to polars' own read_csv", decided / own, 4, f"{decided:.2f} s / {own:.2f} s"
        ),
        Figure("file to table, the core, to a bare csv.reader loop", core / loop, 5, f"{core:.2f} s / {loop:.2f} s"),
    ]


def encoding(path: Path, rounds: int) -> list[Figure]:
    """Times of `Encoder.transform` of frames."""
    import pandas
    import polars

    figures = []
    for name, frame in (("polars", polars.read_csv(path)), ("pandas", pandas.read_csv(path))):
        gaps = [column for place, column in enumerate(frame.columns[:NUMBERS]) if place % 5 == 4]
        theirs, encoder = transformer(frame, gaps), Encoder().fit(frame)
        their, our = turns(rounds, partial(theirs.transform, frame), partial(encoder.transform, frame))
        what = f"Encoder.transform of a {name} frame, to scikit-learn's ColumnTransformer"
        figures.append(Figure(what, our / their, 2, f"{our:.2f} s / {their:.2f} s"))
    return figures


def memory(path: Path) -> list[Figure]:
    """The most that a process holds from the file to the matrix."""
    figures = []
    for reader, wanted in (("polars", 3), ("core", 2)):
        imports = "from nnxp.tabular import Encoder\nfrom nnxp.tabular.reading.reader import read"
        imports += "\nimport polars" * (reader == "polars")
        held, matrix = peak(imports, WHOLE_WAY.format(path=str(path), reader=reader))
        total = path.stat().st_size + matrix
        spelled = f"{held / 1e6:.0f} MB / {total / 1e6:.0f} MB"
        figures.append(Figure(f"peak memory with {reader}, to file and matrix", held / total, wanted, spelled))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, three rounds")
    options = parser.parse_args()
    rows, rounds = (ROWS // 10, 3) if options.quick else (ROWS, 5)
    table = Table("", "ratio", "wanted at most", "", title=f"{rows:,} rows, {NUMBERS + WORDS} columns")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "table.csv")
        write(path, rows)
        word = statistics.median(first_word(path) for _ in range(rounds))
        first = Figure("seconds to the first word of nnxp train", word, 1, f"{word:.2f} s")
        figures = [*reading(path, rounds), *encoding(path, max(rounds // 2, 1)), *memory(path), first]
        for figure in figures:
            table.add_row(figure.what, f"{figure.value:.2f}", f"{figure.wanted:g}", figure.spelled)
        table.caption = f"the file: {path.stat().st_size / 1e6:.0f} MB"
    Console().print(table)


if __name__ == "__main__":
    main()
