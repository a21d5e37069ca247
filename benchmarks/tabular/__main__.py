"""Presets for tables beside other libraries, on public tables: benchmarks/tabular/PROTOCOL.md.

python -m benchmarks.tabular                               # runs what is not done, and prints the tables
python -m benchmarks.tabular --part choosing --contenders "nnxp binned" boosting --splits 3
python -m benchmarks.tabular --again --contenders "nnxp ensemble"     # after a change of it
python -m benchmarks.tabular --show                        # prints what is kept

It needs scikit-learn and the group bench-tabular (`nox -s bench_tabular` has both), and hours: what is stopped goes on
where it was. OMP_NUM_THREADS=1 has to be set.
"""

import argparse
import os
from pathlib import Path

from benchmarks.table import markdown
from benchmarks.tabular import report, runner, tables
from benchmarks.tabular.contenders import CONTENDERS

SPLITS = {tables.CHOOSING: 3, tables.REPORTING: 5, tables.DIAMONDS: 5}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=tables.PARTS, action="append", help="may be repeated; default: all three")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=[*CONTENDERS], metavar="NAME")
    parser.add_argument("--splits", type=int, help="fewer than the protocol's")
    parser.add_argument("--rows", type=int, default=tables.ROWS, help="fewer of each table than the protocol's")
    parser.add_argument("--again", action="store_true", help="also what is done already")
    parser.add_argument("--show", action="store_true", help="run nothing")
    parser.add_argument("--out", type=Path, default=runner.RESULTS)
    options = parser.parse_args()
    if options.rows != tables.ROWS and options.out == runner.RESULTS:
        parser.error("--rows is not the protocol's: name another file, --out")
    if not options.show and os.environ.get("OMP_NUM_THREADS") != "1":
        parser.error("times are those of one thread: set OMP_NUM_THREADS=1")
    contenders = {name: CONTENDERS[name] for name in options.contenders}
    for part in options.part or tables.PARTS:
        todo, splits = [table for table in tables.TABLES if table.part == part], options.splits or SPLITS[part]
        if not options.show:
            runner.run(todo, splits, contenders, options.out, options.rows, options.again)
        found = report.Results(runner.load(options.out), part, [*contenders], splits)
        print(f"\n{part}: {len(found.tables)} tables, {splits} splits\n")
        for lines in (report.overall(found), report.by_table(found)):
            print(*markdown(lines), "", sep="\n")


if __name__ == "__main__":
    main()
