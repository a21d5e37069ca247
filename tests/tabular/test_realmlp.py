"""Fifty steps of `realmlp-s` and `realmlp` beside the published equations, written out on PyTorch's autograd."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nnxp.layers import Dropout
from nnxp.tabular.networks import trained
from nnxp.tabular.networks.presets import get_preset
from nnxp.tabular.networks.purpose import Purpose

torch = pytest.importorskip("torch", reason="PyTorch, whose autograd is the second opinion, is not installed")

HIDDEN, N, BATCH, EPOCHS, STEPS = (24, 20, 16), 107, 20, 10, 50
CLASSES, CODES = 3, 13
FEATURES, NUMBERS, CODED = 5, 2, 2
"""Columns; the first of them numbers; where the column of codes stands."""


def rows(coded: bool) -> tuple[Any, Any, Any]:
    """X, classes and numbers."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(N, FEATURES))
    if coded:
        X[:, CODED] = rng.integers(CODES, size=N)
    score = X[:, 0] + np.cos(3 * X[:, 1]) + 0.5 * (X[:, CODED] % 2)
    return X, np.digitize(score, [0.0, 1.0]), score[:, None]


def drawn(layer: int, step: int, width: int) -> Any:
    """What decides which of a layer's outputs are dropped at a step: those below the rate."""
    return np.random.default_rng([layer, step]).random((BATCH, width))


class Transcription:
    """RealMLP from its equations; `full` is TD, else TD-S. t is the share of steps that were done before one."""

    def __init__(self, parameters: dict[str, Any], full: bool, classifies: bool) -> None:
        self.full, self.classifies, self.done = full, classifies, 0
        self.p = {name: torch.tensor(value, dtype=torch.float64) for name, value in parameters.items()}
        self.m = {name: torch.zeros_like(value) for name, value in self.p.items()}
        self.v = {name: torch.zeros_like(value) for name, value in self.p.items()}
        self.rate = 0.04 if classifies else 0.2 if full else 0.07

    def factor(self, name: str) -> float:
        """What the rate of a kind of parameter is multiplied by."""
        if name == "s":
            return 6.0
        return 0.1 if name[0] in "bα" or name.startswith("pbld") else 1.0

    def decays(self, name: str) -> bool:
        return self.full and name[0] != "b"  # the linear layers' biases alone

    def output(self, p: dict[str, Any], x: Any, masks: list[Any] | None = None) -> Any:
        if self.full:
            others = [j for j in range(FEATURES) if j != CODED and j >= NUMBERS]
            word = p["words"][x[:, CODED].long()]
            numbers = x[:, :NUMBERS]
            u = torch.cos(2 * math.pi * p["pbld w"] * numbers[:, :, None] + p["pbld b"])  # (n, numbers, 16)
            z = torch.einsum("njk,jkl->njl", u, p["pbld A"]) + p["pbld c"]
            x = torch.cat([x[:, others], word, numbers, z.reshape(len(x), -1)], dim=1)
        x = p["s"] * x
        f = torch.nn.functional.selu if self.classifies else torch.nn.functional.mish
        for i in range(len(HIDDEN)):
            x = x @ p[f"W{i}"] / math.sqrt(x.shape[1]) + p[f"b{i}"]
            x = x + p[f"α{i}"] * (f(x) - x) if self.full else f(x)
            x = x if masks is None else x * masks[i]
        last = len(HIDDEN)
        return x @ p[f"W{last}"] / math.sqrt(x.shape[1]) + p[f"b{last}"]

    def step(self, x: Any, y: Any) -> None:
        t = self.done / STEPS
        coslog = 0.5 - 0.5 * math.cos(2 * math.pi * math.log2(1 + 15 * t))
        flat = 1.0 if t < 0.5 else 0.5 * (1 + math.cos(math.pi * (2 * t - 1)))
        masks, dropped = None, 0.15 * flat
        if self.full:
            kept = [drawn(i, self.done, width) >= dropped for i, width in enumerate(HIDDEN)]
            masks = [torch.tensor(keep, dtype=torch.float64) / (1 - dropped) for keep in kept]
        p = {name: value.clone().requires_grad_() for name, value in self.p.items()}
        out = self.output(p, x, masks)
        if self.classifies:
            truth = 0.9 * torch.nn.functional.one_hot(y, CLASSES).double() + 0.1 / CLASSES
            loss = -(truth * torch.log_softmax(out, dim=1)).sum(dim=1).mean()
        else:
            loss = ((out - y) ** 2).mean()
        gradients = torch.autograd.grad(loss, list(p.values()))
        self.done += 1
        for name, g in zip(p, gradients, strict=True):
            rate = self.rate * coslog * self.factor(name)
            decay = 0.02 * flat * self.rate * coslog * self.factor(name) ** 2 if self.decays(name) else 0.0
            self.m[name] = 0.9 * self.m[name] + 0.1 * g
            self.v[name] = 0.95 * self.v[name] + 0.05 * g**2
            m, v = self.m[name] / (1 - 0.9**self.done), self.v[name] / (1 - 0.95**self.done)
            self.p[name] = self.p[name] * (1 - decay) - rate * m / (torch.sqrt(v) + 1e-8)


def places(model: Any) -> dict[str, tuple[Any, str, tuple[int, ...]]]:
    """The transcription's parameters by name: the layer and the name they have here, and their shape there."""
    found: dict[str, tuple[Any, str, tuple[int, ...]]] = {}
    dense = parametric = 0
    for layer in model.layers:
        kind = type(layer).__name__
        if kind == "Dense":
            found[f"W{dense}"] = (layer, "weights", (layer.n_in, layer.n_out))
            found[f"b{dense}"] = (layer, "biases", (layer.n_out,))
            dense += 1
        elif kind == "ParametricActivation":
            found[f"α{parametric}"] = (layer, "alpha", (layer.width,))
            parametric += 1
        elif kind == "Scaling":
            found["s"] = (layer, "scale", (layer.width,))
        elif kind == "Embedding":
            found["words"] = (layer, "weights", (CODES, 8))
        elif kind == "PeriodicEmbedding":
            found["pbld w"] = (layer, "frequencies", (NUMBERS, 16))
            found["pbld b"] = (layer, "phases", (NUMBERS, 16))
            found["pbld A"] = (layer, "weights", (NUMBERS, 16, 3))
            found["pbld c"] = (layer, "biases", (NUMBERS, 3))
    return found


@pytest.mark.parametrize("classifies", [True, False])
@pytest.mark.parametrize("name", ["realmlp-s", "realmlp"])
def test_fifty_steps_are_those_of_the_equations(name: str, classifies: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    full = name == "realmlp"
    X, classes, numbers = rows(coded=full)
    y = classes if classifies else numbers
    preset = get_preset(name, True, 1000)
    assert preset.recipe.hidden == (256, 256, 256) and preset.recipe.epochs == preset.recipe.batch_size == 256
    recipe = preset.recipe._replace(hidden=HIDDEN, epochs=EPOCHS, batch_size=BATCH)
    purpose = Purpose(
        FEATURES, CLASSES if classifies else 1, classifies, NUMBERS, {CODED: CODES} if full else {}, smooths=True
    )
    preset = replace(preset, recipe=recipe)
    model = trained.network(preset, purpose, backend="numpy", dtype="float64", seed=0)

    dropouts = [layer for layer in model.layers if isinstance(layer, Dropout)]
    assert len(dropouts) == (3 if full else 0)

    def masked(layer: Dropout, key: int, shape: tuple[int, ...], rate: float) -> tuple[Any, ...]:
        return (drawn(dropouts.index(layer), model.optimizer.iterations, shape[1]) >= rate,)

    monkeypatch.setattr(Dropout, "_draw", masked)
    rng, injected = np.random.default_rng(2), dict[str, Any]()
    for symbol, (layer, own, shape) in places(model).items():
        value = rng.normal(size=shape)
        injected[symbol] = 1 + 0.1 * value if symbol[0] in "sα" else 0.3 * value if symbol == "pbld A" else value
        setattr(layer, own, injected[symbol].reshape(getattr(layer, own).shape))

    trained.fit(model, preset, {"X": X, "y": y, "sample_weight": None, "shuffle": False}, chooses=None, progress=False)
    assert model.step == STEPS

    by_hand = Transcription(injected, full, classifies)
    for _ in range(EPOCHS):
        for start in range(0, N - BATCH + 1, BATCH):
            batch = slice(start, start + BATCH)
            by_hand.step(torch.tensor(X[batch]), torch.tensor(y[batch]))
    for symbol, (layer, own, shape) in places(model).items():
        moved = np.abs(by_hand.p[symbol].numpy() - injected[symbol]).max()
        got = np.asarray(getattr(layer, own)).reshape(shape)
        np.testing.assert_allclose(got, by_hand.p[symbol].numpy(), rtol=1e-8, atol=1e-8, err_msg=symbol)
        assert moved > 1e-3, symbol
    out = by_hand.output(by_hand.p, torch.tensor(X))
    out = torch.softmax(out, dim=1) if classifies else out
    np.testing.assert_allclose(model.predict(X), out.numpy(), rtol=1e-8, atol=1e-8)
