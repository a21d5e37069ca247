"""The mathematics and the machines.

`formulas` holds what is element-wise, `reference` the named kernels, which are everything else. `fusion` turns a
formula into a kernel: `graph` traces it, `program` orders its operations and gives each result a place,
`instructions` are those of each library, `lowering` puts them together, `register_machine` checks a call's arrays and
`calls` runs it, `numba_fusion` compiles, and `source` writes straight lines for every other namespace.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nnxp.kernels import formulas
    from nnxp.kernels.composing import compose, scaled
    from nnxp.kernels.fusion import fuse

_HOME = {
    "formulas": "nnxp.kernels.formulas",
    "compose": "nnxp.kernels.composing",
    "fuse": "nnxp.kernels.fusion",
    "scaled": "nnxp.kernels.composing",
    "show": "nnxp.show",  # a floor above: it asks the backends; its public name is here
}
__all__ = ["compose", "formulas", "fuse", "scaled", "show"]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    """Imported when first used: a model that is only built fuses nothing."""
    if name not in _HOME:
        raise AttributeError(f"module 'nnxp.kernels' has no attribute {name!r}")
    module = importlib.import_module(_HOME[name])
    return module if name == "formulas" else getattr(module, name)
