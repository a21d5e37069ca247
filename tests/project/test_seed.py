"""Every Python snippet of the document that began this project (`seed.md`), run on every backend with only
its import lines changed, and its values checked against plain NumPy in float64.

Tolerances count roundings. `u` is half of the dtype's epsilon, what one rounding costs of a sum's magnitudes;
`scale` bounds those magnitudes.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from nnxp import get_backend, nnfs
from tests.helpers import book
from tests.helpers.matrix import Target

SNIPPETS = re.findall(
    r"^```python\n(.*?)^```", Path(__file__).with_name("seed.md").read_text(encoding="utf-8"), re.M | re.S
)
Values = dict[str, npt.NDArray[Any]]


def test_no_snippet_is_forgotten() -> None:
    tested = {name for name in globals() if re.match(r"test_snippet_\d", name)}
    assert len(tested) == len(SNIPPETS) == 8
    assert all(any(name.startswith(f"test_snippet_{n}_") for name in tested) for n in range(1, 9))


@dataclass(frozen=True)
class Reader:
    """Types the snippets in, for one backend and one dtype."""

    target: Target
    dtype: str

    @property
    def u(self) -> float:
        return float(np.finfo(self.dtype).eps) / 2

    @property
    def names(self) -> Any:
        """The book's names there: NumPy's in float32 are those of `nnxp.nnfs` itself."""
        if self.target.spec == "numpy" and self.dtype == "float32":
            return nnfs
        return nnfs.on(get_backend(self.target.spec, self.dtype))

    def run(self, number: int, change: Callable[[str], str] = str, **supplied: Any) -> dict[str, Any]:
        """The variables that snippet `number` (from 1) leaves behind; `change` fills its gap."""
        lines = [self._change_import(line) for line in SNIPPETS[number - 1].splitlines()]
        variables = {"_names": self.names, **supplied}
        np.random.seed(0)
        exec(compile(change("\n".join(lines)), f"seed.md, snippet {number}", "exec"), variables)
        return variables

    def _change_import(self, line: str) -> str:
        found = re.fullmatch(r"from \S+ import (.+)", line)
        if found is None:
            return line
        if self.names is nnfs:
            return f"from nnxp.nnfs import {found[1]}"
        return "; ".join(f"{name} = _names.{name}" for name in found[1].split(", "))

    def array(self, values: npt.ArrayLike) -> Any:
        return self.target.asarray(values, dtype=self.dtype)

    def close(self, actual: Any, expected: npt.ArrayLike, roundings: int, scale: float = 1.0) -> None:
        self.target.assert_close(actual, np.asarray(expected, dtype=self.dtype), atol=roundings * self.u * scale)


@pytest.fixture(params=["float32", "float64"])
def reader(request: pytest.FixtureRequest, backend: Target) -> Reader:
    return Reader(backend, request.param)


def network(X: Any, y: list[int], w1: Any, b1: Any, w2: Any, b2: Any) -> Values:
    """Dense, ReLU, Dense, softmax and cross-entropy, forward and backward, from the seed's equations."""
    z1 = X @ w1 + b1
    a1 = np.maximum(z1, 0)
    z2 = a1 @ w2 + b2
    p = np.exp(z2) / np.exp(z2).sum(axis=1, keepdims=True)
    dz2 = (p - np.eye(p.shape[1])[y]) / len(y)
    da1 = dz2 @ w2.T
    dz1 = np.where(z1 > 0, da1, 0)
    return {
        "z1": z1, "a1": a1, "z2": z2, "p": p, "loss": -np.log(p[range(len(y)), y]).mean(),
        "dz2": dz2, "dw2": a1.T @ dz2, "db2": dz2.sum(axis=0, keepdims=True), "da1": da1,
        "dz1": dz1, "dw1": X.T @ dz1, "db1": dz1.sum(axis=0, keepdims=True), "dX": dz1 @ w1.T,
    }  # fmt: skip


ROUNDINGS = 40
"""On the longest path of `network` with at most 5 rows and columns: four products and a sum of at most 5 + 1
each, softmax (maximum, exp to 2, sum, quotient), difference, mean; and the casts of weights and inputs."""


def scale(*matrices: Any) -> float:
    """Bounds the sums of magnitudes in `network`, where each matrix is a factor at most twice."""
    return float(np.prod([max(1.0, np.abs(m).sum(axis=1).max(), np.abs(m).sum(axis=0).max()) for m in matrices])) ** 2


def draws(*shapes: tuple[int, int]) -> list[npt.NDArray[Any]]:
    """The book's initial weights after `np.random.seed(0)`."""
    generator = np.random.RandomState(0)
    return [0.01 * generator.randn(*shape) for shape in shapes]


def test_snippet_1_is_a_neuron(reader: Reader) -> None:
    """By hand: 1.2 · 3.1 + 5.1 · 2.1 + 2.1 · 8.7 + 3 = 3.72 + 10.71 + 18.27 + 3."""
    seed = reader.run(1)
    assert seed["output"] == pytest.approx(35.7, rel=8 * 2**-53, abs=0)
    neuron = reader.names.Neuron(seed["weights"], seed["bias"], dtype="float64")
    assert neuron.forward(seed["inputs"]) == pytest.approx(35.7, rel=8 * 2**-53, abs=0)


def test_snippet_2_is_a_layer_of_neurons(reader: Reader) -> None:
    """By hand: 0.2 + 1.6 - 1.5 + 2.5 + 2; 0.5 - 1.82 + 0.78 - 1.25 + 3; -0.26 - 0.54 + 0.51 + 2.175 + 0.5."""
    outputs = reader.run(2)["outputs"]
    assert [type(output) for output in outputs] == [float] * 3
    assert outputs == pytest.approx([4.8, 1.21, 2.385], rel=0, abs=8 * 8 * 2**-53)


def test_snippet_3_is_a_dense_layer(reader: Reader) -> None:
    seed = reader.run(3)
    (weights,) = draws((4, 3))
    x, batch = np.array([[1.0, 2.0, 3.0, 2.5]]), np.array([[1.0, 2.0, 3.0, 2.5], [2.0, 5.0, -1.0, 2.0]])
    reader.close(seed["dense_layer"].weights, weights, 1)
    reader.close(seed["output"], x @ weights, 6, scale(weights, x))  # still what the first call returned
    reader.close(seed["batch_outputs"], batch @ weights, 6, scale(weights, batch))


def test_snippet_4_is_a_forward_pass(reader: Reader, capsys: pytest.CaptureFixture[str]) -> None:
    seed = reader.run(4)
    assert capsys.readouterr().out.startswith("Probabilities: ")
    X, (w1, w2) = np.array([[1.0, 2.0, 3.0, 2.5]]), draws((4, 5), (5, 3))
    expected = network(X, [0], w1, np.zeros((1, 5)), w2, np.zeros((1, 3)))
    for name, array in (("z1", "dense1"), ("a1", "relu"), ("z2", "dense2"), ("p", "softmax")):
        reader.close(seed[array].output, expected[name], ROUNDINGS, scale(X, w1, w2))
    probabilities = reader.target.to_numpy(seed["softmax"].output).astype(np.float64)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=0, atol=6 * reader.u)


@pytest.mark.parametrize("labels", ["indices", "rows", "list"])
def test_snippet_5_is_a_loss(reader: Reader, labels: str) -> None:
    """-(ln 0.7 + ln 0.5 + ln 0.9) / 3."""
    classes = [0, 1, 1]
    y = {
        "indices": reader.target.asarray(classes),
        "rows": reader.array(np.eye(3)[classes]),
        "list": classes,
    }[labels]
    predictions = reader.array([[0.7, 0.1, 0.2], [0.1, 0.5, 0.4], [0.02, 0.9, 0.08]])
    seed = reader.run(5, predictions=predictions, true_labels=y)
    reader.close(seed["loss"], -np.log(0.7 * 0.5 * 0.9) / 3, 10)


def check_pass(reader: Reader, seed: dict[str, Any], expected: Values, bound: float) -> None:
    """What snippets 6 and 7 leave behind after their backward pass."""
    names = {
        "dense1": {"output": "z1", "dweights": "dw1", "dbiases": "db1", "dinputs": "dX"},
        "activation1": {"output": "a1", "dinputs": "dz1"},
        "dense2": {"output": "z2", "dweights": "dw2", "dbiases": "db2", "dinputs": "da1"},
        "loss_activation": {"output": "p", "dinputs": "dz2"},
    }
    for name, attributes in names.items():
        for attribute, value in attributes.items():
            reader.close(getattr(seed[name], attribute), expected[value], ROUNDINGS, bound)
    reader.close(seed["loss"], expected["loss"], ROUNDINGS, bound)


X6, Y6, B6 = np.array([[1.0, 2.0], [2.0, 3.0]]), [0, 1], np.zeros((1, 3))


def test_snippet_6_is_a_backward_pass(reader: Reader, capsys: pytest.CaptureFixture[str]) -> None:
    seed = reader.run(6)
    assert re.findall(r"^Layer \d \w+ gradients:", capsys.readouterr().out, re.M) == [
        "Layer 1 weight gradients:", "Layer 1 bias gradients:",
        "Layer 2 weight gradients:", "Layer 2 bias gradients:",
    ]  # fmt: skip
    w1, w2 = draws((2, 3), (3, 3))
    check_pass(reader, seed, network(X6, Y6, w1, B6, w2, B6), scale(X6, w1, w2))


def test_snippet_7_is_a_loop(reader: Reader) -> None:
    """Its optimizer lines are comments: after any number of epochs everything is as after the first."""
    before = reader.run(6)
    seed = reader.run(7, **{**before, "epochs": 3, "X": reader.array(X6), "y": reader.target.asarray(Y6)})
    w1, w2 = draws((2, 3), (3, 3))
    check_pass(reader, seed, network(X6, Y6, w1, B6, w2, B6), scale(X6, w1, w2))
    reader.close(seed["dense1"].weights, w1, 1)
    reader.close(seed["dense2"].weights, w2, 1)


class Watched:
    """An optimizer that keeps the parameters and gradients of every step, as host copies in float64."""

    def __init__(self, reader: Reader, optimizer: Any, layers: list[Any]) -> None:
        self.reader, self.optimizer, self.layers = reader, optimizer, layers
        self.before: list[list[Values]] = []
        self.after: list[list[Values]] = []

    def pre_update_params(self) -> None:
        self.before.append(self._copies("weights", "biases", "dweights", "dbiases"))
        self.optimizer.pre_update_params()

    def update_params(self, layer: Any) -> None:
        self.optimizer.update_params(layer)

    def post_update_params(self) -> None:
        self.optimizer.post_update_params()
        self.after.append(self._copies("weights", "biases"))

    def _copies(self, *names: str) -> list[Values]:
        host = self.reader.target.to_numpy
        return [{name: host(getattr(layer, name)).astype(np.float64) for name in names} for layer in self.layers]


def with_backward_pass(source: str) -> str:
    """The comment that stands for it becomes chapter 6's four lines, by the names of this loop."""
    (chapter_6,) = re.findall(r"# Backward pass - compute gradients\n((?:.+\n){4})", SNIPPETS[5])
    for theirs, ours in (("loss_activation.output, y", "activation2.output, targets"), ("dense", "layer")):
        chapter_6 = chapter_6.replace(theirs, ours)
    comment = " " * 8 + "# ... backpropagation code ..."
    assert source.count(comment) == 1
    return source.replace(comment, "\n".join(" " * 8 + line for line in chapter_6.splitlines()))


OPTIMIZERS = {
    "sgd": {"learning_rate": 0.1, "momentum": 0.9, "decay": 1e-3},
    "adam": {"learning_rate": 0.001, "decay": 1e-4},
    "rmsprop": {"learning_rate": 0.001, "rho": 0.9},
    "adagrad": {"learning_rate": 1.0, "decay": 1e-4},
}
CLASSES = {
    "sgd": "Optimizer_SGD",
    "adam": "Optimizer_Adam",
    "rmsprop": "Optimizer_RMSprop",
    "adagrad": "Optimizer_Adagrad",
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_snippet_8_trains(reader: Reader, name: str) -> None:
    """Each step by itself: the gradients at the parameters it found, and the update of those by them."""
    names, targets = reader.names, [0, 1, 2, 1]
    batches = np.random.RandomState(1).uniform(-1, 1, (3, 4, 2))
    np.random.seed(0)
    layers = [names.Layer_Dense(2, 5), names.Layer_Dense(5, 3)]
    optimizer = Watched(reader, getattr(names, CLASSES[name])(**OPTIMIZERS[name]), layers)
    seed = reader.run(
        8,
        with_backward_pass,
        epochs=2,
        batches=[reader.array(batch) for batch in batches],
        targets=reader.target.asarray(targets),
        layer1=layers[0],
        activation1=names.ActivationReLU(),
        layer2=layers[1],
        activation2=names.ActivationSoftmax(),
        loss_function=names.Loss_CategoricalCrossentropy(),
        loss_activation=names.Activation_Softmax_Loss_CategoricalCrossentropy(),
        optimizer=optimizer,
    )
    assert seed[name].config() == optimizer.optimizer.config()  # the one that the snippet itself makes
    assert len(optimizer.after) == 6
    assert optimizer.optimizer.iterations == 6

    u = reader.u
    rule = getattr(book, CLASSES[name])(**OPTIMIZERS[name])
    by_book, magnitudes = [SimpleNamespace(), SimpleNamespace()], [SimpleNamespace(), SimpleNamespace()]
    for step, (before, after) in enumerate(zip(optimizer.before, optimizer.after, strict=True)):
        one, two = before
        X = reader.target.to_numpy(reader.array(batches[step % 3])).astype(np.float64)
        expected = network(X, targets, one["weights"], one["biases"], two["weights"], two["biases"])
        bias_input = np.ones((4, 1))
        bound = scale(np.hstack([X, bias_input]), *(np.vstack([m["weights"], m["biases"]]) for m in before))
        for layer, number in ((one, 1), (two, 2)):
            np.testing.assert_allclose(layer["dweights"], expected[f"dw{number}"], rtol=0, atol=ROUNDINGS * u * bound)
            np.testing.assert_allclose(layer["dbiases"], expected[f"db{number}"], rtol=0, atol=ROUNDINGS * u * bound)
        rule.pre_update_params()
        for found, left, told, size in zip(before, after, by_book, magnitudes, strict=True):
            vars(told).update({key: value.copy() for key, value in found.items()})
            vars(size).update({key: np.abs(value) if key[0] == "d" else 0 * value for key, value in found.items()})
            rule.update_params(told)
            rule.update_params(size)  # of |g| from 0: the update's sum of magnitudes
            for key in ("weights", "biases"):
                # Eight roundings of state a step (of its constants, too), eight more in the update.
                atol = 8 * (step + 2) * u * np.abs(getattr(size, key)) + u * np.abs(left[key])
                assert np.all(np.abs(left[key] - getattr(told, key)) <= atol), (step, key)
        rule.post_update_params()
    reader.close(seed["loss"], expected["loss"], ROUNDINGS, bound)
