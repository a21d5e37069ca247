"""`BatchNorm` and `LayerNorm`: against PyTorch and by hand, in a model, and what is kept beside the parameters."""

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import safetensors.numpy

import nnxp
from nnxp import SGD, BatchNorm, Dense, LayerNorm, Sequential
from nnxp.layers.normalization import Normalization
from tests.backends.test_cupy_step import allocations
from tests.helpers import hostcuda
from tests.helpers.matrix import Target, on_host_memory
from tests.helpers.models import problem

Host = npt.NDArray[Any]
KINDS = (BatchNorm, LayerNorm)
every_kind = pytest.mark.parametrize("kind", KINDS)
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
EPS = float(np.finfo(float).eps)


def normalized(x: Host, kind: Any, epsilon: float = 1e-5) -> Host:
    """In float64, by NumPy's own mean and variance."""
    axis, x = (0 if kind is BatchNorm else 1), x.astype(float)
    return (x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True) + epsilon)


def filled(layer: Any, n: int) -> Any:
    """With gains and biases that are no 1 and 0."""
    layer.gains, layer.biases = np.linspace(0.5, 2, n)[None, :], np.linspace(-1, 1, n)[None, :]
    return layer


def classifier(backend: Any = "numpy", kind: Any = BatchNorm, **options: Any) -> Sequential:
    layers = [Dense(5, 8), kind(8), "tanh", Dense(8, 3), "softmax"]
    options = {"optimizer": SGD(0.1, momentum=0.9), "seed": 1} | options
    return Sequential(layers, "categorical_crossentropy", backend=backend, **options)


def host(layer: Any, *names: str) -> list[Host]:
    """Copies of a layer's arrays."""
    return [np.array(layer.backend.to_numpy(getattr(layer, name))) for name in names]


# --- a layer by itself -----------------------------------------------------------------------------


@every_dtype
@every_kind
@pytest.mark.parametrize("shape", [(2, 1), (5, 3), (40, 33)], ids=str)
def test_forward_and_backward(backend: Target, kind: Any, dtype: str, shape: tuple[int, int]) -> None:
    """γx̂ + β; and dx from the Jacobian of x̂: s (δ - 1/n - x̂x̂'/n) along the axis. The inputs stay."""
    rng = np.random.default_rng(0)
    x, dy = (rng.uniform(-2, 2, shape).astype(dtype) for _ in range(2))
    given = [backend.asarray(a) for a in (x, dy)]
    layer = filled(kind(shape[1], dtype=dtype), shape[1])
    layer.forward(given[0], training=True)
    layer.backward(given[1])
    n = normalized(x, kind)
    gains, biases = np.linspace(0.5, 2, shape[1]), np.linspace(-1, 1, shape[1])
    axis = 0 if kind is BatchNorm else 1
    scale = 1 / np.sqrt(x.astype(float).var(axis, keepdims=True) + 1e-5)
    dx = np.zeros(shape)
    for line in range(shape[1 - axis]):
        row, g = np.take(n, line, 1 - axis), np.take(dy.astype(float) * gains, line, 1 - axis)
        jacobian = np.eye(len(row)) - 1 / len(row) - np.outer(row, row) / len(row)
        np.moveaxis(dx, 1 - axis, 0)[line] = np.take(scale, line, 1 - axis) * (jacobian @ g)
    tolerance = (max(shape) + 10) * 2 * 2 * float(np.finfo(dtype).eps)  # sums of terms up to 2 · 2
    for got, expected, size in (
        (layer.normalized, n, scale),
        (layer.output, n * gains + biases, 2 * scale),
        (layer.dgains, np.sum(dy * n, axis=0, keepdims=True), shape[0] * scale.max()),
        (layer.dbiases, np.sum(dy, axis=0, keepdims=True, dtype=float), shape[0]),
        (layer.dinputs, dx, 8 * scale**2),
    ):
        backend.assert_close(got, expected.astype(dtype), atol=tolerance * float(np.max(np.maximum(size, 1))))
    for array, before in zip(given, (x, dy), strict=True):
        backend.assert_close(array, before)


@every_kind
@pytest.mark.parametrize("training", [True, False])
def test_gradients(backend: Target, kind: Any, training: bool) -> None:
    """Also through the running statistics, which are constants; a copy is checked, so that these do not move."""
    x = np.random.default_rng(1).standard_normal((6, 3)) + np.array([[1.0, 2.0, 3.0]])
    layer = filled(kind(3, backend=backend.spec, dtype="float64"), 3)
    layer.forward(x, training=True)
    before = host(layer, *layer.stored())
    report = nnxp.check_gradients(layer, x[:4], training=training)
    assert report.passed, report
    np.testing.assert_array_equal(before, host(layer, *layer.stored()))


def test_gradients_are_checked_with_the_layers_own_statistics() -> None:
    layer = BatchNorm(2)
    layer.running_variance = [[1e12, 1e12]]
    report = nnxp.check_gradients(layer, [[1.0, 2.0], [3.0, -1.0]])
    assert all(abs(w.got) < 1e-5 for w in report.worst if w.gradient != "dbiases")


def test_the_running_statistics_are_pytorchs(backend: Target) -> None:
    """Known by hand: rows 1 and 3 have the mean 2, the biased variance 1 and the unbiased one 2."""
    layer = BatchNorm(1, momentum=0.25, backend=backend.spec, dtype="float64")
    layer.forward([[1.0], [3.0]], training=True)
    backend.assert_close(layer.running_mean, np.array([[0.25 * 2]]))
    backend.assert_close(layer.running_variance, np.array([[0.75 * 1 + 0.25 * 2]]))
    output = layer.forward([[1.0], [2.5]])
    expected = (np.array([[1.0], [2.5]]) - 0.5) / np.sqrt(1.25 + 1e-5)
    backend.assert_close(output, expected, rtol=4 * EPS)
    backend.assert_close(layer.running_mean, np.array([[0.5]]))  # predicting does not move them
    assert layer.backward([[1.0], [1.0]]).shape == (2, 1)
    backend.assert_close(layer.dinputs, np.full((2, 1), 1 / np.sqrt(1.25 + 1e-5)), rtol=4 * EPS)


def test_the_inputs_gradient_that_nobody_reads_is_left_out() -> None:
    for layer in (BatchNorm(2), LayerNorm(2)):
        layer.forward([[1.0, 2.0], [4.0, 3.0]], training=True)
        layer.needs_dinputs = False
        assert layer.backward([[1.0, 0.0], [0.0, 1.0]]) is None
        assert layer.dbiases.tolist() == [[1, 1]]
        with pytest.raises(nnxp.NotComputedError):
            _ = layer.dinputs


@every_kind
def test_no_rows(backend: Target, kind: Any) -> None:
    layer = kind(3)
    x = backend.asarray(np.zeros((0, 3), np.float32))
    backend.assert_close(layer.forward(x), np.zeros((0, 3), np.float32))
    backend.assert_close(layer.backward(x), np.zeros((0, 3), np.float32))
    backend.assert_close(layer.dgains, np.zeros((1, 3), np.float32))


@every_kind
def test_what_is_constant_has_no_variance(backend: Target, kind: Any) -> None:
    """x̂ is 0, however large the constant, and nothing divides by 0."""
    layer = kind(4, backend=backend.spec)
    for value in (0.0, 0.1, 1e10):
        layer.forward(np.full((7, 4), value, np.float32), training=True)
        layer.backward(np.ones((7, 4), np.float32))
        bound = 1e3 * value * 2.0**-24  # the mean's rounding, by at most 1 / √ε
        np.testing.assert_allclose(*host(layer, "output"), 0, atol=bound)
        assert np.isfinite(host(layer, "dinputs")[0]).all()


@pytest.mark.parametrize("given", [False, True], ids=["new", "out"])
@every_kind
def test_a_large_mean_costs_no_accuracy(backend: Target, kind: Any, given: bool) -> None:
    """float32 around 10,000, against float64 of the same numbers: the mean is rounded once or twice, the variance has
    the error of its sum. E[x²] - E[x]² would be off by some 10,000² · 2⁻²⁴ = 6 where the variance is 1."""
    x = (np.random.default_rng(0).standard_normal((20000, 64)) + 1e4).astype(np.float32)
    axis, name = (0, "column_moments") if kind is BatchNorm else (1, "row_moments")
    x = x if axis == 0 else np.ascontiguousarray(x.T)
    make = nnxp.get_backend(backend.spec)
    variance = x.astype(float).var(axis, keepdims=True)
    out = tuple(make.asarray(0 * variance, dtype="float32", copy=True) for _ in range(3)) if given else None
    got = make.kernels[name](backend.asarray(x), 1e-5, out=out)
    exact = x.astype(float).mean(axis, keepdims=True), variance, 1 / np.sqrt(variance + 1e-5)
    for result, value, error in zip(got, exact, (2 * 1e4 * 2.0**-24, 1e-5, 1e-5), strict=True):
        np.testing.assert_allclose(backend.to_numpy(result), value, rtol=0, atol=error)


@every_kind
def test_a_layer_around_a_large_mean(backend: Target, kind: Any) -> None:
    """x̂ has the error of the mean, 10,000 · 2⁻²⁴, over the deviation."""
    x = (np.random.default_rng(0).standard_normal((200, 100)) + 1e4).astype(np.float32)
    layer = kind(100, backend=backend.spec)
    got = backend.to_numpy(layer.forward(x, training=True))
    np.testing.assert_allclose(got, normalized(x, kind), rtol=0, atol=4 * 1e4 * 2.0**-24)


@pytest.mark.parametrize("rows", [0, 1])
def test_one_row_has_no_variance_to_train_on(backend: Target, rows: int) -> None:
    layer = BatchNorm(2, backend=backend.spec)
    message = rf"got a batch with {rows} rows? to train on, expected at least 2.*larger batch_size, or LayerNorm"
    with pytest.raises(ValueError, match=message):
        layer.forward(np.ones((rows, 2)), training=True)
    backend.assert_close(layer.forward(np.ones((1, 2))), np.full((1, 2), 1 / np.sqrt(1 + 1e-5), np.float32), rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: BatchNorm(0), "got n=0, expected a whole number from 1 up"),
        (lambda: LayerNorm(2.5), "got n=2.5, expected a whole number"),
        (lambda: BatchNorm(2, momentum=1.5), "got momentum=1.5, expected a number from 0 up to but not"),
        (lambda: BatchNorm(2, epsilon=0), "got epsilon=0, expected a number above 0"),
        (lambda: LayerNorm(2, epsilon=-1.0), "got epsilon=-1.0, expected a number above 0"),
        (lambda: BatchNorm(3).forward([[1.0]]), r"got 1 features a sample, expected 3: this layer is BatchNorm\(3\)"),
        (lambda: Sequential([Dense(2, 3), LayerNorm(4)]), "layer 1 does not fit the one before it: got 3 features"),
        (lambda: setattr(BatchNorm(3), "running_mean", [[1.0]]), r"got running_mean of shape \(1, 1\), expected"),
    ],
)
def test_bad_layers(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_backward_before_forward_says_so() -> None:
    for layer in (BatchNorm(2), LayerNorm(2)):
        with pytest.raises(nnxp.NotComputedError, match="has no normalized: call forward"):
            layer.backward([[1.0, 2.0]])


# --- against PyTorch -------------------------------------------------------------------------------

STEPS = 100


def twin_of(model: Sequential) -> Any:
    """The same model of PyTorch, in float64, with the same initial weights."""
    import torch

    made: list[Any] = []
    for layer in model.layers:
        if isinstance(layer, Dense):
            made.append(torch.nn.Linear(layer.n_in, layer.n_out))
        elif isinstance(layer, BatchNorm):
            made.append(torch.nn.BatchNorm1d(layer.n, eps=layer.epsilon, momentum=layer.momentum))
        elif isinstance(layer, LayerNorm):
            made.append(torch.nn.LayerNorm(layer.n, eps=layer.epsilon))
        else:
            made.append(torch.nn.Tanh())
    net = torch.nn.Sequential(*made).double()
    with torch.no_grad():
        for layer, module in zip(model.layers, net, strict=True):
            if isinstance(layer, Dense):
                weights, biases = host(layer, "weights", "biases")
                module.weight.copy_(torch.from_numpy(weights.T.copy()))
                module.bias.copy_(torch.from_numpy(biases[0]))
    return net


def test_a_hundred_steps_are_pytorchs(backend: Target) -> None:
    """An MLP in float64: each step's loss; at the end the gradients, the running statistics and the predictions."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nox -s full has it")
    layers = [Dense(5, 9), BatchNorm(9), "tanh", Dense(9, 7), LayerNorm(7), "tanh", BatchNorm(7, momentum=0.3)]
    layers += [Dense(7, 3)]
    rule = SGD(0.05, momentum=0.9)
    model = Sequential(layers, "mean_squared_error", rule, backend=backend.spec, dtype="float64", seed=4)
    rng = np.random.default_rng(2)
    X, Y = rng.standard_normal((50, 5)) + 2, rng.standard_normal((50, 3))
    _ = model.store
    net = twin_of(model)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for step in range(STEPS):
        rows = rng.permutation(50)[: 20 if step % 5 else 7]
        optimizer.zero_grad()
        expected = torch.nn.functional.mse_loss(net(torch.from_numpy(X[rows])), torch.from_numpy(Y[rows]))
        expected.backward()
        optimizer.step()
        loss = model.train_step(X[rows], Y[rows])
        backend.assert_close(loss, np.asarray(expected.item()), rtol=1e-10)
    net.eval()
    with torch.no_grad():
        np.testing.assert_allclose(model.predict(X), net(torch.from_numpy(X)).numpy(), rtol=0, atol=1e-10)
    for layer, module in zip(model.layers, net, strict=True):
        if isinstance(layer, Normalization):
            names = ("gains", "biases", "dgains", "dbiases")
            theirs = [module.weight, module.bias, module.weight.grad, module.bias.grad]
            if isinstance(layer, BatchNorm):
                names += layer.untrained
                theirs += [module.running_mean, module.running_var]
            for got, want in zip(host(layer, *names), theirs, strict=True):
                np.testing.assert_allclose(got[0], want.detach().numpy(), rtol=0, atol=1e-10)
                assert np.ptp(got) > 0


# --- in a model ------------------------------------------------------------------------------------


def test_what_is_not_trained_stands_last_and_has_no_gradient() -> None:
    model = classifier()
    store = model.store
    assert [(e.owner, e.name, e.kind) for e in store.entries] == [
        (0, "weights", "weights"),
        (3, "weights", "weights"),
        (0, "biases", "biases"),
        (1, "gains", "biases"),
        (1, "biases", "biases"),
        (3, "biases", "biases"),
        (1, "running_mean", "state"),
        (1, "running_variance", "state"),
    ]
    assert store.values.shape[0] == store.trained + 16 and store.gradients.shape[0] == store.trained


def test_the_dense_layer_before_begins_as_the_activation_wants() -> None:
    """The order is Dense, normalisation, activation."""
    plain = Sequential([Dense(5, 8), "relu"], seed=1)
    for kind in KINDS:
        model = Sequential([Dense(5, 8), kind(8), "relu"], seed=1)
        np.testing.assert_array_equal(*host(model.layers[0], "weights"), *host(plain.layers[0], "weights"))


@every_kind
def test_it_learns_and_decay_leaves_the_gains_out(backend: Target, kind: Any) -> None:
    X, y = problem(60)
    rule = nnxp.AdamW(0.01, weight_decay=0.1, decay_biases=False)
    model = classifier(backend.spec, kind, optimizer=rule)
    model.fit(X, y, epochs=30, batch_size=20)
    assert model.evaluate(X, y)["accuracy"] > 0.95
    gains = host(model.layers[1], "gains")[0]
    still = classifier(backend.spec, kind, optimizer=nnxp.AdamW(0.0, weight_decay=0.5, decay_biases=False))
    still.fit(X, y, batch_size=20)
    np.testing.assert_array_equal(host(still.layers[1], "gains")[0], 1)
    assert np.ptp(gains) > 0


@every_kind
def test_predictions_are_those_of_the_layers_one_by_one(backend: Target, kind: Any) -> None:
    X, y = problem()
    model = classifier(backend.spec, kind)
    model.fit(X, y, epochs=2, batch_size=8)
    before = host(model.layers[1], *model.layers[1].stored())
    np.testing.assert_allclose(
        model.predict(X), backend.to_numpy(model.forward(backend.asarray(X))), rtol=0, atol=2.0**-20
    )
    np.testing.assert_array_equal(before, host(model.layers[1], *model.layers[1].stored()))


def test_a_short_last_batch_of_one_row_is_normalised_by_the_running_statistics(backend: Target) -> None:
    X, y = problem(9, "float64")
    model = classifier(backend.spec, dtype="float64")
    model.fit(X, y, epochs=2, batch_size=4)
    bn = model.layers[1]
    model.train_step(X[:4], y[:4])
    before = host(bn, "running_mean", "running_variance")
    twin = copy.deepcopy(model)
    loss = model.train_step(X[4:5], y[4:5])
    np.testing.assert_array_equal(before, host(bn, "running_mean", "running_variance"))
    backend.assert_close(loss, np.asarray(float(twin.loss.calculate(twin.forward(X[4:5]), y[4:5]))), rtol=64 * EPS)
    twin.backward(y[4:5])
    gradients = [backend.to_numpy(m.store.gradients) for m in (model, twin)]
    np.testing.assert_allclose(*gradients, rtol=0, atol=64 * EPS)


def test_batches_of_one_row_are_refused(backend: Target) -> None:
    X, y = problem(9)
    model = classifier(backend.spec)
    model.fit(X, y, batch_size=4)
    with pytest.raises(ValueError, match="got a batch with 1 row to train on, expected at least 2"):
        model.fit(X, y, batch_size=1)


def test_weights_go_back_with_the_statistics_of_their_time(backend: Target) -> None:
    """Where a loss is not finite."""
    X, y = problem(32)
    model = classifier(backend.spec, optimizer=SGD(0.1))
    model.fit(X, y, batch_size=8)
    model.optimizer.learning_rate = 3e38  # which float32 holds, and what it makes of weights soon not
    seen = []

    def batches() -> Any:
        for rows in (slice(0, 8), slice(8, 16)):
            yield X[rows], y[rows]
            seen.append(backend.to_numpy(model.store.values).copy())

    with pytest.raises(nnxp.NonFiniteLossError):
        model.fit(batches)
    values = backend.to_numpy(model.store.values)
    assert np.isfinite(values).all()
    np.testing.assert_array_equal(values[model.store.trained :], seen[0][model.store.trained :])


# --- copies and files ------------------------------------------------------------------------------


def test_from_a_file(backend: Target, tmp_path: Path) -> None:
    X, y = problem()
    model = classifier(backend.spec, optimizer="adam")
    model.layers[1].momentum = 0.4
    model.fit(X, y, epochs=2, batch_size=8)
    model.save(tmp_path / "m.safetensors")
    loaded = nnxp.load(tmp_path / "m.safetensors", backend=backend.spec)
    assert loaded.layers[1].config() == {"class": "BatchNorm", "n": 8, "momentum": 0.4, "epsilon": 1e-5}
    np.testing.assert_array_equal(*[backend.to_numpy(m.store.values) for m in (loaded, model)])
    for one in (model, loaded):
        one.fit(X, y, epochs=2, batch_size=8)
    np.testing.assert_array_equal(*[backend.to_numpy(m.store.values) for m in (loaded, model)])
    tensors = safetensors.numpy.load_file(tmp_path / "m.safetensors")
    assert {"1.gains", "1.biases", "1.running_mean", "1.running_variance"} < {*tensors}
    assert tensors["optimizer.momentum"].shape == (model.store.trained,)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))], ids=["copy", "pickle"])
@every_kind
def test_a_copy_has_statistics_of_its_own(backend: Target, kind: Any, copied: Any) -> None:
    if backend.module == "array_api_strict" and copied is not copy.deepcopy:
        pytest.skip("arrays of array-api-strict cannot be pickled")
    x = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    layer = kind(3, backend=backend.spec)
    layer.forward(x, training=True)
    before = host(layer, *layer.stored())
    twin = copied(layer)
    np.testing.assert_array_equal(host(twin, *twin.stored()), before)
    twin.forward(x + 1, training=True)
    twin.gains = np.zeros((1, 3))
    np.testing.assert_array_equal(host(layer, *layer.stored()), before)
    assert layer.backward(x).shape == (5, 3)


def test_a_copied_model_has_statistics_of_its_own() -> None:
    X, y = problem()
    model = classifier()
    model.fit(X, y, batch_size=8)
    before = model.store.values.copy()
    twin = copy.deepcopy(model)
    twin.fit(X, y, batch_size=8)
    np.testing.assert_array_equal(model.store.values, before)
    model.fit(X, y, batch_size=8)
    np.testing.assert_array_equal(model.store.values, twin.store.values)


# --- on CuPy ---------------------------------------------------------------------------------------


@pytest.mark.matrix
@pytest.mark.skipif(not on_host_memory(), reason="CuPy is not on host memory here: `nox -s cupy_on_host`")
@every_kind
def test_the_launches_of_a_step(kind: Any) -> None:
    """Of `BatchNorm` the moments, x̂ with the output, the running statistics, and backward the sums and dx; of
    `LayerNorm` the moments, x̂ with the output, and the sums of columns, those of rows and dx."""
    import cupy

    X, y = map(cupy.asarray, problem(40))
    counts = []
    for kinds in ((), (kind,)):  # without and with
        layers = [Dense(5, 8), *(k(8) for k in kinds), Dense(8, 3), "softmax"]
        model = Sequential(layers, "categorical_crossentropy", "adam", backend="cupy", seed=0)
        for _ in range(2):
            model.train_step(X, y)
        hostcuda.counters(reset=True)
        asked = allocations(lambda model=model: model.train_step(X, y))
        seen = hostcuda.counters()
        assert asked == 1  # the loss, which the caller keeps
        assert not any(seen[name] for name in ("syncs", "d2h", "h2d", "d2d", "mallocs"))
        counts.append(seen["launches"])
    assert counts[1] - counts[0] == 5
