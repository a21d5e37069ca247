"""Runs what is not done yet, and writes a line of JSON after each: the table, the split, the contender, scores, times.

A line without a contender says what machine the lines after it are of.
"""

import json
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from benchmarks import machine, measurements
from benchmarks.tabular import tables
from benchmarks.tabular.contenders import Contender
from benchmarks.tabular.tables import CLASSES, Split, Table
from nnxp.typing import Floats

RESULTS = measurements.KEPT / "tabular-one-thread.jsonl"
FIRST = 200
"""Rows on which a contender is fitted before its clock starts."""
Row = dict[str, Any]
Key = tuple[str, int, str]
More = Callable[[Split, Any, Floats], Row]


def load(path: Path) -> list[Row]:
    """The lines of a file that are results, the last of each table, split and contender."""
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    rows = [json.loads(line) for line in lines]
    return [*{key(row): row for row in rows if "contender" in row}.values()]


def key(row: Row) -> Key:
    """What a result is of."""
    return row["table"], row["split"], row["contender"]


def run(
    todo: Iterable[Table],
    splits: int,
    contenders: Mapping[str, Contender],
    path: Path,
    rows: int | None = tables.ROWS,
    again: bool = False,
    more: More | None = None,
) -> None:
    """Every contender on every split of every table, but for what the file has (unless it is run `again`).

    `more` may have something to say of a fitted contender; its scores join the others.
    """
    done = set[Key]() if again else {key(row) for row in load(path)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        described = False
        for table in todo:
            missing = [
                (seed, name) for seed in range(splits) for name in contenders if (table.title, seed, name) not in done
            ]
            if missing and not described:
                print(
                    json.dumps({"machine": machine.machine(), "datetime": time.strftime("%Y-%m-%dT%H:%M")}), file=file
                )
                described = True
            data = tables.load(table, rows) if missing else None
            for seed, name in missing:
                assert data is not None
                found = result(tables.split(data, seed), seed, name, contenders[name], more)
                print(json.dumps(found), file=file, flush=True)
                print(*spelled(found), flush=True)


def result(split: Split, seed: int, name: str, contender: Contender, more: More | None = None) -> Row:
    """One line: scores and seconds, or the reason why there are none."""
    table = split.data.table
    row: Row = {"table": table.title, "part": table.part, "task": table.task, "split": seed, "contender": name}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "Found unknown categories", UserWarning)  # they are none of the known ones
        try:
            return row | measured(split, seed, contender, more)
        except Exception as error:  # of whatever library: the others go on
            return row | {"reason": f"{type(error).__name__}: {error!s:.200}"}


def measured(split: Split, seed: int, contender: Contender, more: More | None = None) -> Row:
    """Scores, and seconds of the processor and of the wall."""
    data, task = split.data, split.data.table.task
    train, test = (data.X.iloc[rows].reset_index(drop=True) for rows in (split.train, split.test))
    y, truth = data.y[split.train], data.y[split.test]
    contender(task, seed).fit(train.iloc[:FIRST], y[:FIRST])
    model = contender(task, seed)
    wall, cpu = time.perf_counter(), time.process_time()
    model.fit(train, y)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    predicted = np.asarray((model.predict_proba if task == CLASSES else model.predict)(test), np.float64)
    said = more(split, model, predicted) if more else {}
    scores = tables.scores(task, truth, predicted, y) | said.pop("scores", {})
    return said | {
        "scores": scores,
        "seconds": round(cpu, 3),
        "wall": round(wall, 3),
        "rows": len(y),
        "columns": train.shape[1],
    }


def spelled(row: Row) -> Iterator[str]:
    """A result for people."""
    yield f"{row['table']}, split {row['split']}, {row['contender']}:"
    if "reason" in row:
        yield row["reason"]
    else:
        yield from (f"{name} {value:.4f}" for name, value in row["scores"].items())
        yield f"in {row['seconds']:.2f} s"
