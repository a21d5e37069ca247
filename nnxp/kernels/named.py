"""Which named kernels each library gets: the reference, and over it what a library does better."""

import importlib
from collections.abc import Callable

import numpy as np

from nnxp.errors import hint
from nnxp.kernels.reference import reference
from nnxp.typing import Kernel, Namespace


class Kernels(dict[str, Kernel]):
    """Kernels by name."""

    def __missing__(self, name: str) -> Kernel:
        raise ValueError(f"got kernel {name!r}, expected one of {', '.join(sorted(self))}{hint(str(name), self)}")


def kernels_of(library: str, xp: Namespace, fast: bool = False) -> Kernels:
    """The table of named kernels of a library by its name ("numpy", "torch", ...), whose namespace is `xp`; `fast`,
    with what numba compiles."""
    if library == "numpy":
        from nnxp.kernels.numpy_kernels import NUMPY
        from nnxp.kernels.writing import writing

        kernels = Kernels({**reference(np), **writing(np), **NUMPY})
        if fast:
            from nnxp.kernels.numba_kernels import NUMBA

            kernels.update(NUMBA)
        return kernels
    if library in ("cupy", "torch"):
        from nnxp.kernels.writing import writing

        package = importlib.import_module(library)
        own: Callable[..., dict[str, Kernel]]
        if library == "torch":
            from nnxp.kernels.torch_kernels import torch_kernels

            own = torch_kernels
        else:
            from nnxp.kernels.cuda.cupy_kernels import cupy_kernels

            own = cupy_kernels
        return Kernels({**reference(xp), **writing(package), **own(package, xp)})
    return Kernels(reference(xp))
