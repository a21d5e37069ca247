"""The options of a person's own table, and their help texts. Imports nothing that is slow."""

import argparse
from typing import Any

from nnxp.cli import values
from nnxp.errors import DataError

TABLE = "a table: .csv, .tsv, .txt (also .gz), .parquet, .feather, .arrow, .xlsx, or - for CSV from standard input"


def reading(command: argparse.ArgumentParser) -> None:
    """How a file is read: found out from the file where it is not said."""
    group = command.add_argument_group("a table's file (what is not said is found out from it)")
    group.add_argument("--separator", metavar="SIGN", help="between the cells: a comma, semicolon, | or tab")
    group.add_argument("--decimal", choices=(".", ","), metavar="SIGN", help="the decimal sign, a point or a comma")
    group.add_argument("--encoding", metavar="NAME", help="utf-8, cp1252, utf-16, ...")
    group.add_argument("--sheet", metavar="NAME", help="of an Excel file (default: the first)")


def understanding(command: argparse.ArgumentParser) -> None:
    """What a table's columns are, and which of its rows are for what."""
    columns = command.add_argument_group("a table's columns (without --target, what they are is printed)")
    columns.add_argument(
        "--kind",
        type=values.kind,
        action="append",
        default=[],
        metavar="COLUMN=KIND",
        help="number, category, yes/no, date, identifier, text or constant; may be given several times",
    )
    columns.add_argument(
        "--drop", action="append", default=[], metavar="COLUMN", help="leave it out; may be given several times"
    )
    columns.add_argument("--task", choices=("classification", "regression"), help="classes or a number to predict")
    columns.add_argument("--weights", metavar="COLUMN", help="what each row counts in the loss; no input")
    columns.add_argument(
        "--day-first",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="whether 01/02/2024 is the first of February (default: what the column's other dates say, else not)",
    )
    columns.add_argument(
        "--scaling",
        choices=("robust", "standard", "quantile", "none"),
        help="of numbers (default: robust, by median and quartiles)",
    )
    columns.add_argument(
        "--target-transform",
        choices=("none", "log"),
        help="of a number to predict (default: log where it is positive and spans decades)",
    )
    rows = command.add_argument_group("a table's rows (by default, one fifth is drawn to test on)")
    rows.add_argument("--test", metavar="FILE", help="test on the rows of another file, and train on all of DATA")
    rows.add_argument("--split-by", metavar="COLUMN", help="rows with the same value stay together; no input")
    rows.add_argument("--time", metavar="COLUMN", help="the last rows by this column are tested on")
    rows.add_argument(
        "--cv",
        type=values.folds,
        metavar="K",
        help="afterwards, and after what is resumed, train and test K times more, each on another part: mean and error",
    )
    rows.add_argument("--rows", type=values.rows, metavar="N", help="work on N rows, drawn with the seed")
    rows.add_argument("--no-rows", action="store_true", help="leave rows, which are people's data, out of the report")


def joining(command: argparse.ArgumentParser) -> None:
    """What of the input stands beside its prediction."""
    group = command.add_argument_group("beside a table's predictions")
    group.add_argument("--keep", type=values.names, default=(), metavar="NAME,...", help="these columns, as read")
    group.add_argument("--with-input", action="store_true", help="all columns of the file")


def no_folder(args: argparse.Namespace) -> None:
    """Raises where a folder of other data is named."""
    if args.data_dir is not None:
        raise DataError(f"--data-dir is the folder of fashion-mnist or mnist; {args.data} takes none")


def given(args: argparse.Namespace) -> list[str]:
    """The options of tables that were given."""
    defaults: dict[str, Any] = {"kind": [], "drop": [], "keep": (), "no_rows": False, "with_input": False}
    names = ["separator", "decimal", "encoding", "sheet", "kind", "drop", "task", "weights", "day_first", "scaling"]
    names += ["target_transform", "test", "split_by", "time", "cv", "rows", "no_rows", "keep", "with_input", "preset"]
    there = [name for name in names if getattr(args, name, None) not in (None, defaults.get(name))]
    return ["--" + name.replace("_", "-") for name in there]
