"""Trainings of 100 steps in float64 beside PyTorch's autograd: every activation and loss, and the layers that are no
normalisation. (Those: tests/layers/test_normalization.py; optimizers and schedules: tests/optimizers, tests/schedules.)

Momentum of 0.9 at a constant rate, at which PyTorch's variant and the seed's are one.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nnxp import SGD, Dense, Dropout, Layer, Rescaling, Sequential
from tests.helpers.matrix import Target
from tests.losses.test_losses import CASES as LOSSES
from tests.test_activations import CASES as ACTIVATIONS

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nox -s full has it")

STEPS, N, FEATURES, UNITS, OUTPUTS = 100, 12, 5, 8, 3
RATE = 0.02
ENDS: dict[str, tuple[list[str], Callable[[Any], Any]]] = {
    "logits": ([], lambda z: z),
    "numbers": ([], lambda z: z),
    "probabilities": (["sigmoid"], lambda z: z.sigmoid()),
    "distributions": (["softmax"], lambda z: z.softmax(dim=1)),
}
"""What a network ends with, by what a loss takes; PyTorch's beside it."""
X = np.random.default_rng(0).standard_normal((N, FEATURES))
TARGETS = np.random.default_rng(1).standard_normal((N, OUTPUTS))


def assert_same_trajectory(
    backend: Target, layers: list[Any], loss: Any, y: Any, forward: Callable[..., Any], criterion: Callable[..., Any]
) -> None:
    """Each step's loss, and the parameters after the last, are PyTorch's to 1e-10 relative.

    `forward(model, x, parameters)` is the same network of PyTorch's tensors, `criterion(output, y)` the loss of each
    sample.
    """
    model = Sequential(layers, loss, SGD(RATE, momentum=0.9), backend=backend.spec, dtype="float64", seed=2)
    dense: list[Any] = [layer for layer in model.layers if isinstance(layer, Dense)]
    leaves = [
        torch.from_numpy(backend.to_numpy(part)).requires_grad_() for d in dense for part in (d.weights, d.biases)
    ]
    theirs = torch.optim.SGD(leaves, lr=RATE, momentum=0.9)
    x, labels, inputs = backend.asarray(X), backend.asarray(y), torch.from_numpy(X)
    for _ in range(STEPS):
        theirs.zero_grad()
        expected = criterion(forward(model, inputs, leaves), torch.from_numpy(y)).mean()
        expected.backward()
        backend.assert_close(model.train_step(x, labels), np.asarray(expected.item()), rtol=1e-10, atol=1e-12)
        theirs.step()
    ours = [backend.to_numpy(part) for d in dense for part in (d.weights, d.biases)]
    for mine, leaf in zip(ours, leaves, strict=True):
        assert np.max(np.abs(mine - leaf.detach().numpy())) <= 1e-10 * float(leaf.detach().abs().max())


@pytest.mark.long
@pytest.mark.parametrize("case", ACTIVATIONS.values(), ids=ACTIVATIONS)
def test_activations(backend: Target, case: Any) -> None:
    def forward(model: Any, x: Any, parameters: list[Any]) -> Any:
        W, b, V, c = parameters
        return case.torch(torch.nn.functional, x @ W + b) @ V + c

    layers = [Dense(FEATURES, UNITS), case.cls(**case.options), Dense(UNITS, OUTPUTS)]
    assert_same_trajectory(backend, layers, "mean_squared_error", TARGETS, forward, squared_error)


@pytest.mark.long
@pytest.mark.parametrize("case", LOSSES.values(), ids=LOSSES)
def test_losses(backend: Target, case: Any) -> None:
    end, theirs = ENDS[case.predictions]

    def forward(model: Any, x: Any, parameters: list[Any]) -> Any:
        W, b, V, c = parameters
        return theirs((x @ W + b).tanh() @ V + c)

    layers = [Dense(FEATURES, UNITS), "tanh", Dense(UNITS, OUTPUTS), *end]
    y = TARGETS if case.labels == "numbers" else case.draw(N, OUTPUTS, "float64")[1]

    def criterion(p: Any, t: Any) -> Any:
        return case.torch(torch.nn.functional, p, t)

    assert_same_trajectory(backend, layers, case.cls(**case.options), y, forward, criterion)


@pytest.mark.parametrize(
    ("inserted", "theirs"),
    [
        (Rescaling(0.5, -1.0), lambda model, h: 0.5 * h - 1),
        (Rescaling([0.5] * UNITS, list(range(UNITS))), lambda model, h: 0.5 * h + torch.arange(UNITS)),
        (Dropout(0.4), lambda model, h: h * mask(model)),
    ],
    ids=["rescaling", "rescaling by column", "dropout"],
)
def test_layers_without_parameters(backend: Target, inserted: Layer, theirs: Callable[[Any, Any], Any]) -> None:
    def forward(model: Any, x: Any, parameters: list[Any]) -> Any:
        W, b, V, c = parameters
        return theirs(model, (x @ W + b).tanh()) @ V + c

    layers = [Dense(FEATURES, UNITS), "tanh", type(inserted)(**options(inserted)), Dense(UNITS, OUTPUTS)]
    assert_same_trajectory(backend, layers, "mean_squared_error", TARGETS, forward, squared_error)


@pytest.mark.long
@pytest.mark.parametrize("penalty", ["l1", "l2", "bias_l1", "bias_l2"])
def test_penalties(backend: Target, penalty: str) -> None:
    """The coupled kind: a part of the loss, which `train_step` reports with it."""

    def forward(model: Any, x: Any, parameters: list[Any]) -> Any:
        W, b, V, c = parameters
        part = b if penalty.startswith("bias") else W
        size = part.abs().sum() if penalty.endswith("l1") else (part**2).sum()
        return (x @ W + b).tanh() @ V + c, 0.1 * size

    def criterion(output: Any, y: Any) -> Any:
        p, size = output
        return squared_error(p, y) + size

    layers = [Dense(FEATURES, UNITS, **{penalty: 0.1}), "tanh", Dense(UNITS, OUTPUTS)]
    assert_same_trajectory(backend, layers, "mean_squared_error", TARGETS, forward, criterion)


def squared_error(p: Any, y: Any) -> Any:
    return ((p - y) ** 2).mean(dim=1)


def options(layer: Any) -> dict[str, Any]:
    return {name: getattr(layer, name) for name in layer.options}


def mask(model: Any) -> Any:
    """What the dropout of the step to come multiplies by: it follows from (seed, layer, epoch, step)."""
    model.forward(X, training=True)
    dropout, to_numpy = model.layers[2], model.backend.to_numpy
    return torch.from_numpy(to_numpy(dropout.output) / to_numpy(dropout.inputs))
