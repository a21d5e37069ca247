"""Initial weights from the data: `initializer="data_variance"`, `Sequential.draw`, and what `fit` draws."""

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import BatchNorm, Dense, Dropout, ParametricActivation, Residual, Scaling, Sequential, initializers, random
from nnxp.network import drawing
from tests.helpers.matrix import Target
from tests.helpers.models import values

N, M, HIDDEN = 3 * drawing.ROWS // 2, 5, 8
RNG = np.random.default_rng(3)
X = (RNG.standard_normal((N, M)) * [0.1, 1.0, 30.0, 1.0, 2.0] + [0.0, 5.0, -7.0, 0.0, 1.0]).astype("float32")
Y = RNG.integers(0, 3, N)
DENSE = (1, 4, 6)


def model(backend: Any = "numpy", form: str = "ntk", **options: Any) -> Any:
    given: Any = {"parametrization": form, "initializer": "data_variance"}
    layers = [
        Scaling(M),
        Dense(M, HIDDEN, **given),
        ParametricActivation(HIDDEN, "mish"),
        Dropout(0.3),
        Dense(HIDDEN, HIDDEN, **given),
        "selu",
        Dense(HIDDEN, 3, **given),
    ]
    return Sequential(layers, "softmax_crossentropy", backend=backend, **({"seed": 1} | options))


def seen(m: Any, X: Any, i: int) -> Any:
    """The inputs of layer i as a prediction has them, layer by layer, and x W without its bias, in float64."""
    x = np.asarray(X)
    for layer in m.layers[:i]:
        x = m.backend.to_numpy(copy.copy(layer).forward(m.backend.asarray(x)))
    w = m.backend.to_numpy(m.layers[i].weights).astype(float)
    return x.astype(float) @ w * m.layers[i].scale


@pytest.mark.parametrize("form", ["ntk", "standard"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_outputs_have_variance_1_and_biases_are_within_the_data(backend: Target, form: str, dtype: str) -> None:
    m = model(backend.spec, form, dtype=dtype)
    before = {i: m.backend.to_numpy(m.layers[i].weights).astype(float) for i in DENSE}
    m.draw(X)
    eps = float(np.finfo(dtype).eps)
    for i in DENSE:
        z, layer = seen(m, X, i), m.layers[i]
        deviation = np.std(z, axis=0)
        # Rounded are an input of up to some hundred, the weights, and the sum of 8 products, against a deviation of 1.
        np.testing.assert_allclose(deviation, 1, rtol=2000 * eps)
        ratio = before[i] / m.backend.to_numpy(layer.weights)  # of N(0, 1) draws, each column by one number
        np.testing.assert_allclose(ratio, ratio[:1] + 0 * ratio, rtol=8 * eps)
        assert np.all(ratio > 0)
        biases = m.backend.to_numpy(layer.biases)[0]
        assert np.all(-np.max(z, axis=0) < biases) and np.all(biases < -np.min(z, axis=0))


def test_biases_are_those_of_5_rows_by_hand() -> None:
    """b = -Σₖ wₖ zₖ / σ, w ~ Dirichlet(1) from exponential numbers, rows with replacement."""
    z = RNG.standard_normal((40, 2)) * [1.0, 10.0] + [3.0, 0.0]
    key = random.key(5, "weights", 0)
    initializer = initializers.DataVariance()
    for cuts in ([40], [7, 40], [1, 2, 39, 40]):  # however the rows come
        parts = [z[a:b] for a, b in zip([0, *cuts], cuts, strict=False)]
        divisors, biases = initializer.from_outputs(key, parts, 40)
        np.testing.assert_allclose(divisors, np.std(z, axis=0)[None, :], rtol=1e-13)
        u, v = random.uniform(key, (2, 5, 2))
        rows, e = (u * 40).astype(int), -np.log(1 - v)
        for j in range(2):
            w = e[:, j] / e[:, j].sum()
            expected = -sum(w[k] * z[rows[k, j], j] for k in range(5)) / np.std(z[:, j])
            assert biases[0, j] == pytest.approx(expected, rel=1e-12)


def test_the_shares_of_the_rows_are_dirichlet_s() -> None:
    """Of rows that are 0, but for one in 2: b / -z is then a sum of shares that are uniform on the simplex. Its mean is
    ½ and its variance 1/4 · Σ w² = ¼ · 2 / 6."""
    n = 40_000
    z = np.zeros((2, n))
    z[1] = 1
    _, biases = initializers.DataVariance().from_outputs(random.key(0, "weights"), [z], 2)
    shares = -biases[0] / 2  # σ is ½
    assert abs(np.mean(shares) - 1 / 2) < 5 * np.sqrt(1 / 12 / n)
    assert abs(np.var(shares) - 1 / 12) < 5 * np.sqrt(1 / 80 / n)


def test_the_same_on_every_backend(backend: Target) -> None:
    """But for the rounding of the outputs, of up to some hundred, that the deviations and biases are of."""
    m, other = model(backend.spec), model("numpy")
    m.draw(X)
    other.draw(X)
    near = 100 * 2000 * float(np.finfo("float32").eps)
    np.testing.assert_allclose(values(m), values(other), rtol=near, atol=near)


def test_fit_draws_from_its_rows_once(backend: Target) -> None:
    drawn, fitted = model(backend.spec), model(backend.spec)
    drawn.draw(X)
    for m in (drawn, fitted):
        m.fit(X, Y, epochs=1, batch_size=256)
    np.testing.assert_array_equal(values(fitted), values(drawn))
    other = copy.deepcopy(fitted)
    for m in (fitted, other):
        m.fit(X * 3, Y, batch_size=256)
    np.testing.assert_array_equal(values(fitted), values(other))
    # It went on from where it was: from new weights, the scale of X would have been undone.
    fresh = model(backend.spec)
    fresh.fit(X * 3, Y, batch_size=256)
    assert not np.array_equal(values(fresh), values(fitted))


def test_fit_draws_from_the_rows_that_it_trains_on() -> None:
    m, other = model(), model()
    held_out: list[Any] = []

    def stop(state: Any) -> None:
        held_out.append(values(state.model))
        state.stop = True

    stop.events = ("begin",)  # type: ignore[attr-defined]
    m.fit(X, Y, validation_split=0.25, callbacks=[stop])
    train, _ = nnxp.data.split(Y, 0.25, 1)
    other.draw(X[train])
    np.testing.assert_array_equal(held_out[0], values(other))


def test_what_is_there_stays(tmp_path: Path) -> None:
    """Loaded, pickled, copied, assigned or trained: a fit goes on with it."""
    m = model(optimizer=nnxp.SGD(0.0))
    m.draw(X)
    path = tmp_path / "m.safetensors"
    m.save(path)
    for other in (nnxp.load(path), nnxp.load(path, backend="numpy"), pickle.loads(pickle.dumps(m)), copy.deepcopy(m)):
        other.fit(2 * X, Y)
        np.testing.assert_array_equal(values(other), values(m))
    assigned = model(optimizer=nnxp.SGD(0.0))
    assigned.layers[4].weights = np.ones((HIDDEN, HIDDEN))
    assigned.fit(X, Y)
    assert np.all(assigned.layers[4].weights == 1)
    assert not np.array_equal(assigned.layers[1].weights, model().layers[1].weights)
    trained = model()
    trained.train_step(X[:32], Y[:32])
    trained.optimizer = nnxp.SGD(0.0)
    before = values(trained)
    trained.fit(X, Y)
    np.testing.assert_array_equal(values(trained), before)


def test_a_model_saved_before_any_data_is_drawn_when_it_is_fitted(tmp_path: Path) -> None:
    m, path = model(), tmp_path / "m.safetensors"
    m.save(path)
    other = nnxp.load(path)
    for one in (m, other):
        one.fit(X, Y)
    np.testing.assert_array_equal(values(other), values(m))


def test_a_fit_that_is_resumed_draws_nothing(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    whole, cut = model(), model()
    whole.fit(X, Y, epochs=3, batch_size=512)

    def stop(state: Any) -> None:
        if state.model.step == 7:
            state.model.save(path)
            raise KeyboardInterrupt

    stop.events = ("step",)  # type: ignore[attr-defined]
    with pytest.raises(KeyboardInterrupt):
        cut.fit(X, Y, epochs=3, batch_size=512, callbacks=[stop])
    again = model()
    again.fit(X, Y, epochs=3, batch_size=512, resume=path)
    np.testing.assert_array_equal(values(again), values(whole))


def test_a_column_that_is_always_the_same_stays_finite() -> None:
    m = model()
    m.draw(np.ones((50, M)))
    assert np.isfinite(values(m)).all()
    assert np.array_equal(m.layers[1].weights, model().layers[1].weights)
    one = model()
    one.draw(X[:1])
    assert np.isfinite(values(one)).all()


def test_by_hand_and_before_any_data_it_is_standard_normal() -> None:
    layer = Dense(3, 2, initializer="data_variance", seed=4)
    np.testing.assert_array_equal(layer.weights, Dense(3, 2, initializer="standard_normal", seed=4).weights)


def test_sparse_rows_and_bytes() -> None:
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy's sparse matrices")
    given: Any = {"parametrization": "ntk", "initializer": "data_variance"}
    dense = np.where(RNG.random((300, M)) < 0.4, X[:300], 0).astype("float32")
    results = []
    for rows in (dense, nnxp.doors.sparse.SparseRows(sparse.csr_array(dense))):
        m: Any = Sequential([Dense(M, 4, **given), "selu", Dense(4, 3, **given)], "softmax_crossentropy", seed=0)
        m.draw(rows)
        results.append(values(m))
    np.testing.assert_allclose(results[0], results[1], rtol=1e-4, atol=1e-4)
    bytes_in: Any = Sequential([nnxp.Rescaling(1 / 255), Dense(M, 4, **given)], "mean_squared_error", seed=0)
    X8 = RNG.integers(0, 256, (100, M)).astype("uint8")
    bytes_in.draw(X8)
    assert np.std(X8 / 255 @ bytes_in.layers[1].weights / M**0.5, axis=0) == pytest.approx(1, rel=1e-4)


def test_memory_does_not_grow_with_the_rows() -> None:
    import tracemalloc

    def peak(n: int) -> int:
        m, rows = model(), np.tile(X, (n, 1))
        m.draw(rows)
        tracemalloc.start()
        m.draw(rows)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    few, many = peak(2), peak(20)
    assert many < few + 20_000  # 18 times the rows are 1.1 MB


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Sequential([Dense(M, 3)]).draw(X), 'got no layer with initializer="data_variance", expected one'),
        (lambda: model().draw(X[:0]), "got X with no samples"),
        (lambda: model().draw(X * np.nan), "got X with NaN or infinity, first at row 0"),
        (lambda: model().draw(X[:, :2]), "got X with 2 features, expected 5"),
        (
            lambda: model().fit(lambda: iter([(X, Y)])),
            r"got batches one by one for Dense\(5, 8, .*\), expected weights drawn before: model.draw\(X\)",
        ),
        (
            lambda: Sequential(
                [Dense(M, M), Residual([BatchNorm(M), Dense(M, M, initializer="data_variance")])], "mean_squared_error"
            ).fit(X, X),
            "got initializer='data_variance' at layer 1.layers.1, expected it at a layer of the model itself",
        ),
    ],
)
def test_errors(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_each_member_s_own(backend: Target) -> None:
    """Each by its own seed and by what its own layers make of the rows. Sums of 5 and 8 products may round otherwise
    where they are computed side by side: in float64, of inputs of up to some hundred, to 1e-11."""
    members = 3
    for by_fit in (False, True):
        many = model(backend.spec, members=members, dtype="float64", optimizer=nnxp.SGD(0.0))
        alone = [many.member(k) for k in range(members)]
        for one in (many, *alone):
            if by_fit:
                one.fit(X, Y, epochs=1, batch_size=N, shuffle=False)
            else:
                assert [layer.position for layer in drawing.waiting(one.layers, one.seeds)] == [*DENSE]
                one.draw(X)
                assert not drawing.waiting(one.layers, one.seeds)
        for k, one in enumerate(alone):
            for i in DENSE:
                for name in ("weights", "biases"):
                    got, expected = (m.backend.to_numpy(getattr(m.layers[i], name)) for m in (many, one))
                    np.testing.assert_allclose(got[k], expected, rtol=1e-9, atol=1e-9, err_msg=f"{i}.{name}")


def test_the_rest_of_a_member_s_deviation_is_its_own() -> None:
    """A column that does not vary is told by the typical size of its own network's outputs: 1e-3 is rounding beside
    1e3, whatever stands beside that network."""
    z = RNG.standard_normal((50, 4)) * [1e-3, 1e3, 1e-3, 1e-3] + [0, 1e4, 0, 1]
    initializer, keys = initializers.DataVariance(), [random.key(k, "weights") for k in range(2)]
    both = initializer.from_outputs(keys, [z], 50)
    for k, key in enumerate(keys):
        own = initializer.from_outputs(key, [z[:, 2 * k : 2 * k + 2]], 50)
        for got, expected in zip(both, own, strict=True):
            assert np.array_equal(got[:, 2 * k : 2 * k + 2], expected)
