"""The coupled penalties of a layer's weights, l1 Σ|w| + l2 Σw²: what they add to the loss's gradient. What they add to
the loss is the kernel "add_penalty"."""

from typing import Any

from nnxp import kernels
from nnxp.backends import Backend
from nnxp.kernels import formulas
from nnxp.typing import Array


def add_gradient(backend: Backend, dw: Array, w: Array, l1: Any, l2: Any) -> None:
    """dw += l1 · sign(w) + 2 · l2 · w, in place. The factors are numbers, or arrays as w is."""
    if type(l1) is float and type(l2) is float:
        backend.fuse(formulas.regularized_grad, into=("dw",))(dw, w, l1, l2)
        return
    factors = {name: value for name, value in (("l1", l1), ("l2", l2)) if not isinstance(value, float)}
    numbers = (1.0 if name in factors else value for name, value in (("l1", l1), ("l2", l2)))
    formula = kernels.scaled(formulas.regularized_grad, tuple(factors))
    backend.fuse(formula, into=("dw",))(dw, w, *numbers, *factors.values())
