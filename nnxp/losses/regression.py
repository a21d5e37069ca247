"""The losses of numbers."""

from typing import Any

from nnxp.doors.options import above_zero
from nnxp.kernels import formulas
from nnxp.losses.base import ElementwiseLoss


class MeanSquaredError(ElementwiseLoss):
    """ℓᵢ = Σⱼ (pᵢⱼ - yᵢⱼ)² / m.

    Examples
    --------
    >>> loss = MeanSquaredError()
    >>> float(loss.calculate([[1.0], [4.0]], [1.0, 2.0])), loss.backward([[1.0], [4.0]], [1.0, 2.0]).tolist()
    (2.0, [[0.0], [2.0]])
    """

    formula, gradient_formula = formulas.squared_error, formulas.squared_error_grad


class MeanAbsoluteError(ElementwiseLoss):
    """ℓᵢ = Σⱼ |pᵢⱼ - yᵢⱼ| / m; its gradient is sign(p - y) / m, 0 where p = y."""

    formula, gradient_formula = formulas.absolute_error, formulas.absolute_error_grad


class Huber(ElementwiseLoss):
    """ℓᵢ = Σⱼ h(pᵢⱼ - yᵢⱼ) / m, h(e) = e²/2 where |e| ≤ δ, else δ(|e| - δ/2). Huber 1964, equation 2.4.

    Parameters
    ----------
    delta : float
        Where the parabola becomes a line, 1 by default.
    """

    options = ("delta",)
    formula, gradient_formula = formulas.huber, formulas.huber_grad

    def __init__(self, delta: float = 1.0, *, backend: Any = None, dtype: str | None = None) -> None:
        super().__init__(backend=backend, dtype=dtype)
        self.delta = above_zero("delta", delta)
