"""Optimizers: a formula each, the names of its slots, and a schedule of the learning rate.

An update walks the flat (value, gradient) stretches of its target: a layer, a model, or a list of either.
State (momentum, cache) lives here, laid out like the store it belongs to. Learning rates and corrections
are Python floats, computed in float64, and never change an array's dtype. `LBFGS` is apart: it makes no steps on
batches.
"""

from typing import Any

from nnxp.doors.naming import lookup
from nnxp.optimizers.base import Optimizer
from nnxp.optimizers.lbfgs import LBFGS
from nnxp.optimizers.rules import SGD, Adagrad, Adam, AdamW, Lion, RMSprop

__all__ = ["LBFGS", "OPTIMIZERS", "SGD", "Adagrad", "Adam", "AdamW", "Lion", "Optimizer", "RMSprop", "get_optimizer"]

OPTIMIZERS = (SGD, Adagrad, RMSprop, Adam, AdamW, Lion)
"""Those that take a step for each batch."""


def get_optimizer(spec: Any) -> Optimizer:
    """An optimizer from an object, a class, or a name such as "adamw"."""
    return lookup(spec, Optimizer, (*OPTIMIZERS, LBFGS), "optimizer")
