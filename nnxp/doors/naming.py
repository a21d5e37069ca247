"""Snake-case names for classes: `"mean_squared_error"` for `MeanSquaredError`, `"adamw"` for `AdamW`."""

import re
from collections.abc import Iterable
from typing import Any, TypeVar

from nnxp.errors import hint

T = TypeVar("T")
USUAL_CLASSES = {
    "binary_crossentropy": "bce",
    "categorical_crossentropy": "cce",
    "glorot_uniform": "xavier",
    "linear": "identity",
    "mean_absolute_error": "mae l1",
    "mean_squared_error": "mse l2",
    "sigmoid": "logistic",
    "silu": "swish",
}
"""What other libraries call a thing, for the hint alone: a name means one thing here."""
RISING = frozenset("accuracy average_precision balanced_accuracy f1 precision r2 recall roc_auc".split())
"""The metrics of `nnxp.metrics` of which more is better."""


def rises(entry: str) -> bool:
    """Whether more is better of an entry of the history, as far as its name says: "val_accuracy", "test_roc_auc"."""
    return any(entry == metric or entry.endswith(f"_{metric}") for metric in RISING) or entry.endswith("accuracy")


def snake_case(name: str) -> str:
    """LeakyReLU -> leaky_relu: a capital starts a word where a small letter stands on both sides of it or
    before and after its run.

    Examples
    --------
    >>> [snake_case(name) for name in ("MeanSquaredError", "LeakyReLU", "AdamW", "RMSprop", "HeNormal")]
    ['mean_squared_error', 'leaky_relu', 'adamw', 'rmsprop', 'he_normal']
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", name).lower()


def lookup(spec: Any, base: type[T], classes: Iterable[type[T]], what: str) -> T:
    """The object that a user named: an instance as it is, a class or a snake_case name with its defaults."""
    if isinstance(spec, base):
        return spec
    if isinstance(spec, type) and issubclass(spec, base):
        return spec()
    names = {snake_case(cls.__name__): cls for cls in classes}
    if isinstance(spec, str) and spec in names:
        return names[spec]()
    meant = hint(str(spec), names, USUAL_CLASSES)
    raise ValueError(f"got {what} {spec!r}, expected an object or one of {', '.join(sorted(names))}{meant}")
