"""Twenty steps of members that share weights beside TabM's equations, written out on PyTorch's autograd."""

import itertools
import math
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import Dense, Dropout, Sequential

torch = pytest.importorskip("torch", reason="PyTorch, whose autograd is the second opinion, is not installed")

K, WIDTHS, N, STEPS = 4, (5, 9, 8, 7), 40, 20
RATE, DECAY, BETAS, EPSILON, BOUND = 2e-3, 3e-4, (0.9, 0.999), 1e-8, 1.0
RNG = np.random.default_rng(3)
X = RNG.normal(size=(STEPS, N, WIDTHS[0]))
CLASSES = RNG.integers(0, 3, (STEPS, N))
NUMBERS = 20 * RNG.normal(size=(STEPS, N, 2))
"""So large that the gradients are clipped."""


class Transcription:
    """y_k = ((x_k ⊙ r_k) W) ⊙ s_k + b_k and ReLU, three times; a head each; the mean of the members' losses; AdamW of
    gradients that were clipped to a norm of 1 all together."""

    def __init__(self, parameters: dict[str, Any], classifies: bool) -> None:
        self.classifies, self.done, self.clipped = classifies, 0, 0
        self.p = {name: torch.tensor(value, dtype=torch.float64) for name, value in parameters.items()}
        self.m = {name: torch.zeros_like(value) for name, value in self.p.items()}
        self.v = {name: torch.zeros_like(value) for name, value in self.p.items()}

    def output(self, p: dict[str, Any], x: Any, k: int) -> Any:
        for i in range(len(WIDTHS) - 1):
            x = torch.relu(((x * p[f"r{i}"][k]) @ p[f"W{i}"]) * p[f"s{i}"][k] + p[f"b{i}"][k])
        return x @ p["head"][k] + p["head b"][k]

    def step(self, x: Any, y: Any) -> list[float]:
        p = {name: value.clone().requires_grad_() for name, value in self.p.items()}
        losses = []
        for k in range(K):
            out = self.output(p, x, k)
            if self.classifies:
                losses.append(-torch.log_softmax(out, dim=1)[torch.arange(N), y].mean())
            else:
                losses.append(((out - y) ** 2).mean())
        loss = sum(losses[1:], losses[0]) / K
        gradients = torch.autograd.grad(loss, list(p.values()))
        norm = math.sqrt(sum(float((g**2).sum()) for g in gradients))
        factor = min(1.0, BOUND / norm)
        self.clipped += factor < 1
        self.done += 1
        for name, gradient in zip(p, gradients, strict=True):
            g = gradient * factor
            self.m[name] = BETAS[0] * self.m[name] + (1 - BETAS[0]) * g
            self.v[name] = BETAS[1] * self.v[name] + (1 - BETAS[1]) * g**2
            m, v = self.m[name] / (1 - BETAS[0] ** self.done), self.v[name] / (1 - BETAS[1] ** self.done)
            self.p[name] = self.p[name] * (1 - RATE * DECAY) - RATE * m / (torch.sqrt(v) + EPSILON)
        return [value.item() for value in losses]


def places(model: Sequential) -> dict[str, tuple[Any, str]]:
    """The transcription's parameters by name: the layer, and the name that they have here."""
    found: dict[str, tuple[Any, str]] = {}
    shared = [layer for layer in model.layers if type(layer) is nnxp.SharedDense]
    for i, layer in enumerate(shared):
        for symbol, name in zip("Wrsb", layer.parameters, strict=True):
            found[f"{symbol}{i}"] = layer, name
    head = next(layer for layer in model.layers if type(layer) is Dense)
    return {**found, "head": (head, "weights"), "head b": (head, "biases")}


@pytest.mark.parametrize("classifies", [True, False])
def test_twenty_steps_are_those_of_the_equations(classifies: bool) -> None:
    layers: list[Any] = []
    for n_in, width in itertools.pairwise(WIDTHS):
        layers += [Dense(n_in, width), "relu", Dropout(0.0)]
    outputs, loss = (3, "categorical_crossentropy") if classifies else (2, "mean_squared_error")
    layers += [Dense(WIDTHS[-1], outputs), *(["softmax"] if classifies else [])]
    optimizer = nnxp.AdamW(RATE, beta_1=BETAS[0], beta_2=BETAS[1], epsilon=EPSILON, weight_decay=DECAY, clip_norm=BOUND)
    model = Sequential(layers, loss, optimizer, members=K, shared=True, seed=0, backend="numpy", dtype="float64")
    symbols = places(model)
    assert len(symbols) == 4 * 3 + 2
    before = {symbol: np.array(getattr(layer, name)) for symbol, (layer, name) in symbols.items()}
    by_hand = Transcription(before, classifies)
    y = CLASSES if classifies else NUMBERS
    for x, target in zip(X, y, strict=True):
        losses = by_hand.step(torch.tensor(x), torch.tensor(target))
        np.testing.assert_allclose(model.train_step(x, target), losses, rtol=1e-10)
    assert classifies or by_hand.clipped == STEPS
    for symbol, (layer, name) in symbols.items():
        expected = by_hand.p[symbol].numpy()
        np.testing.assert_allclose(getattr(layer, name), expected, rtol=1e-8, atol=1e-8, err_msg=symbol)
        assert np.abs(expected - before[symbol]).max() > 1e-3, symbol
    outputs_by_hand = [by_hand.output(by_hand.p, torch.tensor(X[0]), k) for k in range(K)]
    shares = [torch.softmax(out, dim=1) if classifies else out for out in outputs_by_hand]
    np.testing.assert_allclose(model.predict(X[0]), torch.stack(shares).mean(0).numpy(), rtol=1e-8, atol=1e-8)
