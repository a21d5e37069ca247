"""`fuse`, and the named kernels: the same table for every backend, each kernel against its definition."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nnxp
from nnxp.kernels import formulas, fuse
from nnxp.kernels import vocabulary as xp
from nnxp.kernels.reference import reference
from tests.helpers.matrix import Target

Host = npt.NDArray[Any]


# --- fuse ------------------------------------------------------------------------------------------


def hypotenuse(a: Any, b: Any, scale: float) -> Any:
    """Defined here, not in `formulas`, as a user's would be; calls another formula."""
    return scale * xp.sqrt(square(a) + square(b))


def square(a: Any) -> Any:
    return a * a


def swap(a: Any, b: Any, *, negate: bool = False) -> Any:
    return (-b if negate else b), a


@pytest.fixture
def abc(backend: Target) -> tuple[Any, Any, Any]:
    """Three arrays that may be written to."""
    make = nnxp.get_backend(backend.spec).asarray
    return tuple(make(np.full((2, 3), v, np.float32), copy=True) for v in (3, 4, 0))


def value(backend: Target, array: Any) -> float:
    host = backend.to_numpy(array)
    assert host.dtype == np.float32 and host.shape == (2, 3) and np.all(host == host[0, 0])
    return float(host[0, 0])


def test_fuse_makes_a_new_array_or_writes_into_out(backend: Target, abc: Any) -> None:
    a, b, out = abc
    kernel = nnxp.get_backend(backend.spec).fuse(hypotenuse)
    assert value(backend, kernel(a, b, 2.0)) == 10
    assert kernel(a, b, 1.0, out=out) is out and value(backend, out) == 5
    assert (value(backend, a), value(backend, b)) == (3, 4)


def test_fuse_refuses_an_out_that_is_an_input(backend: Target, abc: Any) -> None:
    a, b, _ = abc
    kernel = nnxp.get_backend(backend.spec).fuse(hypotenuse)
    with pytest.raises(ValueError, match=r"got an out that is also an input of hypotenuse.*into="):
        kernel(a, b, 1.0, out=b)


def test_fuse_overwrites_what_it_is_told_to(backend: Target, abc: Any) -> None:
    """In the order of the outputs; each is computed from what was there before."""
    a, b, _ = abc
    result = nnxp.get_backend(backend.spec).fuse(swap, into=("a", "b"))(a, b)
    assert result[0] is a and result[1] is b
    assert (value(backend, a), value(backend, b)) == (4, 3)
    one = nnxp.get_backend(backend.spec).fuse(hypotenuse, into=("b",))(a, b, 1.0)
    assert one is b and (value(backend, a), value(backend, b)) == (4, 5)


def test_fuse_fixes_keywords(backend: Target, abc: Any) -> None:
    a, b, _ = abc
    other = nnxp.get_backend(backend.spec)
    assert value(backend, other.fuse(swap)(a, b)[0]) == 4
    assert value(backend, other.fuse(swap, negate=True)(a, b)[0]) == -4


def test_fuse_writes_several_results(backend: Target, abc: Any) -> None:
    a, b, out = abc
    make = nnxp.get_backend(backend.spec)
    pair = (out, make.asarray(out, copy=True))
    assert make.fuse(swap)(a, b, out=pair) is pair
    assert [value(backend, array) for array in pair] == [4, 3]
    with pytest.raises(ValueError, match="got an out that is also an input of swap"):
        make.fuse(swap)(a, b, out=(out, a))


@pytest.mark.parametrize("names", [{"into": ("c",)}, {"fixed": 1, "c": 2}], ids=("into", "fixed"))
def test_fuse_refuses_unknown_names(names: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"got (into|fixed)=\[.*'c'\], expected parameters of swap: \['a', 'b'"):
        fuse(swap, np, **names)


def test_fuse_needs_a_place_for_every_output() -> None:
    a, b = np.zeros(2), np.zeros(2)
    with pytest.raises(ValueError, match=r"got into=\(.a.,\), expected one name for each of the 2 results of swap"):
        fuse(swap, np, into=("a",))(a, b)


def test_a_kernel_is_built_once(backend: Target) -> None:
    same = nnxp.get_backend(backend.spec)
    assert same.fuse(formulas.relu) is same.fuse(formulas.relu)
    assert same.fuse(formulas.momentum, into=("w", "m"), nesterov=True) is not same.fuse(
        formulas.momentum, into=("w", "m"), nesterov=False
    )


def test_the_vocabulary_is_bound_and_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does fusing change the formula for anybody else."""
    kernel = fuse(hypotenuse, np)
    monkeypatch.setattr(xp, "_of", lambda *values: pytest.fail("asked for the namespace"))
    assert kernel(np.array([3.0]), np.array([4.0]), 1.0).tolist() == [5]
    monkeypatch.undo()
    assert hypotenuse(3.0, 4.0, 1.0) == 5


# --- named kernels ---------------------------------------------------------------------------------


def softmax(z: Host) -> Host:
    e = np.exp(z)
    return e / np.sum(e, axis=1, keepdims=True)


def moments(a: Host, axis: int, epsilon: float) -> tuple[Host, ...]:
    variance = np.var(a, axis=axis, keepdims=True)
    return np.mean(a, axis=axis, keepdims=True), variance, 1 / np.sqrt(variance + epsilon)


def one_hot(labels: Host, like: Host) -> Host:
    return labels if labels.ndim == 2 else np.eye(like.shape[1])[labels]


def dropped(x: Host, key: int, threshold: int, scale: float) -> Host:
    """Python's integers: SplitMix64's number i + 1 of the key, its top 24 bits."""
    kept = [mix(key + (i + 1) * 0x9E3779B97F4A7C15) >> 40 < threshold for i in range(x.size)]
    return np.where(np.reshape(kept, x.shape), x * scale, 0)


def mix(z: int) -> int:
    """The finaliser of SplitMix64, as its authors write it, modulo 2⁶⁴."""
    z %= 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


def side_by_side(x: Host, w: Host) -> Host:
    """Each block of columns times its matrix."""
    return np.concatenate([b @ a for b, a in zip(np.split(x, len(w), axis=1), w, strict=True)], axis=1)


def taken(table: Host, rows: Host) -> Host:
    return np.array(
        [np.concatenate([table[r] if r >= 0 else np.full(table.shape[1], np.nan) for r in row]) for row in rows]
    )


def added(dy: Host, rows: Host, like: Host) -> Host:
    """One place after the other."""
    total, k = np.zeros(like.shape), like.shape[1]
    for i, j in np.ndindex(*rows.shape):
        total[rows[i, j]] += dy[i, j * k : (j + 1) * k] * (rows[i, j] >= 0)
    return total


A, B, W, ROW, COLUMN, ROWS, P, CLASSES, LOSS = "A", "B", "W", "ROW", "COLUMN", "ROWS", "P", "CLASSES", "LOSS"
BLOCKS, TWICE, MADE, CODES, SIZES, FIRST, TABLE, PLACES = "W3", "A2", "A6", "CODES", "SIZES", "FIRST", "T", "ROWS2"
COLUMNS = "COLUMNS"
DEFINITIONS: dict[str, tuple[tuple[Any, ...], Callable[..., Any]]] = {
    "matmul": ((A, B), lambda a, b: np.array([[np.dot(r, c) for c in b.T] for r in a]).reshape(len(a), b.shape[1])),
    "column_sums": ((A,), lambda a: np.sum(a, axis=0)[None, :]),
    "row_means": ((A,), lambda a: np.sum(a, axis=1) / a.shape[1]),
    "weighted_mean": ((W, W), lambda a, w: np.sum(w * a) / np.sum(w)),
    "weighted_sum": ((W, W), lambda a, w: np.sum(w * a)),
    "shares": ((W,), lambda w: w / np.sum(w)),
    "squared_norm": ((A,), lambda a: np.sum(a**2)),
    "absolute_sum": ((A,), lambda a: np.sum(np.abs(a))),
    "add_penalty": ((LOSS, A, 0.1, 0.2), lambda loss, a, l1, l2: loss + l1 * np.sum(np.abs(a)) + l2 * np.sum(a**2)),
    "clip_parts": ((A, 1.5), lambda a, bound: (1.0, np.sum(a**2), min(1.0, bound / np.sqrt(np.sum(a**2))))),
    "dropped": ((A, -5, 2**23, 2.0), dropped),
    "gather": ((A, ROWS), lambda a, rows: a[rows]),
    "gather_columns": ((A, COLUMNS), lambda a, columns: np.array([[r[c] for c in columns] for r in a])),
    "block_products": ((TWICE, BLOCKS), side_by_side),
    "block_dinputs": ((MADE, BLOCKS), lambda dy, w: side_by_side(dy, w.transpose(0, 2, 1))),
    "block_dweights": (
        (TWICE, MADE, BLOCKS),
        lambda x, dy, w: np.array([b.T @ c for b, c in zip(np.split(x, 2, 1), np.split(dy, 2, 1), strict=True)]),
    ),
    "table_rows": (
        (CODES, SIZES, FIRST),
        lambda c, sizes, first: np.where((c < -0.5) | (c > sizes - 0.5), -1, np.rint(c) + first).astype(np.int64),
    ),
    "embedded": ((TABLE, PLACES), taken),
    "embedded_grad": ((MADE, PLACES, FIRST, TABLE), lambda dy, rows, first, table: added(dy, rows, table)),
    "argmax": ((A,), lambda a: np.array([r.tolist().index(max(r)) for r in a], np.int64)),
    "softmax": ((A,), softmax),
    "softmax_grad": (
        (P, A),
        lambda y, dy: np.array([(np.diag(r) - np.outer(r, r)) @ d for r, d in zip(y, dy, strict=True)]),
    ),
    "column_moments": ((A, 0.1), lambda a, epsilon: moments(a, 0, epsilon)),
    "row_moments": ((A, 0.1), lambda a, epsilon: moments(a, 1, epsilon)),
    "affine_grads": ((A, P), lambda x, dy: (np.sum(dy * x, axis=0)[None, :], np.sum(dy, axis=0)[None, :])),
    "row_products": (
        (A, P, ROW),
        lambda x, dy, g: (np.mean(g * dy, axis=1)[:, None], np.mean(g * dy * x, axis=1)[:, None]),
    ),
    "probability_error": ((P, CLASSES), lambda p, t: p - one_hot(t, p)),
    "crossentropy": (
        (P, CLASSES, 1e-30),
        lambda p, t, floor: (-np.sum(one_hot(t, p) * np.log(p), axis=1), -one_hot(t, p) / p),
    ),
    "softmax_crossentropy": (
        (A, CLASSES),
        lambda z, t: (-np.sum(one_hot(t, z) * np.log(softmax(z)), axis=1), softmax(z) - one_hot(t, z)),
    ),
    "bias_softmax_crossentropy": (
        (A, ROW, CLASSES, COLUMN),
        lambda z, b, t, f: (
            -np.sum(one_hot(t, z) * np.log(softmax(z + b)), axis=1),
            (softmax(z + b) - one_hot(t, z)) * f,
        ),
    ),
}
CHANGES = {"bias_softmax_crossentropy": lambda z, b, t, f: z + b}
"""What a kernel leaves in its first argument where `out` is given."""


def draw(n: int, m: int, dtype: str, seed: int) -> dict[Any, Host]:
    rng = np.random.default_rng(seed)
    a = rng.uniform(-3, 3, (n, m)).astype(dtype)
    return {
        A: a,
        B: rng.uniform(-3, 3, (m, 2)).astype(dtype),
        W: rng.uniform(0.5, 2, n).astype(dtype),
        LOSS: np.asarray(rng.uniform(0, 2), dtype),
        ROW: rng.uniform(-1, 1, (1, m)).astype(dtype),
        COLUMN: rng.uniform(0, 2, (n, 1)).astype(dtype),
        ROWS: rng.integers(0, n, 7),
        COLUMNS: rng.integers(0, m, 7),
        TWICE: rng.uniform(-3, 3, (n, 2 * m)).astype(dtype),
        BLOCKS: rng.uniform(-3, 3, (2, m, 3)).astype(dtype),
        MADE: rng.uniform(-3, 3, (n, 6)).astype(dtype),
        CODES: (rng.integers(-1, 4, (n, 2)) + rng.uniform(-0.4, 0.4)).astype(dtype),
        SIZES: np.array([3, 2], dtype),
        FIRST: np.array([0, 3]),
        TABLE: rng.uniform(-3, 3, (5, 3)).astype(dtype),
        PLACES: np.column_stack([rng.integers(-1, 3, n), rng.choice([-1, 3, 4], n)]),
        P: softmax(a.astype(float)).astype(dtype),
        CLASSES: rng.integers(0, m, n),
    }


def test_every_backend_has_the_same_table(backend: Target) -> None:
    """Names, and each kernel's parameters; `out=None` last."""
    table, spec = nnxp.get_backend(backend.spec).kernels, reference(np)
    assert set(table) == set(spec) == set(DEFINITIONS)
    for name, kernel in table.items():
        names = list(inspect.signature(kernel).parameters)
        assert names == list(inspect.signature(spec[name]).parameters)
        assert names[-1] == "out" and inspect.signature(kernel).parameters["out"].default is None
        assert kernel.__doc__


@pytest.mark.parametrize("name", DEFINITIONS)
@settings(max_examples=15)
@given(
    n=st.integers(1, 5),
    m=st.integers(1, 5),
    dtype=st.sampled_from(("float32", "float64")),
    transposed=st.booleans(),
    rows=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_each_kernel(
    backend: Target, name: str, n: int, m: int, dtype: str, transposed: bool, rows: bool, seed: int
) -> None:
    """Its definition in float64, on a new array and into `out`; the inputs stay as they were, but where said."""
    roles, definition = DEFINITIONS[name]
    drawn = draw(n, m, dtype, seed)
    if rows:
        drawn[CLASSES] = one_hot(drawn[CLASSES], drawn[A]).astype(dtype)
    host = [drawn.get(role, role) for role in roles]
    arrays = [
        h
        if isinstance(h, int | float)
        else backend.asarray(h.T).T
        if transposed and h.ndim == 2
        else backend.asarray(h)
        for h in host
    ]
    exact = definition(*(h.astype(float) if getattr(h, "dtype", None) == dtype else h for h in host))
    exact = exact if isinstance(exact, tuple) else (exact,)
    expected = [np.asarray(e, e.dtype if e.dtype.kind == "i" else dtype) for e in map(np.asarray, exact)]
    kernel = nnxp.get_backend(backend.spec).kernels[name]
    out = tuple(nnxp.get_backend(backend.spec).asarray(0 * e, dtype=str(e.dtype), copy=True) for e in expected)
    fresh = kernel(*arrays)
    for array, before in zip(arrays, host, strict=True):
        if not isinstance(array, int | float):
            backend.assert_close(array, before)
    if name in CHANGES:
        arrays[0], host[0] = nnxp.get_backend(backend.spec).asarray(arrays[0], copy=True), CHANGES[name](*host)
    into = kernel(*arrays, out=out if len(out) > 1 else out[0])
    assert into is out or into is out[0]
    for result in (fresh, into):
        for got, want in zip(result if isinstance(result, tuple) else (result,), expected, strict=True):
            largest = max(10.0, float(np.max(np.abs(want), initial=0)))  # terms up to 3², summed to want
            backend.assert_close(got, want, atol=(n + m + 8) * largest * float(np.finfo(dtype).eps))
    for array, before in zip(arrays, host, strict=True):
        if not isinstance(array, int | float):
            backend.assert_close(array, before)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_rows(backend: Target, dtype: str) -> None:
    table = nnxp.get_backend(backend.spec).kernels
    a = backend.asarray(np.zeros((0, 3), dtype))
    backend.assert_close(table["column_sums"](a), np.zeros((1, 3), dtype))
    backend.assert_close(table["matmul"](a.T, a), np.zeros((3, 3), dtype))
    for name in ("softmax", "gather"):
        arguments = (a, backend.asarray(np.zeros(0, np.int64))) if name == "gather" else (a,)
        backend.assert_close(table[name](*arguments), np.zeros((0, 3), dtype))
    assert table["softmax_crossentropy"](a, backend.asarray(np.zeros(0, np.int64)))[1].shape == (0, 3)


def test_the_first_of_equals(backend: Target) -> None:
    a = backend.asarray([[1, 3, 3], [2, 2, 2]], "float32")
    backend.assert_close(nnxp.get_backend(backend.spec).kernels["argmax"](a), np.array([1, 0]))


def test_weights_that_sum_to_0_give_0(backend: Target) -> None:
    """Past the door: no division by 0."""
    zeros = backend.asarray(np.zeros(3, np.float32))
    mean = nnxp.get_backend(backend.spec).kernels["weighted_mean"]
    backend.assert_close(mean(backend.asarray(np.ones(3, np.float32)), zeros), np.array(0, np.float32))


def head(backend: Target, z: Any, labels: Any, factors: Any, dtype: str = "float32") -> tuple[Host, Host]:
    """Losses and gradients that the last layer's kernel writes, with a bias of 0."""
    make = nnxp.get_backend(backend.spec)
    z = make.asarray(backend.asarray(z, dtype), copy=True)
    n, m = z.shape
    out = tuple(make.asarray(backend.asarray(np.full(shape, 7.0), dtype), copy=True) for shape in ((n,), (n, m)))
    arguments = (backend.asarray(np.zeros((1, m)), dtype), backend.asarray(labels), backend.asarray(factors, dtype))
    make.kernels["bias_softmax_crossentropy"](z, *arguments, out=out)
    return backend.to_numpy(out[0]), backend.to_numpy(out[1])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("label", [-1, 3, 2**40, -(2**63)])
def test_a_label_out_of_range_is_a_loss_of_nan_and_no_gradient(backend: Target, label: int, dtype: str) -> None:
    """And nothing is read beyond the row; the other rows are as without it."""
    z, factors = np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 1000]]), np.full((3, 1), 0.5)
    losses, gradients = head(backend, z, np.array([0, label, 2]), factors, dtype)
    assert np.isnan(losses[1]) and np.all(gradients[1] == 0)
    right, whole = head(backend, z[[0, 2]], np.array([0, 2]), factors[:2], dtype)
    np.testing.assert_allclose(losses[[0, 2]], right, rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_allclose(gradients[[0, 2]], whole, atol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("columns", [1, 2, 3, 4, 5])
def test_products_of_matrices_of_few_columns(backend: Target, columns: int) -> None:
    """Which have loops of their own; into memory that held something else."""
    make, rng = nnxp.get_backend(backend.spec), np.random.default_rng(columns)
    w, dy = rng.normal(size=(3, 7, columns)).astype("float32"), rng.normal(size=(4, 3 * columns)).astype("float32")
    out = make.asarray(backend.asarray(np.full((4, 21), 7, "float32")), copy=True)
    make.kernels["block_dinputs"](backend.asarray(dy), backend.asarray(w), out=out)
    expected = np.einsum("ndk,dhk->ndh", dy.reshape(4, 3, columns).astype(float), w).reshape(4, 21)
    backend.assert_close(out, expected.astype("float32"), atol=1e-5)


def test_a_label_of_several_networks_is_that_of_each(backend: Target) -> None:
    """Of as many rows in turn as the bias has."""
    make, rng = nnxp.get_backend(backend.spec), np.random.default_rng(0)
    z, b, factors = (rng.uniform(-2, 2, size).astype("float32") for size in ((6, 3), (2, 3), (6, 1)))
    for labels in (np.array([2, 0, 1]), np.eye(3, dtype="float32")[[2, 0, 1]]):
        found = []
        for each in (labels, np.repeat(labels, 2, axis=0)):
            out = tuple(make.asarray(backend.asarray(np.zeros(n, "float32")), copy=True) for n in ((6,), (6, 3)))
            arrays = [backend.asarray(a) for a in (b, each, factors)]
            make.kernels["bias_softmax_crossentropy"](make.asarray(backend.asarray(z), copy=True), *arrays, out=out)
            found.append([backend.to_numpy(a) for a in out])
        for got, expected in zip(*found, strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_a_logit_of_nan_is_a_loss_of_nan(backend: Target) -> None:
    for place in range(3):
        z = np.zeros((2, 3))
        z[0, place] = np.nan
        losses, gradients = head(backend, z, np.array([1, 1]), np.ones((2, 1)))
        assert np.isnan(losses[0]) and np.isnan(gradients[0]).any() and np.isfinite(losses[1])


@pytest.mark.parametrize("rows", [False, True], ids=["classes", "rows"])
def test_a_class_that_is_masked_takes_no_part(backend: Target, rows: bool) -> None:
    """A logit of -inf, probability 0: what its label's share of 0 is multiplied with."""
    labels = np.array([[1, 0, 0.0]], "float32") if rows else np.array([0])
    with np.errstate(invalid="ignore"):  # NumPy tells of 0 times infinity, which then is not used
        losses, gradients = head(backend, np.array([[0, 0, -np.inf]]), labels, np.ones((1, 1)))
    np.testing.assert_allclose(losses, [np.log(2)], rtol=1e-6)
    np.testing.assert_allclose(gradients, [[-0.5, 0.5, 0]], atol=1e-6)


def test_a_name_that_is_no_kernel() -> None:
    kernels = nnxp.get_backend("numpy").kernels
    with pytest.raises(ValueError, match="got kernel 'colum_sums', expected one of .*; did you mean 'column_sums'"):
        nnxp.Dense(2, 1, backend="numpy").kernel("colum_sums")
    assert kernels.get("colum_sums") is None and "colum_sums" not in kernels
