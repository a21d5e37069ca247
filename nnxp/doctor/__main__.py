"""What the process of one library runs (see `nnxp.doctor.child`)."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from nnxp.doctor.child import examine_library
from nnxp.doctor.verdict import Row


def main() -> None:
    """Examines the library that the command line names."""
    name, file = sys.argv[1], Path(sys.argv[2])

    def write(rows: Sequence[Row]) -> None:
        new = file.with_suffix(".new")
        new.write_text(json.dumps([row.document() for row in rows], allow_nan=False), encoding="utf-8")
        new.replace(file)

    examine_library(name, write)


if __name__ == "__main__":
    main()
