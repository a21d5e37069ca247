"""The kernels of nnxp's `.cu` files, launched by nnxp's own code and run here (level C), and compiled for devices
(level B), against `nnxp.kernels.reference` in float64.

Tolerances: a sum whose terms pass through at most d additions has an error below d·eps·Σ|terms|; each of the few other
operations adds one eps of what it gives.
"""

import itertools
from typing import Any

import numpy as np
import pytest

from nnxp.kernels import formulas
from nnxp.kernels.cuda.cupy_kernels import SHARE, _rows, _threads
from nnxp.kernels.cuda.fusion import sums_grid
from nnxp.kernels.cuda.launch import declaration
from nnxp.kernels.cuda.source import dropout
from nnxp.kernels.graph import trace
from nnxp.kernels.reference import reference
from tests.helpers.cuda import FLOATS, Host, Unit, close, fit, named_kernels, unit_of, wide
from tests.helpers.hostcuda import nvrtc
from tests.helpers.hostcuda.kernel import ORDERS
from tests.helpers.needs import device_compiler, host_compiler
from tests.kernels.test_kernels import dropped

SPEC = reference(np)
ROWS = ((1, 1), (3, 1), (1, 31), (4, 32), (3, 33), (2, 257), (2, 1003))
every_kind = pytest.mark.parametrize("kind", FLOATS)


def run(kind: str, name: str, *arguments: Any, out: tuple[Host, ...] = ()) -> tuple[Host, ...]:
    """The results of a kernel of the table: the same bits in every order of threads, inputs as they were but the one
    that is written to."""
    seen = []
    for order in ORDERS:
        with named_kernels(kind, order) as table:
            given = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
            outs = tuple(o.copy() for o in out)
            result = table[name](*given, **({"out": outs if len(outs) > 1 else outs[0]} if outs else {}))
        results = result if isinstance(result, tuple) else (result,)
        for before, after in zip(arguments, given, strict=True):
            if isinstance(after, np.ndarray) and all(after is not r for r in results):
                np.testing.assert_array_equal(after, before)
        seen.append(results)
    assert len({b"".join(r.tobytes() for r in results) for results in seen}) == 1
    assert all(r.dtype == kind for r in seen[0])
    return seen[0]


def additions(n: int, threads: int) -> int:
    """The most that a term of a block's sum passes through: the thread's own, and two rounds of shuffles."""
    return -(-n // threads) + 10


# --- softmax ---------------------------------------------------------------------------------------


def logits(shape: tuple[int, int], kind: str, special: bool) -> Host:
    z = np.random.default_rng(shape).uniform(-20, 20, shape).astype(kind)
    if special:
        for row, value in enumerate((np.nan, np.inf, -np.inf)[: shape[0]]):
            z[row, shape[1] // 2] = value
    return z


every_shape = pytest.mark.parametrize("shape", ROWS, ids=str)


@host_compiler
@every_kind
@pytest.mark.parametrize("special", [False, True], ids=["finite", "special"])
@every_shape
def test_softmax(shape: tuple[int, int], special: bool, kind: str) -> None:
    z = logits(shape, kind, special)
    with np.errstate(invalid="ignore"):
        exact = SPEC["softmax"](*wide(z))
    # Each exponent z - max is rounded: of all terms' errors, Σ p|z - max| <= log m arrives in the sum, at most 1/e in
    # a term itself.
    error = (additions(shape[1], _threads(shape[1])) + np.log(shape[1]) + 8) * np.finfo(kind).eps
    close(run(kind, "softmax", z)[0], exact, error)


@host_compiler
@every_kind
@every_shape
def test_softmax_grad(shape: tuple[int, int], kind: str) -> None:
    y, dy = (
        SPEC["softmax"](logits(shape, kind, False)),
        np.random.default_rng((*shape, 1)).standard_normal(shape).astype(kind),
    )
    size, depth = np.abs(y * dy).sum(axis=1, keepdims=True), additions(shape[1], _threads(shape[1]))
    error = np.abs(y) * (2 * np.abs(dy) + (depth + 4) * size) * np.finfo(kind).eps
    close(run(kind, "softmax_grad", y, dy)[0], SPEC["softmax_grad"](*wide(y, dy)), error)
    assert run(kind, "softmax_grad", y[:0], dy[:0])[0].shape == run(kind, "softmax", y[:0])[0].shape == (0, shape[1])


def shares_of(labels: Host, m: int, kind: str) -> Host:
    """Rows that sum to 1: nine tenths for the label."""
    t = np.full((len(labels), m), 0.1 / m)
    t[np.arange(len(labels)), labels] += 0.9
    return t.astype(kind)


def check_crossentropy(
    kind: str, z: Host, t: Host, losses: Host, dz: Host, smoothing: float = 0.0, factors: Any = 1.0
) -> None:
    """Against the reference from z with its bias, whose rounding is z's; a smoothed share has 3 of its own."""
    m, eps = z.shape[1], np.finfo(kind).eps
    with np.errstate(invalid="ignore"):
        exact, gradient = SPEC["softmax_crossentropy"](*wide(z, t), smoothing)
        shifted = np.abs(wide(z)[0] - z.max(axis=1, keepdims=True))
        rows = (t if t.ndim == 2 else np.arange(m) == t[:, None]) * (1 - smoothing) + smoothing / m
        weighted = np.where(rows != 0, rows * shifted, 0).sum(axis=1)
    probability = additions(m, _threads(m)) + np.log(m) + 8
    close(losses, exact, (probability + 2 * np.log(m) + (additions(m, _threads(m)) + 7) * weighted) * eps)
    close(dz, gradient * factors, (probability + 5) * eps * np.abs(factors))


@pytest.mark.long
@host_compiler
@every_kind
@pytest.mark.parametrize("indices", [True, False], ids=["indices", "shares"])
@every_shape
def test_softmax_crossentropy(shape: tuple[int, int], indices: bool, kind: str) -> None:
    """With and without a bias, factors, smoothing and hits, which change nothing else."""
    (n, m), draw = shape, np.random.default_rng((*shape, 2))
    labels = draw.integers(0, m, n)
    t = labels if indices else shares_of(labels, m, kind)
    b, rows, factors = (draw.uniform(0, 2, size).astype(kind) for size in ((1, m), (3, m), (n, 1)))
    unit = unit_of("softmax_crossentropy", kind, Label="long long" if indices else "T", INDICES=int(indices))
    for bias, factor, smoothing, counted in itertools.product(
        (None, b, rows), (None, factors), (0.0, 0.1), (False, True)
    ):
        seen = set()
        for order in ORDERS if counted else ORDERS[:1]:
            unit.order, z = order, logits(shape, kind, False)
            losses, dz, hits = (np.full(size, 7, kind) for size in ((n,), shape, (n,)))
            expected = z.copy() if bias is None else z + bias[np.arange(n) % len(bias)]
            arrays = (z, bias, t, factor, losses, dz, hits if counted else None)
            k = 1 if bias is None else len(bias)
            unit.launch("nnxp_softmax_crossentropy", *_rows(n, m), *arrays, n, m, k, 1, smoothing)
            np.testing.assert_array_equal(z, expected)
            check_crossentropy(kind, z, t, losses, dz, smoothing, 1.0 if factor is None else factors)
            np.testing.assert_array_equal(hits, np.argmax(z, axis=1) == labels if counted else 7)
            seen.add((losses.tobytes(), dz.tobytes()))
        assert len(seen) == 1


@host_compiler
@every_kind
def test_a_label_of_several_networks_is_that_of_each(kind: str) -> None:
    """Of k rows in turn, as the bias is: the same bits as of labels that are repeated."""
    draw, k = np.random.default_rng(4), 3
    z, b, factors = (draw.uniform(-2, 2, size).astype(kind) for size in ((12, 40), (k, 40), (12, 1)))
    out = tuple(np.full(s, 7, kind) for s in ((12,), (12, 40), (12,)))
    classes = np.array([0, 39, -1, 7])
    for labels in (classes, shares_of(classes, 40, kind)):
        name, given = "softmax_crossentropy", {"Label": "long long" if labels.ndim == 1 else "T"}
        unit, found = unit_of(name, kind, **given, INDICES=2 - labels.ndim), []
        for each, all_labels in ((k, labels), (1, np.repeat(labels, k, axis=0))):
            results = [a.copy() for a in out]
            unit.launch(
                f"nnxp_{name}", *_rows(12, 40), z.copy(), b, all_labels, factors, *results, 12, 40, k, each, 0.1
            )
            found.append(results)
        for got, expected in zip(*found, strict=True):
            np.testing.assert_array_equal(got, expected)
        assert np.isfinite(found[0][1]).all()


@host_compiler
@every_kind
def test_softmax_crossentropy_of_what_is_not_usual(kind: str) -> None:
    """Labels out of range, logits of NaN and infinity, a masked class with no share; rows beside them are as usual."""
    z = np.random.default_rng(3).uniform(-5, 5, (9, 40)).astype(kind)
    z[4, 7], z[5, 7], z[6, 7], z[7] = np.nan, np.inf, -np.inf, -np.inf
    labels = np.array([0, -1, 40, 2**62, 7, 7, 8, 3, 39])
    out = tuple(np.full(s, 7, kind) for s in ((9,), (9, 40), (9,)))
    assert [r.shape for r in run(kind, "softmax_crossentropy", z[:0], labels[:0])] == [(0,), (0, 40)]
    losses, dz, _ = run(kind, "softmax_crossentropy", z, labels, 0.1, out=out)
    check_crossentropy(kind, z, labels, losses, dz, 0.1)
    assert np.isposinf(losses[6])  # smoothed, the masked class has a share
    losses, dz, hits = run(kind, "softmax_crossentropy", z, labels, out=out)
    check_crossentropy(kind, z, labels, losses, dz)
    assert np.isnan(losses[[1, 2, 3, 4, 5, 7]]).all() and np.isfinite(losses[[0, 6, 8]]).all()
    assert (dz[1:4] == 0).all() and dz[6, 7] == 0
    np.testing.assert_array_equal(hits, np.argmax(z, axis=1) == labels)  # NaN is the largest, the first of equals
    shares = shares_of(np.array([0, 1, 2, 3, 7, 7, 8, 3, 39]), 40, kind)
    shares[6, 7] = 0
    losses, dz, _ = run(kind, "softmax_crossentropy", z, shares, out=out)
    check_crossentropy(kind, z, shares, losses, dz)
    assert np.isfinite(losses[6]) and dz[6, 7] == 0


@host_compiler
@every_kind
def test_hits_of_equals(kind: str) -> None:
    """Of one thread's and of several's."""
    z, shares = np.zeros((2, 3, 300), kind)
    z[1, [3, 40, 259]] = 2
    shares[[0, 0, 1, 2], [7, 263, 3, 299]] = 0.5, 0.5, 1, 1
    out = tuple(np.full(s, 7, kind) for s in ((3,), (3, 300), (3,)))
    assert run(kind, "softmax_crossentropy", z, np.array([0, 3, 1]), out=out)[2].tolist() == [1, 1, 0]
    z[0, 7] = 1
    assert run(kind, "softmax_crossentropy", z, shares, out=out)[2].tolist() == [1, 1, 0]


# --- sums ------------------------------------------------------------------------------------------


@host_compiler
@every_kind
@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (7, 31), (8, 32), (9, 33), (129, 5), (700, 40), (257, 257)], ids=str)
def test_column_sums(shape: tuple[int, int], kind: str) -> None:
    a, (_, down) = np.random.default_rng(shape).standard_normal(shape).astype(kind), sums_grid(*shape)
    assert down == max(1, -(-shape[0] // 128))
    depth = -(-shape[0] // (8 * down)) + 8 + (down if down > 1 else 0)
    (got,) = run(kind, "column_sums", a)
    assert got.shape == (1, shape[1])
    exact = a.astype(float)
    close(got, exact.sum(axis=0), depth * np.finfo(kind).eps * np.abs(exact).sum(axis=0))


LENGTHS = (0, 1, 31, 33, SHARE, SHARE + 1, 5 * SHARE + 77)


@host_compiler
@every_kind
@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("name", ["squared_norm", "absolute_sum", "clip_parts", "add_penalty"])
def test_a_sum_over_everything(name: str, n: int, kind: str) -> None:
    a, eps = np.random.default_rng(n).standard_normal(n).astype(kind), np.finfo(kind).eps
    blocks = max(1, -(-n // SHARE))
    depth = additions(n, 256 * blocks) + (additions(blocks, 256) if blocks > 1 else 0) + 1
    terms = np.abs(a.astype(float)) if name == "absolute_sum" else a.astype(float) ** 2
    if name == "clip_parts":
        for bound in (1.5, 1e3) if n else ():
            unit, squares, factor = run(kind, name, a, bound)
            exact = float(SPEC[name](*wide(a), bound)[2])
            assert unit == 1
            close(squares, terms.sum(), depth * eps * terms.sum())
            close(factor, exact, 0 if exact == 1 else (depth / 2 + 3) * eps * exact)
    elif name == "add_penalty":
        loss, l1, l2 = np.array(0.7, kind), 0.25, 0.1
        exact = float(SPEC[name](*wide(loss, a), l1, l2))
        close(run(kind, name, loss, a, l1, l2)[0], exact, (depth + 5) * eps * exact)
        with named_kernels(kind) as table:
            assert table[name](loss, a, l1, l2, out=loss) is loss
        close(loss, exact, (depth + 5) * eps * exact)
    else:
        close(run(kind, name, a)[0], terms.sum(), depth * eps * terms.sum())


@host_compiler
@every_kind
def test_sums_of_what_is_not_finite(kind: str) -> None:
    for value in (np.nan, np.inf, -np.inf):
        a = np.ones(SHARE + 5, kind)
        a[-1] = value
        assert np.array_equal(run(kind, "squared_norm", a)[0], value**2, equal_nan=True)
        assert np.isnan(run(kind, "clip_parts", a, 2.0)[2])
        assert np.array_equal(run(kind, "column_sums", a[:, None])[0][0, 0], value, equal_nan=True)


@host_compiler
@every_kind
@pytest.mark.parametrize("n", [1, 33, SHARE + 5])
def test_the_norm_of_what_cannot_be_squared(n: int, kind: str) -> None:
    """The largest float of each kind, and the smallest, are not squared in Python's floats either."""
    eps, top = np.finfo(kind).eps, float(np.finfo(kind).max)
    draw = np.random.default_rng(n).uniform(0.5, 1, n)
    for size in (top, 8 * top**0.5, 1 / top**0.5, 8 / top):
        unit, squares, factor = run(kind, "clip_parts", (size * draw).astype(kind), 1.0)
        exact = float(np.linalg.norm(draw))  # of the size; each element, its quotient and the unit's are rounded
        close(unit / size * np.sqrt(squares.astype(float)), exact, (n + 8) * eps * exact)
        close(factor / unit.astype(float), min(1, 1 / exact / size), (n + 8) * eps * min(1, 1 / exact / size))
    assert run(kind, "clip_parts", np.zeros(n, kind), 1.0)[1] == 0


MATRICES = ((1, 1), (7, 31), (8, 32), (9, 33), (129, 5), (700, 40), (257, 257))


def matrices(shape: tuple[int, int], kind: str) -> tuple[Host, Host]:
    draw = np.random.default_rng((*shape, 6))
    x, dy = (draw.standard_normal(shape).astype(kind) for _ in range(2))
    return x, dy


@pytest.mark.long
@host_compiler
@every_kind
@pytest.mark.parametrize("middle", [0.0, 1e4])
@pytest.mark.parametrize("shape", MATRICES, ids=str)
@pytest.mark.parametrize("name", ["column_moments", "row_moments"])
def test_moments(name: str, shape: tuple[int, int], middle: float, kind: str) -> None:
    """A column's sums are of x - x₀: their errors do not grow with the mean, which is rounded once. A row's mean has
    the error of a sum of x, which arrives in its variance squared."""
    a, epsilon, eps = (matrices(shape, kind)[0] + np.array(middle, kind)).astype(kind), 1e-5, np.finfo(kind).eps
    by_column = name == "column_moments"
    n, down = shape[not by_column], sums_grid(*shape)[1]
    depth = -(-n // (8 * down)) + 8 + down + 8 if by_column else additions(n, _threads(n)) + 8
    exact = SPEC[name](*wide(a), epsilon)
    apart = np.abs(a.astype(float) - a[:1]).max(axis=0) if by_column else np.abs(a.astype(float)).max(axis=1)[:, None]
    mean_error = (depth * apart + np.abs(exact[0])) * eps
    deviation = np.sqrt(exact[1])
    variance_error = depth * eps * (exact[1] + (2 * apart * deviation if by_column else 0)) + mean_error**2
    scale_error = (variance_error / (exact[1] + epsilon) + 4 * eps) * exact[2]
    got = run(kind, name, a, epsilon)
    assert [r.shape for r in got] == 3 * [(1, shape[1]) if by_column else (shape[0], 1)]
    for result, value, error in zip(got, exact, (mean_error, variance_error, scale_error), strict=True):
        close(result, value, error)


@host_compiler
@every_kind
@pytest.mark.parametrize("shape", [(0, 3), *MATRICES], ids=str)
def test_the_gradients_of_a_gain_and_a_bias(shape: tuple[int, int], kind: str) -> None:
    (x, dy), (_, down) = matrices(shape, kind), sums_grid(*shape)
    depth = -(-shape[0] // (8 * down)) + 9 + (down if down > 1 else 0)
    exact, size = SPEC["affine_grads"](*wide(x, dy)), SPEC["affine_grads"](*wide(np.abs(x), np.abs(dy)))
    for got, value, terms in zip(run(kind, "affine_grads", x, dy), exact, size, strict=True):
        close(got, value, depth * np.finfo(kind).eps * terms)


@host_compiler
@every_kind
@pytest.mark.parametrize("shape", [(0, 3), *MATRICES], ids=str)
def test_products_of_rows(shape: tuple[int, int], kind: str) -> None:
    (x, dy), gain = matrices(shape, kind), np.linspace(0.5, 2, shape[1], dtype=kind)[None, :]
    depth = additions(shape[1], _threads(shape[1])) + 3
    exact, size = (SPEC["row_products"](*wide(*arrays)) for arrays in ((x, dy, gain), (np.abs(x), np.abs(dy), gain)))
    for got, value, terms in zip(run(kind, "row_products", x, dy, gain), exact, size, strict=True):
        close(got, value, depth * np.finfo(kind).eps * terms)


@host_compiler
@every_kind
@pytest.mark.parametrize("n", [1, 31, 33, 257, 1003])
def test_weighted_sums_and_shares(n: int, kind: str) -> None:
    draw, depth, eps = np.random.default_rng((n, 5)), additions(n, _threads(n)), np.finfo(kind).eps
    a, w = draw.standard_normal((3, n)).astype(kind), draw.uniform(0.5, 2, n).astype(kind)
    for vectors in (a, a[0], a[:0]):
        exact, size = (SPEC["weighted_sum"](*wide(v, w)) for v in (vectors, np.abs(vectors)))
        (got,) = run(kind, "weighted_sum", vectors, w)
        assert got.shape == vectors.shape[:-1]
        close(got, exact, (depth + 1) * eps * size)
    exact = SPEC["shares"](*wide(w))
    close(run(kind, "shares", w)[0], exact, (depth + 1) * eps * exact)
    np.testing.assert_array_equal(run(kind, "shares", 0 * w)[0], 0 * w)


@host_compiler
@every_kind
@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (7, 9), (5, 130)], ids=str)
def test_dropped(shape: tuple[int, int], kind: str) -> None:
    """Python's integers say which are kept; the product has one rounding."""
    x = np.random.default_rng(shape).standard_normal(shape).astype(kind)
    for key, threshold in ((-5, 2**23), (2**63 - 1, 2**24), (-(2**63), 0)):
        expected = dropped(x, key, threshold, 1.25).astype(kind)
        assert run(kind, "dropped", x, key, threshold, 1.25)[0].tobytes() == (expected + 0).tobytes()


# --- blocks of columns, and rows of a table --------------------------------------------------------


@host_compiler
@every_kind
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (7, 3, 4, 2), (300, 2, 5, 3), (0, 2, 3, 1)], ids=str)
def test_products_of_blocks(shape: tuple[int, int, int, int], kind: str) -> None:
    """Each sum has as many additions as terms, that over the rows those of a block of threads."""
    (n, d, h, k), draw = shape, np.random.default_rng(shape)
    x, w, dy = (draw.standard_normal(s).astype(kind) for s in ((n, d * h), (d, h, k), (n, d * k)))
    for name, given, depth in (
        ("block_products", (x, w), h + 1),
        ("block_dinputs", (dy, w), k + 1),
        ("block_dweights", (x, dy, w), additions(n, 256) + 1),
    ):
        exact, size = (SPEC[name](*wide(*arrays)) for arrays in (given, map(np.abs, given)))
        (got,) = run(kind, name, *given)
        assert got.shape == exact.shape
        close(got, exact, depth * np.finfo(kind).eps * size)


@host_compiler
@every_kind
def test_rows_of_a_table(kind: str) -> None:
    """Codes by the whole number next to them; what is no code takes no row, is NaN, and moves none."""
    codes = np.array([[0, 2], [1.4, 0], [np.nan, 1], [3, -1], [2, np.inf], [2.0**62, -0.4], [1, 1]], kind)
    sizes, first, draw = np.array([3, 3], kind), np.array([0, 3]), np.random.default_rng(0)
    with named_kernels(kind) as table:
        rows = table["table_rows"](codes, sizes, first)
    assert rows.tolist() == [[0, 5], [1, 3], [-1, 4], [-1, -1], [2, -1], [-1, 3], [1, 4]]
    values, dy = draw.standard_normal((6, 2)).astype(kind), draw.standard_normal((7, 4)).astype(kind)
    (got,) = run(kind, "embedded", values, rows)
    np.testing.assert_array_equal(got, SPEC["embedded"](values, rows))
    (got,) = run(kind, "embedded_grad", dy, rows, first, values)
    exact, size = (SPEC["embedded_grad"](*wide(a), rows, first, values.astype(float)) for a in (dy, np.abs(dy)))
    close(got, exact, len(dy) * np.finfo(kind).eps * size)


# --- for devices -----------------------------------------------------------------------------------

SOURCES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("column_sums", {}),
    ("sums", {}),
    ("softmax", {}),
    ("normalization", {}),
    ("embedding", {}),
    ("softmax_crossentropy", {"Label": "long long", "INDICES": 1}),
    ("softmax_crossentropy", {"Label": "T", "INDICES": 0}),
)


@host_compiler
def test_declarations_are_what_the_compiler_sees() -> None:
    """Every argument's type, which a `Launcher` reads from the text."""
    found = 0
    for (file, types), kind in itertools.product(SOURCES, FLOATS):
        unit = unit_of(file, kind, **types)
        for name, kernel in unit.kernels.items():
            declared = [p.dtype.str[1:] + "*" * p.pointer for p in declaration(unit.source, name)]
            assert [code.removeprefix("const ") for code in kernel.parameters] == declared
            found += 1
    assert found == 2 * (1 + 7 + 2 + 4 + 6 + 1 + 1)


@device_compiler
@every_kind
@pytest.mark.parametrize("arch", nvrtc.ARCHITECTURES)
def test_they_fit_devices(arch: str, kind: str, record_property: Any) -> None:
    for file, types in SOURCES:
        unit = Unit(kind, file, **types)
        assert fit(unit, arch, record_property) == unit.source.count("__global__")
    unit = Unit(kind)
    unit.elementwise(*dropout(trace(formulas.kept, {}, {}), trace(formulas.dropout, {}, {})), "nnxp_dropout")
    assert fit(unit, arch, record_property) == 1
