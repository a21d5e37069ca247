"""The coupled penalties of a layer's weights: l1 Σ|w| + l2 Σw², added to the loss and to its gradient."""

from nnxp.backends import Backend
from nnxp.kernels import formulas
from nnxp.typing import Array


def penalty(backend: Backend, w: Array, l1: float, l2: float) -> Array:
    """l1 Σ|w| + l2 Σw², 0-d."""
    kernels = backend.kernels
    total = l2 * kernels["squared_norm"](w)
    return total + l1 * kernels["absolute_sum"](w) if l1 else total


def add_gradient(backend: Backend, dw: Array, w: Array, l1: float, l2: float) -> None:
    """dw += l1 · sign(w) + 2 · l2 · w, in place."""
    backend.fuse(formulas.regularized_grad, into=("dw",))(dw, w, l1, l2)
