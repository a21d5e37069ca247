"""Every formula as the CUDA kernels that it becomes, and random ones: run here (level C) and compiled for devices
(level B).

With the C library's exp, log, tanh and erf, which the kernels call here, NumPy gives the same bits.
"""

import functools
import inspect
import math
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nnxp.kernels import compose, formulas
from nnxp.kernels import vocabulary as xp
from nnxp.kernels.fusion import _expansions
from nnxp.kernels.graph import parameters_of, shape_of, trace
from nnxp.typing import Array, Column, Row
from tests.helpers import fuzz
from tests.helpers.cuda import FLOATS, Fused, Unit, evaluated, exact_words, fit, without_cupy
from tests.helpers.hostcuda import nvrtc
from tests.helpers.hostcuda.kernel import ORDERS
from tests.helpers.needs import device_compiler, host_compiler
from tests.kernels.test_formulas import FIXED, FORMULAS, NUMBERS
from tests.kernels.test_kernels import mix

SHAPES = {"elements": (5, 67), "sums": (300, 37)}  # three blocks of each
RANGES = {"p": (0.1, 0.45), "y": (0.55, 0.9)}  # of the parameters that have one
RANGES |= dict.fromkeys(("c", "v", "squares"), (0.5, 2.0)) | {"unit": (0.6, 2.0)}
SPECIAL = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, 1e-30, 3e30)
every_kind = pytest.mark.parametrize("kind", FLOATS)


def drawn(formula: Callable[..., Any], kind: str, shape: tuple[int, int], special: bool = False) -> list[Any]:
    """An argument for each parameter, by its name."""
    found: list[Any] = []
    draw = np.random.default_rng(len(formula.__name__))
    for p in parameters_of(formula).values():
        size = {"full": shape, "row": (1, shape[1]), "column": (shape[0], 1)}.get(shape_of(p))
        if p.kind is p.KEYWORD_ONLY:
            continue
        if size is None:
            found.append(NUMBERS.get(p.name.removeprefix(f"{formula.__name__.partition('_of_')[0]}_"), 0.1))
        elif p.name == "kept":
            found.append(draw.random(size) < 0.5)
        else:
            values = draw.uniform(*RANGES[p.name], size) if p.name in RANGES else 2 * draw.standard_normal(size)
            values = np.where(draw.random(size) < 0.2, draw.choice(SPECIAL, size), values) if special else values
            found.append(values.astype(kind))
    return found


def variants(name: str, kind: str) -> Iterator[tuple[Callable[..., Any], list[Any], tuple[str, ...], bool]]:
    """A formula's kernels: the formula, arguments, the parameters that are overwritten, whether sums are wanted."""
    formula = FORMULAS[name]
    parameters = list(parameters_of(formula).values())
    full = [p.name for p in parameters if shape_of(p) == "full" and p.kind is not p.KEYWORD_ONLY and p.name != "kept"]
    count = len(trace(formula, FIXED.get(name, {}), {}).outputs)
    for into in ((), *([tuple(full[-count:])] if len(full) >= count else [])):
        yield formula, drawn(formula, kind, SHAPES["elements"]), into, False
        yield formula, drawn(formula, kind, SHAPES["elements"], special=True), into, False
        if count == 1:
            yield formula, drawn(formula, kind, SHAPES["sums"]), into, True
    for number in (0.3, np.array([[0.3]], kind)):  # rows and columns that are one number
        given = drawn(formula, kind, SHAPES["elements"])
        spread = [i for i, a in enumerate(given) if isinstance(a, np.ndarray) and a.shape != SHAPES["elements"]]
        for i in spread:
            yield formula, [number if i == k else a for k, a in enumerate(given)], (), False
    if [p.name for p in parameters][:1] == ["x"] and name + "_grad" in FORMULAS:  # after a dense layer's bias
        dense = compose(formula, formulas.add_row)
        for into in ((), ("z",)):
            yield dense, drawn(dense, kind, SHAPES["elements"], special=True), into, False


@functools.cache
def made(kind: str) -> dict[str, list[tuple[Fused, list[Any]]]]:
    """Every formula's kernels, compiled together."""
    unit = Unit(kind)
    with without_cupy(unit):
        return {
            name: [
                (Fused(unit, traced_as(f, name), arguments, into, sums), arguments)
                for f, arguments, into, sums in variants(name, kind)
            ]
            for name in FORMULAS
        }


def traced_as(formula: Callable[..., Any], name: str) -> Any:
    """The graph that CuPy gets: erf is a word."""
    return trace(formula, FIXED.get(name, {}), {})


def test_erf_is_a_word_on_cupy() -> None:
    """So are all: the graphs here are those that it gets."""
    assert not _expansions(SimpleNamespace(__name__="array_api_compat.cupy"), None)


@pytest.mark.long
@host_compiler
@every_kind
@pytest.mark.parametrize("name", FORMULAS)
def test_every_formula(name: str, kind: str) -> None:
    """The bits that NumPy computes from the C library's functions, in every order of threads; sums over rows are those
    of the result, each of whose terms passes through less than 8 + 16 + 3 additions."""
    eps = np.finfo(kind).eps
    for kernel, arguments in made(kind)[name]:
        told = f"{kernel.graph.name} into={kernel.into} column_sums={kernel.column_sums}"
        expected = evaluated(kernel.graph, arguments, exact_words())
        seen = []
        for order in ORDERS if kernel.column_sums else ORDERS[:1]:
            kernel.unit.order = order
            got = kernel(*arguments)
            for result, want in zip(got, expected, strict=False):
                assert result.dtype == want.dtype, told
                np.testing.assert_array_equal(result, np.broadcast_to(want, result.shape), err_msg=told)
            if kernel.column_sums:
                exact, sums = got[0].astype(float), got[1]
                assert sums.shape == (1, exact.shape[1]), told
                total = [math.fsum(column) for column in exact.T.tolist()]  # NumPy's own errs more
                assert (np.abs(sums - total) <= 27 * eps * np.abs(exact).sum(axis=0)).all(), told
            seen.append(b"".join(x.tobytes() for x in got))
        assert len(set(seen)) == 1, told


@host_compiler
@every_kind
@pytest.mark.parametrize("name", FORMULAS)
def test_every_formula_against_float64(name: str, kind: str) -> None:
    """As it stands on arrays, NumPy's functions and `formulas.erf` included: a few roundings of the largest value."""
    for kernel, arguments in made(kind)[name]:
        if kernel.graph.name != name or any(not np.isfinite(a).all() for a in arguments):
            continue
        wide = [a.astype(float) if getattr(a, "dtype", None) == kind else a for a in arguments]
        expected = FORMULAS[name](*wide, **FIXED.get(name, {}))
        results = kernel(*arguments)
        for result, want in zip(results, expected if isinstance(expected, tuple) else (expected,), strict=False):
            largest = max(1.0, float(np.max(np.abs(want))))
            np.testing.assert_allclose(result, want, rtol=0, atol=32 * largest * float(np.finfo(kind).eps))


@host_compiler
def test_the_formulas_of_integers() -> None:
    """They wrap around."""
    unit, c = Unit("int64"), np.random.default_rng(0).integers(-(2**63), 2**63 - 1, (5, 67))
    with without_cupy(unit):
        scrambled = Fused(unit, trace(formulas.splitmix64, {}, {}), [c])
        kept = Fused(unit, trace(formulas.kept, {}, {}), [c, 0, 0])
        hashed = Fused(unit, trace(formulas.hashed, {}, {}), [c, 0])
        keys, limits = (np.random.default_rng(k).integers(0, 2**24, (1, 67)) for k in (1, 2))
        beside = Fused(unit, trace(formulas.kept_beside, {}, {}), [c, keys, limits])
    expected = [[mix(v) for v in row] for row in c.tolist()]
    np.testing.assert_array_equal(scrambled(c)[0].view(np.uint64), np.array(expected, np.uint64))
    for key, threshold in ((-(2**63), 2**23), (2**63 - 1, 2**20)):
        expected = [[mix(v + key) >> 40 < threshold for v in row] for row in c.tolist()]
        np.testing.assert_array_equal(kept(c, key, threshold)[0], expected)
        expected = [[mix(v + key) for v in row] for row in c.tolist()]
        np.testing.assert_array_equal(hashed(c, key)[0].view(np.uint64), np.array(expected, np.uint64))
    columns = list(zip(keys[0].tolist(), limits[0].tolist(), strict=True))
    expected = [[mix(v + k) >> 40 < limit for v, (k, limit) in zip(row, columns, strict=True)] for row in c.tolist()]
    np.testing.assert_array_equal(beside(c, keys, limits)[0], expected)
    assert {*OTHERS} == {"splitmix64", "splitmix64_top", "hashed", "kept", "kept_beside"}


OTHERS = [
    name
    for name, f in vars(formulas).items()
    if inspect.isfunction(f) and f.__module__ == formulas.__name__ and name == f.__name__ and name not in FORMULAS
]


# --- formulas of a user's ------------------------------------------------------------------------


def names(i: Array, n: Array, T: Array, out: Row, s0: float) -> Array:
    return i * n + T * out - s0


def words(total: Array, sums: Array, m: Column, j: Row, WARP: Array) -> tuple[Array, Array]:
    return total * m + sums, j - WARP


def größe(β: Array, γ: Row) -> Array:
    return xp.abs(-β) + γ


def when(x: Array, lr: float) -> Array:
    return xp.where((x > 0) & (lr > 0), x, -x)


def large(x: Array, r: Row) -> Array:
    return ((x + r) * (2**53 + 1) ^ x) + xp.abs(-x)


def whole(x: Array, r: Row, k: int) -> Array:
    return xp.maximum(-x, r) - k


def told(x: Array, kept: Array) -> tuple[Array, Array]:
    return (x > 0) ^ kept, xp.where(kept, x, 1 / x)


def exchange(a: Array, b: Array, r: Row) -> tuple[Array, Array]:
    return b + r, a


@host_compiler
@pytest.mark.parametrize("shape", [(5, 67), (0, 3), (3, 0)], ids=str)
def test_a_formula_of_a_users(shape: tuple[int, int]) -> None:
    """Names that CUDA or the kernels use, letters of all languages, conditions of numbers, large integers, results that
    are conditions, results that are inputs."""
    draw, units, made = np.random.default_rng(0), {"float32": Unit("float32"), "int64": Unit("int64")}, []
    x, y, z = draw.standard_normal((3, *shape)).astype("float32")
    row, column = x[:1].copy() if shape[0] else np.ones((1, shape[1]), "float32"), np.ones((shape[0], 1), "float32")
    k = draw.integers(-(2**63), 2**63 - 1, shape)
    k[:, :1] = -(2**63)
    whole_row = np.full((1, shape[1]), 2**62)
    cases: list[tuple[Any, tuple[Any, ...], tuple[str, ...]]] = [
        (names, (x, y, z, row, 0.1), ()),
        (words, (x, y, column, row, z), ("WARP", "total")),
        (größe, (x, row), ("β",)),
        (when, (x, 0.5), ()),
        (when, (x, -0.5), ()),
        (told, (x, y > 0), ()),
        (exchange, (x, y, row), ("a", "b")),
        (large, (k, whole_row), ()),
        (large, (k, whole_row), ("x",)),
        (whole, (k, whole_row, -9), ()),
    ]
    for formula, arguments, into in cases:
        unit = units[arguments[0].dtype.name]
        with without_cupy(unit):
            made.append(Fused(unit, trace(formula, {}, {}), arguments, into))
    for kernel, (formula, arguments, _) in zip(made, cases, strict=True):
        with np.errstate(all="ignore"):
            result = formula(*arguments)
        for got, want in zip(kernel(*arguments), result if isinstance(result, tuple) else (result,), strict=True):
            fuzz.same(got, want, formula.__name__)


# --- random formulas -------------------------------------------------------------------------------

KINDS = (*FLOATS, "int64")


@functools.cache
def random_formulas(kind: str, count: int = 70) -> tuple[Unit, list[tuple[fuzz.Case, Fused]]]:
    """Kernels of random formulas of a type."""
    found: list[tuple[fuzz.Case, Fused]] = []
    unit, seed = Unit(kind), 0
    with without_cupy(unit):
        while len(found) < count:
            seed += 1
            case = fuzz.case(seed, kind == "int64", fuzz.EXACT + fuzz.ROUNDED, contiguous=True)
            if case.kind == kind:
                case.formula.__name__ = f"f{seed}"
                found.append((case, Fused(unit, trace(case.formula, {}, {}), ordered(case), case.into)))
    return unit, found


def ordered(case: fuzz.Case) -> list[Any]:
    return [a.copy() if isinstance(a, np.ndarray) else a for a in case.arguments]


@host_compiler
@pytest.mark.parametrize("kind", KINDS)
def test_random_formulas(kind: str) -> None:
    """Bit for bit the formula as it stands: all operations are exact, or correctly rounded."""
    for case, kernel in random_formulas(kind)[1]:
        with np.errstate(all="ignore"):
            result = case.formula(*ordered(case))
        expected = [np.broadcast_to(r, fuzz.SHAPE) for r in (result if isinstance(result, tuple) else (result,))]
        for got, want in zip(kernel(*case.arguments), expected, strict=True):
            fuzz.same(got, want, str(case))


# --- for devices -----------------------------------------------------------------------------------


@functools.cache
def for_devices(kind: str) -> Unit:
    """One kernel over elements or rows of each formula, and those with sums that a training step has."""
    unit: Unit = Unit(kind)
    with without_cupy(unit):
        for name, formula in FORMULAS.items():
            given, graph = drawn(formula, kind, SHAPES["elements"]), traced_as(formula, name)
            Fused(unit, graph, given)
            if "dy" in [p.value for p in graph.parameters]:
                Fused(unit, graph, given, column_sums=True)
        for own in (names, words, größe, when, told, exchange):
            Fused(unit, trace(own, {}, {}), drawn(own, kind, SHAPES["elements"]))
    return unit


@device_compiler
@every_kind
@pytest.mark.parametrize("arch", nvrtc.ARCHITECTURES)
def test_formulas_fit_devices(arch: str, kind: str, record_property: Any) -> None:
    assert fit(for_devices(kind), arch, record_property) == for_devices(kind).count


@device_compiler
@pytest.mark.parametrize("kind", KINDS)
def test_random_formulas_fit_a_device(kind: str, record_property: Any) -> None:
    """The oldest: what is new there is the text, not the architecture."""
    assert fit(random_formulas(kind)[0], nvrtc.ARCHITECTURES[0], record_property) == 70
