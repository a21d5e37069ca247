"""CUDA: formulas as CuPy kernels, and kernels of our own for what goes over rows and columns.

`source` and `matrices` write CUDA C++ from a graph, `launch` holds every launch to its kernel's declaration, `fusion`
serves formulas, `cupy_kernels` the named kernels, whose text stands in the `.cu` files. All text can be read, compiled
and run without a GPU; CuPy is imported when a kernel is first built.
"""

from nnxp.kernels.cuda.fusion import Compiled, shown

__all__ = ["Compiled", "shown"]
