"""The time of all 256 epochs of both RealMLP presets, nnxp's and pytabkit's in turn, and the space on the disk.

OMP_NUM_THREADS=1 python -m benchmarks.tabular.published.seconds          # three rounds; --quick: one, two tables

A ratio is of the medians of one run, in which pytabkit, nnxp with `fast` and nnxp on NumPy alone take turns, so that
whatever else the machine does falls on all. It is void where pytabkit, the measure, got less than 0.9 of a processor.
The space is that of the files of a package and of all that it needs.
"""

import argparse
import importlib.metadata
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from packaging.requirements import Requirement
from rich.console import Console
from rich.table import Table

import nnxp
from benchmarks import measurements
from benchmarks.tabular import tables
from benchmarks.tabular.published import peer
from benchmarks.tabular.tables import CLASSES, Split

TABLES = ("AER/HMDA", "modeldata/concrete", "modeldata/credit_data", "modeldata/ames")
WANTED = {"realmlp-s": (0.5, 0.65), "realmlp": (0.5, 0.6)}
"""To pytabkit's time: with `fast`, with NumPy alone."""
Fit = Callable[[], object]


def fits(preset: str, split: Split) -> dict[str, Fit]:
    """The three contenders on one training part."""
    data, task = split.data, split.data.table.task
    X, y = data.X.iloc[split.train].reset_index(drop=True), data.y[split.train]

    def ours(fast: bool) -> Any:
        kind = nnxp.TabularClassifier if task == CLASSES else nnxp.TabularRegressor
        model = kind(preset=preset, random_state=0, backend=nnxp.get_backend("numpy", fast=fast))
        return model.fit(X, y)

    def theirs() -> Any:
        return peer.estimator(preset, task, 0).fit(X, y)

    return {"pytabkit": theirs, "fast": partial(ours, True), "NumPy": partial(ours, False)}


def measured(fit: Fit) -> tuple[float, float]:
    """Seconds of the wall and of the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    fit()
    return time.perf_counter() - wall, time.process_time() - cpu


def compared(preset: str, split: Split, rounds: int) -> list[str]:
    """A line of the table."""
    found: dict[str, list[tuple[float, float]]] = {}
    for _ in range(rounds):
        for name, fit in fits(preset, split).items():
            found.setdefault(name, []).append(measured(fit))
    seconds = {name: statistics.median(wall for wall, _ in times) for name, times in found.items()}
    cores = statistics.median(cpu / wall for wall, cpu in found["pytabkit"])
    ratios = [f"{seconds[name] / seconds['pytabkit']:.2f}" for name in ("fast", "NumPy")]
    if cores < measurements.GRANTED:
        ratios = [f"void ({ratio})" for ratio in ratios]
    wanted = " and ".join(f"{most:g}" for most in WANTED[preset])
    return [split.data.table.title, preset, f"{seconds['pytabkit']:.1f} s", *ratios, wanted, f"{cores:.2f}"]


# --- space -----------------------------------------------------------------------------------------------


def needed(requirement: str, seen: set[str] | None = None) -> set[str]:
    """The names of a package and of all that it needs and that is installed here."""
    seen = set() if seen is None else seen
    wanted = Requirement(requirement)
    key = f"{wanted.name}[{','.join(sorted(wanted.extras))}]"
    if key in seen:
        return set()
    seen.add(key)
    try:
        requirements = importlib.metadata.requires(wanted.name) or []
    except importlib.metadata.PackageNotFoundError:
        return set()
    found = {wanted.name.lower().replace("_", "-")}
    for text in requirements:
        marker = Requirement(text).marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *wanted.extras)):
            found |= needed(text, seen)
    return found


def megabytes(names: set[str]) -> float:
    """Of the packages' files."""
    files = [file for name in names for file in importlib.metadata.files(name) or []]
    return sum(path.stat().st_size for path in {file.locate() for file in files} if path.is_file()) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round, two tables")
    options = parser.parse_args()
    console = Console(width=140)
    for requirement in ("nnxp", "nnxp[fast,sklearn]", "pytabkit"):
        names = needed(requirement)
        console.print(f"{requirement}: {len(names)} packages, {megabytes(names):,.0f} MB")
    names = TABLES[: 2 if options.quick else None]
    shown = Table("table", "preset", "pytabkit", "fast", "NumPy alone", "wanted at most", "cores")
    for name in names:
        table = next(table for table in tables.TABLES if table.name == name)
        split = tables.split(tables.load(table), 0)
        for preset in peer.NAMES:
            shown.add_row(*compared(preset, split, 1 if options.quick else 3))
    console.print(shown)


if __name__ == "__main__":
    main()
