"""A person's own table on the command line: read, its columns checked, its target understood."""

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nnxp.data.dataset import listing
from nnxp.data.spelling import is_missing
from nnxp.errors import DataError, hint
from nnxp.printing import counted, print_table
from nnxp.tabular import kinds
from nnxp.tabular.encoders.target import ClassTarget
from nnxp.tabular.kinds.tasks import Task, task_of
from nnxp.tabular.reading import read
from nnxp.tabular.splitting import drawn
from nnxp.tabular.table import Indices, Moments, Table, Words
from nnxp.typing import Integers

MANY = 1000
"""Columns from which on people are told that a training takes time."""
AS_SPELLED = ("category", "yes/no", "identifier", "text")
"""Kinds whose cells are taken as they are spelled, where somebody says that a column is one."""


class Understood(NamedTuple):
    """A table whose target is understood.

    Attributes
    ----------
    table : Table
        The rows that have a target.
    other : Table or None
        Those of the file to test on, where one was named.
    labels : numpy.ndarray of int64, (n,), or None
        The classes' numbers; None of a regression.
    task : Task
    """

    table: Table
    other: Table | None
    labels: Integers | None
    task: Task


def opened(args: argparse.Namespace, name: str, texts: Iterable[str] = (), quiet: bool | None = None) -> Table:
    """The table, once it is said that it is being read."""
    quiet = args.quiet if quiet is None else quiet
    if not quiet:
        print(f"{'reading':9} {name}{_size(name)}", flush=True)
    table = read(name, **reading_options(args), texts=[*texts])
    if not quiet:
        for note in table.notes:
            print(f"{'':9} {note}")
        print(f"{'':9} {counted(len(table), 'row')}, {counted(len(table.columns), 'column')}", flush=True)
    return table


def reading_options(args: argparse.Namespace) -> dict[str, Any]:
    """Those of `nnxp.tabular.reading.read` that were given."""
    return {name: getattr(args, name) for name in ("separator", "decimal", "encoding", "sheet")}


def show_kinds(args: argparse.Namespace) -> None:
    """Prints what the columns are."""
    table = opened(args, args.data, _as_spelled(args))
    decisions = kinds.decide(table, kinds=dict(args.kind), drop=args.drop, day_first=args.day_first)
    if not args.quiet:
        print_kinds(decisions)
        print("--target NAME says which column to predict; --kind NAME=KIND, what a column is")


def print_kinds(decisions: list[kinds.Decision]) -> None:
    """Prints what each column is, why, and what becomes of it."""
    print_table(kinds.HEADER, [list(row) for row in kinds.printed(decisions)])


def understood(args: argparse.Namespace) -> Understood:
    """Reads the table, and finds out what is to be predicted for which rows."""
    whole = opened(args, args.data, _as_spelled(args))
    _check_columns(args, whole)
    if len(whole.columns) >= MANY and not args.quiet:
        print(
            f"{'':9} so many columns take about {len(whole.columns) / 300:.0f} s, and more with many rows: "
            "--drop leaves columns out",
            flush=True,
        )
    if args.rows is not None and args.rows < len(whole):
        whole = drawn(whole, args.rows, args.seed)
        if not args.quiet:
            print(f"{'':9} {counted(args.rows, 'row')} of them {'is' if args.rows == 1 else 'are'} drawn")
    task, table = task_of(whole, args.target, args.task), with_target(whole, args.target, args.quiet)
    labels = _labels(table, args.target) if task.task == "classification" else None
    other = None
    if args.test is not None:
        other = opened(args, args.test, _as_spelled(args))
        _check_there(other, {"--target": [args.target], "--weights": [args.weights]})
        other = with_target(other, args.target, args.quiet)
    return Understood(table, other, labels, task)


def with_target(table: Table, name: str, quiet: bool) -> Table:
    """The rows that have a target; says how many have none."""
    rows = known_target(table, name)
    if not len(rows):
        raise DataError(f"{table.source}: no row has a value in the target column {name!r}")
    if missing := len(table) - len(rows):
        table = table.take(rows)
        if not quiet:
            print(f"{'':9} {counted(missing, 'row')} without {name!r} {'is' if missing == 1 else 'are'} left out")
    return table


def known_target(table: Table, name: str) -> Indices:
    """The rows whose target is not missing."""
    column = table.columns[name]
    if isinstance(column, Words):
        missing = np.array([is_missing(text) for text in column.texts] or [False])
        return np.flatnonzero(~missing[column.codes])
    absent = np.isnat(column.values) if isinstance(column, Moments) else np.isnan(column.values)
    return np.flatnonzero(~absent)


def _labels(table: Table, name: str) -> Integers:
    """Class numbers, for equal shares."""
    return ClassTarget.of(name, table.columns[name]).encode(table.columns[name])


def _as_spelled(args: argparse.Namespace) -> list[str]:
    own = [name for name, kind in args.kind if kind in AS_SPELLED]
    return [name for name in (args.target, args.split_by) if name is not None] + own


def _check_columns(args: argparse.Namespace, table: Table) -> None:
    roles = {
        "--target": [args.target],
        "--weights": [args.weights],
        "--split-by": [args.split_by],
        "--time": [args.time],
        "--drop": args.drop,
        "--kind": [name for name, _ in args.kind],
    }
    _check_there(table, roles)
    if len(table.columns) == 1:
        raise DataError(
            f"{table.source} has only the target column {args.target!r}: there is nothing to predict it from"
        )


def _check_there(table: Table, roles: Mapping[str, Iterable[str | None]]) -> None:
    """Raises where the table lacks a column that an option names."""
    for option, names in roles.items():
        for name in names:
            if name is not None and name not in table.columns:
                there = listing(table.columns)
                raise DataError(
                    f"{option}: {table.source} has no column {name!r}; there are {there}{hint(name, table.columns)}"
                )


def _size(name: str) -> str:
    if name == "-":
        return " (standard input)"
    try:
        size = Path(name).stat().st_size
    except OSError:
        return ""
    return f", {size / 1e6:,.1f} MB" if size >= 1e5 else f", {size:,} bytes"
