"""A model from its outside: how it is built, what its doors take and give, and what it says of itself."""

import copy
import gc
import pickle
from itertools import pairwise
from typing import Any

import array_api_strict
import numpy as np
import pytest

import nnxp
from nnxp import Dense, Dropout, Layer, Linear, NotComputedError, Rescaling, Sequential, random
from nnxp.activations import ACTIVATIONS
from nnxp.doors.naming import snake_case
from nnxp.initializers import get_initializer
from nnxp.losses import LOSSES
from nnxp.optimizers import OPTIMIZERS
from nnxp.training.given import training_data
from tests.helpers import matrix
from tests.helpers.matrix import Target
from tests.helpers.models import CLASSES, Scale, classifier, problem, values, with_everything

INITIALIZERS = {  # the initializer of a dense layer in front of each activation
    "he_normal": ("ReLU", "LeakyReLU", "ELU", "GELU", "SiLU", "Mish", "Softplus"),
    "glorot_uniform": ("Linear", "Sigmoid", "Tanh", "Softmax"),
    "lecun_normal": ("SELU",),
}


def _of_another_library(backend: Target, x: Any) -> Any:
    return array_api_strict.asarray(x) if backend.module == "numpy" else np.asarray(x)


# --- building ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda cls: cls.__name__)
def test_every_loss_and_optimizer_by_name_object_and_class(loss: Any, optimizer: Any) -> None:
    end = {"CategoricalCrossentropy": ["softmax"], "BinaryCrossentropy": ["sigmoid"]}.get(loss.__name__, [])
    X, y = problem()
    y = y if "Binary" not in loss.__name__ and "Sigmoid" not in loss.__name__ else np.eye(CLASSES)[y]
    y = y if loss.classifies else np.abs(X[:, :CLASSES])  # counts are not below 0
    runs = []
    for named, rule in (
        (snake_case(loss.__name__), snake_case(optimizer.__name__)),
        (loss(), optimizer()),
        (loss, optimizer),
    ):
        model = Sequential([Dense(5, CLASSES), *end], loss=named, optimizer=rule, seed=0)
        runs.append(model.fit(X, y, epochs=2)["loss"])
    assert runs[0] == runs[1] == runs[2] and runs[0][1] < runs[0][0]


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda cls: cls.__name__)
def test_activations_by_name(activation: Any) -> None:
    assert type(Sequential([Dense(5, 2), snake_case(activation.__name__)]).layers[1]) is activation


@pytest.mark.parametrize(
    ("layers", "loss", "message"),
    [
        ([], None, "no layers"),
        ([Dense(2, 3), "rellu"], None, "did you mean 'relu'"),
        ([Dense(2, 3), Dense(4, 2)], None, "layer 1 does not fit the one before it: got 3 features"),
        ([Rescaling([1.0, 2.0]), Dense(3, 2)], None, "layer 1 does not fit"),
        ([Dense(2, 3), "relu"], "categorical_crossentropy", r"end with Softmax\(\), or use"),
        ([Dense(2, 3), "softmax"], "binary_crossentropy", r"end with Sigmoid\(\), or use"),
        ([Dense(2, 3), "softmax"], "softmax_crossentropy", r"leave Softmax\(\) out"),
        ([Dense(2, 3), "sigmoid"], nnxp.BinaryCrossentropy(from_logits=True), r"leave Sigmoid\(\) out"),
        ([Dense(2, 3), "softmax", "softmax"], "categorical_crossentropy", "leave the first out"),
        ([Dense(2, 3)], "mean_square_error", "did you mean 'mean_squared_error'"),
    ],
)
def test_what_does_not_fit_is_refused_when_it_is_built(layers: Any, loss: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sequential(layers, loss=loss)


def test_other_mistakes_in_building() -> None:
    shared = Dense(2, 2)
    with pytest.raises(ValueError, match="one layer twice"):
        Sequential([shared, shared])
    with pytest.raises(TypeError, match=r"expected a layer such as Dense\(2, 3\)"):
        Sequential([Dense])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="float32"):
        Sequential([Dense(2, 2)], dtype="float16")
    with pytest.raises(ValueError, match="expected one to train"):
        Sequential([Dense(2, 2)]).fit([[1, 2]], [0])
    with pytest.raises(ValueError, match="without a loss, expected one"):
        Sequential([Dense(2, 2)]).backward([0])
    with pytest.raises(ValueError, match="this Dense has dtype='float64', its model 'float32'"):
        Sequential([Dense(2, 2, dtype="float64")], dtype="float32", backend="numpy")
    with pytest.raises(nnxp.BackendMismatchError, match="array_api_strict.*give backend= to the model only"):
        Sequential([Dense(2, 2, backend="array_api_strict")], backend="numpy")


def test_a_layer_is_in_one_model_and_free_when_that_is_gone(backend: Target) -> None:
    X, y = problem()
    shared = [Dense(5, CLASSES), Dropout(0.5), nnxp.Softmax()]
    options = {"loss": "categorical_crossentropy", "optimizer": "sgd"}
    first, alone = (
        Sequential(layers, seed=1, backend=backend.spec, **options)  # type: ignore[arg-type]
        for layers in (shared, copy.deepcopy(shared))
    )
    with pytest.raises(ValueError, match=r"already belongs to another model.*copy\.deepcopy"):
        Sequential(shared, seed=2, backend="numpy" if backend.spec != "numpy" else "array_api_strict")
    assert first.fit(X, y)["loss"] == alone.fit(X, y)["loss"]  # the attempt changed nothing
    trained = values(first)
    gc.disable()
    try:
        del first
        second = Sequential(shared, backend=backend.spec)
    finally:
        gc.enable()
    np.testing.assert_array_equal(values(second), trained)


def test_an_optimizer_trains_one_model() -> None:
    optimizer = nnxp.SGD()
    model = Sequential([Dense(5, CLASSES)], "mean_squared_error", optimizer, seed=1)
    with pytest.raises(ValueError, match="this SGD already belongs to another model"):
        Sequential([Dense(5, CLASSES)], "mean_squared_error", optimizer)
    Sequential([Dense(5, CLASSES)], "mean_squared_error", copy.deepcopy(optimizer))
    assert model.optimizer is optimizer


def test_two_models_of_two_backends_may_share_a_loss_object() -> None:
    loss, (X, _) = nnxp.MeanSquaredError(), problem()
    models = [
        Sequential([Dense(5, 1)], loss=loss, backend=spec, seed=0, optimizer="sgd")
        for spec in ("numpy", "array_api_strict")
    ]
    for model in models:
        model.fit(X, X[:, 0])
    np.testing.assert_allclose(models[0].history["loss"], models[1].history["loss"], rtol=24 * 2.0**-23)


# --- initial weights -----------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("between", [(), (Dropout(0.5),)], ids=["directly", "after dropout"])
def test_the_initializer_suits_the_activation_that_follows(activation: Any, between: Any) -> None:
    (name,) = [name for name, users in INITIALIZERS.items() if activation.__name__ in users]
    layers = [Dense(6, 4), *copy.deepcopy(between), activation(), Dense(4, 2)]
    model = Sequential(layers, backend="numpy", seed=7)
    for position, shape, expected in ((0, (6, 4), name), (2 + len(between), (4, 2), "glorot_uniform")):
        draw = get_initializer(expected).draw(random.key(7, "weights", position, 0), shape)
        layer: Any = model.layers[position]
        np.testing.assert_array_equal(layer.weights, draw.astype(np.float32))
        assert not layer.biases.any()


def test_weights_that_were_chosen_stay(backend: Target) -> None:
    trained, given, named = Dense(2, 2, seed=3), Dense(2, 2), Dense(2, 2, initializer="zeros")
    before = np.array(trained.weights)
    given.weights, given.biases = [[1.0, 2.0], [3.0, 4.0]], [5.0, 6.0]
    Sequential([trained, "relu", given, "relu", named], backend=backend.spec, seed=0)
    backend.assert_close(trained.weights, before)
    backend.assert_close(given.weights, np.asarray([[1, 2], [3, 4]], dtype=np.float32))
    backend.assert_close(given.biases, np.asarray([[5, 6]], dtype=np.float32))
    backend.assert_close(named.weights, np.zeros((2, 2), dtype=np.float32))


def test_a_look_at_the_weights_draws_them_with_the_model_s_seed() -> None:
    model, expected = classifier(), classifier("numpy")
    np.testing.assert_array_equal(model.layers[0].weights, expected.layers[0].weights)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(values(model), values(expected))


@pytest.mark.parametrize("other", matrix.selected(), ids=lambda target: target.name)
def test_a_layer_that_was_used_alone_moves_into_a_model_elsewhere(backend: Target, other: Target) -> None:
    used, assigned = Dense(5, 2), Dense(5, 2)
    used.forward(backend.asarray(problem()[0]))
    assigned.weights = used.weights
    expected = backend.to_numpy(used.weights)
    for layer in (used, assigned):
        Sequential([layer], backend=other.spec)
        other.assert_close(layer.weights, expected)


def test_the_seed_gives_the_same_weights_on_every_backend(backend: Target) -> None:
    for dtype in ("float32", "float64"):
        model, expected = (classifier(spec, dtype=dtype) for spec in (backend.spec, "numpy"))
        backend.assert_close(model.layers[0].weights, expected.layers[0].weights)  # type: ignore[attr-defined]
        backend.assert_close(model.store.values, values(expected))
    assert not np.array_equal(values(classifier(seed=1)), values(classifier(seed=2)))
    assert not np.array_equal(values(classifier(seed=None)), values(classifier(seed=None)))


# --- predict -------------------------------------------------------------------------------------------


def test_predict_returns_a_new_array_where_X_lives(backend: Target) -> None:
    X, _ = problem()
    model = classifier()
    expected = classifier("numpy").predict(X)
    x = backend.asarray(X)
    first, second = model.predict(x), model.predict(x)
    backend.assert_close(first, expected, atol=32 * 2.0**-24)  # products of 5 and 8 terms, tanh, a softmax
    backend.assert_close(model.predict(X.tolist()), backend.to_numpy(first)) if backend.module == "numpy" else None
    assert first is not second
    if backend.module != "array_api_strict":
        kept = backend.to_numpy(first)
        second[...] = 0
        np.testing.assert_array_equal(backend.to_numpy(first), kept)
    np.testing.assert_array_equal(backend.to_numpy(x), X)


def test_a_named_backend_takes_lists_and_numpy_and_answers_in_kind(backend: Target) -> None:
    X, _ = problem()
    model = classifier(backend.spec)
    inside = model.predict(backend.asarray(X))
    backend.assert_close(inside, backend.to_numpy(inside))
    for given in (X, X.astype(np.float64), X.tolist()):
        outside = model.predict(given)
        assert type(outside) is np.ndarray and outside.dtype == np.float32 and outside.flags.writeable
        np.testing.assert_allclose(outside, backend.to_numpy(inside), rtol=2.0**-21)


@pytest.mark.parametrize("layers", [[Linear()], [Dropout(0.5)], [Rescaling(1.0)]], ids=["linear", "dropout", "scale"])
def test_predictions_never_are_X_itself(backend: Target, layers: list[Layer]) -> None:
    X, _ = problem()
    x = backend.asarray(X)
    result = Sequential(copy.deepcopy(layers)).predict(x)
    result[...] = 0
    np.testing.assert_array_equal(backend.to_numpy(x), X)


def test_predict_in_parts_is_predict_in_one(backend: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = problem(21)
    model = with_everything(backend.spec)
    whole, record = model.predict(X), model.evaluate(X, y)
    monkeypatch.setattr("nnxp.training.fitting.PREDICTION_BATCH", 8)
    np.testing.assert_allclose(model.predict(X), whole, rtol=8 * 2.0**-23)
    assert model.evaluate(X, y) == pytest.approx(record, rel=21 * 2.0**-23)
    assert model.predict(X[:0]).shape == (0, CLASSES)
    assert model.predict(X[:1]).shape == (1, CLASSES)


def test_nan_goes_through_predict() -> None:
    X, _ = problem()
    X[1, 2] = np.nan
    assert np.isnan(classifier().predict(X)).any(axis=1).nonzero()[0].tolist() == [1]


@pytest.mark.parametrize("made", ["list", "numpy", "own"])
@pytest.mark.parametrize("order", ["C", "F", "strided", "reversed"])
def test_inputs_in_every_layout(backend: Target, made: str, order: str) -> None:
    X, y = problem()
    given: Any = {
        "C": X,
        "F": np.asfortranarray(X),
        "strided": np.repeat(X, 2, axis=0)[::2],
        "reversed": np.flip(X).copy()[::-1, ::-1],  # strides below 0
    }[order]
    labels: Any = y
    if made == "own":
        given, labels = backend.asarray(given), backend.asarray(y)
    elif made == "list":
        given, labels = given.tolist(), y.tolist()
    model, expected = classifier(backend.spec), classifier(backend.spec)
    model.fit(given, labels, epochs=2)
    expected.fit(X, y, epochs=2)
    np.testing.assert_array_equal(values(model), values(expected))


def test_the_first_X_decides_and_another_library_is_refused(backend: Target) -> None:
    X, y = problem()
    model = classifier()
    model.fit(backend.asarray(X), y)  # y moves to X
    assert model.backend.name == backend.spec
    stranger = _of_another_library(backend, X)
    for call in (model.predict, lambda x: model.fit(x, y), lambda x: model.train_step(x, y)):
        with pytest.raises(nnxp.BackendMismatchError, match=f'follows {backend.spec}.*build .* with backend="'):
            call(stranger)
    model.predict(X.tolist())  # a list belongs to nobody


def test_bytes_stay_bytes_and_are_not_rescaled(backend: Target) -> None:
    X = np.arange(20, dtype=np.uint8).reshape(4, 5) * 12
    plain = classifier(backend.spec)
    data = training_data(plain, lambda: plain.training.plan, backend.asarray(X), [0, 1, 2, 0], None, 2)
    assert str(data.X.dtype).endswith("uint8")
    np.testing.assert_array_equal(plain.predict(X), plain.predict(X.astype(np.float32)))
    scaled = Sequential([Rescaling(1 / 255), Dense(5, 2)], backend=backend.spec, seed=0)
    by_hand = Sequential([Linear(), Dense(5, 2)], backend=backend.spec, seed=0)
    np.testing.assert_allclose(
        scaled.predict(X), by_hand.predict(X.astype(np.float32) / 255), rtol=0, atol=16 * 2.0**-24
    )


def test_evaluate_is_the_loss_and_the_metric_by_hand(backend: Target) -> None:
    X, y = problem(dtype="float64")
    w = np.arange(len(y)) % 4.0
    model = with_everything(backend.spec, dtype="float64")
    p = model.predict(X)
    first, last = (backend.to_numpy(layer.weights) for layer in model.layers if isinstance(layer, Dense))
    penalty = 1e-3 * (first**2).sum() + 1e-3 * abs(last).sum()
    record = model.evaluate(backend.asarray(X), y, sample_weight=w)
    assert record["loss"] == pytest.approx(-(w * np.log(p[np.arange(len(y)), y])).sum() / w.sum() + penalty)
    assert record["accuracy"] == pytest.approx((w * (p.argmax(axis=1) == y)).sum() / w.sum())
    assert {type(value) for value in record.values()} == {float}


def test_rmse_of_a_regression() -> None:
    X, _ = problem(dtype="float64")
    model = Sequential([Dense(5, 2)], loss="mean_absolute_error", dtype="float64")
    error = model.predict(X) - X[:, :2]
    record = model.evaluate(X, X[:, :2])
    assert record["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    assert record["loss"] == pytest.approx(abs(error).mean())


# --- layer by layer ------------------------------------------------------------------------------------


def test_forward_and_backward_keep_everything(backend: Target) -> None:
    X, y = problem()
    model = with_everything(backend.spec)
    out = model.forward(X)
    np.testing.assert_allclose(backend.to_numpy(out), model.predict(X), rtol=4 * 2.0**-23)
    dinputs = model.backward(y)
    widths = [5, 8, 8, 8, CLASSES, CLASSES]
    for layer, (n_in, n_out) in zip(model.layers, pairwise(widths), strict=True):
        assert tuple(layer.inputs.shape) == tuple(layer.dinputs.shape) == (24, n_in)
        assert tuple(layer.output.shape) == (24, n_out)
    assert dinputs is model.layers[0].dinputs
    assert all(layer.inputs is before.output for before, layer in pairwise(model.layers))


def test_a_prediction_between_forward_and_backward_disturbs_nothing(backend: Target) -> None:
    X, y = problem()
    gradients = []
    for disturbed in (False, True):
        model = with_everything(backend.spec)
        model.forward(X, training=True)
        if disturbed:
            model.predict(X[1:])
            model.evaluate(X[:5], y[:5])
        model.backward(y)
        gradients.append(backend.to_numpy(model.store.gradients))
    np.testing.assert_array_equal(*gradients)


def test_what_the_step_leaves_out_says_where_it_is(backend: Target) -> None:
    X, y = problem()
    model = Sequential(
        [Rescaling(2.0), Dense(5, CLASSES), "softmax"], loss="categorical_crossentropy", backend=backend.spec
    )
    missing = [(2, "inputs"), (2, "output"), (2, "dinputs"), (1, "dinputs"), (0, "dinputs")]

    def check() -> None:
        for position, name in missing:
            with pytest.raises(NotComputedError, match=r"model\.forward\(X\) and then model\.backward\(y\)"):
                getattr(model.layers[position], name)

    check()  # before anything
    model.train_step(X, y)
    check()
    model.forward(X), model.backward(y)
    for position, name in missing:
        assert getattr(model.layers[position], name).shape[0] == len(X)
    model.fit(X, y)
    check()  # nothing stale


def test_an_own_layer_trains_in_a_model(backend: Target) -> None:
    X, y = problem()
    model = classifier(backend.spec, inserted=(Scale(8),))
    losses = model.fit(X, y, epochs=20, batch_size=8)["loss"]
    assert losses[-1] < losses[0]
    assert (backend.to_numpy(model.layers[2].scale) != 1).all()  # type: ignore[attr-defined]
    report = nnxp.check_gradients(classifier(backend.spec, inserted=(Scale(8),)), X[:4], y[:4])
    assert report.passed, str(report)


class Halves(Layer):
    """Every second feature: an own layer that changes the width and does not say so."""

    def forward(self, inputs: Any, training: bool = False) -> Any:
        self.inputs, self.output = inputs, inputs[:, ::2]
        return self.output

    def backward(self, dvalues: Any) -> Any:
        self.dinputs = self.backend.xp.zeros_like(self.inputs)
        self.dinputs[:, ::2] = dvalues
        return self.dinputs


@pytest.mark.parametrize("position", [0, 1, 2], ids=["first", "between", "last"])
def test_an_own_layer_may_change_the_width(backend: Target, position: int) -> None:
    X, y = problem()
    widths = [[5, 3, 2, 2], [5, 6, 3, 2], [5, 4, 4, 2]][position]
    layers: list[Any] = [Dense(*pair) for i, pair in enumerate(pairwise(widths)) if i != position]
    layers.insert(position, Halves())
    model = Sequential(layers, loss="mean_squared_error", backend=backend.spec, seed=0)
    model.summary()
    assert model.fit(X, X[:, :2], epochs=2)["loss"][1] < model.history["loss"][0]
    assert model.predict(X).shape == (24, 2)
    for call in (model.fit, model.evaluate, model.train_step):
        with pytest.raises(ValueError, match=r"expected \(n, 2\)"):
            call(X, y)  # never broadcast


class RunningMean(Layer):
    """An own layer with state: subtracts the mean of the last batch it was trained on."""

    mean = 0.0

    def forward(self, inputs: Any, training: bool = False) -> Any:
        self.inputs = inputs
        if training:
            self.mean = self.backend.kernels["column_sums"](inputs) * (1 / inputs.shape[0])
        self.output = inputs - self.mean
        return self.output

    def backward(self, dvalues: Any) -> Any:
        self.dinputs = dvalues
        return dvalues


def test_a_prediction_uses_an_own_layer_as_it_now_is(backend: Target) -> None:
    X, _ = problem()
    model = Sequential(
        [RunningMean(), Dense(5, 1)], loss="mean_squared_error", backend=backend.spec, optimizer=nnxp.SGD(0.0)
    )
    before = model.predict(X)
    model.fit(X, X[:, 0])
    expected = before - X.mean(axis=0, keepdims=True) @ backend.to_numpy(model.layers[1].weights)  # type: ignore[attr-defined]
    np.testing.assert_allclose(model.predict(X), expected, rtol=0, atol=64 * 2.0**-23)


# --- saying what it is ---------------------------------------------------------------------------------


def test_summary(capsys: pytest.CaptureFixture[str]) -> None:
    model = with_everything(dtype="float64")
    model.summary()
    text = capsys.readouterr().out
    assert [line.split() for line in text.splitlines() if line.strip()[:1].isdigit()][:5] == [
        ["0", "Dense", "8", "48"],
        ["1", "ReLU", "8", "0"],
        ["2", "Dropout", "8", "0"],
        ["3", "Dense", "3", "27"],
        ["4", "Softmax", "3", "0"],
    ]
    assert "75 parameters, float64, 600 bytes; backend: decided by the first X" in text
    assert model._backend is None  # to look is not to decide


# --- copies --------------------------------------------------------------------------------------------


def test_a_deep_copy_goes_on_like_the_model_and_apart_from_it(backend: Target) -> None:
    X, y = problem()
    model = with_everything(backend.spec)
    model.fit(X, y, epochs=2)
    twin, before = copy.deepcopy(model), values(model)
    np.testing.assert_array_equal(values(twin), before)
    assert twin.history == model.history and twin.optimizer.iterations == model.optimizer.iterations
    twin.fit(X, y, epochs=2)
    np.testing.assert_array_equal(values(model), before)
    assert len(model.history["loss"]) == 2
    model.fit(X, y, epochs=2)
    np.testing.assert_array_equal(values(model), values(twin))
    assert model.history["loss"] == twin.history["loss"]


def test_a_deep_copy_decides_nothing(backend: Target) -> None:
    X, _ = problem()
    model = classifier()
    twin = copy.deepcopy(model)
    for each in (model, twin):
        backend.assert_close(each.predict(backend.asarray(X)), backend.to_numpy(model.predict(backend.asarray(X))))
    with pytest.raises(nnxp.BackendMismatchError, match="follows"):
        copy.deepcopy(model).predict(_of_another_library(backend, X))


def test_a_layer_s_deep_copy_is_free(backend: Target) -> None:
    X, y = problem()
    model = classifier(backend.spec)
    model.fit(X, y)
    layer: Any = model.layers[0]
    twin = copy.deepcopy(layer)
    backend.assert_close(twin.weights, backend.to_numpy(layer.weights))
    twin.weights, twin.biases = np.zeros((5, 8)), np.zeros(8)
    assert backend.to_numpy(layer.weights).any()
    other = Sequential([twin, "relu"], backend=backend.spec)
    assert not other.predict(X).any()


# --- pickle ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fitted", [False, True])
def test_a_model_is_pickled(backend: Target, fitted: bool) -> None:
    """With all that a training goes on from."""
    X, y = problem()
    model = with_everything(backend.spec)
    if fitted:
        model.fit(X, y, epochs=2)
    twin = pickle.loads(pickle.dumps(model))
    assert (twin.epoch, twin.step, twin.history) == (model.epoch, model.step, model.history)
    for one in (model, twin):
        one.fit(X, y, epochs=2)
    np.testing.assert_array_equal(values(model), values(twin))
    assert twin.layers[0].model is twin and model.layers[0].model is model
