"""Losses: how far predictions are from the truth, one number a sample, and the gradient of their mean.

All share one contract. `forward(y_pred, y)` gives each sample's loss ℓᵢ, (n,), averaged over its outputs;
`calculate` their mean Σ wᵢℓᵢ / Σ wᵢ, a 0-d array; `backward` the gradient of that mean by the predictions,
(n, m), with no forward before it. A loss follows the predictions' library, device and dtype.
"""

from typing import Any

from nnxp.doors.naming import lookup
from nnxp.losses.base import ElementwiseLoss, Loss
from nnxp.losses.crossentropy import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SigmoidCrossentropy,
    SoftmaxCrossentropy,
)
from nnxp.losses.regression import Huber, MeanAbsoluteError, MeanSquaredError, Poisson
from nnxp.losses.standardised import StandardisedLoss, units_of, unresolved

__all__ = [
    "ELEMENTWISE",
    "LOSSES",
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "Huber",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Poisson",
    "SigmoidCrossentropy",
    "SoftmaxCrossentropy",
    "StandardisedLoss",
    "get_loss",
    "units_of",
    "unresolved",
]

LOSSES = (
    CategoricalCrossentropy,
    BinaryCrossentropy,
    SoftmaxCrossentropy,
    SigmoidCrossentropy,
    MeanSquaredError,
    MeanAbsoluteError,
    Huber,
    Poisson,
)

ELEMENTWISE = (*(kind for kind in LOSSES if issubclass(kind, ElementwiseLoss)), StandardisedLoss)
"""Those that are the mean of a formula over a sample's outputs."""


def get_loss(spec: Any) -> Loss:
    """A loss from an object, a class, or a name such as "mean_squared_error"."""
    return lookup(spec, Loss, LOSSES, "loss")
