"""Named kernels compiled by numba: those that NumPy needs many small calls for."""

import functools
from collections.abc import Callable
from importlib import resources
from typing import Any

import numpy as np

from nnxp.kernels.numba_fusion import compile_function, numba_imports
from nnxp.kernels.numpy_kernels import NUMPY
from nnxp.kernels.writing import table
from nnxp.typing import Array, Kernel


@functools.cache
def _loops(dtype: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The two functions of `loops`, for C-contiguous arrays of a dtype and labels of int64."""
    import numba

    text = resources.files("nnxp.kernels").joinpath("loops.py").read_text(encoding="utf-8")
    number = getattr(numba, dtype.name)
    matrix, vector, labels = number[:, ::1], number[::1], numba.int64[::1]

    def compiled(title: str, *types: Any) -> Callable[..., Any]:
        signature = numba.void(*types)
        # `_suit` has looked at the types: numba need not look again at every call.
        loop: Callable[..., Any] = compile_function(text, title, signature).overloads[signature.args].entry_point
        return loop

    return (
        compiled("shift_logits", matrix, matrix, matrix, labels, vector),
        compiled("softmax_crossentropy", matrix, labels, matrix, vector),
    )


def _suit(z: Array, b: Array, labels: Array, factors: Array, losses: Array, dz: Array) -> bool:
    """Whether the arrays are what the loops index without a check: their types, layouts and shapes."""
    n, m = z.shape
    return (
        labels.dtype == np.int64
        and labels.shape == losses.shape == (n,)
        and b.shape == (1, m)
        and factors.shape == (n, 1)
        and dz.shape == (n, m)
        and z.dtype == b.dtype == factors.dtype == losses.dtype == dz.dtype
        and z.flags.c_contiguous
        and b.flags.c_contiguous
        and labels.flags.c_contiguous
        and factors.flags.c_contiguous
        and losses.flags.c_contiguous
        and dz.flags.c_contiguous
        and numba_imports()
    )


def bias_softmax_crossentropy(z: Array, b: Array, labels: Array, factors: Array, out: Any = None) -> Any:
    """`softmax_crossentropy` of z + b, which `z` then holds, and each row's gradient times its factor."""
    if out is None or not _suit(z, b, labels, factors, *out):
        return NUMPY["bias_softmax_crossentropy"](z, b, labels, factors, out=out)
    losses, dz = out
    shift_logits, softmax_crossentropy = _loops(z.dtype)
    shift_logits(z, b, dz, labels, losses)
    np.exp(dz, out=dz)
    softmax_crossentropy(dz, labels, factors, losses)
    return out


NUMBA: dict[str, Kernel] = table(bias_softmax_crossentropy)
