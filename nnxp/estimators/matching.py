"""Which trainings of estimators can be done side by side."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from sklearn.base import clone

from nnxp.activations import Activation
from nnxp.estimators.base import MLP
from nnxp.estimators.building import batch_rows, check, hidden, hidden_widths, make_optimizer
from nnxp.network.members import ELEMENTWISE
from nnxp.optimizers import LBFGS
from nnxp.typing import Integers

WIDEST = 256
"""Hidden layers up to so many units are trained side by side: of wider ones the products are all there is."""
ALIKE = 1.05
"""How many times the rows of the smallest one trains on at most: alone, more rows are more steps an epoch."""
EACH = ("alpha", "learning_rate_init", "dropout", "random_state", "class_weight")
"""The parameters in which estimators may differ that are trained side by side."""


class Job(NamedTuple):
    """An estimator that is to be trained, the rows to train it on, and what `kind_of` says of it."""

    estimator: MLP
    rows: Integers
    kind: Hashable


def told_apart(estimator: MLP, *but: str) -> str:
    """The parameters of an estimator as a text, but for some."""
    return repr(sorted((name, value) for name, value in estimator.get_params(deep=False).items() if name not in but))


def kind_of(estimator: MLP) -> Hashable:
    """What is equal of estimators that can be trained side by side; None of one that cannot, or gains nothing."""
    try:
        check(estimator)
        optimizer, activation = make_optimizer(estimator), estimator.activation
        hidden(estimator, 1)
    except (TypeError, ValueError):  # which its fit will raise again
        return None
    alone = (
        estimator.members > 1
        or estimator.warm_start
        or estimator.callbacks
        or estimator.verbose
        or estimator.normalization
        or hasattr(estimator, "_skl_callbacks")
        or (estimator.solver == "sgd" and estimator.learning_rate != "constant")
        or isinstance(optimizer, LBFGS)
        or not (optimizer.clip_norm is None and optimizer.clip_value is None)
        or optimizer.ema is not None
        or optimizer.factors  # `Group` gives the members some
        or getattr(optimizer, "decay_factors", None)
        or (optimizer.schedule is not None and optimizer.schedule.state())  # it looks at one training
        or not isinstance(estimator.random_state, int | np.integer | None)
        or (isinstance(activation, Activation) and type(activation) not in ELEMENTWISE)
        or max(hidden_widths(estimator.hidden_layer_sizes), default=0) > WIDEST
        or told_apart(estimator) != told_apart(clone(estimator))  # by where an object lies, say
    )
    return None if alone else (type(estimator), bool(estimator.dropout), told_apart(estimator, *EACH))


def of_equal_steps(jobs: Sequence[Job]) -> list[list[Job]]:
    """Jobs whose epochs have as many steps: those that train on about as many rows, or each on all of its own at
    once."""
    found = list[list[Job]]()
    for job in sorted(jobs, key=lambda job: len(job.rows)):
        n, size = len(job.rows), job.estimator.batch_size
        if found and (n <= ALIKE * len(found[-1][0].rows) or batch_rows(size, n) == n):
            found[-1].append(job)
        else:
            found.append([job])
    return found
