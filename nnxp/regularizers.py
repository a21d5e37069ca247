"""The coupled penalties of a layer's weights: l1 Σ|w| + l2 Σw², added to the loss and to its gradient."""

from nnxp.backends import Backend
from nnxp.kernels import formulas
from nnxp.typing import Array


def add_penalty(backend: Backend, loss: Array, w: Array, l1: float, l2: float) -> Array:
    """loss + l1 Σ|w| + l2 Σw², in place; the loss is 0-d."""
    return backend.kernels["add_penalty"](loss, w, l1, l2, out=loss)


def add_gradient(backend: Backend, dw: Array, w: Array, l1: float, l2: float) -> None:
    """dw += l1 · sign(w) + 2 · l2 · w, in place."""
    backend.fuse(formulas.regularized_grad, into=("dw",))(dw, w, l1, l2)
