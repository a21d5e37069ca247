"""A value as a file has it: JSON's own as it is, and what JSON has no form for with its kind beside it.

A tuple is ``{"nnxp": "tuple", "of": [...]}``. So are sets, objects whose names are no texts ("dict", of pairs), numbers
that are not finite ("number", of their text), and activations, optimizers and schedules ("part", of what a model's file
says of one).
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nnxp.errors import ModelFileError
from nnxp.files.configuration import part_config, part_of
from nnxp.layers import Layer
from nnxp.optimizers import Optimizer
from nnxp.schedules import Schedule

KIND, OF = "nnxp", "of"


def written(value: Any) -> Any:
    """The value for JSON; of arrays and indices lists, of NumPy's numbers Python's.

    Raises
    ------
    TypeError
        It cannot be read again: a function, a generator of random numbers, an object of somebody's own class.

    Examples
    --------
    >>> written((1, float("inf")))
    {'nnxp': 'tuple', 'of': [1, {'nnxp': 'number', 'of': 'inf'}]}
    >>> read(_) == (1, float("inf"))
    True
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else _as("number", str(value))
    if isinstance(value, list):
        return [written(one) for one in value]
    if isinstance(value, tuple):
        return _as("tuple", [written(one) for one in value])
    if isinstance(value, set | frozenset):
        return _as("set", [written(one) for one in sorted(value)])  # in one order, whatever the process
    if isinstance(value, Mapping):
        pairs = [[written(name), written(one)] for name, one in value.items()]
        plain = all(isinstance(name, str) for name, _ in pairs) and KIND not in value
        return dict(pairs) if plain else _as("dict", pairs)
    if isinstance(value, Layer | Optimizer | Schedule):
        return _as("part", _part(value))
    if hasattr(value, "tolist") and not isinstance(value, np.generic):
        return written(value.tolist())
    raise TypeError(f"got {value!r:.80}, expected what JSON can hold")


def read(value: Any) -> Any:
    """What `written` was given. Raises ValueError, TypeError or LookupError where it gives nothing such."""
    if isinstance(value, list):
        return [read(one) for one in value]
    if not isinstance(value, dict):
        return value
    if {*value} != {KIND, OF}:
        return {name: read(one) for name, one in value.items()}
    return READ[value[KIND]](value[OF])


READ: dict[str, Callable[[Any], Any]] = {
    "number": float,
    "tuple": lambda values: tuple(read(values)),
    "set": lambda values: set(read(values)),
    "dict": lambda pairs: {read(name): read(one) for name, one in pairs},
    "part": lambda config: part_of(config),
}


def _as(kind: str, of: Any) -> dict[str, Any]:
    return {KIND: kind, OF: of}


def _part(part: Any) -> dict[str, Any]:
    """What makes the part again, once it is sure that it does."""
    try:
        config = part_config(part)
        part_of(config)
    except (ModelFileError, ValueError) as error:
        raise TypeError(str(error)) from None
    return config
