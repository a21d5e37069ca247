"""The few functions that formulas are written in.

Import this module as `xp` and a formula reads like array code. Called as it stands, each function
looks at its argument: a Python number goes to `math`, an array to its own namespace, a symbol of
`graph` becomes another. `Bound` is the same vocabulary for one namespace, which then is not asked for
again.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from nnxp.kernels import error_function
from nnxp.typing import Array, Namespace

WORDS = (
    "abs", "cos", "erf", "exp", "expm1", "log", "log1p", "maximum", "minimum", "sign", "sin", "sqrt", "tanh", "where",
)  # fmt: skip


class Bound:
    """The vocabulary of one namespace: attributes named as in `WORDS`."""

    def __init__(self, namespace: Namespace) -> None:
        for word in WORDS:
            if word != "erf":
                setattr(self, word, getattr(namespace, word))
        own = functools.partial(error_function.erf, xp=self)
        self.erf: Callable[[Array], Array] = getattr(namespace, "erf", None) or own
        if namespace.__name__.endswith("cupy"):
            self.erf = cupy_erf
            self.sign = sign_by_comparison


class Numbers:
    """The vocabulary of Python floats."""

    abs, erf, exp, expm1 = abs, math.erf, math.exp, math.expm1
    log, log1p, maximum, minimum = math.log, math.log1p, max, min
    cos, sin, sqrt, tanh = math.cos, math.sin, math.sqrt, math.tanh

    @staticmethod
    def sign(x: float) -> float:
        """-1, 0 or 1."""
        return float((x > 0) - (x < 0))

    @staticmethod
    def where(condition: bool, a: float, b: float) -> float:
        """`a` where the condition holds, else `b`."""
        return a if condition else b


def cupy_erf(x: Array) -> Array:
    """CUDA's own, one launch; imported when first used."""
    import cupyx.scipy.special

    return cupyx.scipy.special.erf(x)


def sign_by_comparison(x: Array) -> Array:
    """-1, 0 or 1, NaN for NaN; array-api-compat's on CuPy writes through a mask, which waits for the device."""
    return where(x > 0, 1, where(x < 0, -1, x))


@functools.cache
def bound(namespace: Namespace) -> Bound:
    """The vocabulary of `namespace`, built once."""
    return Bound(namespace)


class _Words:
    """The vocabulary of symbols."""

    def __init__(self, symbol: Any) -> None:
        for word in WORDS:
            setattr(self, word, functools.partial(symbol.word, word))


def _of(*values: Any) -> Any:
    for value in values:
        if hasattr(type(value), "word"):
            return _Words(value)
        if isinstance(value, np.ndarray | np.generic) and not isinstance(value, float):
            return bound(np)
        if not isinstance(value, bool | int | float):
            import array_api_compat

            return bound(array_api_compat.array_namespace(value))
    return Numbers


def abs(x: Array) -> Array:
    """|x|."""
    return _of(x).abs(x)


def cos(x: Array) -> Array:
    """The cosine, of radians."""
    return _of(x).cos(x)


def erf(x: Array) -> Array:
    """The error function 2/√π ∫₀ˣ exp(-t²) dt: native where there is one, else `formulas.erf`."""
    return _of(x).erf(x)


def exp(x: Array) -> Array:
    """e^x."""
    return _of(x).exp(x)


def expm1(x: Array) -> Array:
    """e^x - 1, exact near 0."""
    return _of(x).expm1(x)


def log(x: Array) -> Array:
    """The natural logarithm."""
    return _of(x).log(x)


def log1p(x: Array) -> Array:
    """log(1 + x), exact near 0."""
    return _of(x).log1p(x)


def maximum(a: Array, b: Array) -> Array:
    """The larger of two, element by element; NaN if either is."""
    return _of(a, b).maximum(a, b)


def minimum(a: Array, b: Array) -> Array:
    """The smaller of two, element by element; NaN if either is."""
    return _of(a, b).minimum(a, b)


def sign(x: Array) -> Array:
    """-1, 0 or 1."""
    return _of(x).sign(x)


def sin(x: Array) -> Array:
    """The sine, of radians."""
    return _of(x).sin(x)


def sqrt(x: Array) -> Array:
    """The square root."""
    return _of(x).sqrt(x)


def tanh(x: Array) -> Array:
    """The hyperbolic tangent."""
    return _of(x).tanh(x)


def where(condition: Array, a: Array, b: Array) -> Array:
    """`a` where the condition holds, else `b`. Both are evaluated: neither may overflow."""
    return _of(condition).where(condition, a, b)
