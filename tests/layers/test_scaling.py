"""`Scaling`, `ParametricActivation` and the neural-tangent form of `Dense`: values by their equations, PyTorch's
gradients, and what they are in a model."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import Dense, ParametricActivation, Scaling, Sequential, activations, check_gradients
from nnxp.training.stages import FUSED
from tests.helpers.matrix import Target
from tests.helpers.models import CLASSES, problem, values

RNG = np.random.default_rng(5)
X, DY = RNG.uniform(-2, 2, (6, 3)), RNG.uniform(-2, 2, (6, 3))
ALPHA = np.array([[-0.5, 0.75, 2.0]])
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


# --- Scaling ---------------------------------------------------------------------------------------


@every_dtype
def test_scaling(backend: Target, dtype: str) -> None:
    """y = s ⊙ x, ds = Σᵢ dyᵢ xᵢ, dx = s ⊙ dy; s is 1 at first."""
    x, dy, s = (a.astype(dtype) for a in (X, DY, ALPHA))
    layer = Scaling(3, dtype=dtype)
    assert np.array_equal(backend.to_numpy(Scaling(3, backend=backend.spec).scale), np.ones((1, 3)))
    layer.scale = s
    near = {"atol": 8 * 4 * float(np.finfo(dtype).eps)}  # 6 terms of up to 4, each rounded
    backend.assert_close(layer.forward(backend.asarray(x)), (x.astype(float) * s).astype(dtype), **near)
    backend.assert_close(layer.backward(backend.asarray(dy)), (dy.astype(float) * s).astype(dtype), **near)
    expected = np.sum(dy.astype(float) * x, axis=0, keepdims=True)
    backend.assert_close(layer.dscale, expected.astype(dtype), **near)


def test_a_plan_begins_with_it() -> None:
    """The first layer, whose `dinputs` nobody reads: they are not computed."""
    X, y = problem()
    model = Sequential([Scaling(5), Dense(5, CLASSES)], "softmax_crossentropy", seed=0)
    assert model.n_in == 5
    model.train_step(X, y)
    assert [stage.needs_dinputs for stage in model.training.plan.stages] == [False]
    assert model.training.plan.head.needs_dinputs
    with pytest.raises(nnxp.NotComputedError):
        _ = model.layers[0].dinputs


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Scaling(0), "got width=0, expected a whole number from 1 up"),
        (lambda: Scaling(3).forward([[1.0, 2.0]]), r"got 2 features a sample, expected 3: this layer is Scaling\(3\)"),
        (lambda: Sequential([Dense(2, 4), Scaling(3)]), "layer 1 does not fit the one before it: got 4 features"),
        (
            lambda: Sequential([ParametricActivation(3, "mish"), "tanh"]).predict([[1.0, 2.0]]),
            "got X with 2 features, expected 3, as the first layer takes",
        ),
        (lambda: ParametricActivation(3, "softmax"), "got activation='softmax', expected one that computes"),
        (lambda: ParametricActivation(3, "linear"), "got activation='linear', expected one that computes its formula"),
        (lambda: ParametricActivation(3, "mich"), "got activation 'mich', expected .*; did you mean 'mish'"),
        (lambda: ParametricActivation(2, "mish").forward([[1.0]]), "got 1 features a sample, expected 2"),
        (lambda: Dense(2, 3, parametrization="NTK"), "got parametrization='NTK', expected one of standard, ntk"),
    ],
)  # fmt: skip
def test_errors(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


# --- ParametricActivation --------------------------------------------------------------------------

EVERY = [*(kind() for kind in FUSED), activations.ELU(0.5), activations.GELU("tanh"), activations.LeakyReLU(0.2)]


@pytest.mark.parametrize("activation", EVERY, ids=repr)
def test_a_parametric_activation(backend: Target, activation: Any) -> None:
    """a(x) = x + α (f(x) - x) and its derivatives, of the activation's own forward and backward."""
    layer = ParametricActivation(3, activation, dtype="float64", backend=backend.spec)
    assert np.array_equal(backend.to_numpy(layer.alpha), np.ones((1, 3)))
    layer.alpha = ALPHA
    alone = type(activation)(**{name: getattr(activation, name) for name in activation.options})
    f = np.asarray(alone.forward(X))
    dx = np.asarray(alone.backward(DY))
    near = {"atol": 60 * float(np.finfo(float).eps)}  # some operations on numbers of up to 8
    backend.assert_close(layer.forward(backend.asarray(X)), X + ALPHA * (f - X), **near)
    backend.assert_close(layer.backward(backend.asarray(DY)), DY + ALPHA * (dx - DY), **near)
    backend.assert_close(layer.dalpha, np.sum(DY * (f - X), axis=0, keepdims=True), **near)
    report = check_gradients(layer, backend.asarray(X))
    assert report.passed, str(report)


def test_a_parametric_activation_of_ones_own() -> None:
    class Cubed(nnxp.Activation):
        options = ("factor",)

        def __init__(self, factor: float) -> None:
            super().__init__()
            self.factor = factor

        def formula(z: Any, factor: float) -> Any:  # type: ignore[override, misc]
            return factor * z * z * z

        def gradient_formula(z: Any, dz: Any, factor: float) -> Any:  # type: ignore[override, misc]
            return 3 * factor * z * z * dz

    layer = ParametricActivation(3, Cubed(0.5), dtype="float64")
    layer.alpha = ALPHA
    np.testing.assert_allclose(layer.forward(X), X + ALPHA * (X**3 / 2 - X), rtol=1e-14)
    assert check_gradients(layer, X).passed

    class Squashed(Cubed):
        reads = ("output",)

    with pytest.raises(ValueError, match="expected one whose gradient is of its inputs"):
        ParametricActivation(3, Squashed(0.5))


def test_the_initializer_suits_the_activation() -> None:
    layers = [Dense(40, 30), ParametricActivation(30, "selu"), Dense(30, 2), "selu"]
    model, plain = Sequential(layers, seed=0), Sequential([Dense(40, 30), "selu"], seed=0)
    assert np.array_equal(model.layers[0].weights, plain.layers[0].weights)  # type: ignore[attr-defined]


# --- Dense in neural-tangent form ------------------------------------------------------------------


@every_dtype
def test_neural_tangent_form(backend: Target, dtype: str) -> None:
    """y = x W / √n + b, dW = xᵀ dy / √n, dx = dy Wᵀ / √n, db = Σ dy. Jacot et al. 2018, section 2."""
    x, dy = X.astype(dtype), DY[:, :2].astype(dtype)
    layer = Dense(3, 2, parametrization="ntk", seed=1, backend=backend.spec, dtype=dtype)
    w, b = backend.to_numpy(layer.weights).astype(float), backend.to_numpy(layer.biases).astype(float)
    near = {"atol": 8 * 8 * 4 * float(np.finfo(dtype).eps)}  # 6 terms of up to 2 · 3, each rounded some times
    backend.assert_close(layer.forward(backend.asarray(x)), (x @ w / np.sqrt(3) + b).astype(dtype), **near)
    backend.assert_close(layer.backward(backend.asarray(dy)), (dy @ w.T / np.sqrt(3)).astype(dtype), **near)
    backend.assert_close(layer.dweights, (x.astype(float).T @ dy / np.sqrt(3)).astype(dtype), **near)
    backend.assert_close(layer.dbiases, np.sum(dy.astype(float), axis=0, keepdims=True).astype(dtype), **near)


def test_how_it_begins() -> None:
    """W, b ~ N(0, 1); what an initializer is named for decides both, and "zeros" is 0."""
    layers = [Dense(300, 200, parametrization="ntk"), "selu", Dense(200, 300, parametrization="ntk")]
    first, _, last = Sequential(layers, seed=2).layers
    for numbers in (first.weights, first.biases, last.weights, last.biases):  # type: ignore[attr-defined]
        n = numbers.size
        assert abs(np.mean(numbers)) < 5 / np.sqrt(n) and abs(np.var(numbers) - 1) < 5 * np.sqrt(2 / n)
    zero = Dense(3, 2, parametrization="ntk", initializer="zeros")
    assert not np.any(zero.weights) and not np.any(zero.biases)
    assert not np.any(Dense(3, 2, parametrization="ntk", initializer="he_normal").biases)


def test_a_model_of_them_agrees_with_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch's autograd")
    ntk = {"parametrization": "ntk"}
    layers = [Scaling(3), Dense(3, 8, **ntk), ParametricActivation(8, "mish"), Dense(8, 2, **ntk)]
    model = Sequential(layers, "mean_squared_error", seed=4, dtype="float64", backend="numpy")
    layers[0].scale, layers[2].alpha = ALPHA, np.linspace(-1, 2, 8)  # type: ignore[attr-defined]
    target = DY[:, :2]
    plan = model.training.plan
    loss = plan.forward_backward(X, plan.loss.prepare(target, 2, "float64"))
    names = [(layer, name) for layer in layers for name in layer.parameters]
    s, w, b, a, v, c = (torch.tensor(np.array(getattr(layer, name)), requires_grad=True) for layer, name in names)
    z = (torch.from_numpy(X) * s) @ w / 3**0.5 + b
    hidden = z + a * (torch.nn.functional.mish(z) - z)
    theirs = torch.mean((hidden @ v / 8**0.5 + c - torch.from_numpy(target)) ** 2)
    theirs.backward()
    assert float(loss) == pytest.approx(theirs.item(), rel=1e-13)
    for (layer, name), tensor in zip(names, (s, w, b, a, v, c), strict=True):
        np.testing.assert_allclose(getattr(layer, "d" + name), tensor.grad.numpy(), rtol=1e-11, atol=1e-13)


# --- in a file -------------------------------------------------------------------------------------


def test_a_file_has_them(backend: Target, tmp_path: Path) -> None:
    """And only what is not the default: a standard layer's entry is that of files of before."""
    X, y = problem()
    layers = [
        Scaling(5),
        Dense(5, 8, parametrization="ntk"),
        ParametricActivation(8, activations.ELU(0.5)),
        Dense(8, CLASSES),
    ]
    model: Any = Sequential(layers, "softmax_crossentropy", seed=0, backend=backend.spec)
    model.fit(X, y, epochs=3)
    path = tmp_path / "m.safetensors"
    model.save(path)
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        said = json.loads(file.metadata()["config"])["layers"]
    assert said[1]["parametrization"] == "ntk" and "parametrization" not in said[3]
    assert said[2] == {"class": "ParametricActivation", "width": 8, "activation": {"class": "ELU", "alpha": 0.5}}
    other: Any = nnxp.load(path, backend=backend.spec)
    np.testing.assert_array_equal(values(other), values(model))
    for one in (model, other):
        one.fit(X, y, epochs=1)
    np.testing.assert_array_equal(values(other), values(model))
