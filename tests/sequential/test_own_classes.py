"""Layers, losses and optimizers of a user's own: in models, in files, by hand, and after a training."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import Adam, Dense, Dropout, Layer, Sequential, Softmax, nnfs
from nnxp.losses import StandardisedLoss

X = np.random.default_rng(0).standard_normal((24, 4))
Y = np.arange(24) % 3


class Sharper(Softmax):
    """A softmax of 5x."""

    def forward(self, inputs: Any, training: bool = False) -> Any:
        return super().forward(5 * inputs, training)

    def backward(self, dvalues: Any) -> Any:
        self.dinputs = 5 * super().backward(dvalues)
        return self.dinputs


class Louder(nnxp.CategoricalCrossentropy):
    """Ten times the loss."""

    def both(self, p: Any, y: Any) -> tuple[Any, Any]:
        losses, gradients = super().both(p, y)
        return 10 * losses, 10 * gradients


class Gate(Layer):
    """Keeps nothing but what its backward needs."""

    reads = ()

    def forward(self, inputs: Any, training: bool = False) -> Any:
        self.mask = inputs > 0
        return inputs * self.mask

    def backward(self, dvalues: Any) -> Any:
        return dvalues * self.mask


class Affine(Layer):
    """y = a x + biases; reads one parameter to make the other."""

    parameters, options = ("a", "biases"), ("n",)

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n
        self.a = np.full((1, n), 2.0)
        self.biases = np.zeros(self.a.shape)

    def forward(self, inputs: Any, training: bool = False) -> Any:
        return inputs * self.a + self.biases

    def backward(self, dvalues: Any) -> Any:
        sums = self.kernel("column_sums")
        self.da, self.dbiases = sums(dvalues * self.inputs), sums(dvalues)
        return dvalues * self.a


def model(*layers: Any, loss: Any = "categorical_crossentropy", **options: Any) -> Sequential:
    return Sequential(layers or (Dense(4, 3), Softmax()), loss, seed=0, dtype="float64", **options)


def negative_log(p: Any, y: Any = Y) -> float:
    return float(-np.log(p[np.arange(len(y)), y]).mean())


def test_a_last_layer_of_ones_own_is_trained_and_evaluated() -> None:
    own = model(Dense(4, 3), Sharper())
    assert nnxp.check_gradients(own, X, Y).passed
    assert own.evaluate(X, Y)["loss"] == pytest.approx(negative_log(own.predict(X)), rel=1e-12)
    before = negative_log(own.predict(X))
    assert float(own.train_step(X, Y)) == pytest.approx(before, rel=1e-12)


def test_a_layer_behind_the_softmax_is_trained() -> None:
    own = model(Dense(4, 3), Softmax(), Affine(3))
    before = np.array(own.layers[2].a)
    own.train_step(X, Y)
    assert not np.array_equal(before, own.layers[2].a)


def test_a_loss_of_ones_own_is_not_replaced_by_the_fused_pair() -> None:
    assert model(loss=Louder()).evaluate(X, Y)["loss"] == pytest.approx(10 * model().evaluate(X, Y)["loss"], rel=1e-12)


def test_super_is_the_layer_above() -> None:
    ours, theirs = Sharper(), Softmax()
    np.testing.assert_array_equal(ours.forward(X), theirs.forward(5 * X))
    np.testing.assert_array_equal(ours.backward(X), 5 * theirs.backward(X))


def test_a_layer_that_keeps_nothing_is_read_and_checked() -> None:
    gate = Gate()
    assert nnxp.check_gradients(gate, X).passed
    gate.forward(X)
    np.testing.assert_array_equal(gate.output, np.maximum(X, 0))
    gate.backward(X)
    np.testing.assert_array_equal(gate.dinputs, np.maximum(X, 0))


def test_two_parameters_and_none_returned() -> None:
    assert nnxp.check_gradients(Affine(4), X).passed

    class Forgetful(Layer):
        def forward(self, inputs: Any, training: bool = False) -> Any:
            self.output = inputs

    with pytest.raises(ValueError, match=r"got None from Forgetful\.forward.*return self\.output"):
        model(Dense(4, 3), Forgetful(), Softmax()).fit(X, Y)


def test_checking_changes_nothing_of_the_subject() -> None:
    layer = Dense(4, 2, seed=0)
    nnxp.check_gradients(layer, X)
    assert layer._backend is None and layer._store is None


def test_own_classes_come_back_from_a_file(tmp_path: Path) -> None:
    class Mine(nnxp.initializers.HeNormal):
        pass

    np.random.seed(0)
    layers = [nnfs.Layer_Dense(4, 5), Affine(5), Dense(5, 3, initializer=Mine()), Softmax()]
    saved = model(*layers, loss=Louder(), optimizer=nnfs.Optimizer_Adam(learning_rate=0.01))
    saved.fit(X, Y)
    saved.save(tmp_path / "m.safetensors")
    own = {c.__name__: c for c in (nnfs.Layer_Dense, Affine, Louder, nnfs.Optimizer_Adam)}
    loaded = nnxp.load(tmp_path / "m.safetensors", layers=own)
    np.testing.assert_array_equal(loaded.predict(X), saved.predict(X))
    assert loaded.fit(X, Y)["loss"] == saved.fit(X, Y)["loss"]
    with pytest.raises(nnxp.ModelFileError, match="'Layer_Dense', which is not known"):
        nnxp.load(tmp_path / "m.safetensors")


def test_what_could_not_be_loaded_is_not_saved(tmp_path: Path) -> None:
    class NoOptions(Affine):
        options = ()

    with pytest.raises(ValueError, match="cannot save NoOptions.*`options`"):
        model(NoOptions(4), Dense(4, 3), Softmax()).save(tmp_path / "m.safetensors")
    assert not list(tmp_path.iterdir())


def test_after_a_training_layers_by_hand_compute_everything_in_new_memory() -> None:
    trained = model(Dense(4, 3), Dropout(0.5), Dense(3, 3), Softmax())
    trained.fit(X, Y)
    first = trained.layers[0]
    a = first.forward(X[:5])
    kept = np.array(a)
    first.forward(X[5:10])
    np.testing.assert_array_equal(a, kept)
    assert first.backward(np.ones((5, 3))).shape == (5, 4)


def test_an_optimizer_starts_afresh_with_its_next_model_and_as_a_copy() -> None:
    def first_losses(optimizer: Adam) -> list[float]:
        return model(optimizer=optimizer).fit(X, Y, epochs=3)["loss"]

    optimizer = Adam(learning_rate=0.1, decay=0.1)
    assert first_losses(optimizer) == first_losses(optimizer) == first_losses(copy.deepcopy(optimizer))


def test_a_loaded_model_takes_another_optimizer_and_another_loss(tmp_path: Path) -> None:
    trained = model(Dense(4, 1), loss="mean_squared_error")
    trained.fit(X, Y)
    trained.save(tmp_path / "m.safetensors")
    loaded = nnxp.load(tmp_path / "m.safetensors")
    loaded.optimizer = nnxp.SGD(learning_rate=0.01)
    loaded.fit(X, Y)
    loaded.loss = nnxp.MeanAbsoluteError()
    expected = np.abs(loaded.predict(X)[:, 0] - Y).mean()
    assert loaded.evaluate(X, Y)["loss"] == pytest.approx(expected, rel=1e-12)


def test_the_books_combined_class_is_no_models_loss() -> None:
    with pytest.raises(ValueError, match=r"driven by hand.*nnxp\.SoftmaxCrossentropy"):
        model(Dense(4, 3), loss=nnfs.Activation_Softmax_Loss_CategoricalCrossentropy())


@pytest.mark.parametrize(
    ("weight", "message"),
    [(1e-60, "a sample_weight of 1e-60, below float32, .*float64"), (1e38, "sum is beyond float32")],
)
def test_weights_are_checked_in_the_models_dtype(weight: float, message: str) -> None:
    small = Sequential([Dense(4, 3), Softmax()], "categorical_crossentropy", seed=0)
    with pytest.raises(ValueError, match=message):
        small.fit(X, Y, sample_weight=np.full(24, weight))


def test_a_model_first_used_under_inference_mode_still_trains() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: `nox -s full` has it")
    own = model(backend="torch")
    with torch.inference_mode():
        own.predict(X)
    assert np.isfinite(own.fit(X, Y)["loss"][0])


def test_a_standardised_loss_comes_back_and_trains_on(tmp_path: Path) -> None:
    y = 300_000 + 50_000 * X[:, 0]
    layers = [Dense(4, 1), nnxp.Rescaling([50_000.0], [300_000.0])]
    saved = model(*layers, loss=StandardisedLoss("huber", [50_000.0]), optimizer=nnxp.SGD(momentum=0.9))
    saved.fit(X, y)
    saved.save(tmp_path / "m.safetensors")
    loaded = nnxp.load(tmp_path / "m.safetensors")
    assert loaded.fit(X, y)["loss"] == saved.fit(X, y)["loss"]


def test_a_subclass_may_have_names_of_its_own(tmp_path: Path) -> None:
    class Mine(Sequential):
        def __init__(self, *arguments: Any, **keywords: Any) -> None:
            super().__init__(*arguments, **keywords)
            self.passing, self.parts = 0.5, ["a"]

        def _begin(self, epoch: int) -> None:
            """A method of theirs."""

        def prediction(self, layers: list[nnxp.Layer]) -> Any:
            return lambda x: 2 * super(Mine, self).prediction(layers)(x)

    own = Mine([nnxp.Dense(2, 1)], "mean_squared_error", backend="numpy", seed=0)
    plain = Sequential([nnxp.Dense(2, 1)], "mean_squared_error", backend="numpy", seed=0)
    for twin in (own, copy.deepcopy(own)):
        np.testing.assert_array_equal(twin.predict([[1.0, 2.0]]), 2 * plain.predict([[1.0, 2.0]]))
        assert twin.passing == 0.5 and twin.course is None
    with pytest.raises(AttributeError):
        own.course = 3  # type: ignore[misc]
