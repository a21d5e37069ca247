"""The mathematics and the machines.

`formulas` holds what is element-wise, `reference` the named kernels, which are everything else. `fusion` turns a
formula into a kernel: `graph` traces it, `program` orders its operations and gives each result a place,
`instructions` are those of each library, `machine` checks a call's arrays and `plans` runs it, `numba_fusion`
compiles, and `source` writes straight lines for every other namespace.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nnxp.kernels import formulas
    from nnxp.kernels.fusion import compose, fuse, show

__all__ = ["compose", "formulas", "fuse", "show"]


def __getattr__(name: str) -> Any:
    """Imported when first used: a model that is only built fuses nothing."""
    if name == "formulas":
        return importlib.import_module("nnxp.kernels.formulas")
    if name in __all__:
        return getattr(importlib.import_module("nnxp.kernels.fusion"), name)
    raise AttributeError(f"module 'nnxp.kernels' has no attribute {name!r}")
