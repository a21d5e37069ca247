"""The losses of numbers."""

from typing import Any

from nnxp.doors import labels
from nnxp.doors.options import above_zero
from nnxp.kernels import formulas
from nnxp.losses.base import ElementwiseLoss
from nnxp.typing import Array, ArrayLike


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


class Poisson(ElementwiseLoss):
    """ℓᵢ = Σⱼ (exp(pᵢⱼ) - yᵢⱼ - yᵢⱼ(pᵢⱼ - log yᵢⱼ)) / m, of counts or rates y from 0 up: predictions are the logarithms
    of rates, so that any number is one. The metric, the rmse, is that of the rates.

    Half the Poisson deviance (McCullagh and Nelder 1989, section 2.3.1), as scikit-learn's MLP reports it; PyTorch's
    `PoissonNLLLoss`, exp(p) - yp, leaves out what does not depend on p. The gradient is (exp(p) - y) / m.

    Raises
    ------
    ValueError
        A target is below 0.

    Examples
    --------
    >>> loss = Poisson()
    >>> float(loss.calculate([[0.0], [0.0]], [0.0, 1.0])), loss.backward([[0.0], [0.0]], [0.0, 3.0]).tolist()
    (0.5, [[0.5], [-1.0]])
    """

    formula, gradient_formula = formulas.poisson, formulas.poisson_grad
    metric_formula = formulas.squared_error_of_rate

    def prepare(self, y: ArrayLike, n_out: int | None, dtype: str, scan: bool = True) -> Array:
        """See `Loss`."""
        return labels.counts(self.backend, y, n_out, dtype, scan)
