"""What `repr` says: the call that makes the object, in the words of whoever would write it.

The arguments that the constructor requires stand by position, then the options that differ from their defaults by
keyword; an optimizer's learning rate always, since no training can be understood without it. They are read from the
constructor's signature and from what the object keeps, so that a class of the user's own needs no code for it. Where a
part runs, its `backend=`, `dtype=` and `seed=`, is its model's to tell.

A repr decides nothing: no property is read, since that of a layer's parameter would draw it and that of a backend
would choose one. Nothing raises: `ClassName(...)` is an object that does not keep what it was made with, and `...` a
value whose own repr fails.

>>> class Watch:
...     __repr__ = described
...     def __init__(self, name, every=1):
...         self.name, self.every = name, every
>>> Watch("loss"), Watch("accuracy", every=5)
(Watch('loss'), Watch('accuracy', every=5))
"""

import functools
import inspect
import os
import reprlib
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

from nnxp.typing import HostArray

T = TypeVar("T")

ALWAYS = ("learning_rate",)
"""Arguments that are told by keyword also where they are the default, or required."""
FEW = 6
"""A sequence of more items is shortened."""
LONGEST = 400
"""Characters that a sequence, or the repr of an object that is none of nnxp's parts, may take."""


def as_call(arguments: Callable[[T], list[str]]) -> Callable[[T], str]:
    """A `__repr__` from a method that gives the texts of the arguments: `ClassName(argument, ...)`."""

    @reprlib.recursive_repr("...")
    @functools.wraps(arguments)
    def call(part: T) -> str:
        try:
            texts = arguments(part)
        except Exception:  # half built, say: reprs are read where something has gone wrong
            texts = ["..."]
        return f"{type(part).__name__}({', '.join(texts)})"

    del call.__annotations__  # those of the arguments
    return call


@as_call
def described(part: object) -> list[str]:
    """The `__repr__` of nnxp's parts. In a class of one's own that inherits none: `__repr__ = described`."""
    options, from_model = getattr(part, "options", ()), getattr(part, "_from_model", ())
    by_position, by_keyword = [], []
    for parameter, own in parameters_of(type(part)):
        name, required = parameter.name, parameter.default is parameter.empty
        kept = name in options or (own and name in vars(part) and name not in from_model)
        if not kept and not (own and required):
            continue
        value = _kept(part, name)
        if parameter.kind is parameter.VAR_POSITIONAL:
            by_position.append("*" + text(value))
        elif required and own and parameter.kind is not parameter.KEYWORD_ONLY and name not in ALWAYS:
            by_position.append(text(value))
        elif name in ALWAYS or not _same(value, parameter.default):
            by_keyword.append(f"{name}={text(value)}")
    return by_position + by_keyword


@reprlib.recursive_repr("...")
def text(value: object) -> str:
    """A value as it would be written, shortened where it is long; `...` where that cannot be told."""
    try:
        written = _written(value)
    except Exception:
        return "..."
    return written if len(written) <= LONGEST or _is_described(value) else f"{type(value).__name__}(...)"


def shortened(values: Sequence[Any] | HostArray, few: int = FEW, first: int = 2, last: int = 1) -> list[str]:
    """The texts of a sequence's items; of the first and the last where there are more than a few."""
    if len(values) <= few:
        return [text(value) for value in values]
    return [*map(text, values[:first]), "...", *map(text, values[-last:])]


def one_a_line(values: Sequence[Any]) -> str:
    """A list as it is written over several lines, of some twenty items at most where there are more than a hundred."""
    lines = ",\n".join(shortened(values, 100, 10, 10))
    return f"[\n{textwrap.indent(lines, '    ')},\n]"


def parameters_of(kind: type) -> Iterator[tuple[inspect.Parameter, bool]]:
    """A constructor's parameters, then those that it hands on to its base class's, as `*arguments`, which are its own
    as well, or as `**keywords`, which are not."""
    names, own = set[str](), True
    for base in kind.__mro__[:-1]:
        if "__init__" not in vars(base):
            continue
        _, *parameters = inspect.signature(vars(base)["__init__"]).parameters.values()
        kinds = {parameter.kind for parameter in parameters if parameter.name not in getattr(kind, "options", ())}
        passed_on = inspect.Parameter.VAR_POSITIONAL in kinds and inspect.Parameter.VAR_KEYWORD in kinds
        for parameter in parameters:
            hands_on = parameter.kind is parameter.VAR_KEYWORD or (
                passed_on and parameter.kind is parameter.VAR_POSITIONAL
            )
            if not hands_on and parameter.name not in names:
                names.add(parameter.name)
                yield parameter, own
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            return
        own = own and passed_on


def _kept(part: object, name: str) -> Any:
    """An attribute's value; raises AttributeError where there is none, or where reading it would call something."""
    if name in vars(part):
        return vars(part)[name]
    value = inspect.getattr_static(part, name)
    if hasattr(type(value), "__get__"):
        raise AttributeError(name)
    return value


def _same(value: object, default: object) -> bool:
    """Whether a value is the default; an array, which may lie on a device, never is."""
    try:
        return value is default or (not hasattr(value, "shape") and bool(value == default))
    except Exception:
        return False


def _written(value: Any) -> str:
    if _is_described(value):
        return repr(value)
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return repr(value.item())
    if isinstance(value, list) or (isinstance(value, np.ndarray) and value.ndim == 1):
        return f"[{', '.join(shortened(value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(shortened(value))}{',' * (len(value) == 1)})"
    if hasattr(value, "shape") and hasattr(value, "dtype"):  # what lies on a device stays there
        return f"<{type(value).__name__} {tuple(value.shape)} {str(value.dtype).rpartition('.')[2]}>"
    if isinstance(value, os.PathLike):
        return repr(os.fspath(value))
    name = getattr(value, "__name__", None)
    return name if isinstance(name, str) else repr(value)  # of a function or class, without its address


def _is_described(value: object) -> bool:
    return type(value).__repr__ is described
