"""Calls with a keyword that nobody knows: what was got, what is known, and what was perhaps meant."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast

from nnxp.doors.describing import parameters_of
from nnxp.errors import hint

F = TypeVar("F", bound=Callable[..., Any])
USUAL = {
    "learning_rate": "lr eta rate step_size",
    "learning_rate_init": "lr eta learning_rate",
    "beta_1 and beta_2": "betas",
    "beta_1": "momentum b1",
    "momentum": "beta",
    "rho": "alpha decay_rate",
    "epsilon": "eps",
    "l2": "weight_decay kernel_regularizer weight_regularizer weight_regularizer_l2",
    "l1": "weight_regularizer_l1",
    "bias_l2": "bias_regularizer bias_regularizer_l2",
    "bias_l1": "bias_regularizer_l1",
    "alpha": "weight_decay l2",
    "AdamW(weight_decay=...)": "weight_decay",
    "ReLU() as the next layer": "activation",
    "schedule": "scheduler lr_scheduler lr_schedule",
    "clip_norm": "max_norm max_grad_norm",
    "n_in": "in_features input_dim input_shape n_features n_inputs",
    "n_out": "units out_features output_dim n_neurons n_outputs",
    "n": "num_features normalized_shape n_features",
    "rate": "p dropout drop_prob",
    "slope": "alpha negative_slope",
    "initializer": "init kernel_initializer weight_init",
    "loss": "criterion loss_fn objective",
    "seed": "random_state random_seed",
    "random_state": "seed",
    "backend": "device xp",
    "epochs": "max_iter nb_epoch",
    "max_iter": "epochs n_epochs num_epochs",
    "validation_split": "validation_fraction val_split",
    "validation_data": "eval_set val_data",
    "sample_weight": "weights",
    "class_weight": "weight",
    "CategoricalCrossentropy(class_weight=[...]) as the model's loss": "class_weight",
    "ignore_label": "ignore_index",
    "hidden_layer_sizes": "hidden hidden_units layers",
    "solver": "optimizer",
    "path": "filename filepath",
    "every_steps": "save_freq",
    "floor": "eta_min min_lr",
    "factor": "gamma",
    "steps": "t_max",
}
"""What other libraries call a keyword, for the hint alone; of several that a call knows, the first."""


def keywords(method: F) -> F:
    """The method, which of a keyword that it does not know says what it knows: Python names the wrong one alone. Where
    it hands others on, `**options`, who takes them may say so."""
    code = method.__code__
    known = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
    if code.co_flags & inspect.CO_VARKEYWORDS:
        return method

    @functools.wraps(method)
    def checked(self: Any, *args: Any, **given: Any) -> Any:
        for name in given:
            if name not in known:
                raise _unknown(name, self, method, known)
        return method(self, *args, **given)

    return cast(F, checked)


def _unknown(name: str, part: object, method: Callable[..., Any], known: tuple[str, ...]) -> TypeError:
    what = method.__name__
    if what == "__init__":
        what, all_known = type(part).__name__, [parameter.name for parameter, _ in parameters_of(type(part))]
        if not set(known).issubset(all_known):  # a constructor that does not hand on what it is given
            what = method.__qualname__.partition(".")[0]
        else:
            known = tuple(all_known)
    expected = f"one of {', '.join(known)}" if known else "no keyword"
    return TypeError(f"got {name}= for {what}, expected {expected}{hint(name, known, USUAL, '{}')}")


class Constructed:
    """The base class of what users make: each constructor knows its `keywords`."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if inspect.isfunction(own := vars(cls).get("__init__")):
            cls.__init__ = keywords(own)  # type: ignore[method-assign]
