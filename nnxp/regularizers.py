"""The coupled penalties of a layer's weights, l1 Σ|w| + l2 Σw²: what they add to the loss's gradient. What they add to
the loss is the kernel "add_penalty"."""

from nnxp.backends import Backend
from nnxp.kernels import formulas
from nnxp.typing import Array


def add_gradient(backend: Backend, dw: Array, w: Array, l1: float, l2: float) -> None:
    """dw += l1 · sign(w) + 2 · l2 · w, in place."""
    backend.fuse(formulas.regularized_grad, into=("dw",))(dw, w, l1, l2)
