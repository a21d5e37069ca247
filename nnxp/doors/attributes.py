"""Attributes of nnxp's parts: one that nobody reads is refused when it is set, with the one that was meant."""

import dis  # which `inspect` has imported
import functools
import inspect
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

from nnxp.doors.calling import USUAL
from nnxp.errors import hint

STORES, EXTENDS = dis.opmap["STORE_ATTR"], dis.opmap["EXTENDED_ARG"]
"""The instruction that sets an attribute, and the one that holds the upper bits of the next one's argument."""


class Declared:
    """A class whose instances take the attributes that it declares, and no other: `layer.trainible = False` raises.

    Declared is what the class or a class above it has, what its methods set on an object, what anything sets while
    `__init__` runs, and each name that begins with "_".
    """

    _unknown = ""
    """What the error adds, after the names that may have been meant."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if "__init__" in cls.__dict__:
            cls.__init__ = _constructor(cls.__dict__["__init__"])  # type: ignore[method-assign]

    def __setattr__(self, name: str, value: Any) -> None:
        own, kind = self.__dict__, type(self)
        if name not in own and name[0] != "_" and not hasattr(kind, name) and "_begun" not in own:
            known = set_by(kind)
            if name not in known:
                names = {n for n in (*own, *known, *dir(kind)) if n[0] != "_"}
                raise AttributeError(
                    f"got {kind.__name__}.{name}, which nothing reads, expected an attribute that it "
                    f"has{hint(name, names, USUAL)}{self._unknown}",
                    name=name,
                    obj=self,
                )
        object.__setattr__(self, name, value)


def _constructor(init: Callable[..., None]) -> Callable[..., None]:
    """An `__init__` during which every attribute may be set, also by those of the classes above that it calls."""

    @functools.wraps(init)
    def made(self: Any, *arguments: Any, **keywords: Any) -> None:
        own = self.__dict__
        outermost = "_begun" not in own
        own["_begun"] = True
        try:
            init(self, *arguments, **keywords)
        finally:
            if outermost:
                own.pop("_begun", None)

    return made


def set_by(kind: type) -> frozenset[str]:
    """The names of the attributes that a class's methods, and those of the classes above it, set on an object."""
    known: frozenset[str] | None = kind.__dict__.get("_set_by")
    if known is None:
        known = frozenset(name for base in kind.__mro__ for value in vars(base).values() for name in _stored(value))
        type.__setattr__(kind, "_set_by", known)
    return known


def _stored(value: Any) -> Iterator[str]:
    """The attributes that a function sets, or the functions of a property."""
    if isinstance(value, property):
        functions = [value.fget, value.fset]
    else:
        functions = [value.__func__ if isinstance(value, classmethod | staticmethod) else value]
    for function in functions:
        code = getattr(inspect.unwrap(function) if callable(function) else None, "__code__", None)
        left = [code] if isinstance(code, CodeType) else []
        while left:
            inner, above = left.pop(), 0
            left += [constant for constant in inner.co_consts if isinstance(constant, CodeType)]
            for operation, argument in zip(inner.co_code[::2], inner.co_code[1::2], strict=True):
                if operation == STORES:
                    yield inner.co_names[above | argument]
                above = (above | argument) << 8 if operation == EXTENDS else 0
