"""Fusion: what can be traced, what kernels make of every formula, and what a call may be given."""

import gc
import math
import threading
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp.kernels import compose, formulas, fuse, show
from nnxp.kernels import vocabulary as xp
from nnxp.kernels.graph import parameters_of, shape_of, trace
from nnxp.kernels.libraries import library_for
from nnxp.kernels.program import program
from nnxp.typing import Array, Column, Row
from tests.kernels.test_formulas import FIXED, FORMULAS, arguments

NUMBA = pytest.param(True, id="numba")
NUMPY = pytest.param(False, id="numpy")


@pytest.fixture(params=[NUMPY, NUMBA])
def fast(request: pytest.FixtureRequest) -> bool:
    """Both machines of NumPy."""
    if request.param:
        pytest.importorskip("numba", reason="numba is the extra `fast`: pip install nnxp[fast]")
    return bool(request.param)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_for(np), "block", 8)


def several(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


# --- tracing ---------------------------------------------------------------------------------------


def branches(x: Array) -> Array:
    return x if x > 0 else -x


def chain(x: Array) -> Array:
    return xp.where(0 < x < 1, x, 0)


def loops(x: Array) -> Array:
    return sum(v for v in x)


def takes_any(*x: Array) -> Array:
    return x[0]


MISTAKES: list[tuple[Callable[..., Any], str]] = [
    (branches, r"`if`.*on a symbol.*xp\.where\(x > 0, a, b\)"),
    (chain, r"0 < x < 1.*\(x > 0\) & \(x < 1\)"),
    (lambda x: math.exp(x), r"xp\.exp\(x\) for math\.exp\(x\)"),
    (lambda x: x * float(x), r"float\(x\)"),
    (lambda x: int(x), r"float\(x\)"),
    (lambda x: np.exp(x), r"xp\.exp\(x\) for np\.exp\(x\)"),
    (lambda x: np.where(x > 0, x, 0), r"function of NumPy on a symbol"),
    (lambda x: np.asarray(x), r"function of NumPy on a symbol"),
    (loops, "an iteration over a symbol"),
    (lambda x: x[0], "element by element"),
    (lambda x: x.sum(), r"x\.sum of a symbol"),
    (lambda x: x**2, r"write x \* x"),
    (lambda x: x * "2", "str in a formula, expected"),
    (lambda x: x * np.ones(3), "function of NumPy|ndarray in a formula"),
    (lambda x: x * (x > 0), r'a condition as a number, in "\*".*xp\.where\(condition, a, b\)'),
    (lambda x: xp.where(x - 1, x, 0), r"numbers as a condition.*xp\.where\(x != 0, a, b\)"),
    (lambda x: xp.where(x, x, 0), r"a condition as a number"),
    (takes_any, r"\*x in takes_any, expected named parameters"),
    (lambda: 1.0, "without parameters"),
]


@pytest.mark.parametrize(("formula", "message"), MISTAKES, ids=range(len(MISTAKES)))
@pytest.mark.parametrize("namespace", ["numpy", "array_api_strict"])
def test_a_mistake_raises_with_the_fix(formula: Callable[..., Any], message: str, namespace: str) -> None:
    with pytest.raises(TypeError, match=f"got .*({message})"):
        nnxp.get_backend(namespace).fuse(formula)


def test_a_condition_of_numbers_alone_is_for_fixed_parameters() -> None:
    def formula(x: Array, slope: float) -> Array:
        return xp.where(xp.sign(slope) > 0, x, 0)

    with pytest.raises(TypeError, match="keyword-only parameter and use `if`"):
        fuse(formula, np)


def test_a_symbol_of_another_trace_is_refused() -> None:
    kept: list[Any] = []

    def formula(x: Array) -> Array:
        kept.append(x)
        return x + kept[0]

    fuse(formula, np)
    with pytest.raises(TypeError, match="symbols of two formulas"):
        fuse(formula, np, into=("x",))


def test_numbers_of_numpy_are_numbers() -> None:
    """`np.sqrt(2)` and `np.float32(2)` in a formula, on either side."""
    x = np.array([1.0, 4.0], np.float32)
    for formula in (lambda x: np.float64(2) * x, lambda x: x * np.sqrt(4.0), lambda x: x / np.float32(0.5)):
        result = fuse(formula, np)(x)
        assert result.dtype == np.float32 and result.tolist() == [2, 8]


def test_equal_expressions_are_computed_once(capsys: pytest.CaptureFixture[str]) -> None:
    def formula(x: Array, y: Array) -> Array:
        return xp.exp(x + y) * xp.exp(x + y)

    show(formula, "array_api_strict")
    assert capsys.readouterr().out.count("exp(") == 1


def test_numbers_are_folded_and_divisors_inverted(capsys: pytest.CaptureFixture[str]) -> None:
    def formula(x: Array, lr: float) -> Array:
        return x / lr + (2 * 3.0 - xp.sqrt(4.0)) * x / 8

    show(formula, nnxp.get_backend("numpy", fast=False))
    text = capsys.readouterr().out
    assert "_host.reciprocal(lr)" in text and "4.0" in text and "0.125" in text and "divide" not in text


@pytest.mark.parametrize("value", [3.0, 7.0, 1e-3, 0.9, 1 - 0.999**3])
def test_a_reciprocal_is_within_two_roundings(value: float, fast: bool) -> None:
    """x · (1/v): 1/v is rounded to x's precision and so is the product, |error| <= (1 + ε/2)² - 1 of a quotient
    that is itself rounded: under 2ε in all."""

    def formula(x: Array, v: float) -> Array:
        return x / v

    x = np.random.default_rng(0).uniform(-3, 3, 1000).astype(np.float32)
    np.testing.assert_allclose(fuse(formula, np, fast=fast)(x, value), x / np.float32(value), rtol=2 * 2.0**-23)


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.filterwarnings("ignore:invalid value")
def test_division_by_zero_is_as_in_arrays(fast: bool) -> None:
    def formula(x: Array, v: float) -> Array:
        return x / v

    x = np.array([1.0, -1.0, 0.0])
    for zero in (0.0, -0.0):
        np.testing.assert_array_equal(fuse(formula, np, fast=fast)(x, zero), x / zero)


@pytest.mark.parametrize(
    ("name", "into", "registers"),
    [
        ("adam", ("w", "m", "c"), 2),  # lr · m̂ and √ĉ + ε, beside w, m and c
        ("adam", (), 1),  # one of the two is in the first output
        ("huber", (), 2),  # |e|, c and c/2, of which one is in the output
        ("squared_error", (), 0),
        ("momentum", ("w", "m"), 2),  # Nesterov's: lr · g, used twice, and βm
        ("relu_grad", (), 0),
        ("splitmix64", ("z",), 1),
    ],
)
def test_as_few_registers_as_results_alive_at_once(name: str, into: tuple[str, ...], registers: int) -> None:
    """Counted by hand; and no result is computed in one place and copied to another."""
    library = library_for(np)
    assert library is not None
    graph = trace(FORMULAS.get(name, formulas.splitmix64), FIXED.get(name, {}), {})
    made = program(graph, into, library.instructions.lowered)
    assert made is not None
    assert sum(register.startswith("r") for register in made.registers) == registers
    assert all(instruction.node.op != "copy" for instruction in made.instructions)


@pytest.mark.parametrize("name", FORMULAS)
def test_no_formula_needs_a_copy(name: str) -> None:
    library = library_for(np)
    assert library is not None
    graph = trace(FORMULAS[name], FIXED.get(name, {}), {"erf": formulas.erf})
    made = program(graph, (), library.instructions.lowered)
    assert made is not None and all(instruction.node.op != "copy" for instruction in made.instructions)


@pytest.mark.parametrize("mask", [(1 << 34) - 1, (1 << 33) - 1, (1 << 35) - 1, 0])
def test_a_masked_shift_is_exact(mask: int, fast: bool) -> None:
    """Only the first mask takes off all copies of the sign and nothing else."""
    z = np.array([-(2**63), -1, 0, 1, 2**62 + 12345, -(2**40) - 1], np.int64)

    def shifted(z: Array) -> Array:
        return (z >> 30) & mask

    def below(z: Array, bound: int) -> Array:
        return shifted(z) < bound

    expected = [(number >> 30) & mask for number in z.tolist()]
    assert fuse(shifted, np, fast=fast)(z).tolist() == expected
    for bound in (-1, 0, 1, 2**32, 2**34):
        assert fuse(below, np, fast=fast)(z, bound).tolist() == [number < bound for number in expected]


@pytest.mark.long
@pytest.mark.parametrize("other", [0, 0.0, -0.0, np.inf, np.nan, 1.5])
def test_where_is_exact(other: float, fast: bool) -> None:
    """To the bit, also beside NaN and infinity, with a number in either place."""
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0], np.float32)

    def second(x: Array) -> Array:
        return xp.where(x >= 0, x, other)

    def first(x: Array) -> Array:
        return xp.where(x >= 0, other, x)

    for formula in (first, second):
        got = fuse(formula, np, fast=fast)(x)
        np.testing.assert_array_equal(got.view(np.int32), formula(x).view(np.int32))


# --- every formula ---------------------------------------------------------------------------------


def cut(a: Any, layout: str) -> Any:
    """An argument in another layout: every second column of a wider array, or no rows at all."""
    if not isinstance(a, np.ndarray):
        return a
    if layout == "empty":
        return a[:0] if a.shape[0] > 1 else a
    if layout == "strided" and a.shape[0] > 1:
        wide = np.zeros((a.shape[0], 2 * a.shape[1]), a.dtype)
        wide[:, ::2] = a
        return wide[:, ::2]
    return a.copy()


@pytest.mark.long
@pytest.mark.parametrize("layout", ["contiguous", "strided", "empty"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.usefixtures("small_blocks")
def test_every_formula_in_every_layout(name: str, dtype: str, layout: str, fast: bool) -> None:
    """As it stands, in blocks and compiled; with `out`, without, and with its column sums."""
    formula, fixed = FORMULAS[name], FIXED.get(name, {})
    host = [cut(a, layout) for a in arguments(name, dtype)]
    expected = several(formula(*host, **fixed))
    eps = float(np.finfo(dtype).eps)
    kernel = fuse(formula, np, fast=fast, **fixed)
    outs = tuple(np.full(e.shape, 7, e.dtype) for e in expected)
    out = outs if len(outs) > 1 else outs[0]
    assert kernel(*host, out=out) is out
    for got in (several(kernel(*host)), outs):
        for result, want in zip(got, expected, strict=True):
            assert (result.dtype, result.shape) == (want.dtype, want.shape)
            largest = max(1.0, float(np.max(np.abs(want), initial=0)))
            np.testing.assert_allclose(result, want, rtol=0, atol=32 * largest * eps)
    if len(expected) == 1:
        sums = np.full((1, expected[0].shape[1]), 7, dtype)
        fuse(formula, np, column_sums=True, fast=fast, **fixed)(*host, out=out, sums=sums)
        exact = np.sum(expected[0], axis=0, keepdims=True, dtype=np.float64)
        np.testing.assert_allclose(sums, exact, rtol=0, atol=3 * 64 * largest * eps)


@pytest.mark.parametrize("shape", [(1, 5), (40, 3), (3, 40), (0, 4), (100, 7)])
def test_column_sums_of_several_blocks(shape: tuple[int, int], fast: bool, small_blocks: None) -> None:
    """Integers, whose sums are exact in any order."""
    rng = np.random.default_rng(0)
    y, dy = (rng.integers(-9, 9, shape).astype(np.float32) for _ in "ab")
    kernel = fuse(formulas.relu_grad, np, column_sums=True, fast=fast)
    out, sums = np.empty_like(y), np.empty((1, shape[1]), np.float32)
    for _ in range(2):
        assert kernel(y, dy, out=out, sums=sums) is out
        np.testing.assert_array_equal(out, np.where(y > 0, dy, 0))
        np.testing.assert_array_equal(sums, out.sum(0, keepdims=True))
    overwriting = fuse(formulas.relu_grad, np, into=("dy",), column_sums=True, fast=fast)
    sums[:] = 7
    assert overwriting(y, dy, sums=sums) is dy
    np.testing.assert_array_equal(sums, out.sum(0, keepdims=True))


def test_column_sums_everywhere(backend: Any) -> None:
    other = nnxp.get_backend(backend.spec)
    y, dy = (other.asarray([[1, -1], [2, 3]], dtype="float32") for _ in "ab")
    sums = other.asarray([[9, 9]], dtype="float32", copy=True)
    result = other.fuse(formulas.relu_grad, column_sums=True)(y, dy, sums=sums)
    backend.assert_close(result, np.array([[1, 0], [2, 3]], np.float32))
    backend.assert_close(sums, np.array([[3, 3]], np.float32))


def test_column_sums_are_of_one_result() -> None:
    with pytest.raises(ValueError, match="got column_sums=True for adam, which has 3 results, expected one"):
        fuse(formulas.adam, np, column_sums=True)


# --- types -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_do_not_promote(dtype: str, fast: bool) -> None:
    """Nor do NumPy's float64 numbers."""
    w, g = np.ones(3, dtype), np.ones(3, dtype)
    for rate in (0.5, np.float64(0.5), 1):
        assert fuse(formulas.sgd, np, fast=fast)(w, g, rate).dtype == dtype
        assert fuse(formulas.sgd, np, fast=fast)(w, g[:1], rate).dtype == dtype  # by the formula itself


@pytest.mark.parametrize("scale", [1 / 255, np.full((1, 6), 1 / 255, np.float32)], ids=["number", "row"])
def test_bytes_are_rescaled_in_one_pass(scale: Any, fast: bool, small_blocks: None) -> None:
    """In float32, or in what `out` has."""
    x = np.arange(24, dtype=np.uint8).reshape(4, 6)
    kernel = fuse(formulas.rescale, np, fast=fast)
    expected = x.astype(np.float32) * np.float32(1 / 255) + np.float32(-0.5)
    got = kernel(x, scale, -0.5)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, expected)
    out = np.empty(x.shape, np.float32)
    assert kernel(x, scale, -0.5, out=out) is out
    np.testing.assert_array_equal(out, expected)
    if isinstance(scale, float):
        wide = kernel(x, scale, -0.5, out=np.empty(x.shape))
        np.testing.assert_array_equal(wide, x * scale - 0.5)


ODD: dict[str, tuple[Callable[[], Any], str]] = {
    "mixed": (lambda: np.ones((2, 3), np.float64), "float64"),
    "half": (lambda: np.ones((2, 3), np.float16), "float32"),
    "0-d": (lambda: np.array(1.0, np.float32), "float32"),
    "broadcast": (lambda: np.ones((1, 3), np.float32), "float32"),
    "number": (lambda: 1.0, "float32"),
    "subclass": (lambda: np.ma.masked_array(np.ones((2, 3), np.float32)), "float32"),
    "bytes": (lambda: np.ones((2, 3), np.uint8), "float32"),
    "big-endian": (lambda: np.ones((2, 3), ">f4"), "float32"),
    "3-d": (lambda: np.ones((4, 2, 3), np.float32), "float32"),
}


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_call_is_computed_by_the_formula(kind: str, fast: bool) -> None:
    make, dtype = ODD[kind]
    p, y = np.full((2, 3), 3, np.float32), make()
    got = fuse(formulas.squared_error, np, fast=fast)(p, y)
    assert got.dtype == dtype and got.shape == np.broadcast_shapes(p.shape, np.shape(y))
    np.testing.assert_array_equal(got, np.full(got.shape, 4.0))


def test_a_condition_that_is_no_boolean_is_the_formulas(fast: bool) -> None:
    x = np.ones((1, 4), np.float32)
    got = fuse(formulas.dropout, np, fast=fast)(x, np.array([[0, 1, 2, 0]]), 2.0)
    assert got.tolist() == [[0, 2, 2, 0]]


# --- memory ----------------------------------------------------------------------------------------


def test_an_out_that_shares_memory_with_an_input_is_refused(fast: bool) -> None:
    memory = np.ones(12, np.float32)
    kernel = fuse(formulas.relu, np, fast=fast)
    for x, out in ((memory, memory[:]), (memory[:8], memory[4:]), (memory[::2], memory[:6])):
        with pytest.raises(ValueError, match=r"got an out that is also an input of relu.*into="):
            kernel(x, out=out)
    memory[0::2] = -1
    kernel(memory[0::2], out=memory[1::2])  # between each other, and not the same
    assert memory.tolist() == [-1, 0] * 6


def test_overwritten_arrays_may_share_memory_with_others(fast: bool) -> None:
    """Then everything is computed before anything is written."""
    memory = np.arange(8, dtype=np.float32)
    w, g = memory[:6], memory[2:]
    expected = w - 0.5 * g
    fuse(formulas.sgd, np, into=("w",), fast=fast)(w, g, 0.5)
    np.testing.assert_array_equal(memory[:6], expected)

    def formula(x: Array, y: Array) -> Array:
        return (x + 1) * y

    both = np.full(4, 2, np.float32)
    fuse(formula, np, into=("x",), fast=fast)(both, both)
    assert both.tolist() == [6] * 4


def test_an_out_that_cannot_be_written_to_is_numpys_to_refuse(fast: bool) -> None:
    out = np.zeros(3, np.float32)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        fuse(formulas.relu, np, fast=fast)(np.ones(3, np.float32), out=out)
    assert out.tolist() == [0, 0, 0]


def test_an_out_of_another_type_or_shape(fast: bool) -> None:
    """Is cast to, and is not broadcast."""
    x = np.ones((2, 3), np.float32)
    out = np.empty((2, 3))
    assert fuse(formulas.relu, np, fast=fast)(x, out=out) is out and out.tolist() == x.tolist()
    with pytest.raises(ValueError, match="broadcast"):
        fuse(formulas.relu, np, fast=fast)(x, out=np.empty((2, 2), np.float32))


STEPS: dict[str, tuple[Callable[..., Any], tuple[str, ...], tuple[float, ...], bool]] = {
    "adam": (formulas.adam, ("w", "m", "c"), (0.1, 0.9, 0.99, 1e-7, 0.1, 0.01), False),
    "layer": (compose(formulas.leaky_relu, formulas.add_row), (), (0.1,), False),
    "gradient": (formulas.relu_grad, (), (), True),
    "gelu": (formulas.gelu, (), (), False),
    "weights": (formulas.scale_rows, ("dx",), (), False),
}


@pytest.mark.parametrize("shape", [(16, 4096), (100, 4096)], ids=["at-once", "blocks"])
@pytest.mark.parametrize("name", STEPS)
def test_a_call_allocates_nothing_after_the_first(name: str, shape: tuple[int, int], fast: bool) -> None:
    """No array, not even a row of 16 kB: some 2 kB go for numbers and views of blocks. Where NumPy broadcasts (or, up
    to 2.1, sums over rows), its iterator takes a buffer of 8192 elements for each of two operands at most."""
    formula, into, numbers, summed = STEPS[name]
    kernel = fuse(formula, np, into, column_sums=summed, fast=fast)
    shapes = {"row": (1, shape[1]), "column": (shape[0], 1), "full": shape, "scalar": None}
    wanted = [shapes[shape_of(p)] for p in parameters_of(formula).values()]
    arrays = [np.ones(s, np.float32) for s in wanted if s is not None]
    keywords = {} if into else {"out": np.empty(shape, np.float32)}
    keywords |= {"sums": np.empty((1, shape[1]), np.float32)} if summed else {}
    for _ in range(2):
        kernel(*arrays, *numbers, **keywords)
    tracemalloc.start()
    peaks = []
    for _ in range(4):  # a thread of pytest-xdist's may take something meanwhile: not at every call
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        kernel(*arrays, *numbers, **keywords)
        peaks.append(tracemalloc.get_traced_memory()[1] - before)
    tracemalloc.stop()
    peak = min(peaks)
    buffered = not fast and name in ("layer", "weights", "gradient")
    assert peak < 4096 + 2 * 8192 * 4 * buffered, peak


@pytest.mark.parametrize("name", ["adam", "layer", "gradient"])
def test_a_call_allocates_no_tensor_after_the_first(name: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the extra `torch`: pip install nnxp[torch]")
    formula, into, numbers, summed = STEPS[name]
    kernel = nnxp.get_backend("torch").fuse(formula, into, column_sums=summed)
    arrays = [torch.ones(1 if p == "b" else 32, 16) for p in list(parameters_of(formula))]
    arrays = arrays[: len(arrays) - len(numbers)]
    keywords = {} if into else {"out": torch.empty(32, 16)}
    keywords |= {"sums": torch.empty(1, 16)} if summed else {}
    kernel(*arrays, *numbers, **keywords)
    with torch.autograd.profiler.profile(profile_memory=True) as profile:
        kernel(*arrays, *numbers, **keywords)
    assert all(event.cpu_memory_usage <= 16 for event in profile.function_events)  # numbers of 8 bytes


def test_a_kernel_keeps_no_array_alive(fast: bool, small_blocks: None) -> None:
    kernel = fuse(formulas.rescale, np, fast=fast)
    for dtype in (np.float32, np.uint8):
        x = np.ones((5, 4), dtype)
        alive = weakref.ref(x)
        result = weakref.ref(kernel(x, 2.0, 1.0))
        kernel(x, np.ones((1, 4), np.float32), 1.0)
        del x
        gc.collect()
        assert alive() is None and result() is None


def test_other_arrays_are_looked_at_again(fast: bool) -> None:
    """Also where one has the place of another that is gone."""
    kernel = fuse(formulas.add_row, np, fast=fast)
    z = np.zeros((2, 3), np.float32)
    for n in range(100):
        b = np.full((1, 3), n, np.float32) if n % 2 else np.full((1, 3), n, np.float64)
        out = np.zeros((2, 3), b.dtype)
        assert kernel(z, b, out=out) is out
        assert out.tolist() == [[n] * 3] * 2
        with pytest.raises(ValueError, match="also an input"):
            kernel(z, b, out=z)


def test_an_output_that_is_gone_is_not_one_that_was_not_given(fast: bool) -> None:
    x, kernel = np.ones(3, np.float32), fuse(formulas.relu, np, fast=fast)
    for _ in range(3):
        kernel(x, out=np.empty_like(x))
        assert kernel(x).tolist() == [1, 1, 1]


def test_threads_share_a_kernel(fast: bool) -> None:
    kernel = fuse(formulas.huber, np, fast=fast)
    rng = np.random.default_rng(0)
    cases = [rng.standard_normal((2, 200, 100)).astype(np.float32) for _ in range(4)]
    wrong = []

    def work(p: Any, y: Any) -> None:
        expected, out = formulas.huber(p, y, 0.5), np.empty_like(p)
        for _ in range(50):
            kernel(p, y, 0.5, out=out)
            if not np.array_equal(out, expected):
                wrong.append(1)

    threads = [threading.Thread(target=work, args=tuple(case)) for case in cases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# --- parameters ------------------------------------------------------------------------------------


def test_any_name_may_be_a_parameters(fast: bool) -> None:
    """Also those that emitted source uses itself."""

    def formula(r0: Array, out_bits: Array, T: float, block: Row, i: Column, _add: Array) -> Array:
        return xp.where(r0 > out_bits, r0 * T, out_bits) + block + i - _add

    a = np.ones((2, 3), np.float32)
    got = fuse(formula, np, fast=fast)(3 * a, 2 * a, 0.5, a[:1], a[:, :1], 4 * a)
    assert got.tolist() == [[-0.5] * 3] * 2


def test_parameters_may_be_named_in_the_call(fast: bool) -> None:
    kernel = fuse(formulas.sgd, np, fast=fast)
    assert kernel(np.ones(2), g=np.ones(2), lr=0.5).tolist() == [0.5, 0.5]


def test_the_one_number_of_a_row(fast: bool) -> None:
    """As an array (), (1,), (1, 1) or a Python number; it adds no dimension."""
    g = np.arange(6, dtype=np.float32)
    for factor in (0.5, np.float32(0.5), np.array(0.5, np.float32), np.array([0.5], np.float32)):
        for x in (g, g.reshape(2, 3)):
            got = fuse(formulas.rescale_grad, np, fast=fast)(x, factor)
            assert got.dtype == np.float32 and got.shape == x.shape
            np.testing.assert_array_equal(got, x * np.float32(0.5))
    two = np.full((1, 1), 0.5, np.float32)  # of more dimensions than g: NumPy's rule
    assert fuse(formulas.rescale_grad, np, fast=fast)(g, two).shape == (1, 6)


# --- compose, show, the switch ---------------------------------------------------------------------


def test_a_composition_is_a_formula(backend: Any) -> None:
    layer = compose(formulas.leaky_relu, formulas.add_row)
    assert layer is compose(formulas.leaky_relu, formulas.add_row)
    z, b = np.array([[1.0, -4.0]], np.float32), np.array([[1.0, 2.0]], np.float32)
    arrays = [backend.asarray(z), backend.asarray(b)]
    other = nnxp.get_backend(backend.spec)
    assert other.fuse(layer) is other.fuse(layer)
    for got in (layer(*arrays, 0.5), other.fuse(layer)(*arrays, 0.5)):
        backend.assert_close(got, np.array([[2.0, -1.0]], np.float32))


def test_a_composition_renames_what_would_clash() -> None:
    def inner(x: Array, scale: float, *, twice: bool) -> Array:
        return (2 if twice else 1) * scale * x

    def outer(x: Array, scale: float, *, negate: bool = False) -> Array:
        return (-x if negate else x) + scale

    both = compose(outer, inner)
    assert list(parameters_of(both)) == ["x", "scale", "outer_scale", "twice", "negate"]
    x = np.ones(2)
    assert both(x, 3.0, 0.5, twice=True).tolist() == [6.5, 6.5]
    assert fuse(both, np, twice=False, negate=True)(x, 3.0, 0.5).tolist() == [-2.5, -2.5]


def test_show_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="got formula='nosuch', expected a function, or the name"):
        show("nosuch")
    with pytest.raises(TypeError, match=r"got into=\['q'\], expected parameters of relu: \['x'\]"):
        show("relu", into=["q"])


@pytest.mark.parametrize("spec", ["numpy", "torch", "array_api_strict"])
@pytest.mark.parametrize("name", ["adam", "relu_grad", "splitmix64", "gelu", "add_row", "momentum"])
def test_show_prints_python(spec: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    if spec != "numpy":
        pytest.importorskip(spec)
    fixed = {"nesterov": True} if name == "momentum" else {}
    for backend in {nnxp.get_backend(spec, fast=False) if spec == "numpy" else spec, spec}:
        show(name, backend, **fixed)
        text = capsys.readouterr().out
        compile(text, "shown", "exec")
        assert f"def {name}(" in text
