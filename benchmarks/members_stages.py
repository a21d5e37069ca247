"""What the time of a step goes to, of several networks and of one: by a clock around each call of a plan's.

OMP_NUM_THREADS=1 python -m benchmarks.members_stages
"""

import os
import statistics
import time
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.members_step import CASES, Step, batch, named, network


def stages(members: int, widths: tuple[int, ...], rows: int, steps: int = 500) -> list[str]:
    """A line of the table of stages: medians of the steps' microseconds."""
    X, y = batch(widths, rows)
    model = network(members, widths)
    plan: Any = model.training.plan
    plan.step(X, y)  # makes the calls that are clocked
    spent = dict.fromkeys(("products", "passes", "loss", "update"), 0.0)

    def clock(kind: str, owner: Any, *names: str) -> None:
        for name in names:
            setattr(owner, name, clocked(kind, getattr(owner, name)))

    def clocked(kind: str, call: Step) -> Step:
        def timed(*arguments: Any, **keywords: Any) -> Any:
            start = time.perf_counter()
            result = call(*arguments, **keywords)
            spent[kind] += time.perf_counter() - start
            return result

        return timed

    for stage in (*plan.stages, plan.head):
        clock("products", stage, "matmul", "into_blocks", "down")
        clock("passes", stage.at, *(["flush"] if stage is plan.head else ["forward", "backward"]))
    clock("loss", plan, "_mean")
    clock("update", plan, "update")
    found = []
    for _ in range(steps):
        spent.update(dict.fromkeys(spent, 0.0))
        start = time.perf_counter()
        plan.step(X, y)
        whole = time.perf_counter() - start
        found.append((whole, *spent.values(), whole - sum(spent.values())))
    shown = [f"{statistics.median(column) * 1e6:,.0f}" for column in zip(*found, strict=True)]
    return [named(members, widths, rows), *shown]


def main() -> None:
    table = Table("networks", "µs a step", "products", "passes", "loss", "update", "rest: Python, and the clocks")
    for members, widths, rows in (*CASES, *((1, *case[1:]) for case in CASES)):
        table.add_row(*stages(members, widths, rows))
    console = Console(width=120)
    console.print(f"OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'as it is')}")
    console.print(table)


if __name__ == "__main__":
    main()
