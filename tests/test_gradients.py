"""`check_gradients` passes what is right, fails what is wrong and names the element; every layer passes it."""

from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import GradientReport, check_gradients
from nnxp.layers import LAYERS
from tests.helpers.matrix import Target

X = np.random.default_rng(0).uniform(0.2, 2, (4, 3)) * np.array([[1, -1, 1]])
Y = np.array([0, 1, 1, 0])


class Affine(nnxp.Layer):
    """y = x · scale + shift, right; the subclasses below are wrong."""

    parameters = ("scale", "shift_biases")

    def __init__(self, **switch: Any) -> None:
        super().__init__(**switch)
        self.scale, self.shift_biases = [[1.0, 2.0, -3.0]], [[0.5, 0.0, 1.0]]

    def forward(self, inputs: Any) -> Any:
        self.inputs, self.output = inputs, inputs * self.scale + self.shift_biases
        return self.output

    def gradients(self, dvalues: Any) -> tuple[Any, Any, Any]:
        sums = self.backend.kernels["column_sums"]
        return sums(dvalues * self.inputs), sums(dvalues), dvalues * self.scale

    def backward(self, dvalues: Any) -> Any:
        self.dscale, self.dshift_biases, self.dinputs = self.gradients(dvalues)
        return self.dinputs


class WrongSign(Affine):
    def gradients(self, dvalues: Any) -> tuple[Any, Any, Any]:
        dscale, dshift, dx = super().gradients(dvalues)
        return -dscale, dshift, dx


class WrongFactor(Affine):
    def gradients(self, dvalues: Any) -> tuple[Any, Any, Any]:
        dscale, dshift, dx = super().gradients(dvalues)
        return dscale, dshift * 1.0001, dx


class MissingTerm(Affine):
    def gradients(self, dvalues: Any) -> tuple[Any, Any, Any]:
        """All but the last sample count."""
        sums = self.backend.kernels["column_sums"]
        _, dshift, dx = super().gradients(dvalues)
        return sums((dvalues * self.inputs)[:-1, :]), dshift, dx


class OneElement(Affine):
    def gradients(self, dvalues: Any) -> tuple[Any, Any, Any]:
        dscale, dshift, dx = super().gradients(dvalues)
        mask = np.zeros((4, 3))
        mask[2, 1] = 0.01
        return dscale, dshift, dx + self.backend.asarray(mask, dtype="float64")


class Forgotten(Affine):
    def backward(self, dvalues: Any) -> Any:
        self.dscale, _, self.dinputs = self.gradients(dvalues)
        return self.dinputs


class NotANumber(Affine):
    def gradients(self, dvalues: Any) -> tuple[Any, Any, Any]:
        dscale, dshift, dx = super().gradients(dvalues)
        return dscale, dshift, dx * float("nan")


def test_a_right_layer_passes(backend: Target) -> None:
    report = check_gradients(Affine(), backend.asarray(X))
    assert isinstance(report, GradientReport) and report.passed, str(report)
    assert {w.gradient for w in report.worst} == {"dinputs", "dscale", "dshift_biases"}
    assert str(report).startswith("Affine: gradients agree (tolerance 1e-06)")


@pytest.mark.parametrize(
    ("cls", "gradient"),
    [
        (WrongSign, "dscale"),
        (WrongFactor, "dshift_biases"),
        (MissingTerm, "dscale"),
        (OneElement, "dinputs"),
        (Forgotten, "dshift_biases"),
        (NotANumber, "dinputs"),
    ],
)
def test_a_wrong_layer_fails_and_the_gradient_is_named(backend: Target, cls: Any, gradient: str) -> None:
    report = check_gradients(cls(), backend.asarray(X))
    assert not report.passed
    assert [w.gradient for w in report.worst if w.error > report.tolerance] == [gradient]
    assert report.worst[0].gradient == gradient
    lines = str(report).splitlines()
    assert "DISAGREE" in lines[0]
    assert [line.split()[0] for line in lines if line.endswith("<--")] == [gradient]


def test_the_worst_element_is_named() -> None:
    worst = check_gradients(OneElement(), X).worst[0]
    assert worst.index == (2, 1)
    assert worst.got - worst.expected == pytest.approx(0.01, rel=1e-6)
    assert "worst at [2, 1]" in str(check_gradients(OneElement(), X))


def test_small_gradients_are_checked_too() -> None:
    """An error is relative to the gradient, not to 1."""

    class Small(nnxp.Layer):
        reads = ()

        def __init__(self, factor: float) -> None:
            super().__init__()
            self.factor = factor

        def forward(self, inputs: Any) -> Any:
            self.output = inputs * 1e-3
            return self.output

        def backward(self, dvalues: Any) -> Any:
            self.dinputs = dvalues * self.factor
            return self.dinputs

    assert check_gradients(Small(1e-3), X).passed
    assert not check_gradients(Small(1.0001e-3), X).passed


EDGES = [-1.51, -0.52, 0.13, 1.04]
LAYER_CASES = {
    "dense": (lambda: nnxp.Dense(3, 2, seed=0), False),
    "dense with penalties": (lambda: nnxp.Dense(3, 2, seed=0, l1=0.1, l2=0.3, bias_l1=0.2, bias_l2=0.1), False),
    "dense in neural-tangent form": (lambda: nnxp.Dense(3, 2, seed=0, l2=0.3, parametrization="ntk"), False),
    "scaling": (lambda: nnxp.Scaling(3), False),
    "shared dense": (lambda: nnxp.SharedDense(3, 2, input_initializer="standard_normal", seed=0), False),
    "batch norm": (lambda: nnxp.BatchNorm(3), False),
    "batch norm in training": (lambda: nnxp.BatchNorm(3), True),
    "layer norm": (lambda: nnxp.LayerNorm(3), False),
    "dropout": (lambda: nnxp.Dropout(0.4, seed=0), False),
    "dropout in training": (lambda: nnxp.Dropout(0.4, seed=0), True),
    "embedding": (lambda: nnxp.Embedding(3, [4], 2, [1], seed=0), False),
    "periodic embedding": (lambda: nnxp.PeriodicEmbedding(3, sigma=0.5, seed=0), False),
    "periodic embedding with relu": (
        lambda: nnxp.PeriodicEmbedding(3, 3, 5, 0.5, "relu", columns=[2, 0], seed=0),
        False,
    ),
    "bins": (lambda: nnxp.PiecewiseLinearEmbedding(3, [EDGES, EDGES[1:3]], columns=[2, 0]), False),
    "held bins": (lambda: nnxp.PiecewiseLinearEmbedding(3, 3 * [[0.01, 0.02]]), False),
    "piecewise linear embedding": (
        lambda: nnxp.PiecewiseLinearEmbedding(3, [EDGES, EDGES[1:3], [0.25]], 4, beyond=None, seed=0),
        False,
    ),
    "rescaling": (lambda: nnxp.Rescaling(0.5, -1.0), False),
    "rescaling by feature": (lambda: nnxp.Rescaling([0.5, 2.0, -1.0], [1.0, 0.0, 2.0]), False),
}


def test_every_layer_has_a_case() -> None:
    assert {type(make()) for make, _ in LAYER_CASES.values()} == set(LAYERS)


@pytest.mark.parametrize(("make", "training"), LAYER_CASES.values(), ids=LAYER_CASES)
def test_every_layer_passes(backend: Target, make: Any, training: bool) -> None:
    layer = make()
    if "biases" in layer.parameters:
        layer.biases = np.resize([0.4, -0.3, 0.2], layer.shapes()["biases"])  # away from l1's kink
    if isinstance(layer, nnxp.PiecewiseLinearEmbedding) and layer.parameters:
        layer.weights = np.random.default_rng(0).standard_normal(layer.shapes()["weights"])  # those of bins are 0
    x = np.where([False, isinstance(layer, nnxp.Embedding), False], np.arange(len(X))[:, None] % 4, X)
    report = check_gradients(layer, backend.asarray(x), training=training, tolerance=1e-6)
    assert report.passed, str(report)


def test_a_layer_agrees_with_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch's autograd")
    layer = nnxp.Dense(3, 2, seed=0, dtype="float64", l1=0.1, l2=0.3, bias_l1=0.2, bias_l2=0.1)
    layer.biases = [[0.4, -0.3]]
    x, w, b = (torch.tensor(a.copy(), requires_grad=True) for a in (X, layer.weights, layer.biases))
    dy = np.random.default_rng(1).standard_normal((4, 2))
    penalty = 0.1 * w.abs().sum() + 0.3 * (w**2).sum() + 0.2 * b.abs().sum() + 0.1 * (b**2).sum()
    output = x @ w + b
    ((output * torch.from_numpy(dy)).sum() + penalty).backward()
    ours = (layer.forward(X), layer.penalty(), layer.backward(dy), layer.dweights, layer.dbiases)
    theirs = (output, penalty, x.grad, w.grad, b.grad)
    for a, t in zip(ours, theirs, strict=True):
        reference = t.detach().numpy()
        assert np.max(np.abs(np.asarray(a) - reference)) <= 1e-10 * np.max(np.abs(reference))


def test_a_model_passes(backend: Target) -> None:
    """The loss's gradient through every layer, penalties and the same dropout at every call included."""
    layers = [
        nnxp.Rescaling(0.5),
        nnxp.Dense(3, 4, l2=0.1),
        nnxp.GELU(),
        nnxp.Dropout(0.3),
        nnxp.Dense(4, 2),
        "softmax",
    ]
    model = nnxp.Sequential(layers, loss="categorical_crossentropy", backend=backend.spec, seed=0)
    before = backend.to_numpy(model.layers[1].weights)
    report = check_gradients(model, backend.asarray(X), backend.asarray(Y), training=True)
    assert report.passed, str(report)
    assert {w.gradient for w in report.worst} == {"dinputs", "1.dweights", "1.dbiases", "4.dweights", "4.dbiases"}
    backend.assert_close(model.layers[1].weights, before)


def test_a_model_with_a_wrong_layer_names_it() -> None:
    model = nnxp.Sequential([nnxp.Dense(3, 3), WrongSign(), "softmax"], loss="categorical_crossentropy", seed=0)
    report = check_gradients(model, X, Y)
    assert report.worst[0].gradient == "1.dscale" and not report.passed


def test_nothing_of_the_subject_changes() -> None:
    layer = nnxp.Dense(3, 2, seed=0)
    layer.forward(X)
    layer.backward(np.ones((4, 2)))
    kept = [a.copy() for a in (layer.weights, layer.biases, layer.dweights, layer.dbiases, layer.output)]
    x = X.copy()
    check_gradients(layer, x)
    for array, before in zip(
        (layer.weights, layer.biases, layer.dweights, layer.dbiases, layer.output), kept, strict=True
    ):
        np.testing.assert_array_equal(array, before)
    np.testing.assert_array_equal(x, X)
    assert layer.dtype == "float32" and layer.weights.dtype == np.float32


def test_a_vector_is_one_row() -> None:
    assert check_gradients(nnxp.Tanh(), X[0]).worst[0].index[0] == 0


def test_no_rows_have_no_error() -> None:
    assert check_gradients(nnxp.Tanh(), X[:0]).worst[0].error == 0


class ReturnsNothing(Affine):
    def backward(self, dvalues: Any) -> Any:
        self.dscale, self.dshift_biases, self.dinputs = self.gradients(dvalues)


class ForwardReturnsNothing(Affine):
    def forward(self, inputs: Any) -> Any:
        self.output = inputs


class WrongShape(Affine):
    def gradients(self, dvalues: Any) -> tuple[Any, Any, Any]:
        dscale, dshift, dx = super().gradients(dvalues)
        return dscale, dshift, dx[:, :2]


@pytest.mark.parametrize(
    ("subject", "y", "error", "message"),
    [
        (ReturnsNothing, None, ValueError, "got None from ReturnsNothing.backward.*`return self.dinputs`"),
        (ForwardReturnsNothing, None, ValueError, "got None from ForwardReturnsNothing.forward.*`return self.output`"),
        (WrongShape, None, ValueError, r"got dinputs of shape \(4, 2\), expected \(4, 3\)"),
        (nnxp.MeanSquaredError, None, ValueError, "got no y, expected one: the gradient of MeanSquaredError"),
        (dict, None, TypeError, r"got \{\}, expected a layer, a loss or a Sequential"),
    ],
)
def test_what_cannot_be_checked(subject: Any, y: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        check_gradients(subject(), X, y)
