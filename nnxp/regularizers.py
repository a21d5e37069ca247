"""The coupled penalties of a layer's weights, l1 Σ|w| + l2 Σw²: what they add to the loss's gradient. What they add to
the loss is the kernel "add_penalty"."""

from collections.abc import Callable
from typing import Any, TypeAlias

from nnxp import kernels
from nnxp.backends import Backend
from nnxp.kernels import formulas
from nnxp.typing import Array

Adding: TypeAlias = Callable[[Array, Array, float], Any]


def adding(backend: Backend, l1: Any, l2: Any) -> Adding:
    """dw += share · (l1 · sign(w) + 2 · l2 · w), in place, of dw, w and share. The factors are numbers, or arrays as w
    is."""
    factors = {name: value for name, value in (("l1", l1), ("l2", l2)) if not isinstance(value, float)}
    one, two = (1.0 if name in factors else value for name, value in (("l1", l1), ("l2", l2)))
    formula = kernels.scaled(formulas.regularized_grad, tuple(factors)) if factors else formulas.regularized_grad
    kernel, arrays = backend.fuse(formula, into=("dw",)), tuple(factors.values())
    return lambda dw, w, share: kernel(dw, w, one * share, two * share, *arrays)
