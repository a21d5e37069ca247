"""Every formula of the textbook: the same on numbers, arrays and fused, each gradient that of the function above
it, in the dtype of its arrays, and `erf` against Python's own."""

import inspect
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import nnxp
from nnxp.kernels import error_function, formulas
from tests.helpers.matrix import Target

Host = npt.NDArray[Any]
OTHERS = {"splitmix64", "splitmix64_top", "hashed", "kept", "kept_beside"}  # of integers: see test_random
FORMULAS = {
    name: f
    for name, f in vars(formulas).items()
    if inspect.isfunction(f) and (f.__module__, f.__name__) == (formulas.__name__, name) and name not in OTHERS
}
every_formula = pytest.mark.parametrize("name", FORMULAS)

RNG = np.random.default_rng(0)
SHAPE = (3, 4)
# Away from kinks: no 0, and no p - y near 0 or ±δ.
X = RNG.uniform(0.1, 3, SHAPE) * RNG.choice((-1, 1), SHAPE)
ARRAYS: dict[str, Any] = {
    "x": X,
    "z": X,
    "dx": X[::-1],
    "dy": RNG.standard_normal(SHAPE),
    "g": RNG.standard_normal(SHAPE),
    "f": RNG.standard_normal(SHAPE),
    "dw": RNG.standard_normal(SHAPE),
    "w": RNG.choice((-0.5, 0.7, 1.5), SHAPE),
    "m": RNG.standard_normal(SHAPE),
    "total": RNG.standard_normal(SHAPE),
    "normalized": RNG.standard_normal(SHAPE),
    "v": RNG.uniform(0.5, 2, SHAPE),
    "new_m": RNG.standard_normal(SHAPE),
    "new_v": RNG.uniform(0.5, 2, SHAPE),
    "c": RNG.uniform(0.5, 2, SHAPE),
    "b": RNG.standard_normal((1, 4)),
    "p": RNG.uniform(0.1, 0.45, SHAPE),
    "y": RNG.uniform(0.55, 0.9, SHAPE),
    "kept": RNG.uniform(size=SHAPE) < 0.5,
    "largest": np.array([[0, 0.05, 0.1, 0.2], [0.5, 1, 2, 4], [8, 16, 32, 64]]),
    "squares": np.array([[0, 0.05, 0.1, 0.2], [0.5, 1, 2, 4], [8, 16, 32, 64]]),
}
NUMBERS = {
    "slope": 0.01,
    "alpha": 1.5,
    "delta": 0.2,
    "epsilon": 1e-7,
    "lr": 0.1,
    "beta": 0.9,
    "rho": 0.8,
    "beta_1": 0.9,
    "beta_2": 0.99,
    "correction_1": 0.19,
    "correction_2": 0.0199,
    "weight_decay": 0.01,
    "scale": 2.5,
    "coarse": 0.5,
    "mean": 0.4,
    "gain": 1.2,
    "bias": -0.3,
    "dgain": 0.6,
    "dbias": 0.7,
    "share": 0.1,
    "momentum": 0.1,
    "correction": 1.1,
    "mean_grad": -0.2,
    "mean_product": 0.3,
    "offset": -1.0,
    "factor": 0.3,
    "unit": 0.5,
    "least": 0.1,
    "low": 0.25,
    "high": 8.0,
    "bound": 0.4,
    "frequency": 0.3,
    "phase": 0.7,
    "start": 0.2,
    "most": 1.5,
    "l1": 0.1,
    "l2": 0.2,
}
FIXED = {"momentum": {"nesterov": True}}


def parameters(name: str) -> list[str]:
    signature = inspect.signature(FORMULAS[name]).parameters
    return [p.name for p in signature.values() if p.kind is not p.KEYWORD_ONLY]


def arguments(name: str, dtype: str = "float64") -> list[Any]:
    """One for each parameter, by its name: a formula with a new name needs an entry above."""
    found = [ARRAYS.get(p, NUMBERS.get(p)) for p in parameters(name)]
    assert all(a is not None for a in found), parameters(name)
    return [a.astype(dtype) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a for a in found]


def results(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


def test_each_formula_has_its_equation() -> None:
    assert len(FORMULAS) > 30
    assert all(f.__doc__ and f.__annotations__ for f in FORMULAS.values())


@pytest.mark.long
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@every_formula
def test_numbers_arrays_and_kernels_agree(backend: Target, name: str, dtype: str) -> None:
    """One formula: element by element on Python floats, as it stands on arrays, and fused; no dtype changes."""
    formula, fixed, host = FORMULAS[name], FIXED.get(name, {}), arguments(name, dtype)
    arrays = [backend.asarray(a) if isinstance(a, np.ndarray) else a for a in host]
    before = [np.array(a) for a in host]
    scale = [np.broadcast_to(a, SHAPE) if isinstance(a, np.ndarray) else a for a in host]
    elements = [
        results(formula(*(a[i].item() if isinstance(a, np.ndarray) else a for a in scale), **fixed))
        for i in np.ndindex(*SHAPE)
    ]
    for got in (
        formula(*arrays, **fixed),
        nnxp.get_backend(backend.spec).fuse(formula, **fixed)(*arrays),
    ):
        for i, array in enumerate(results(got)):
            expected = np.reshape([float(element[i]) for element in elements], SHAPE)
            largest = max(1.0, float(np.max(np.abs(expected))))
            backend.assert_close(array, expected.astype(dtype), atol=32 * largest * float(np.finfo(dtype).eps))
    for array, kept in zip(arrays, before, strict=True):
        if not isinstance(array, float):
            backend.assert_close(array, kept)


PAIRS = [name for name in FORMULAS if name + "_grad" in FORMULAS]


def test_each_gradient_stands_below_its_function() -> None:
    names = list(FORMULAS)
    for name in names:
        if name.endswith("_grad") and name != "regularized_grad":
            assert names[names.index(name) - 1] == name.removesuffix("_grad")
    assert len(PAIRS) > 15


@pytest.mark.parametrize("name", PAIRS)
def test_each_gradient_is_the_derivative(name: str) -> None:
    """By central differences (f(x + h) - f(x - h)) / 2h, of the first parameter."""
    function, gradient = FORMULAS[name], FORMULAS[name + "_grad"]
    first, *rest = arguments(name)
    h = 2.0**-17
    slope = (function(first + h, *rest) - function(first - h, *rest)) / (2 * h)
    named = dict(zip(parameters(name), (first, *rest), strict=True))
    if parameters(name + "_grad")[0] == "y":  # in terms of the output
        named["y"] = function(first, *rest)
    if "dy" in parameters(name + "_grad"):
        slope = slope * ARRAYS["dy"]
    named["dy"] = ARRAYS["dy"]
    got = gradient(*(named[p] for p in parameters(name + "_grad")))
    np.testing.assert_allclose(got, slope, rtol=1e-7, atol=1e-8)


def test_the_gradient_of_the_penalties() -> None:
    w, h, l1, l2 = ARRAYS["w"], 2.0**-17, 0.3, 0.2

    def penalty(w: Host) -> Host:
        return l1 * np.abs(w) + l2 * w**2

    slope = (penalty(w + h) - penalty(w - h)) / (2 * h)
    np.testing.assert_allclose(formulas.regularized_grad(0 * w, w, l1, l2), slope, rtol=1e-8)


ERF_POINTS = np.concatenate(
    [
        np.linspace(-7, 7, 4001),
        np.logspace(-300, 2, 500),
        *(s * np.nextafter((0.46875, 4.0), d) for s, d in itertools.product((-1, 1), (0, 9))),
    ]
)


def test_erf_agrees_with_pythons() -> None:
    expected = np.array([math.erf(x) for x in ERF_POINTS])
    got = formulas.erf(ERF_POINTS)
    assert np.max(np.abs(got - expected)) <= 1e-15
    nonzero = expected != 0
    assert np.max(np.abs(got / np.where(nonzero, expected, 1) - 1)[nonzero]) <= 1e-15


def test_erf_at_the_ends() -> None:
    got = formulas.erf(np.array([0.0, 1e30, -1e30, math.inf, -math.inf, math.nan]))
    np.testing.assert_array_equal(got, [0, 1, -1, 1, -1, math.nan])
    assert formulas.erf(0.3) == pytest.approx(math.erf(0.3), abs=1e-15)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_erf_of_every_backend(backend: Target, dtype: str) -> None:
    """Native where there is one, else `formulas.erf`: absolute error of a few roundings."""
    x = ERF_POINTS[np.abs(ERF_POINTS) > 1e-30].astype(dtype)
    expected = np.array([math.erf(v) for v in x.tolist()], dtype)

    def formula(x: Any) -> Any:
        return formulas.xp.erf(x)

    for erf in (formula, nnxp.get_backend(backend.spec).fuse(formulas.erf)):
        backend.assert_close(erf(backend.asarray(x)), expected, atol=4 * float(np.finfo(dtype).eps))


def test_polynomial_is_horners() -> None:
    x = np.array([0.5, -2.0])
    assert error_function.polynomial(x, (3.0, -1.0, 2.0)).tolist() == (3 * x**2 - x + 2).tolist()


WORDS: dict[str, tuple[Callable[..., float], tuple[Any, ...]]] = {
    "abs": (abs, (-1.5,)),
    "cos": (math.cos, (2.5,)),
    "erf": (math.erf, (-0.5,)),
    "exp": (math.exp, (0.7,)),
    "expm1": (math.expm1, (1e-9,)),
    "log": (math.log, (3.0,)),
    "log1p": (math.log1p, (1e-9,)),
    "maximum": (max, (-2.0, 1.0)),
    "minimum": (min, (-2.0, 1.0)),
    "sign": (lambda x: math.copysign(1, x), (-0.3,)),
    "sin": (math.sin, (2.5,)),
    "sqrt": (math.sqrt, (2.0,)),
    "tanh": (math.tanh, (0.4,)),
    "where": (lambda c, a, b: b, (False, 1.0, 2.0)),
}


@pytest.mark.parametrize("word", formulas.xp.WORDS)
def test_each_word_of_the_vocabulary(backend: Target, word: str) -> None:
    function, values = WORDS[word]
    expected = function(*values)
    say = getattr(formulas.xp, word)
    assert say(*values) == expected
    arrays = [backend.asarray(np.array([[v]])) for v in values]
    backend.assert_close(say(*arrays), np.array([[expected]]), rtol=4 * float(np.finfo(float).eps))
