"""The names of the book's later chapters, beside a transcription of its equations (tests/helpers/book_model.py)."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import nnxp
from nnxp import get_backend, nnfs
from nnxp.nnfs.datasets import sine_data, spiral_data, vertical_data
from tests.helpers import book, book_model
from tests.helpers.matrix import Target

EPOCHS, SIZE = 3, 40
PENALTIES = (1e-3, 2e-3, 3e-3, 4e-3)
NAMES = [f"{kind}_regularizer_{norm}" for kind in ("weight", "bias") for norm in ("l1", "l2")]
LINE = re.compile(r"step: \d+, acc: (\S+), loss: (\S+) \(data_loss: (\S+), reg_loss: (\S+)\), lr: (\S+)")


class Case(NamedTuple):
    """A network of the book's kind: what its output layer is, in both worlds, and the data."""

    end: str
    loss: str
    theirs: Any
    end_of_theirs: type
    accuracy: Callable[[Any], Any]
    right: Callable[[Any, Any], Any]
    data: Callable[[], tuple[Any, Any]]
    outputs: int


def points() -> tuple[Any, Any]:
    """Two classes, as a column."""
    X, y = spiral_data(50, 2)
    return X, y.reshape(-1, 1)


def is_class(p: Any, y: Any) -> Any:
    return p.argmax(axis=1) == y


def is_close(p: Any, y: Any) -> Any:
    return abs(p - y) < np.std(sine_data(100)[1]) / 250


CASES = {
    "classes": Case(
        "Activation_Softmax",
        "Loss_CategoricalCrossentropy",
        book_model.crossentropy_of_softmax,
        book.Activation_Softmax,
        lambda names: names.Accuracy_Categorical(),
        is_class,
        lambda: spiral_data(33, 3),
        3,
    ),
    "yes or no": Case(
        "Activation_Sigmoid",
        "Loss_BinaryCrossentropy",
        book_model.binary_crossentropy,
        book_model.Sigmoid,
        lambda names: names.Accuracy_Categorical(binary=True),
        lambda p, y: (p > 0.5) == y,
        points,
        1,
    ),
    "numbers": Case(
        "Activation_Linear",
        "Loss_MeanSquaredError",
        book_model.squared_error,
        book_model.Linear,
        lambda names: names.Accuracy_Regression(),
        is_close,
        lambda: sine_data(100),
        1,
    ),
    "absolute": Case(
        "Activation_Linear",
        "Loss_MeanAbsoluteError",
        book_model.absolute_error,
        book_model.Linear,
        lambda names: names.Accuracy_Regression(),
        is_close,
        lambda: sine_data(100),
        1,
    ),
}


def made(names: Any, case: Case, n_in: int) -> Any:
    model = names.Model()
    model.add(names.Layer_Dense(n_in, 8, **dict(zip(NAMES, PENALTIES, strict=True))))
    model.add(names.Activation_ReLU())
    model.add(names.Layer_Dropout(0.25))
    model.add(names.Layer_Dense(8, case.outputs))
    model.add(getattr(names, case.end)())
    optimizer = names.Optimizer_Adam(learning_rate=0.02, decay=1e-3)
    model.set(loss=getattr(names, case.loss)(), optimizer=optimizer, accuracy=case.accuracy(names))
    model.finalize()
    return model


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_model_gives_the_books_numbers(case: Case, backend: Target, capsys: pytest.CaptureFixture[str]) -> None:
    """Weights and what is printed, in float64. Sums in another order: some hundred roundings, which 9 steps of Adam
    leave far below 1e-9."""
    nnfs.init()
    X, y = case.data()
    np.random.seed(1)
    model = made(nnfs.on(get_backend(backend.spec, "float64")), case, X.shape[1])
    model.train(X, y, epochs=EPOCHS, batch_size=SIZE, validation_data=(X, y))
    np.random.seed(1)
    theirs = [
        book_model.Dense(X.shape[1], 8, *PENALTIES),
        book.Activation_ReLU(),
        book_model.Dropout(0.25),
        book_model.Dense(8, case.outputs),
        case.end_of_theirs(),
    ]
    optimizer = book.Optimizer_Adam(learning_rate=0.02, decay=1e-3)
    found = book_model.train(theirs, case.theirs, optimizer, case.right, X, y, EPOCHS, SIZE)
    for (weights, biases), layer in zip(model.get_parameters(), (theirs[0], theirs[3]), strict=True):
        np.testing.assert_allclose(backend.to_numpy(weights), layer.weights, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(backend.to_numpy(biases), layer.biases, rtol=1e-9, atol=1e-12)
    printed = LINE.findall(capsys.readouterr().out)
    expected = [(f"{a:.3f}", f"{d + r:.3f}", f"{d:.3f}", f"{r:.3f}") for a, d, r in found]
    assert [line[:4] for line in printed] == expected
    assert float(printed[-1][4]) == pytest.approx(optimizer.current_learning_rate, rel=1e-15)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_file_goes_on_as_the_model_does(case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No pickle: the optimizer's state, its step and the accuracy's precision are in it."""
    nnfs.init()
    X, y = case.data()
    model = made(nnfs, case, X.shape[1])
    model.train(X, y, batch_size=SIZE)
    model.save(tmp_path / "model.safetensors")
    other = nnfs.Model.load(tmp_path / "model.safetensors")
    assert vars(other.accuracy).get("precision") == vars(model.accuracy).get("precision")
    np.testing.assert_array_equal(other.predict(X, batch_size=7), model.predict(X, batch_size=7))
    ends = []
    for one in (model, other):
        np.random.seed(2)
        capsys.readouterr()
        one.train(X, y, epochs=2, batch_size=SIZE)
        ends.append((capsys.readouterr().out, *[a.copy() for pair in one.get_parameters() for a in pair]))
    assert ends[0][0] == ends[1][0]
    for one, two in zip(ends[0][1:], ends[1][1:], strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_file_of_another_model_is_refused(tmp_path: Path) -> None:
    nnxp.Sequential([nnxp.Dense(2, 1)]).save(tmp_path / "plain.safetensors")
    with pytest.raises(nnxp.ModelFileError, match="did not write"):
        nnfs.Model.load(tmp_path / "plain.safetensors")


def test_parameters_go_to_another_model(tmp_path: Path) -> None:
    nnfs.init()
    X, _ = spiral_data(20, 3)
    one, two = (made(nnfs, CASES["classes"], 2) for _ in range(2))
    one.save_parameters(tmp_path / "p.safetensors")
    assert np.any(one.predict(X) != two.predict(X))
    two.load_parameters(tmp_path / "p.safetensors")
    np.testing.assert_array_equal(one.predict(X), two.predict(X))
    two.set_parameters([(2 * w, b) for w, b in one.get_parameters()])
    np.testing.assert_array_equal(two.layers[0].weights, 2 * one.layers[0].weights)


def test_dropout_alone_drops_without_being_told() -> None:
    """Chapter 15 calls forward(inputs); nothing is dropped where training=False."""
    layer, X = nnfs.Layer_Dropout(0.4), np.ones((50, 20), np.float32)
    np.random.seed(0)
    output = layer.forward(X)
    np.random.seed(0)
    mask = np.random.binomial(1, 0.6, size=X.shape)
    np.testing.assert_allclose(output, mask / 0.6, rtol=1e-6)
    np.testing.assert_array_equal(layer.forward(X, training=False), X)


def test_the_regularization_of_one_layer_or_of_those_that_are_remembered() -> None:
    one, two = nnfs.Layer_Dense(2, 2, weight_regularizer_l2=0.5), nnfs.Layer_Dense(2, 2, 0.25)
    one.weights, two.weights = [[1.0, 2.0], [0.0, 0.0]], [[-1.0, 1.0], [2.0, 0.0]]
    combined = nnfs.Activation_Softmax_Loss_CategoricalCrossentropy()
    assert float(combined.loss.regularization_loss(one)) == 2.5
    loss = nnfs.Loss_MeanSquaredError()
    assert loss.regularization_loss() == 0
    loss.remember_trainable_layers([one, two])
    assert [float(part) for part in loss.calculate([[1.0]], [[3.0]], include_regularization=True)] == [4.0, 3.5]
    loss.calculate([[1.0], [1.0]], [[2.0], [2.0]])
    assert float(loss.calculate_accumulated()) == 2.0  # (4 + 1 + 1) / 3


def test_the_data_are_the_packages() -> None:
    package = pytest.importorskip("nnfs.datasets", reason="the book's package is not installed: pip install nnfs")
    for ours, theirs, given in (
        (spiral_data, package.spiral_data, (100, 3)),
        (vertical_data, package.vertical_data, (50, 3)),
        (sine_data, package.sine_data, (200,)),
    ):
        found = []
        for draw in (ours, theirs):
            np.random.seed(0)
            found.append(draw(*given))
        for one, two in zip(*found, strict=True):
            assert one.dtype == two.dtype
            np.testing.assert_array_equal(one, two)


def test_what_is_missing_is_said() -> None:
    model = nnfs.Model()
    with pytest.raises(ValueError, match="without layers"):
        model.finalize()
    model.add(nnfs.Layer_Dense(1, 1))
    with pytest.raises(ValueError, match="without loss, optimizer, accuracy"):
        model.train([[1.0]], [[1.0]])
    model.set(loss=nnfs.Loss_MeanSquaredError(), optimizer=nnfs.Optimizer_SGD(), accuracy=nnfs.Accuracy_Regression())
    with pytest.raises(ValueError, match="finalize"):
        model.train([[1.0]], [[1.0]])
    with pytest.raises(ValueError, match=r"init\(y\)"):
        nnfs.Accuracy_Regression().calculate([[1.0]], [[1.0]])
