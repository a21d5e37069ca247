"""The mathematics and the machines.

`formulas` holds what is element-wise, `reference` the named kernels, which are everything else. `fusion` turns a
formula into a kernel: `graph` traces it, `program` orders its operations and gives each result a place,
`instructions` are those of each library, `machine` checks a call's arrays and `plans` runs it, `numba_fusion`
compiles, and `source` writes straight lines for every other namespace.
"""

from nnxp.kernels.fusion import compose, fuse, show
from nnxp.kernels.reference import reference

__all__ = ["compose", "fuse", "reference", "show"]
