"""One part: `python -m benchmarks.gpu.part KIND CONTENDER PRECISION SECONDS [--small] FILE` writes rows into a file.

A row is written when it is known, so that a part that is ended keeps what it has.
"""

import argparse
import json
import os
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.gpu import contenders
from benchmarks.gpu.children import without_folders

Row = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """What a part is asked for."""

    contender: str
    precision: str
    deadline: float
    """By `time.perf_counter`: from then on no new round."""
    small: bool = False

    @property
    def dtype(self) -> str:
        return contenders.dtype_of(self.precision)


def reason(error: BaseException) -> str:
    """Why a row has no figures, in one line."""
    if isinstance(error, contenders.Unavailable):
        return str(error)
    lines = str(error).strip().splitlines()
    return without_folders(f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__)


def attempt(row: Row, measure: Callable[[], Row]) -> Row:
    """The row with what was measured, or with the reason why not."""
    try:
        return row | measure()
    except Exception as error:
        traceback.print_exc()
        return row | {"reason": reason(error)}


def rows_of(kind: str, setting: Setting) -> Iterator[Row]:
    """The rows of a kind of part."""
    from benchmarks.gpu import ceilings, facts, fitting, kernels, steps

    kinds: dict[str, Callable[[Setting], Iterator[Row]]] = {
        "machine": facts.rows,
        "ceilings": ceilings.rows,
        "step": steps.rows,
        "members": steps.members,
        "fit": fitting.fit,
        "predict": fitting.predict,
        "kernels": kernels.rows,
    }
    return kinds[kind](setting)


def main() -> None:
    started = time.perf_counter()
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("kind", "contender", "precision"):
        parser.add_argument(name)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("file")
    options = parser.parse_args()
    if contenders.on_host_memory():
        from tests.helpers import hostcuda

        hostcuda.install(os.environ["NNXP_HOSTCUDA"])
    about = {"kind": options.kind, "contender": options.contender, "precision": options.precision}
    setting = Setting(options.contender, options.precision, started + options.seconds, options.small)
    with open(options.file, "a", encoding="utf-8") as file:

        def write(row: Row) -> None:
            print(json.dumps(about | row), file=file, flush=True)

        try:
            if options.kind not in ("machine", "kernels"):  # which see to it themselves
                contenders.prepare(contenders.library(options.contender), options.precision)
            for row in rows_of(options.kind, setting):
                write(row)
        except Exception as error:
            traceback.print_exc()
            write({"reason": reason(error)})


if __name__ == "__main__":
    main()
