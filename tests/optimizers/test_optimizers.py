"""Every optimizer of the registry against its published equations and against PyTorch, and what surrounds a step.

The transcriptions below are the equations of the papers in plain NumPy, one array at a time. Where PyTorch's
are the same, it is held against PyTorch too. It is not the same in two places, which are left out: PyTorch
multiplies the momentum by the learning rate, where the rate stands inside it here, so that the two agree at a
constant rate only; and its `clip_grad_norm_` divides by the norm plus 1e-6. PyTorch has no Lion: the paper's
rule in PyTorch's tensors stands in for it. `LBFGS` has tests of its own.
"""

import gc
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import nnxp
from nnxp.doors.naming import snake_case
from nnxp.optimizers import LBFGS, OPTIMIZERS, Optimizer, get_optimizer
from nnxp.optimizers.decaying import Decaying
from tests.helpers.matrix import Target
from tests.helpers.models import classifier, problem, values
from tests.helpers.registry import defined

Host = npt.NDArray[Any]
State = dict[str, Any]
STEPS = 100


def sgd(w: Host, g: Host, s: State, t: int, lr: float) -> Host:
    return w - lr * g


def momentum(w: Host, g: Host, s: State, t: int, lr: float, beta: float, nesterov: bool = False) -> Host:
    s["m"] = beta * s.get("m", 0) + lr * g
    return w - (beta * s["m"] + lr * g if nesterov else s["m"])


def adagrad(w: Host, g: Host, s: State, t: int, lr: float, epsilon: float) -> Host:
    s["c"] = s.get("c", 0) + g**2
    return w - lr * g / (np.sqrt(s["c"]) + epsilon)


def rmsprop(w: Host, g: Host, s: State, t: int, lr: float, rho: float, epsilon: float) -> Host:
    s["c"] = rho * s.get("c", 0) + (1 - rho) * g**2
    return w - lr * g / (np.sqrt(s["c"]) + epsilon)


def adam(w: Host, g: Host, s: State, t: int, lr: float, beta_1: float, beta_2: float, epsilon: float) -> Host:
    s["m"] = beta_1 * s.get("m", 0) + (1 - beta_1) * g
    s["v"] = beta_2 * s.get("v", 0) + (1 - beta_2) * g**2
    m_hat = s["m"] / (1 - beta_1**t)
    v_hat = s["v"] / (1 - beta_2**t)
    return w - lr * m_hat / (np.sqrt(v_hat) + epsilon)


def adamw(w: Host, g: Host, s: State, t: int, lr: float, weight_decay: float, **others: float) -> Host:
    return adam(w, g, s, t, lr, **others) - lr * weight_decay * w


def lion(w: Host, g: Host, s: State, t: int, lr: float, beta_1: float, beta_2: float, weight_decay: float) -> Host:
    m = s.get("m", np.zeros_like(w))
    u = beta_1 * m + (1 - beta_1) * g
    s["m"] = beta_2 * m + (1 - beta_2) * g
    return w - lr * (np.sign(u) + weight_decay * w)


def torch_optimizer(name: str) -> Any:
    """PyTorch's class of that name, or the paper's Lion."""
    import torch

    class Lion(torch.optim.Optimizer):
        """Chen et al. 2023 (arXiv:2302.06675), algorithm 2, on PyTorch's tensors."""

        def __init__(
            self,
            params: Any,
            lr: float = 1e-4,
            betas: tuple[float, float] = (0.9, 0.99),
            weight_decay: float = 0.0,
            **_: Any,
        ) -> None:
            super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

        @torch.no_grad()  # type: ignore[untyped-decorator]
        def step(self) -> None:
            for group in self.param_groups:
                lr, decay, (beta_1, beta_2) = group["lr"], group["weight_decay"], group["betas"]
                for w in group["params"]:
                    m = self.state[w].get("m", torch.zeros_like(w))
                    w -= lr * (torch.sign(torch.lerp(w.grad, m, beta_1)) + decay * w)
                    self.state[w]["m"] = torch.lerp(w.grad, m, beta_2)

    return Lion if name == "Lion" else getattr(torch.optim, name)


@dataclass
class Case:
    """One optimizer with its options, the transcription, and PyTorch's call."""

    cls: type[Optimizer]
    equations: Callable[..., Host]
    constants: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    torch: tuple[str, dict[str, Any]] = ("", {})
    rate: float = 0.05


ADAM = {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3}
LION = {"beta_1": 0.8, "beta_2": 0.95, "weight_decay": 0.2}
CASES = {
    "sgd": Case(nnxp.SGD, sgd, torch=("SGD", {})),
    "momentum": Case(nnxp.SGD, momentum, {"beta": 0.9}, {"momentum": 0.9}, ("SGD", {"momentum": 0.9}), rate=0.01),
    "nesterov": Case(
        nnxp.SGD,
        momentum,
        {"beta": 0.8, "nesterov": True},
        {"momentum": 0.8, "nesterov": True},
        ("SGD", {"momentum": 0.8, "nesterov": True}),
        rate=0.01,
    ),
    "adagrad": Case(nnxp.Adagrad, adagrad, {"epsilon": 1e-3}, {"epsilon": 1e-3}, ("Adagrad", {"eps": 1e-3})),
    "adagrad defaults": Case(nnxp.Adagrad, adagrad, {"epsilon": 1e-7}, {}, ("Adagrad", {"eps": 1e-7})),
    "rmsprop": Case(
        nnxp.RMSprop,
        rmsprop,
        {"rho": 0.7, "epsilon": 1e-3},
        {"rho": 0.7, "epsilon": 1e-3},
        ("RMSprop", {"alpha": 0.7, "eps": 1e-3}),
    ),
    "rmsprop defaults": Case(
        nnxp.RMSprop, rmsprop, {"rho": 0.9, "epsilon": 1e-7}, {}, ("RMSprop", {"alpha": 0.9, "eps": 1e-7})
    ),
    "adam": Case(nnxp.Adam, adam, ADAM, ADAM, ("Adam", {"betas": (0.8, 0.95), "eps": 1e-3})),
    "adam defaults": Case(
        nnxp.Adam, adam, {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}, {}, ("Adam", {"eps": 1e-7})
    ),
    "adamw": Case(
        nnxp.AdamW,
        adamw,
        ADAM | {"weight_decay": 0.2},
        ADAM | {"weight_decay": 0.2},
        ("AdamW", {"betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.2}),
    ),
    "adamw defaults": Case(
        nnxp.AdamW,
        adamw,
        {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "weight_decay": 0.01},
        {},
        ("AdamW", {"eps": 1e-7, "weight_decay": 0.01}),
    ),
    "lion": Case(nnxp.Lion, lion, LION, LION, ("Lion", {"betas": (0.8, 0.95), "weight_decay": 0.2}), rate=0.01),
    "lion defaults": Case(
        nnxp.Lion,
        lion,
        {"beta_1": 0.9, "beta_2": 0.99, "weight_decay": 0.1},
        {},
        ("Lion", {"weight_decay": 0.1}),
        rate=0.001,
    ),
}
COUPLED = [name for name, case in CASES.items() if case.cls not in (nnxp.AdamW, nnxp.Lion)]
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)

START = np.random.default_rng(1).standard_normal((4, 2))  # a layer's 3 x 2 weights, and its biases below them
NOISE = np.random.default_rng(2).standard_normal((STEPS, 4, 2))


def gradient(w: Host, step: int) -> Host:
    """That of a bowl, with noise."""
    return 0.3 * w + NOISE[step]


def dense(target: Target | None, dtype: str = "float64", **options: Any) -> nnxp.Dense:
    layer = nnxp.Dense(3, 2, backend=target.spec if target else "numpy", dtype=dtype, **options)
    layer.weights, layer.biases = START[:3], START[3:]
    return layer


def host(layer: nnxp.Dense) -> Host:
    """Weights and biases as one (4, 2) array."""
    to_numpy = layer.backend.to_numpy
    return np.concatenate([to_numpy(layer.weights), to_numpy(layer.biases)]).astype(np.float64)


def give(layer: nnxp.Dense, g: Host) -> None:
    layer.dweights, layer.dbiases = g[:3], g[3:]


def train(optimizer: Optimizer, layer: nnxp.Dense, steps: int = STEPS) -> Host:
    for step in range(steps):
        give(layer, gradient(host(layer), step))
        optimizer.pre_update_params()
        optimizer.update_params(layer)
        optimizer.post_update_params()
    return host(layer)


def transcribed(case: Case, decay: float = 0.0, clip: Callable[[Host], Host] = lambda g: g, steps: int = STEPS) -> Host:
    w, state = START.copy(), State()
    for step in range(steps):
        rate = case.rate / (1 + decay * step)
        w = case.equations(w, clip(gradient(w, step)), state, step + 1, rate, **case.constants)
    return w


def assert_same(actual: Host, expected: Host, relative: float) -> None:
    assert np.max(np.abs(actual - expected)) <= relative * np.max(np.abs(expected))


def test_the_registry_holds_every_optimizer() -> None:
    assert (
        defined("nnxp.optimizers", Optimizer) - {LBFGS, Decaying}
        == set(OPTIMIZERS)
        == {case.cls for case in CASES.values()}
    )
    assert all(getattr(nnxp, cls.__name__) is cls for cls in (*OPTIMIZERS, LBFGS))


@pytest.mark.parametrize("decay", [0.0, 0.05])
@every_case
def test_follows_its_equations(backend: Target, case: Case, decay: float) -> None:
    """100 steps in float64: parameters stay on their backend, in their dtype and in the same memory."""
    layer = dense(backend)
    weights = layer.weights
    optimizer = case.cls(case.rate, decay=decay, **case.options)
    assert_same(train(optimizer, layer), transcribed(case, decay), 1e-12)
    assert optimizer.iterations == STEPS
    assert optimizer.current_learning_rate == case.rate / (1 + decay * (STEPS - 1))
    backend.assert_close(weights, host(layer)[:3])


@every_case
def test_promotes_no_dtype(backend: Target, case: Case) -> None:
    """float32 parameters and state stay float32, and within its precision of the equations."""
    layer = dense(backend, "float32")
    optimizer = case.cls(case.rate, clip_norm=1e3, clip_value=1e3, **case.options)
    train(optimizer, layer)
    backend.assert_close(layer.weights, host(layer)[:3].astype(np.float32))
    for slot in optimizer.state(layer.store):
        backend.assert_close(slot, backend.to_numpy(slot).astype(np.float32))
    # each step rounds w and the update a few times
    assert_same(host(layer), transcribed(case), 8 * STEPS * float(np.finfo(np.float32).eps))


@pytest.mark.parametrize("case", [c for c in CASES.values() if c.torch[0]], ids=[n for n in CASES if CASES[n].torch[0]])
def test_equals_pytorch(case: Case) -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch's optimizers")
    name, options = case.torch
    leaf = torch.from_numpy(START.copy()).requires_grad_()
    theirs = torch_optimizer(name)([leaf], lr=case.rate, foreach=False, **options)
    for step in range(STEPS):
        leaf.grad = torch.from_numpy(gradient(leaf.detach().numpy(), step))
        theirs.step()
    ours = train(case.cls(case.rate, **case.options), dense(None))
    assert_same(ours, leaf.detach().numpy(), 1e-10)


def test_every_case_is_held_against_pytorch() -> None:
    assert all(case.torch[0] for case in CASES.values())


@every_case
def test_clips_by_value(case: Case) -> None:
    optimizer = case.cls(case.rate, clip_value=0.4, **case.options)
    expected = transcribed(case, clip=lambda g: np.clip(g, -0.4, 0.4))
    assert_same(train(optimizer, dense(None)), expected, 1e-12)


@every_case
def test_clips_by_norm(backend: Target, case: Case) -> None:
    """Weights and biases together have one norm; shorter gradients stay as they are."""
    optimizer = case.cls(case.rate, clip_norm=2.5, **case.options)

    def clip(g: Host) -> Host:
        norm = math.sqrt(float(np.sum(g * g)))
        return g * min(1.0, 2.5 / norm)

    norms = [float(np.linalg.norm(noise)) for noise in NOISE]
    assert min(norms) < 2.5 < max(norms)
    layer = dense(backend)
    assert_same(train(optimizer, layer), transcribed(case, clip=clip), 1e-12)


def test_clips_by_value_and_then_by_norm() -> None:
    optimizer = nnxp.SGD(0.05, clip_value=0.4, clip_norm=0.5)

    def clip(g: Host) -> Host:
        g = np.clip(g, -0.4, 0.4)
        return g * min(1.0, 0.5 / float(np.linalg.norm(g)))

    assert_same(train(optimizer, dense(None)), transcribed(CASES["sgd"], clip=clip), 1e-12)


def test_a_list_of_layers_has_one_norm(backend: Target) -> None:
    layers = [dense(backend) for _ in range(3)]
    for scale, layer in enumerate(layers):
        give(layer, NOISE[0] * scale)
    norm = float(np.linalg.norm(np.concatenate([NOISE[0] * scale for scale in range(3)])))
    nnxp.SGD(1.0, clip_norm=0.5).update_params(layers)
    for scale, layer in enumerate(layers):
        np.testing.assert_allclose(host(layer), START - NOISE[0] * scale * 0.5 / norm, rtol=1e-14, atol=1e-15)


def test_clipping_leaves_the_gradients_as_they_are() -> None:
    layer = dense(None)
    give(layer, NOISE[0])
    nnxp.Adam(clip_norm=0.1, clip_value=0.1).update_params(layer)
    np.testing.assert_array_equal(layer.dweights, NOISE[0][:3])


def test_a_gradient_of_zeros_is_clipped_to_zeros() -> None:
    layer = dense(None)
    give(layer, np.zeros((4, 2)))
    nnxp.SGD(clip_norm=1.0).update_params(layer)
    np.testing.assert_array_equal(host(layer), START)


def test_adamw_can_spare_the_biases() -> None:
    spared = train(nnxp.AdamW(0.05, weight_decay=0.2, decay_biases=False, **ADAM), dense(None))
    everything = transcribed(CASES["adamw"])
    # with gradients of their own weights only, weights and biases do not meet: rows are independent
    assert_same(spared[:3], everything[:3], 1e-12)
    plain = Case(nnxp.Adam, adam, ADAM)
    assert_same(spared[3:], transcribed(plain)[3:], 1e-12)


def test_lion_can_spare_the_biases() -> None:
    case = CASES["lion"]
    spared = train(nnxp.Lion(case.rate, decay_biases=False, **LION), dense(None))
    assert_same(spared[:3], transcribed(case)[:3], 1e-12)
    plain = Case(nnxp.Lion, lion, LION | {"weight_decay": 0.0}, rate=case.rate)
    assert_same(spared[3:], transcribed(plain)[3:], 1e-12)


@pytest.mark.parametrize("cls", [nnxp.AdamW, nnxp.Lion])
@pytest.mark.parametrize("decay_biases", [True, False])
def test_what_is_spared_are_biases_and_the_gains_of_a_normalisation(cls: type[Optimizer], decay_biases: bool) -> None:
    """Without gradients, decay is all that moves: by 1 - lr · λ."""
    layers: list[Any] = [nnxp.Dense(3, 2), nnxp.BatchNorm(2), nnxp.LayerNorm(2)]
    model = nnxp.Sequential(layers, loss="mean_squared_error", dtype="float64", backend="numpy", seed=0)
    model.store.values[...] = 1.0
    model.forward(START[:, :1] * np.ones((4, 3)))
    model.backward(START)
    model.store.gradients[...] = 0.0
    cls(0.5, weight_decay=0.2, decay_biases=decay_biases).update_params(model)
    kept = 0.9 if decay_biases else 1.0
    dense_layer, batch, layer = model.layers
    for array, expected in (
        (dense_layer.weights, 0.9),
        (dense_layer.biases, kept),
        (batch.gains, kept),
        (batch.biases, kept),
        (batch.running_mean, 1.0),
        (layer.gains, kept),
        (layer.biases, kept),
    ):
        np.testing.assert_allclose(array, expected, rtol=1e-15)


# --- decay in the loss ---------------------------------------------------------------------------------

INPUTS = np.random.default_rng(4).standard_normal((5, 3))
DVALUES = np.random.default_rng(5).standard_normal((STEPS, 5, 2))


def train_penalised(optimizer: Optimizer, **penalties: float) -> Host:
    """100 steps of a layer whose loss is Σ dvalues · output and its penalties."""
    layer = dense(None, **penalties)
    for step in range(STEPS):
        layer.forward(INPUTS)
        layer.backward(DVALUES[step])
        optimizer.pre_update_params()
        optimizer.update_params(layer)
        optimizer.post_update_params()
    return host(layer)


@every_case
def test_penalties_by_kind_equal_pytorch_s_autograd(case: Case) -> None:
    """l1 Σ|w| + l2 Σw² of weights and of biases, each with its own factors, beside every optimizer."""
    torch = pytest.importorskip("torch", reason="compares with PyTorch's optimizers")
    name, options = case.torch
    w, b = (torch.from_numpy(part.copy()).requires_grad_() for part in (START[:3], START[3:]))
    theirs = torch_optimizer(name)([w, b], lr=case.rate, foreach=False, **options)
    x = torch.from_numpy(INPUTS)
    for dvalues in DVALUES:
        theirs.zero_grad()
        penalty = 0.03 * w.abs().sum() + 0.2 * (w * w).sum() + 0.02 * b.abs().sum() + 0.1 * (b * b).sum()
        ((x @ w + b) * torch.from_numpy(dvalues)).sum().add(penalty).backward()
        theirs.step()
    ours = train_penalised(case.cls(case.rate, **case.options), l1=0.03, l2=0.2, bias_l1=0.02, bias_l2=0.1)
    assert_same(ours, torch.cat([w, b]).detach().numpy(), 1e-10)


@pytest.mark.parametrize("name", COUPLED)
def test_pytorch_s_weight_decay_is_twice_our_l2(name: str) -> None:
    """PyTorch adds λw to the gradient, which is that of λ/2 · Σw²."""
    torch = pytest.importorskip("torch", reason="compares with PyTorch's optimizers")
    case = CASES[name]
    their_name, options = case.torch
    leaf = torch.from_numpy(START.copy()).requires_grad_()
    theirs = torch_optimizer(their_name)([leaf], lr=case.rate, foreach=False, weight_decay=0.3, **options)
    x = torch.from_numpy(INPUTS)
    for dvalues in DVALUES:
        theirs.zero_grad()
        ((x @ leaf[:3] + leaf[3:]) * torch.from_numpy(dvalues)).sum().backward()
        theirs.step()
    ours = train_penalised(case.cls(case.rate, **case.options), l2=0.15, bias_l2=0.15)
    assert_same(ours, leaf.detach().numpy(), 1e-10)


# --- the average of the weights ------------------------------------------------------------------------


def average(optimizer: Optimizer, layer: nnxp.Dense) -> Host:
    """As `host` gives the weights."""
    flat = optimizer.average(layer.store)
    assert flat is not None and tuple(flat.shape) == (START.size,)
    return layer.backend.to_numpy(flat).reshape(START.shape).astype(np.float64)


@every_case
def test_the_average_of_the_weights_follows_them(backend: Target, case: Case) -> None:
    """m = 0.9 m + 0.1 w after each update, from the weights before the first; the weights go on as without."""
    layer = dense(backend)
    optimizer = case.cls(case.rate, ema=0.9, **case.options)
    m = START.copy()
    for step in range(10):
        give(layer, gradient(host(layer), step))
        optimizer.update_params(layer)
        optimizer.post_update_params()
        m = 0.9 * m + 0.1 * host(layer)
        assert_same(average(optimizer, layer), m, 1e-14)
    assert_same(host(layer), transcribed(case, steps=10), 1e-12)
    backend.assert_close(optimizer.average(layer.store), np.ravel(average(optimizer, layer)))


def test_the_average_equals_pytorch_s() -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch's AveragedModel")
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    module = torch.nn.Module()
    module.w = torch.nn.Parameter(torch.from_numpy(START.copy()))
    averaged = AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(0.97))
    averaged.update_parameters(module)  # its first call copies
    theirs = torch.optim.AdamW([module.w], lr=0.05, eps=1e-7)
    for step in range(STEPS):
        module.w.grad = torch.from_numpy(gradient(module.w.detach().numpy(), step))
        theirs.step()
        averaged.update_parameters(module)
    layer, optimizer = dense(None), nnxp.AdamW(0.05, ema=0.97)
    train(optimizer, layer)
    assert_same(average(optimizer, layer), averaged.module.w.detach().numpy(), 1e-10)
    assert np.max(np.abs(average(optimizer, layer) - host(layer))) > 0.01


def test_weights_that_stand_still_are_their_own_average(backend: Target) -> None:
    layer, optimizer = dense(backend, "float32"), nnxp.SGD(0.0, ema=0.999)
    train(optimizer, layer)
    np.testing.assert_array_equal(average(optimizer, layer), START.astype(np.float32))


def test_the_average_is_kept_as_the_slots_are() -> None:
    layer = dense(None)
    assert nnxp.Adam().average(layer.store) is None
    optimizer = nnxp.Adam(0.05, ema=0.9)
    assert optimizer.kept == ("momentum", "cache", "average")
    assert_same(average(optimizer, layer), START, 0.0)
    train(optimizer, layer, 4)
    saved = optimizer.saved_state(layer.store)
    assert tuple(saved) == optimizer.kept
    twin, second = dense(None), nnxp.Adam(0.05, ema=0.9)
    twin.weights, twin.biases = layer.weights, layer.biases
    second.restore_state(twin.store, {name: array.copy() for name, array in saved.items()})
    second.iterations = 4
    np.testing.assert_array_equal(train(second, twin, 5), train(optimizer, layer, 5))
    np.testing.assert_array_equal(average(second, twin), average(optimizer, layer))
    with pytest.raises(ValueError, match="got optimizer state of shapes"):
        nnxp.Adam().restore_state(twin.store, saved)


def test_the_average_is_in_a_model_s_file(backend: Target, tmp_path: Path) -> None:
    X, y = problem()
    model = classifier(backend.spec, optimizer=nnxp.Lion(0.01, ema=0.9, decay_biases=False))
    model.fit(X, y, epochs=2, batch_size=7)
    model.save(tmp_path / "m.safetensors")
    loaded = nnxp.load(tmp_path / "m.safetensors", backend=backend.spec)
    for own in (model, loaded):
        own.fit(X, y, epochs=2, batch_size=7)
    np.testing.assert_array_equal(values(loaded), values(model))
    averages = [backend.to_numpy(own.optimizer.average(own.store)) for own in (model, loaded)]
    np.testing.assert_array_equal(*averages)
    assert not np.allclose(averages[0], values(model), rtol=1e-3)


def test_a_layer_of_a_model_moves_its_part_of_the_average() -> None:
    layers: list[Any] = [nnxp.Dense(3, 2), nnxp.Dense(2, 2)]
    model = nnxp.Sequential(layers, loss="mean_squared_error", dtype="float64", backend="numpy", seed=0)
    model.forward(START[:, :1] * np.ones((4, 3)))
    model.backward(START)
    before = model.store.values.copy()
    optimizer = nnxp.SGD(0.1, ema=0.5)
    optimizer.update_params(model.layers[1])
    np.testing.assert_allclose(optimizer.average(model.store), (before + model.store.values) / 2, rtol=1e-14)
    assert np.sum(before != model.store.values) == 6


def test_a_layer_in_a_model_is_its_slices() -> None:
    """Updating one layer of a model moves it alone; the model as a whole moves every layer, alike."""
    layers = [dense(None), nnxp.Tanh(), nnxp.Dense(2, 2, dtype="float64", seed=0)]
    model = nnxp.Sequential(layers, loss="mean_squared_error", dtype="float64", backend="numpy", seed=0)
    other = model.layers[2].weights.copy()
    model.forward(START[:, :1] * np.ones((4, 3)))
    model.backward(START)
    gradient = [model.layers[0].dweights.copy(), model.layers[0].dbiases.copy(), model.layers[2].dweights.copy()]
    nnxp.SGD(0.1).update_params(model.layers[0])
    np.testing.assert_allclose(model.layers[0].weights, START[:3] - 0.1 * gradient[0], rtol=1e-14)
    np.testing.assert_allclose(model.layers[0].biases, START[3:] - 0.1 * gradient[1], rtol=1e-14)
    np.testing.assert_array_equal(model.layers[2].weights, other)
    nnxp.SGD(0.1).update_params(model)
    np.testing.assert_allclose(model.layers[2].weights, other - 0.1 * gradient[2], rtol=1e-14)
    np.testing.assert_allclose(model.layers[0].weights, START[:3] - 0.2 * gradient[0], rtol=1e-13)


def test_layers_without_parameters_are_passed_over() -> None:
    layer = dense(None)
    give(layer, NOISE[0])
    nnxp.SGD(1.0).update_params([nnxp.ReLU(), layer, nnxp.Softmax()])
    np.testing.assert_allclose(host(layer), START - NOISE[0], rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_needs_a_backward_first(cls: type[Optimizer]) -> None:
    layer = dense(None)
    layer.forward([[1.0, 2.0, 3.0]])
    with pytest.raises(RuntimeError, match=r"Dense has no gradients yet: call backward\(dvalues\) before"):
        cls().update_params(layer)
    np.testing.assert_array_equal(host(layer), START)


def test_state_of_a_layer_that_joined_a_model_is_not_forgotten_in_silence() -> None:
    layer, optimizer = dense(None), nnxp.Adam()
    train(optimizer, layer, 1)
    model = nnxp.Sequential([layer], loss="mean_squared_error", backend="numpy", dtype="float64")
    assert model.layers[0] is layer
    give(layer, NOISE[0])
    with pytest.raises(RuntimeError, match=r"now part of a model: call optimizer.reset\(\)"):
        optimizer.update_params(layer)
    optimizer.reset()
    optimizer.update_params(layer)


def test_reset_starts_again() -> None:
    optimizer = nnxp.Adam(0.05, decay=0.1)
    first = train(optimizer, dense(None), 5)
    layer = dense(None)
    optimizer.reset()
    assert (optimizer.iterations, optimizer.current_learning_rate) == (0, 0.05)
    np.testing.assert_array_equal(train(optimizer, layer, 5), first)


def test_state_ends_with_its_layer() -> None:
    optimizer, layer = nnxp.Adam(), dense(None)
    train(optimizer, layer, 1)
    assert len(optimizer._state) == 1
    del layer
    gc.collect()
    assert len(optimizer._state) == 0


@every_case
def test_state_can_be_saved_and_restored(backend: Target, case: Case) -> None:
    """Into another optimizer, from host arrays: the rest of the way is the same."""
    layer, twin = dense(backend), dense(backend)
    first, second = (case.cls(case.rate, **case.options) for _ in range(2))
    assert first.saved_state(layer.store) == {}
    train(first, layer, 3)
    saved = {name: backend.to_numpy(slot) for name, slot in first.saved_state(layer.store).items()}
    assert tuple(saved) == first.slots
    second.restore_state(twin.store, saved)
    second.iterations = 3
    twin.weights, twin.biases = layer.weights, layer.biases
    np.testing.assert_array_equal(train(second, twin, 4), train(first, layer, 4))
    with pytest.raises(ValueError, match="got optimizer state of shapes"):
        second.restore_state(twin.store, saved | {"other": np.zeros(8)})


def test_an_optimizer_for_another_backend_refuses(backend: Target) -> None:
    layer = dense(backend)
    give(layer, NOISE[0])
    nnxp.SGD(backend=backend.spec).update_params(layer)
    other = "array_api_strict" if backend.module == "numpy" else "numpy"
    with pytest.raises(nnxp.BackendMismatchError, match=f"got a target on .*, expected one on {other}"):
        nnxp.SGD(backend=other).update_params(layer)


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_names_and_config(cls: type[Optimizer]) -> None:
    optimizer = get_optimizer(snake_case(cls.__name__))
    assert type(optimizer) is type(get_optimizer(cls)) is cls
    config = optimizer.config()
    assert config.pop("class") == cls.__name__
    assert cls(**config).config() == optimizer.config()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nnxp.SGD(-1), "got learning_rate=-1, expected a number from 0 up"),
        (lambda: nnxp.SGD("0.1"), "got learning_rate='0.1', expected a number from 0 up"),
        (lambda: nnxp.Adam(math.nan), "got learning_rate=nan, expected"),
        (lambda: nnxp.Adam(math.inf), "got learning_rate=inf, expected"),
        (lambda: nnxp.SGD(decay=-0.1), "got decay=-0.1, expected"),
        (lambda: nnxp.SGD(momentum=1), "got momentum=1, expected a number from 0 up to but not including 1"),
        (lambda: nnxp.SGD(nesterov=True), "got nesterov=True without momentum"),
        (lambda: nnxp.RMSprop(rho=1.5), "got rho=1.5, expected"),
        (lambda: nnxp.Adam(beta_1=1.0), "got beta_1=1.0, expected"),
        (lambda: nnxp.Adam(epsilon=0), "got epsilon=0, expected a number above 0"),
        (lambda: nnxp.AdamW(weight_decay=-1), "got weight_decay=-1, expected"),
        (lambda: nnxp.Lion(beta_2=1.0), "got beta_2=1.0, expected"),
        (lambda: nnxp.Lion(weight_decay=-2), "got weight_decay=-2, expected"),
        (lambda: nnxp.SGD(ema=1.0), "got ema=1.0, expected a number from 0 up to but not including 1"),
        (lambda: nnxp.SGD(clip_norm=0), "got clip_norm=0, expected a number above 0"),
        (lambda: nnxp.SGD(clip_value=-1), "got clip_value=-1, expected a number above 0"),
        (lambda: get_optimizer("adamax"), "got optimizer 'adamax', expected an object or one of adagrad, adam"),
    ],
)
def test_bad_options(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_bad_targets() -> None:
    for target in (np.zeros(3), "layer", [dense(None), 3]):
        with pytest.raises((TypeError, RuntimeError), match="got|has no gradients"):
            nnxp.SGD().update_params(target)


def test_an_optimizer_that_is_not_finished_says_what_is_missing() -> None:
    class Unfinished(Optimizer):
        pass

    layer = dense(None)
    give(layer, NOISE[0])
    with pytest.raises(NotImplementedError, match="Unfinished defines no step"):
        Unfinished(0.1).update_params(layer)
