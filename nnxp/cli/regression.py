"""A regression whose training does not depend on the target's units."""

from typing import Any

import numpy as np

from nnxp.backends import Backend
from nnxp.data.dataset import Array as HostArray
from nnxp.errors import DataError
from nnxp.losses import Loss
from nnxp.typing import Array


class StandardisedLoss(Loss):
    """Another loss of predictions and truth divided by σ, the target's standard deviation: ℓ(p/σ, y/σ).

    A last layer `Rescaling(scale=σ, offset=μ)` lets a model predict in the target's own units. The squared
    error then has gradients by the layers below that grow with σ²: a step of SGD that suits targets around 1
    diverges at thousands and stands still at thousandths, and Adam's ε, made for gradients around 1, hides the
    small ones. Here the two factors σ cancel: the network below sees the loss and the gradients of a
    standardised target, in any units and with any optimizer. The metric, the rmse, stays in the target's units.

    Parameters
    ----------
    loss : Loss
        Of errors in standard deviations.
    sigma : sequence of float
        One for each output.
    """

    def __init__(self, loss: Loss, sigma: list[float]) -> None:
        super().__init__()
        self.inner, self.sigma = loss, sigma

    def _on(self, backend: Backend, dtype: str) -> "StandardisedLoss":
        super()._on(backend, dtype)
        self.inner._on(backend, dtype)
        self._factor: Any = backend.asarray([[1 / s for s in self.sigma]], dtype=dtype)
        return self

    def losses(self, p: Array, y: Array) -> Array:
        """ℓ(p/σ, y/σ), (n,)."""
        return self.inner.losses(p * self._factor, y * self._factor)

    def gradients(self, p: Array, y: Array) -> Array:
        """ℓ'(p/σ, y/σ) / σ, (n, m)."""
        return self.inner.gradients(p * self._factor, y * self._factor) * self._factor


def target_scale(y: HostArray) -> tuple[list[float], list[float]]:
    """Standard deviation σ and mean μ of each output over the training rows, in float64.

    Raises
    ------
    DataError
        An output is the same in every row.
    """
    columns = y.reshape(len(y), -1).astype(np.float64)
    sigma, mu = columns.std(axis=0), columns.mean(axis=0)
    constant = (columns.max(axis=0) == columns.min(axis=0)) | (sigma < np.finfo(np.float32).tiny)
    if constant.any():
        value = columns[0, int(constant.argmax())]
        raise DataError(f"the target is {value:g} in every training row: there is nothing to learn")
    return sigma.tolist(), mu.tolist()
