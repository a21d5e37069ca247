"""The mathematics and the machines: `formulas` (element-wise), `reference` (everything else), `fusion`."""

from nnxp.kernels.fusion import fuse
from nnxp.kernels.reference import reference

__all__ = ["fuse", "reference"]
