"""Attributes of nnxp's parts: one that nobody reads is refused when it is set, with the one that was meant."""

import dis  # which `inspect` has imported
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from types import CodeType
from typing import Any

from nnxp.doors.calling import USUAL
from nnxp.errors import hint

STORES, EXTENDS = dis.opmap["STORE_ATTR"], dis.opmap["EXTENDED_ARG"]
"""The instruction that sets an attribute, and the one that holds the upper bits of the next one's argument."""


class Declared:
    """A class whose instances take the attributes that it declares, and no other: `layer.trainible = False` raises.

    Declared is what the class or a class above it has or annotates, what its methods set on an object, what anything
    sets while `__init__` runs, and each name that begins with "_".
    """

    _unknown = ""
    """What the error adds, after the names that may have been meant."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if inspect.isfunction(init := cls.__dict__.get("__init__")):
            cls.__init__ = _constructor(init)  # type: ignore[method-assign]

    def __setattr__(self, name: str, value: Any) -> None:
        own, kind = self.__dict__, type(self)
        if "_begun" not in own and name not in own and name[0] != "_" and not hasattr(kind, name):
            self._check(name, kind)
        object.__setattr__(self, name, value)

    def _check(self, name: str, kind: type) -> None:
        known = declared_by(kind)
        if name in known:
            return
        meant = hint(name, {n for n in (*self.__dict__, *known, *dir(kind)) if n[0] != "_"}, USUAL)
        ours = kind.__module__.partition(".")[0] == "nnxp"
        raise AttributeError(
            f"got {kind.__name__}.{name}, which nothing reads, expected an attribute that it has{meant}{self._unknown}"
            + ("" if ours or meant else "; one of your own class is set in its methods, or declared in it"),
            name=name,
            obj=self,
        )


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


def declared_by(kind: type) -> frozenset[str]:
    """The names of the attributes that a class and those above it annotate, or that their methods set on an object."""
    known: frozenset[str] | None = kind.__dict__.get("_declared")
    if known is None:
        values = [value for base in kind.__mro__ for value in vars(base).values()]
        known = frozenset(name for value in values for name in _stored(value)).union(*map(_annotated, kind.__mro__))
        type.__setattr__(kind, "_declared", known)
    return known


def _annotated(base: type) -> Iterable[str]:
    try:
        return inspect.get_annotations(base)
    except NameError:  # as of Python 3.14 on, where one is for type checkers alone
        return ()


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
