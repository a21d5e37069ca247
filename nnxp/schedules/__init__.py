"""Schedules: the factor of an optimizer's learning rate at each step.

A schedule is a function `schedule(step, total) -> factor` of the finished updates and of all that the training is
to have, `fit`'s epochs times its steps (None where nobody knows: in a loop of your own, until you set
`optimizer.total`). A second `fit` makes the whole training longer, and a curve over all of it is the longer one.

A length is a number of steps, or a fraction between 0 and 1 of the whole training, rounded up to whole steps.
Factors are Python floats. `ReduceOnPlateau` alone remembers anything, and a model's file holds that.

>>> Cosine()(50, 100)
0.5
>>> [LinearWarmup(4, start=0.5, then=StepDecay(3))(step) for step in range(8)]
[0.5, 0.625, 0.75, 0.875, 1.0, 1.0, 1.0, 0.1]
"""

from nnxp.schedules.base import Schedule
from nnxp.schedules.curves import (
    SCHEDULES,
    Cosine,
    Coslog,
    ExponentialDecay,
    FlatCosine,
    InverseTimeDecay,
    LinearWarmup,
    OneCycle,
    StepDecay,
    get_curve,
    get_schedule,
)
from nnxp.schedules.plateau import ReduceOnPlateau

__all__ = [
    "SCHEDULES",
    "Cosine",
    "Coslog",
    "ExponentialDecay",
    "FlatCosine",
    "InverseTimeDecay",
    "LinearWarmup",
    "OneCycle",
    "ReduceOnPlateau",
    "Schedule",
    "StepDecay",
    "get_curve",
    "get_schedule",
]
