"""`nnxp train TABLE --target y` with no further option, beside logistic or linear regression, on made-up tables.

python -m benchmarks.defaults               # five parts of each table, on one processor some minutes
python -m benchmarks.defaults --parts 2     # fewer

Four tables, each with what makes networks worse than a line: one on which a line is right, one of rare classes
(1 row in 43), one of skewed columns with outliers, one whose target spans six decades. Each is made with a seed of its
own, and trained on with five others, of which each draws another fifth of the rows to test on. Both models see the same
rows, encoded alike; the linear one is `nnxp.tabular.findings.baselines.linear_model`. Printed are means over the parts,
and the mean difference with its standard error: the parts are of one table, so that it is a little too small.
"""

import argparse
import csv
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from nnxp.cli import main as nnxp
from nnxp.printing import print_table
from nnxp.typing import Floats

Columns = dict[str, list[str]]


def columns(X: Floats) -> Columns:
    """Numbers of six digits."""
    return {f"x{i}": [f"{value:.6g}" for value in column] for i, column in enumerate(X.T)}


def clean(rng: np.random.Generator) -> Columns:
    """Ten numbers and a word, and two classes whose log odds are linear in them."""
    X, town = rng.normal(size=(1000, 10)), rng.choice([*"abcde"], 1000)
    odds = X[:, :5] @ [1, 0.8, -0.6, 0.4, 0.3] + 0.8 * (town == "a") - 0.5 * (town == "b")
    return columns(X) | {"town": [*town], "y": classes(rng, odds)}


def imbalanced(rng: np.random.Generator) -> Columns:
    """Twelve numbers, and 100 rows in 4,300 of the class yes: those of the greatest log odds, linear, with noise."""
    X = rng.normal(size=(4300, 12))
    odds = X[:, :3] @ [1.2, -1, 0.7] + rng.logistic(size=4300)
    return columns(X) | {"y": ["yes" if rare else "no" for rare in odds >= np.sort(odds)[-100]]}


def skewed(rng: np.random.Generator) -> Columns:
    """Eight numbers over four decades, some ten thousand times too large, and two classes by their logarithms."""
    logs = 2 * rng.normal(size=(1500, 8))
    X = np.exp(logs)
    X[rng.integers(0, 1500, 15), rng.integers(0, 8, 15)] *= 1e4
    odds = logs[:, 0] - 0.8 * logs[:, 1] + 0.5 * logs[:, 2] * (logs[:, 3] > 0)
    return columns(X) | {"y": classes(rng, odds)}


def decades(rng: np.random.Generator) -> Columns:
    """Eight numbers, and a target over six decades, whose logarithm has a product in it."""
    X = rng.normal(size=(1500, 8))
    logs = 2.6 * X[:, 0] + 2 * X[:, 1] + 1.3 * X[:, 2] * X[:, 3] + 0.4 * rng.normal(size=1500)
    return columns(X) | {"y": [f"{value:.6g}" for value in np.exp(logs + 5)]}


def classes(rng: np.random.Generator, odds: Floats) -> list[str]:
    """Two classes of these log odds."""
    return ["yes" if value > 0 else "no" for value in odds + rng.logistic(size=len(odds))]


TABLES: tuple[tuple[str, Callable[[np.random.Generator], Columns], tuple[str, ...]], ...] = (
    ("clean", clean, ("log_loss", "accuracy")),
    ("1 row in 43", imbalanced, ("log_loss", "accuracy", "average_precision")),
    ("skewed, outliers", skewed, ("log_loss", "accuracy")),
    ("six decades", decades, ("median_absolute_error", "r2")),
)
"""Name, what makes it, and the scores that are compared."""


def write(path: Path, table: Columns) -> None:
    """The table's file."""
    with open(path, "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(table)
        out.writerows(zip(*table.values(), strict=True))


def contenders(path: Path, seed: int, folder: Path) -> dict[str, dict[str, float]]:
    """The scores of the model and of the linear one, by their labels."""
    words = ["train", str(path), "--target", "y", "--seed", str(seed), "--out", str(folder), "--overwrite", "--quiet"]
    if nnxp(words):
        raise SystemExit(f"nnxp {' '.join(words)} failed")
    found = json.loads((folder / "summary.json").read_text())["findings"]["contenders"]
    return {one["name"]: {name: score["value"] for name, score in one["scores"].items()} for one in found}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=int, default=5, help="of each table, 2 or more")
    parts = parser.parse_args().parts
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, made, scores) in enumerate(TABLES):
            path = Path(folder, "table.csv")
            write(path, made(np.random.default_rng(number)))
            found = [contenders(path, seed, Path(folder, "run")) for seed in range(parts)]
            for score in scores:
                model, linear = (np.array([one[who][score] for one in found]) for who in ("model", "linear"))
                error = (model - linear).std(ddof=1) / np.sqrt(parts)
                figures = [
                    f"{model.mean():.4g}",
                    f"{linear.mean():.4g}",
                    f"{(model - linear).mean():+.2g} ± {error:.1g}",
                ]
                rows.append([name, score.replace("_", " "), *figures])
    print_table(["table", "score", "nnxp train", "a linear model", "difference"], rows)


if __name__ == "__main__":
    main()
