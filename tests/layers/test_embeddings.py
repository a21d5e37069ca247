"""`Embedding`, `PeriodicEmbedding`, `PiecewiseLinearEmbedding`: their equations, the order of their outputs, what is no
code, edges, and the same in a model's step, file and copy."""

import copy
import math
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import nnxp
from nnxp import Dense, Embedding, PeriodicEmbedding, PiecewiseLinearEmbedding, Residual, Sequential
from tests.backends.test_cupy_step import allocations
from tests.helpers import hostcuda
from tests.helpers.matrix import Target, on_host_memory
from tests.helpers.watch import watched
from tests.training.test_plan import NEEDS_NUMBA

Host = npt.NDArray[Any]
EDGES = [[-1.5, -0.5, 0.25, 1.5], [-1.0, 1.0], [0.25]]
ODD = [1.5, -1.0, 3.0, 2.0**31, 1e30, math.nan]
"""No codes of a column of 3."""


def data(n: int = 12, dtype: str = "float64") -> Host:
    """Codes below 3 and 5 first and last, and three numbers between."""
    rng = np.random.default_rng(n)
    numbers = rng.uniform(-2, 2, (n, 3))
    return np.column_stack([rng.integers(0, 3, n), numbers, rng.integers(0, 5, n)]).astype(dtype)


def drawn(layer: Any, seed: int = 0) -> Any:
    """The layer with parameters that are all different."""
    rng = np.random.default_rng(seed)
    for name, shape in layer.parameter_shapes().items():
        setattr(layer, name, rng.standard_normal(shape))
    return layer


def host(backend: Target, layer: Any) -> dict[str, Host]:
    return {name: backend.to_numpy(getattr(layer, name)) for name in layer.parameters}


def embeddings(**options: Any) -> dict[str, Any]:
    return {
        "embedding": Embedding(5, [5, 3], 3, [4, 0], **options),
        "periodic": PeriodicEmbedding(5, 3, 4, 0.5, columns=[3, 1], **options),
        "plr": PeriodicEmbedding(5, 4, 5, 0.5, "relu", **options),
        "bins": PiecewiseLinearEmbedding(5, EDGES, None, [1, 3, 2], **options),
        "piecewise": PiecewiseLinearEmbedding(5, EDGES, 4, [3, 1, 2], **options),
        "not held": PiecewiseLinearEmbedding(5, EDGES, 4, [3, 1, 2], None, **options),
    }


every_embedding = pytest.mark.parametrize("name", embeddings())


def share(x: float, k: int, edges: list[float], beyond: float | None) -> float:
    """The k-th bin's t of x."""
    low, high = (-math.inf, math.inf) if beyond is None else (-beyond, 1 + beyond)
    t = (x - edges[k]) / (edges[k + 1] - edges[k])
    return min(max(t, low if k == 0 else 0), high if k == len(edges) - 2 else 1)


def itself(x: float, edges: list[float], beyond: float | None) -> float:
    """x within `beyond` bins of the edges."""
    if beyond is None:
        return x
    widths = [*np.diff(edges), 0.0] if len(edges) > 1 else [0.0]
    last = widths[-2] if len(edges) > 1 else 0.0
    return float(min(max(x, edges[0] - beyond * widths[0]), edges[-1] + beyond * last))


def expected(layer: Any, x: Host, p: dict[str, Host]) -> Host:
    """The equations, a row and a column at a time."""
    own = range(x.shape[1]) if layer.columns is None else layer.columns
    rows = []
    for row in x.tolist():
        out = [row[c] for c in range(len(row)) if c not in own]
        if isinstance(layer, Embedding):
            first = np.cumsum([0, *layer.sizes])
            for j, c in enumerate(own):
                out += p["weights"][first[j] + int(row[c])].tolist()
        elif isinstance(layer, PeriodicEmbedding):
            out += [row[c] for c in own]
            h, w = layer.waves, layer.width - 1
            for j, c in enumerate(own):
                waves = [
                    math.cos(2 * math.pi * p["frequencies"][0, k] * row[c] + p["phases"][0, k])
                    for k in range(j * h, (j + 1) * h)
                ]
                z = np.array(waves) @ p["weights"][j] + p["biases"][0, j * w : (j + 1) * w]
                out += np.maximum(z, 0).tolist() if layer.activation else z.tolist()
        else:
            pairs = [(row[c], edges) for c, edges in zip(own, layer.edges, strict=True)]
            held = [itself(v, edges, layer.beyond) for v, edges in pairs]
            bins = [[share(v, k, edges, layer.beyond) for k in range(len(edges) - 1)] for v, edges in pairs]
            if layer.width is None:
                out += [*held, *(t for ts in bins for t in ts)]
            else:
                for j, (v, ts) in enumerate(zip(held, bins, strict=True)):
                    bias = p["biases"][0, j * layer.width : (j + 1) * layer.width]
                    out += (np.array([v, *ts]) @ p["weights"][j, : 1 + len(ts)] + bias).tolist()
        rows.append(out)
    return np.array(rows)


# --- the equations ---------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 12])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@every_embedding
def test_outputs_are_the_equations(backend: Target, name: str, dtype: str, n: int) -> None:
    """The other columns first, in order, then what is made of its own, in theirs; the inputs stay. A sum has at most 6
    terms of magnitude up to 4 · 3, an angle is up to 40."""
    layer, x = drawn(embeddings(dtype=dtype)[name]), data(n, dtype)
    array = backend.asarray(x)
    output = layer.forward(array)
    want = expected(layer, x, host(backend, layer))
    assert layer.output_width(5) == want.shape[1] == layer.n_out
    backend.assert_close(output, want.astype(dtype), atol=256 * float(np.finfo(dtype).eps))
    backend.assert_close(array, x)
    dinputs = layer.backward(output)
    assert tuple(dinputs.shape) == x.shape
    for parameter in layer.parameters:
        assert getattr(layer, "d" + parameter).shape == getattr(layer, parameter).shape


@every_embedding
def test_no_rows(backend: Target, name: str) -> None:
    layer = drawn(embeddings()[name])
    output = layer.forward(backend.asarray(data(0, "float32")))
    backend.assert_close(output, np.zeros((0, layer.n_out), np.float32))
    backend.assert_close(layer.backward(output), np.zeros((0, 5), np.float32))


def test_how_they_begin() -> None:
    """Of 20,000 draws a mean errs by σ/141, four of which are 0.03 σ; none is outside its limits, some are near."""
    layer = PeriodicEmbedding(20, 5, 1000, 0.2, seed=0)
    w, b, a, c = (np.array(p) for p in (layer.frequencies, layer.phases, layer.weights, layer.biases))
    assert abs(w.mean()) < 0.03 * 0.2 and abs(w.std() / 0.2 - 1) < 0.03
    for values, limit in ((b, math.pi), (a, 1 / math.sqrt(1000))):
        assert 0.99 * limit < np.abs(values).max() <= limit * (1 + 2.0**-23) and abs(values.mean()) < 0.03 * limit
    assert 0 < np.abs(c).max() <= 1 / math.sqrt(1000)
    table = np.array(Embedding(1, [10_000], 2, seed=0).weights)
    assert abs(table.mean()) < 0.03 and abs(table.std() - 1) < 0.03
    pieces = PiecewiseLinearEmbedding(2, [[0.0, 1.0, 2.0], [0.0, 1.0]], 400, seed=0)
    linear, bins = np.array(pieces.weights[:, 0]), np.array(pieces.weights[:, 1:])
    assert np.all(bins == 0) and bins.shape == (2, 2, 400)
    for values in (linear, np.array(pieces.biases)):
        assert 0.04 < np.abs(values).max() <= 0.05 * (1 + 2.0**-23)


# --- what is no code -------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ODD)
def test_a_code_that_is_none_is_refused_at_the_door(backend: Target, code: float) -> None:
    x = data(6, "float32")
    x[4, 0] = code
    message = rf"got {{}} with {code:g} as a code at row 4, column 0, expected a whole number from 0 to 2: 0 is for"
    with pytest.raises(ValueError, match=message.format("inputs").replace("+", r"\+")):
        Embedding(5, [5, 3], 3, [4, 0]).forward(backend.asarray(x))
    layers = [PeriodicEmbedding(5, columns=[1, 3]), Embedding(11, [3, 5], 3, [0, 2]), Dense(15, 1)]
    model = Sequential(layers, "mean_squared_error", backend=backend.spec, seed=0)
    x = x[:, [0, 1, 2, 3, 4]]
    y = np.zeros((6, 1), np.float32)
    told = "got X with NaN or infinity" if math.isnan(code) else message.format("X").replace("+", r"\+")
    for call in (lambda: model.fit(x, y), lambda: model.evaluate(x, y), lambda: model.fit([(x, y)])):
        with pytest.raises(ValueError, match=told):
            call()
    for given in (x, x.tolist()):  # before the first step, and with one bound
        with pytest.raises(ValueError, match=told):
            model.train_step(given, y)
    right = data(6, "float32")
    model.train_step(right, y)
    with pytest.raises(ValueError, match=told):
        model.train_step(x, y)
    assert np.isfinite(model.predict(right)).all()


@pytest.mark.parametrize("code", ODD)
def test_elsewhere_it_is_nan_and_moves_nothing(backend: Target, code: float) -> None:
    """Or the whole number next to it; nothing is read beyond the table."""
    x, n = data(6, "float32"), 6
    model = Sequential([drawn(Embedding(5, [5, 3], 3, [4, 0])), Dense(9, 2)], backend=backend.spec, seed=0)
    right = model.predict(x)
    x[4, 0] = code
    whole = code == 1.5
    got = model.predict(x)
    assert np.isnan(got[4]).all() != whole
    np.testing.assert_array_equal(np.delete(got, 4, 0), np.delete(right, 4, 0))
    if not whole:
        layer = model.layers[0]
        layer.moment = (0, 0, 0)  # as in a step
        output = backend.to_numpy(layer.forward(backend.asarray(x)))
        assert np.isnan(output[4, 6:]).all() and np.isfinite(np.delete(output.ravel(), np.r_[42:45])).all()
        dy = np.ones((n, 9), np.float32)
        dy[4, 6:] = np.nan  # of the code that is none
        layer.backward(backend.asarray(dy))
        gradient = backend.to_numpy(layer.dweights)
        np.testing.assert_array_equal(gradient[5:, 0], np.bincount(np.delete(x[:, 0], 4).astype(int), minlength=3))
        np.testing.assert_array_equal(gradient[:5, 0], np.bincount(x[:, 4].astype(int), minlength=5))


def test_the_door_knows_which_columns_are_handed_on() -> None:
    """By several layers, those that one works on too where it hands them on; of what a layer makes it knows nothing."""
    periodic = PeriodicEmbedding(5, 2, columns=[1, 0])  # inputs 2, 3, 4, then 1 and 0, then what it makes
    layers = [periodic, PiecewiseLinearEmbedding(7, [[0.0, 1.0]], 2, [0]), Embedding(8, [5, 3], 1, [1, 3])]
    model = Sequential([*layers, Dense(8, 1)], "mean_squared_error", seed=0)
    x, y = data(6), np.zeros((6, 1))
    model.fit(x, y)
    for column in (4, 0):
        wrong = x.copy()
        wrong[2, column] = 0.5
        with pytest.raises(ValueError, match=f"got X with 0.5 as a code at row 2, column {column}"):
            model.fit(wrong, y)
    made = Sequential([PeriodicEmbedding(5, 2), Embedding(10, [3], 1, [7])], "mean_squared_error", seed=0)
    with pytest.raises(nnxp.NonFiniteLossError):
        made.fit(x, np.zeros((6, 10)))


@pytest.mark.parametrize(
    "begin",
    [
        lambda: [Residual([PeriodicEmbedding(5, columns=[1, 3]), Embedding(11, [3, 5], 3, [0, 2]), Dense(15, 5)])],
        lambda: [PeriodicEmbedding(5, columns=[1, 3]), Residual([Embedding(11, [3, 5], 3, [0, 2])]), Dense(15, 5)],
        lambda: [Residual([Residual([Embedding(5, [5, 3], 2, [4, 0])]), "tanh"]), Dense(7, 5)],
    ],
    ids=["block", "behind", "in a block"],
)
def test_the_door_looks_into_a_block(backend: Target, begin: Any) -> None:
    right, y = data(6, "float32"), np.zeros((6, 1), np.float32)
    for column, code in ((0, 3.0), (4, 1.5)):
        x = right.copy()
        x[4, column] = code
        model = Sequential([*begin(), Dense(5, 1)], "mean_squared_error", backend=backend.spec, seed=0)
        told = rf"got X with {code:g} as a code at row 4, column {column}, expected a whole number"
        calls = [lambda: model.fit(x, y), lambda: model.evaluate(x, y), lambda: model.fit([(x, y)])]  # noqa: B023
        for call in (*calls, lambda: model.train_step(x, y)):  # noqa: B023
            with pytest.raises(ValueError, match=told):
                call()
        model.train_step(right, y)
        with pytest.raises(ValueError, match=told):
            model.train_step(x, y)


def test_what_comes_out_of_a_block_is_no_code() -> None:
    """0.5 in the column, and 1 after it."""
    half = Dense(2, 2)
    half.weights = np.eye(2)
    model = Sequential([Residual([half]), Embedding(2, [3], 1, [0]), Dense(2, 1)], "mean_squared_error", seed=0)
    model.fit([[0.5, 0.25], [1.0, 0.5]], [[0.0], [1.0]])


def test_codes_are_exact_up_to_2_to_the_24(backend: Target) -> None:
    own = nnxp.get_backend(backend.spec)
    codes = backend.asarray(np.array([[2**24 - 1.0, 2**24 - 2.0], [0, 2**24 - 1.0]], np.float32))
    sizes, first = backend.asarray(np.array([2**24, 2**24], np.float32)), backend.asarray(np.array([0, 2**24]))
    rows = own.kernels["table_rows"](codes, sizes, first)
    backend.assert_close(rows, np.array([[2**24 - 1, 2**25 - 2], [0, 2**25 - 1]]))


def test_dx_of_a_code_is_0(backend: Target) -> None:
    layer = drawn(Embedding(5, [5, 3], 3, [4, 0]))
    layer.forward(backend.asarray(data(4, "float32")))
    dy = np.random.default_rng(0).standard_normal((4, 9)).astype(np.float32)
    want = np.column_stack([np.zeros(4), dy[:, :3], np.zeros(4)]).astype(np.float32)
    backend.assert_close(layer.backward(backend.asarray(dy)), want)


def test_the_same_batch_gives_the_same_bits(backend: Target) -> None:
    """Many rows on few codes, so that the order of the sum would show."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, (500, 1)).astype(np.float32)
    dy = (rng.standard_normal((500, 4)) * 10.0 ** rng.integers(-6, 6, (500, 4))).astype(np.float32)
    seen = []
    for _ in range(3):
        layer = drawn(Embedding(1, [2], 4))
        layer.forward(backend.asarray(x))
        layer.backward(backend.asarray(dy))
        seen.append(backend.to_numpy(layer.dweights).tobytes())
    assert len({*seen}) == 1


# --- edges -----------------------------------------------------------------------------------------


def test_edges_are_quantiles_each_once(backend: Target) -> None:
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.standard_normal(1000), rng.integers(0, 3, 1000), np.full(1000, 7.0)])
    layer = PiecewiseLinearEmbedding.of(backend.asarray(x), bins=10)
    np.testing.assert_allclose(layer.edges[0], np.quantile(x[:, 0], np.arange(11) / 10), rtol=1e-15)
    assert layer.edges[1:] == [[0.0, 1.0, 2.0], [7.0]] and layer.n_in == 3
    some = PiecewiseLinearEmbedding.of(x, 10, 4, [2, 0])
    assert some.edges == [layer.edges[2], layer.edges[0]] and some.columns == [2, 0] and some.n_in == 3
    assert len(PiecewiseLinearEmbedding.of(x).edges[0]) == 49


@pytest.mark.parametrize("value", [0.1, -1e-30, 12345.678, 1.6e9])
def test_a_rounding_makes_no_bin(value: float) -> None:
    """A constant that something else filled, in float32: the next number up, and four on."""
    column = np.full((1000, 1), value, np.float32)
    column[::3] = np.nextafter(column[0, 0], np.float32(np.inf))
    column[1::3] = column[0, 0] + 4 * np.spacing(column[0, 0])
    for x in (column, column.astype(float)):
        (edges,) = PiecewiseLinearEmbedding.of(x, width=4).edges
        assert len(edges) == 1
    wide = np.vstack([column, column[:700] + 1000 * np.spacing(np.abs(column[:700]))])
    (edges,) = PiecewiseLinearEmbedding.of(wide).edges
    assert len(edges) == 2 and edges[-1] == float(wide.max())


def test_nothing_far_outside_counts_for_more_than_the_bound() -> None:
    """What x of 10³⁰ gives is what x at the bound gives; not held, it is as far outside."""
    rng = np.random.default_rng(0)
    x, far = rng.standard_normal((400, 2)).astype(np.float32), np.array([[1e30, -1e30]], np.float32)
    y = (np.sin(3 * x[:, :1]) + x[:, 1:]).astype(np.float32)
    for width in (None, 8):
        outside = []
        for beyond in (2.0, None):
            layer = PiecewiseLinearEmbedding.of(x, 16, width, beyond=beyond)
            model = Sequential([layer, Dense(layer.n_out, 16), "relu", Dense(16, 1)], "mean_squared_error",
                               nnxp.Adam(0.01), seed=0)  # fmt: skip
            model.fit(x, y, epochs=30)
            assert model.evaluate(x, y)["loss"] < 0.1 * y.var()
            outside.append(float(np.abs(model.predict(far)).max()))
        assert outside[0] < 100 * np.abs(y).max() and outside[1] > 1e20
    layer = PiecewiseLinearEmbedding.of(x, 16)
    (e, f) = layer.edges
    bound = [[e[-1] + 2 * (e[-1] - e[-2]), f[0] - 2 * (f[1] - f[0])]]
    np.testing.assert_allclose(layer.forward(far), layer.forward(np.array(bound, np.float32)), rtol=1e-5)


# --- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Embedding(0, [3]), "got n_in=0, expected a whole number from 1 up"),
        (lambda: Embedding(2, [3]), "got 1 sizes for 2 columns of codes, expected one for each"),
        (lambda: Embedding(1, "3"), "got sizes='3', expected how many codes each column has"),
        (lambda: Embedding(1, 3), "got sizes=3, expected how many codes each column has"),
        (lambda: Embedding(1, [0]), "got sizes=0, expected a whole number from 1 up"),
        (lambda: Embedding(1, [2**24 + 1]), r"got sizes=\[16777217\], expected at most 2\*\*24 = 16777216"),
        (lambda: Embedding(1, [3], 0), "got width=0, expected"),
        (lambda: Embedding(2, [3], columns=[2]), r"got columns=\[2\], expected indices .* from 0 to 1: at least one"),
        (lambda: Embedding(2, [3], columns=[-1]), r"got columns=\[-1\], expected indices"),
        (lambda: Embedding(2, [], columns=[]), r"got columns=\[\], expected indices"),
        (lambda: Embedding(2, [3], columns=1), "got columns=1, expected indices"),
        (lambda: Embedding(2, [3], columns=["age"]), r"got columns=\['age'\], expected indices"),
        (lambda: Embedding(2, [3], columns=[True]), r"got columns=\[True\], expected indices"),
        (lambda: Embedding(2, [3, 3], columns=[1, 1]), r"got columns=\[1, 1\], expected each of them once"),
        (
            lambda: Embedding(2, [3, 3]).forward([[1.0]]),
            "got 1 features a sample, expected 2: this Emb.* has n_in=2",
        ),
        (lambda: PeriodicEmbedding(1, 1), "got width=1, expected 2 or more: one of them is the column itself"),
        (lambda: PeriodicEmbedding(1, waves=0), "got waves=0, expected"),
        (lambda: PeriodicEmbedding(1, sigma=0), "got sigma=0, expected a number above 0"),
        (lambda: PeriodicEmbedding(1, activation="tanh"), "got activation='tanh', expected None or \"relu\""),
        (lambda: PiecewiseLinearEmbedding(1, [[1.0, 1.0]]), "got edges=.*, expected for each column a list of finite"),
        (lambda: PiecewiseLinearEmbedding(1, [[]]), "got edges=.*each above the one before: .*of.X. finds them"),
        (lambda: PiecewiseLinearEmbedding(1, []), r"got edges=\[\], expected"),
        (lambda: PiecewiseLinearEmbedding(1, [1.0, 2.0]), r"got edges=\[1.0, 2.0\], expected"),
        (lambda: PiecewiseLinearEmbedding(1, [[0.0, math.nan]]), r"got edges=\[\[0.0, nan\]\], expected"),
        (lambda: PiecewiseLinearEmbedding(2, [[0.0, 1.0]]), "got edges of 1 columns for 2, expected some for each"),
        (lambda: PiecewiseLinearEmbedding(1, [[0.0, 1.0]], beyond=-1), "got beyond=-1, expected a number from 0 up"),
        (lambda: PiecewiseLinearEmbedding(1, [[0.0, 1e39]], 2).forward([[1.0]]), "got edges=1e.39, beyond float32"),
        (lambda: PiecewiseLinearEmbedding.of([[1.0, math.inf]]), "got X with NaN or infinity, expected finite"),
        (lambda: PiecewiseLinearEmbedding.of([1.0, 2.0]), r"got X of shape \(2,\), expected \(samples, features\)"),
        (lambda: PiecewiseLinearEmbedding.of([[1.0], [2.0]], bins=0), "got bins=0, expected"),
    ],
)
def test_bad_options(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    "make",
    [
        lambda: PeriodicEmbedding(10**8),
        lambda: PeriodicEmbedding(10**8, columns=[3]),
        lambda: PiecewiseLinearEmbedding(1000, [list(range(1000)), *([0.0] for _ in range(999))], 2),
    ],
    ids=["all", "one", "bins"],
)
def test_what_a_file_may_say_takes_no_memory(make: Any) -> None:
    """Before its tensors are seen to be there: a layer is no larger than what it is made of."""
    tracemalloc.start()
    try:
        layer = make()
        assert layer.output_width(layer.n_in) > 0 and layer.parameter_shapes()
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()


# --- in a model ------------------------------------------------------------------------------------


def classifier(name: str, spec: Any = "numpy", dtype: str = "float32", optimizer: Any = "adam") -> Sequential:
    """The embedding first, or behind one that has to be told what came down; it is the fifth layer from the end."""
    layers: list[Any] = [embeddings()[name]]
    if name != "embedding":
        layers = [Embedding(5, [3], 3, [0]), type(layers[0])(**{**options(layers[0]), "n_in": 7})]
    layers += [Dense(layers[-1].n_out, 6), "tanh", Dense(6, 3), "softmax"]
    return Sequential(layers, "categorical_crossentropy", optimizer, backend=spec, dtype=dtype, seed=1)


def options(layer: Any) -> dict[str, Any]:
    return {name: getattr(layer, name) for name in layer.options}


LABELS = np.random.default_rng(0).integers(0, 3, 400)


@every_embedding
def test_the_plan_is_the_layers_one_by_one(backend: Target, name: str) -> None:
    """Forward and backward, also of a short last batch in the same memory; the first layer computes no dinputs. Some
    100 operations on the way, of numbers up to 10."""
    planned = classifier(name, backend.spec, "float64")
    by_hand = copy.deepcopy(planned)
    plan, x = planned.training.plan, data(12)
    y = plan.loss.prepare(LABELS[:12], 3, "float64")
    for rows in (slice(0, 12), slice(0, 5)):
        loss = plan.forward_backward(planned.backend.asarray(x[rows]), y[rows, ...])
        plan.release()
        with pytest.raises(nnxp.NotComputedError):
            _ = planned.layers[0].dinputs
        want = by_hand.loss.calculate(by_hand.forward(x[rows], training=True), LABELS[:12][rows])
        by_hand.backward(LABELS[:12][rows])
        near = {"rtol": 0, "atol": 1000 * np.finfo(np.float64).eps}
        backend.assert_close(loss, backend.to_numpy(want), **near)
        backend.assert_close(planned.store.gradients, backend.to_numpy(by_hand.store.gradients), **near)


@pytest.mark.parametrize("fast", [False, pytest.param(True, marks=NEEDS_NUMBA)], ids=["numpy", "numba"])
@every_embedding
def test_a_step_on_numpy_allocates_nothing(name: str, fast: bool) -> None:
    """NumPy's own buffers are of 8,192 elements, however many rows there are: two of int64 take 131,072 bytes."""
    model = classifier(name, nnxp.get_backend("numpy", fast=fast))
    x, y = np.tile(data(400, "float32"), (60, 1)), np.tile(LABELS, 60)
    for _ in range(3):
        model.train_step(x, y)
    plan = model.training.plan
    labels = plan.loss.prepare(y, 3, "float32")
    plan.step(x, labels)
    tracemalloc.start()
    try:
        plan.step(x, labels)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        plan.step(x, labels)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert peak < 24_000 * 4 * 2  # less than two columns
    assert {a.dtype.name for a in plan.buffers._whole.values()} <= {"float32", "int64"}


@pytest.mark.matrix
@pytest.mark.skipif(not on_host_memory(), reason="CuPy is not on host memory here: `nox -s cupy_on_host`")
@every_embedding
def test_a_step_on_cupy_allocates_and_waits_for_nothing(name: str) -> None:
    import cupy

    model = classifier(name, "cupy")
    x, y = cupy.asarray(data(40, "float32")), cupy.asarray(LABELS[:40])
    for _ in range(2):
        model.train_step(x, y)
    hostcuda.counters(reset=True)
    assert allocations(lambda: model.train_step(x, y)) == 1  # the loss, which the caller keeps
    seen = hostcuda.counters()
    assert not any(seen[name] for name in ("syncs", "d2h", "h2d", "mallocs"))


@every_embedding
def test_a_step_on_torch_makes_no_tensor(name: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nox -s full has it")
    model = classifier(name, "torch")
    x, y = torch.from_numpy(data(400, "float32")), torch.from_numpy(LABELS)
    for _ in range(3):
        model.train_step(x, y)
    with watched(400) as watch:
        model.train_step(x, y)
    assert watch.made == [] and watch.waits == []


@every_embedding
def test_it_is_trained_saved_and_copied(backend: Target, name: str, tmp_path: Path) -> None:
    X, y = data(60, "float32"), LABELS[:60]
    model = classifier(name, backend.spec, optimizer=nnxp.Adam(0.02))
    before = host(backend, model.layers[-5])
    model.fit(X, y, epochs=40, batch_size=20)
    assert model.history["loss"][-1] < 0.9 * model.history["loss"][0]
    assert all(np.any(host(backend, model.layers[-5])[k] != before[k]) for k in before)
    model.save(tmp_path / "m.safetensors")
    others = [nnxp.load(tmp_path / "m.safetensors", backend=backend.spec), copy.deepcopy(model)]
    if backend.module != "array_api_strict":  # whose arrays cannot be pickled
        others.append(pickle.loads(pickle.dumps(model)))
    for other in others:
        np.testing.assert_array_equal(other.predict(X), model.predict(X))
        assert [layer.config() for layer in other.layers] == [layer.config() for layer in model.layers]
    for each in (model, *others):
        each.fit(X, y, epochs=2, batch_size=20)
    for other in others:
        np.testing.assert_array_equal(*(backend.to_numpy(m.store.values) for m in (other, model)))


@every_embedding
def test_a_frozen_one_stays(backend: Target, name: str) -> None:
    model = classifier(name, backend.spec)
    model.layers[-5].trainable = False
    before = host(backend, model.layers[-5])
    model.fit(data(20, "float32"), LABELS[:20])
    for key, value in host(backend, model.layers[-5]).items():
        np.testing.assert_array_equal(value, before[key])


def test_in_a_residual_and_by_lbfgs(backend: Target, capsys: pytest.CaptureFixture[str]) -> None:
    X, y = data(60, "float32"), LABELS[:60]
    parts = [Embedding(5, [3, 5], 2, [0, 4]), PeriodicEmbedding(7, columns=[0, 1]), Dense(13, 5)]
    layers = [Residual(parts), PiecewiseLinearEmbedding.of(X, 8, 3), Dense(15, 3), "softmax"]
    model = Sequential(layers, "categorical_crossentropy", nnxp.LBFGS(), backend=backend.spec, seed=0)
    model.fit(X, y, epochs=25)
    assert model.evaluate(X, y)["loss"] < 0.7 * math.log(3)
    model.summary()
    told = capsys.readouterr().out
    assert "PeriodicEmbedding" in told and "PiecewiseLinearEmbedding" in told
    one = Sequential([Residual([Embedding(2, [3, 4], 1)]), Dense(2, 1)], "mean_squared_error", seed=0)
    assert nnxp.check_gradients(one, [[1.0, 3.0], [2.0, 0.0]], [[1.0], [2.0]]).passed


def test_the_codes_of_an_encoder(backend: Target) -> None:
    """As `nnxp.tabular` gives them, missing and unknown words among them."""
    table = {"colour": ["red", "blue", None, "red", "blue", "green"] * 5, "size": [1.0, 2.0, 3.0, 4.0, None, 6.0] * 5}
    encoder = nnxp.tabular.Encoder(categories="codes").fit(table)
    X = encoder.transform(table)
    names = encoder.feature_names_out
    columns = [names.index(name) for name in encoder.codes]
    layer = Embedding(X.shape[1], encoder.codes.values(), 4, columns, backend=backend.spec)
    out = backend.to_numpy(layer.forward(X))
    assert out.shape == (30, X.shape[1] - 1 + 4) and np.isfinite(out).all()
    other = encoder.transform({"colour": ["violet", None], "size": [1.0, 2.0]})
    both = backend.to_numpy(layer.forward(other))[:, -4:]
    np.testing.assert_array_equal(both[0], both[1])


def test_a_layer_of_one_backend_is_one_of_another_when_copied(backend: Target) -> None:
    """The arrays made of its options stay behind."""
    layer = drawn(Embedding(2, [3, 4], 2))
    layer.forward(backend.asarray([[1.0, 3.0]], "float32"))
    assert layer._constants and not copy.deepcopy(layer)._constants
