"""What this machine can run, proved by running it: the command `nnxp doctor`.

`examine` gives the whole report as a document of plain values, which the command prints as a table or as JSON.
Each library is examined in a process of its own: one that crashes, hangs or floods the output costs its own rows.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from nnxp.doctor.child import isolated
from nnxp.doctor.computer import INSTALL, LIBRARIES, installed, system
from nnxp.doctor.verdict import FAILED, MISSING, PASSED, Row

FORMAT = 1
"""Of the document: grows when a key changes its meaning or goes away; new keys may come."""

__all__ = ["FORMAT", "LIBRARIES", "examine"]


def examine(names: Sequence[str] = (), tell: Callable[[str], None] = lambda name: None) -> dict[str, Any]:
    """Runs every proof on every backend.

    Parameters
    ----------
    names : sequence of str
        Backends: of `LIBRARIES`, with a device where there are several ("cupy:1", "torch:cuda"). All by default.
    tell : callable
        Called with the name of each library before it is examined.

    Returns
    -------
    dict
        "format", "nnxp", "python", "platform", "cores", "numpy", "blas", "blas_threads" (on how many NumPy's products
        run), "environment" (variables that matter and are set), "seconds" (all this took), "passed" (whether every
        installed backend did, and every named one is installed), and "backends": the attributes of
        `nnxp.doctor.verdict.Row` for each library and device.

    Raises
    ------
    ValueError
        A name of no backend.
    """
    start = time.perf_counter()
    names = [name.replace("-", "_") for name in names]  # as `get_backend` takes them
    for name in names:
        if name.partition(":")[0] not in LIBRARIES:
            raise ValueError(f"got backend {name!r}, expected one of {', '.join(LIBRARIES)}, or a device as in cupy:1")
    rows: list[Row] = []
    for name in names or LIBRARIES:
        library = name.partition(":")[0]
        if not installed(library):
            rows.append(Row(name, MISSING, f"{library} is not installed: {INSTALL[library]}", stage=""))
            continue
        tell(name)
        rows += isolated(name)
    bad = (FAILED, MISSING) if names else (FAILED,)
    return {
        "format": FORMAT,
        **system(),
        "seconds": round(time.perf_counter() - start, 1),
        "passed": not any(row.status in bad for row in rows) and any(row.status == PASSED for row in rows),
        "backends": [row.document() for row in rows],
    }
