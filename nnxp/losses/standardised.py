"""A regression's loss that does not depend on the target's units."""

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from nnxp.backends import Backend
from nnxp.doors.naming import snake_case
from nnxp.doors.options import LARGEST, above_zero
from nnxp.doors.units import constant, unit_of
from nnxp.kernels import formulas
from nnxp.kernels.graph import parameters_of
from nnxp.losses.base import ElementwiseLoss
from nnxp.losses.regression import Huber, MeanAbsoluteError, MeanSquaredError
from nnxp.typing import Array, ArrayLike, Floats, HostArray, Row

STEPS_OF_SIGMA = 100
"""How many numbers of the dtype one standard deviation has to span, at least."""


def units_of(y: HostArray, w: Floats | None = None) -> tuple[Floats, Floats]:
    """Standard deviation σ and mean μ of each output of y, (n,) or (n, outputs), weighted, in float64, (outputs,) each.
    σ is 0 where an output is the same in every row, but for rounding (see `nnxp.doors.units.constant`)."""
    columns = y.reshape(len(y), -1)
    if w is not None:
        columns, w = columns[w > 0], w[w > 0]
    same, columns = constant(columns), columns.astype(np.float64)
    unit = unit_of(columns)
    columns = columns / unit
    mu = np.average(columns, 0, w)
    sigma = np.sqrt(np.average((columns - mu) ** 2, 0, w))
    return np.where(same, 0.0, sigma * unit), mu * unit


def unresolved(ratios: Iterable[float], dtype: str) -> tuple[int, float] | None:
    """The first of some μ/σ that lies so far from 0 that the dtype rounds differences away, and its place."""
    limit = 1 / (STEPS_OF_SIGMA * float(np.finfo(dtype).eps))
    return next(((i, abs(ratio)) for i, ratio in enumerate(ratios) if abs(ratio) > limit), None)


class StandardisedLoss(ElementwiseLoss):
    """Another loss of predictions and truth divided by σ, the target's standard deviation: ℓ(p/σ, y/σ).

    A last layer `Rescaling(scale=σ, offset=μ)` lets a model predict in the target's own units. The squared
    error then has gradients by the layers below that grow with σ²: a step of SGD that suits targets around 1
    diverges at thousands and stands still at thousandths, and Adam's ε, made for gradients around 1, hides the
    small ones. Here the two factors σ cancel: the network below sees the loss and the gradients of a
    standardised target, in any units and with any optimizer. The metric, the rmse, stays in the target's units.

    Parameters
    ----------
    loss : str
        The name of a loss of numbers, of errors in standard deviations.
    sigma : sequence of float
        One for each output.
    """

    options = ("loss", "sigma")

    def __init__(self, loss: str, sigma: list[float]) -> None:
        super().__init__()
        known = {snake_case(kind.__name__): kind for kind in (MeanSquaredError, MeanAbsoluteError, Huber)}
        if loss not in known:
            raise ValueError(f"got loss={loss!r}, expected one of {', '.join(known)}")
        if not sigma:
            raise ValueError(f"got sigma={sigma!r}, expected a list of numbers above 0, one for each output")
        self.loss, self.inner, self.sigma = loss, known[loss](), [above_zero("sigma", s) for s in sigma]

    def _on(self, backend: Backend, dtype: str, named: bool = False) -> "StandardisedLoss":
        super()._on(backend, dtype, named)
        if (least := min(self.sigma)) < 1 / LARGEST[dtype]:
            raise ValueError(
                f'got sigma={least:.6g}, whose reciprocal is beyond {dtype}: take dtype="float64", or larger targets'
            )
        self._factor: Any = backend.asarray([[1 / s for s in self.sigma]], dtype=dtype)
        return self

    def prepare(self, y: ArrayLike, n_out: int | None, dtype: str, scan: bool = True) -> Array:
        """`Loss`'s, once there is one σ for all outputs, or one for each."""
        if len(self.sigma) not in (1, n_out or len(self.sigma)):
            raise ValueError(f"got sigma of {len(self.sigma)} outputs for a model of {n_out}, expected one for each")
        return super().prepare(y, n_out, dtype, scan)

    def _formulas(self) -> tuple[Callable[..., Array], Callable[..., Array]]:
        return _standardised(*self.inner._formulas())

    def _constants(self, p: Array) -> list[Any]:
        return [self._factor, *self.inner._constants(p)]


@functools.cache
def _standardised(
    formula: Callable[..., Array], gradient: Callable[..., Array]
) -> tuple[Callable[..., Array], Callable[..., Array]]:
    """f(p s, y s) and f'(p s, y s) s, of a loss's formula f and its gradient: s is the row 1/σ."""

    def loss(p: Array, y: Array, s: Row, *constants: Any) -> Array:
        return formula(formulas.rescale_grad(p, s), formulas.rescale_grad(y, s), *constants)

    def loss_gradient(p: Array, y: Array, s: Row, *constants: Any) -> Array:
        dp = gradient(formulas.rescale_grad(p, s), formulas.rescale_grad(y, s), *constants)
        return formulas.rescale_grad(dp, s)

    p, y, *own = parameters_of(formula).values()
    s = inspect.Parameter("s", p.kind, annotation=Row)
    for made, of in ((loss, formula), (loss_gradient, gradient)):
        made.__name__ = made.__qualname__ = f"standardised_{of.__name__}"
        made.__signature__ = inspect.Signature([p, y, s, *own])  # type: ignore[attr-defined]
    return loss, loss_gradient
