"""From an estimator's parameters to a network."""

import copy
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nnxp.activations import ACTIVATIONS, SELU, Activation, Softmax
from nnxp.callbacks import EarlyStopping, events_of
from nnxp.doors.naming import lookup
from nnxp.doors.options import above_zero, boolean, not_negative, positive, share
from nnxp.estimators.rate import RATES, Rate
from nnxp.layers import Dense, Layer
from nnxp.network.architecture import NORMALIZATIONS, hidden_layers
from nnxp.optimizers import LBFGS, Optimizer, get_optimizer
from nnxp.sequential import Sequential

ACTIVATION_WORDS = {"logistic": "sigmoid", "identity": "linear"}
"""scikit-learn's for ours."""
LARGEST_AUTO_BATCH = 200
INITIALIZER = "glorot_uniform"
"""As scikit-learn's MLP begins. On small data it generalises better than the larger weights of He et al. 2015, which a
`Sequential` draws before a ReLU."""
ADAM = ("beta_1", "beta_2", "epsilon")
RULE_OPTIONS = {"sgd": ("momentum",), "adam": ADAM, "adamw": ADAM}
"""The parameters of an estimator that each of scikit-learn's solvers, and adamw, reads beside the learning rate."""


def check(estimator: Any) -> None:
    """Raises where a parameter has a value that no fit could use; layers and optimizers check theirs."""
    for name, rule in (
        ("alpha", not_negative),
        ("learning_rate_init", above_zero),
        ("power_t", not_negative),
        ("max_iter", positive),
        ("shuffle", boolean),
        ("warm_start", boolean),
        ("nesterovs_momentum", boolean),
        ("early_stopping", boolean),
        ("tol", not_negative),
        ("dropout", share),
        ("max_fun", positive),
        ("members", positive),
    ):
        rule(name, getattr(estimator, name))
    if not isinstance(estimator.verbose, bool | np.bool | int | np.integer):
        raise ValueError(f"got verbose={estimator.verbose!r}, expected True, False or a whole number")
    hidden_widths(estimator.hidden_layer_sizes)
    _check_rate(estimator)
    if estimator.batch_size != "auto":
        positive("batch_size", estimator.batch_size)
    if estimator.n_iter_no_change != math.inf:
        positive("n_iter_no_change", estimator.n_iter_no_change)
    callbacks = estimator.callbacks
    if callbacks is not None and not isinstance(callbacks, list | tuple):
        raise ValueError(f"got callbacks={callbacks!r}, expected a list of them: callbacks=[...]")
    for callback in callbacks or ():
        events_of(callback)
        if estimator.early_stopping and isinstance(callback, EarlyStopping):
            raise ValueError(
                "got early_stopping=True and the callback EarlyStopping, expected one of them: both would put back "
                "weights of their own"
            )
    if estimator.monitor not in (type(estimator).monitor, "loss"):
        raise ValueError(f'got monitor={estimator.monitor!r}, expected "{type(estimator).monitor}" or "loss"')
    if estimator.normalization not in (None, *NORMALIZATIONS):
        raise ValueError(f'got normalization={estimator.normalization!r}, expected "batch", "layer" or None')


def _check_rate(estimator: Any) -> None:
    rate, schedule = estimator.learning_rate, estimator.schedule
    if not isinstance(rate, str) or rate not in RATES:
        number = isinstance(rate, int | float | np.number) and not isinstance(rate, bool)
        fix = f": the rate itself is learning_rate_init={rate!r}" if number else ""
        raise ValueError(f"got learning_rate={rate!r}, expected one of {', '.join(RATES)}{fix}")
    if rate != "constant" and schedule is not None:
        raise ValueError(
            f"got learning_rate={rate!r} and schedule={schedule!r}, expected one of them: each says how the rate goes "
            "on"
        )


def hidden_widths(sizes: Any) -> list[int]:
    """`hidden_layer_sizes` as a list; one number is one layer."""
    listed = [sizes] if isinstance(sizes, int | np.integer) else sizes
    if isinstance(listed, str) or not isinstance(listed, Sequence | np.ndarray):
        raise ValueError(f"got hidden_layer_sizes={sizes!r}, expected whole numbers from 1 up, such as (100, 50)")
    return [positive("hidden_layer_sizes", size) for size in listed]


def batch_rows(batch_size: Any, n: int) -> int:
    """How many rows a step takes of n; "auto" is min(200, n)."""
    return min(LARGEST_AUTO_BATCH if batch_size == "auto" else int(batch_size), n)


def hidden(estimator: Any, n_in: int) -> tuple[list[Layer], int]:
    """The hidden layers, and the width of the last."""
    widths, activation = hidden_widths(estimator.hidden_layer_sizes), _activation(estimator.activation)
    layers = hidden_layers(
        n_in,
        widths,
        lambda: copy.deepcopy(activation),
        normalization=estimator.normalization,
        dropout=estimator.dropout,
        initializer=None if isinstance(activation, SELU) else INITIALIZER,
    )
    return layers, (n_in, *widths)[-1]


def _activation(spec: Any) -> Activation:
    word = ACTIVATION_WORDS.get(spec, spec) if isinstance(spec, str) else spec
    return lookup(word, Activation, [kind for kind in ACTIVATIONS if kind is not Softmax], "activation")


def make_optimizer(estimator: Any) -> Optimizer:
    """The optimizer that `solver` names, with the estimator's parameters; of an object, a copy."""
    solver, schedule = estimator.solver, estimator.schedule
    known = get_optimizer(solver)
    if not isinstance(solver, str):
        if schedule is not None:
            raise ValueError(
                f"got schedule={schedule!r} with the solver {type(known).__name__} as an object, expected one of them: "
                f"{type(known).__name__}(..., schedule=...)"
            )
        return copy.deepcopy(known)
    if isinstance(known, LBFGS):
        if schedule is not None:
            raise ValueError('got a schedule with solver="lbfgs", which has no learning rate: leave one of them out')
        return LBFGS(tol=estimator.tol, max_fun=estimator.max_fun)
    options = {name: getattr(estimator, name) for name in RULE_OPTIONS.get(solver, ())}
    if solver == "sgd":
        options["nesterov"] = bool(estimator.nesterovs_momentum and estimator.momentum)
    return type(known)(estimator.learning_rate_init, schedule=schedule, **options)


def make_rate(estimator: Any) -> Rate | None:
    """How the learning rate goes on; None where it stays, or is the optimizer's own affair."""
    if estimator.solver != "sgd" or estimator.learning_rate == "constant":
        return None
    return Rate(estimator.learning_rate, estimator.power_t, float(estimator.learning_rate_init), estimator.t_)


NETWORK = (
    "hidden_layer_sizes",
    "activation",
    "dropout",
    "normalization",
    "label_smoothing",
    "loss",
    "backend",
    "dtype",
    "members",
)
OPTIMIZER = ("solver", "learning_rate", "power_t", "schedule", "momentum", "nesterovs_momentum", *ADAM)
"""What a later partial fit cannot change."""


def settings(given: dict[str, Any]) -> dict[str, Any]:
    """Of an estimator's parameters, those that make the network and its optimizer."""
    return {name: value for name, value in given.items() if name in (*NETWORK, *OPTIMIZER)}


def follow(estimator: Any) -> None:
    """Gives the optimizer the learning rate that a later partial fit has; raises where it has another network, or
    another optimizer, than the first."""
    for name, now in settings(estimator.get_params(deep=False)).items():
        given = estimator._made[name]
        if now is not given and not (type(now) is type(given) and np.array_equal(now, given)):
            raise ValueError(
                f"got {name}={now!r} in a partial_fit, expected {given!r}, as in the first: it goes on with the "
                "network and the optimizer that are there; fit begins anew"
            )
    if isinstance(estimator.solver, str):
        init, rate = float(estimator.learning_rate_init), estimator._rate
        if rate is not None:
            rate.init, init = init, init / rate.divisor
        estimator.model_.optimizer.learning_rate = init


def one_or_each(numbers: Sequence[float]) -> Any:
    """The number that all have, or all of them, one for each member."""
    return numbers[0] if len({*numbers}) == 1 else tuple(numbers)


def penalise(model: Sequential, l2: float | tuple[float, ...]) -> None:
    """Gives every `Dense` the penalty l2 ΣW², or each member its own."""
    for layer in model.layers:
        if isinstance(layer, Dense):
            if model.members > 1 and layer.l2 != l2:
                model.replan()  # what runs for several members has taken it over
            layer.l2 = l2


def rebuilt(model: Sequential, backend: Any) -> Sequential:
    """The same network on another backend; its optimizer begins afresh."""
    layers = []
    for layer in model.layers:
        options = layer.config()
        del options["class"]
        layers.append(type(layer)(**options))
    place = {"backend": backend, "dtype": model.dtype, "seed": model.seed, "members": model.members}
    twin = Sequential(layers, model.loss, copy.deepcopy(model.optimizer), **place)
    copy_course(model, twin)
    return twin


def copy_course(before: Sequential, model: Sequential) -> None:
    """Gives a network the weights of another of the same layers, and the place in its course."""
    old, new = before.store, model.store
    if [entry[1:] for entry in old.entries] != [entry[1:] for entry in new.entries]:
        raise ValueError(
            "got warm_start=True with other layers than those of the last fit, expected the same: set "
            "warm_start=False, or X, hidden_layer_sizes, normalization and members as they were"
        )
    with new.backend.context():
        new.values[...] = new.backend.asarray(old.backend.to_numpy(old.values), dtype=new.dtype)
    model.epoch, model.step, model.history = before.epoch, before.step, copy.deepcopy(before.history)
