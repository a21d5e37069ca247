"""Factors of the learning rate and of weight decay, by kind of parameter and by layer: against the equations, each
parameter by itself, and against PyTorch's groups of parameters."""

import copy
import gc
import inspect
import json
import pickle
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import nnxp
from nnxp import Dense, LayerNorm, Sequential
from nnxp.kernels import formulas, fuse, scaled
from nnxp.kernels.graph import parameters_of
from nnxp.optimizers import OPTIMIZERS, Optimizer
from nnxp.optimizers.decaying import Decaying
from tests.helpers import hostcuda
from tests.helpers.matrix import Target, on_host_memory
from tests.helpers.models import Scale, problem, values
from tests.optimizers.test_optimizers import CASES, Case, State, every_case, torch_optimizer

Host = npt.NDArray[Any]
STEPS = 30
FACTORS = {"biases": 0.1, "LayerNorm": 3.0, "Dense.weights": 0.5, "weights": 7.0, "Scale": 6.0}
DECAY_FACTORS = {"Dense": 2.0, "biases": 0.0, "Scale": 36.0, "Scale.scale": 12.0}
LAST = {"weights": 0.25}
PARTS: dict[str, tuple[float, float]] = {
    "0.weights": (0.5, 2.0),  # "Dense.weights" says more than "weights"
    "0.biases": (0.1, 2.0),  # "Dense" says more than "biases"
    "2.gains": (3.0, 1.0),
    "2.biases": (3.0, 0.0),
    "3.scale": (6.0, 12.0),
    "4.weights": (0.25, 2.0),  # the layer's own word comes first
    "4.biases": (0.1, 2.0),
}
"""What each parameter's rate and decay are multiplied by."""


def layers(own: dict[str, float] | None = None) -> list[Any]:
    return [Dense(5, 8), "tanh", LayerNorm(8), Scale(8), Dense(8, 3, factors=own)]


def optimizer(case: Case, **common: Any) -> Optimizer:
    decays = {"decay_factors": DECAY_FACTORS} if issubclass(case.cls, Decaying) else {}
    return case.cls(case.rate, factors=FACTORS, **decays, **case.options, **common)


def made(target: Target | None, rule: Optimizer, own: dict[str, float] | None = LAST) -> Sequential:
    """A model that has gradients."""
    spec = "numpy" if target is None else target.spec
    model = Sequential(layers(own), "mean_squared_error", rule, backend=spec, dtype="float64", seed=3)
    model.forward([[0.1] * 5])
    model.backward([[0.0] * 3])
    return model


def parameters(model: Sequential) -> dict[str, Host]:
    store = model.store
    names = [f"{entry.owner}.{entry.name}" for entry in store.entries]
    return {
        name: np.array(store.backend.to_numpy(store.view(entry.owner, entry.name)))
        for name, entry in zip(names, store.entries, strict=True)
    }


def noise(name: str, shape: tuple[int, ...]) -> Host:
    return np.random.default_rng([*name.encode()]).standard_normal((STEPS, *shape))


def train(model: Sequential, steps: range = range(STEPS)) -> dict[str, Host]:
    """Steps whose gradients are those of a bowl, with noise."""
    store = model.store
    for step in steps:
        for entry in store.entries:
            w = store.backend.to_numpy(store.view(entry.owner, entry.name))
            g = 0.3 * w + noise(f"{entry.owner}.{entry.name}", entry.shape)[step]
            store.write(store.gradient(entry.owner, entry.name), g, entry.name)
        model.optimizer.pre_update_params()
        model.optimizer.update_params(model)
        model.optimizer.post_update_params()
    return parameters(model)


def transcribed(case: Case, start: dict[str, Host]) -> dict[str, Host]:
    """Each parameter by itself, by the equations, with its own rate and decay."""
    end = {}
    for name, w in start.items():
        rate, decay = PARTS[name]
        constants = dict(case.constants)
        if "weight_decay" in constants:
            constants["weight_decay"] *= decay
        state = State()
        for step in range(STEPS):
            g = 0.3 * w + noise(name, w.shape)[step]
            w = case.equations(w, g, state, step + 1, case.rate * rate, **constants)
        end[name] = w
    return end


def assert_same(actual: dict[str, Host], expected: dict[str, Host], relative: float) -> None:
    assert actual.keys() == expected.keys() == PARTS.keys()
    for name, value in actual.items():
        scale = np.max(np.abs(expected[name]))
        np.testing.assert_allclose(value, expected[name], rtol=0, atol=relative * scale, err_msg=name)


@pytest.mark.long
@every_case
def test_follows_its_equations(backend: Target, case: Case) -> None:
    model = made(backend, optimizer(case))
    start = parameters(model)
    assert_same(train(model), transcribed(case, start), 1e-12)


@every_case
def test_equals_groups_of_pytorch(case: Case) -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch's optimizers")
    name, options = case.torch
    model = made(None, optimizer(case))
    leaves = {part: torch.from_numpy(w).requires_grad_() for part, w in parameters(model).items()}
    groups = [{"params": [w], "lr": case.rate * PARTS[part][0]} for part, w in leaves.items()]
    if "weight_decay" in options:
        for group, part in zip(groups, leaves, strict=True):
            group["weight_decay"] = options["weight_decay"] * PARTS[part][1]
    theirs = torch_optimizer(name)(groups, lr=case.rate, foreach=False, **options)
    for step in range(STEPS):
        for part, w in leaves.items():
            w.grad = 0.3 * w.detach() + torch.from_numpy(noise(part, tuple(w.shape))[step])
        theirs.step()
    assert_same(train(model), {part: w.detach().numpy() for part, w in leaves.items()}, 1e-10)


def test_a_training_equals_pytorch_s_autograd() -> None:
    """Whole steps of the plan, clipping by the norm of all included."""
    torch = pytest.importorskip("torch", reason="compares with PyTorch's optimizers")
    X, y = problem(dtype="float64")
    rule = nnxp.AdamW(0.05, epsilon=1e-8, weight_decay=0.1, factors={"biases": 0.1, "Dense.weights": 2}, clip_norm=0.5,
                      decay_factors={"biases": 0}, schedule="cosine")  # fmt: skip
    model = Sequential([Dense(5, 8), "tanh", Dense(8, 3), "softmax"], "categorical_crossentropy", rule, backend="numpy",
                       dtype="float64", seed=0)  # fmt: skip
    ours = [model.layers[0].weights, model.layers[0].biases, model.layers[2].weights, model.layers[2].biases]
    leaves = [torch.from_numpy(np.array(a)).requires_grad_() for a in ours]
    groups = [
        {"params": leaves[0::2], "lr": 0.1, "weight_decay": 0.1},
        {"params": leaves[1::2], "lr": 0.005, "weight_decay": 0.0},
    ]
    theirs = torch.optim.AdamW(groups, eps=1e-8, foreach=False)
    model.fit(X, y, epochs=8, batch_size=24, shuffle=False)
    for step in range(8):
        theirs.zero_grad()
        hidden = torch.tanh(torch.from_numpy(X) @ leaves[0] + leaves[1])
        torch.nn.functional.cross_entropy(hidden @ leaves[2] + leaves[3], torch.from_numpy(y)).backward()
        norm = torch.sqrt(sum((w.grad**2).sum() for w in leaves))
        for w in leaves:
            w.grad *= min(1.0, 0.5 / float(norm))
        for group, rate in zip(theirs.param_groups, (0.1, 0.005), strict=True):
            group["lr"] = rate * (1 + np.cos(np.pi * step / 8)) / 2
        theirs.step()
    for own, leaf in zip(ours, leaves, strict=True):
        np.testing.assert_allclose(own, leaf.detach().numpy(), rtol=0, atol=1e-11)


# --- one pass, and none more where there is nothing to tell apart ----------------------------------------------------


def arrays(model: Sequential) -> list[tuple[str, ...]]:
    """What each stretch multiplies by arrays, by the parameters of the kernel that it runs."""
    found, plain = [], model.store.backend.fuse
    for stretch in model.optimizer._laid_out[model.store.token].stretches.values():
        factors = stretch.factors
        named = [] if factors.fuse == plain else [*inspect.signature(factors.fuse(formulas.adamw)).parameters]
        names = tuple(name.removesuffix("_factors") for name in named if name.endswith("_factors"))
        assert len(names) == len(factors.arrays)
        found.append(names)
    return found


def test_one_factor_for_all_goes_into_the_number(backend: Target) -> None:
    """The bits of a rate and a decay that are as much larger, and no array."""
    every = {"Dense": 0.5, "LayerNorm": 0.5, "Scale": 0.5}
    model = made(backend, nnxp.AdamW(0.5, weight_decay=0.125, factors=every, decay_factors=every), own=None)
    other = made(backend, nnxp.AdamW(0.25, weight_decay=0.0625), own=None)
    for own in (model, other):
        train(own)
        assert arrays(own) == [()]
    np.testing.assert_array_equal(values(model), values(other))


def test_only_what_differs_is_an_array() -> None:
    cases: list[tuple[Optimizer, list[tuple[str, ...]]]] = [
        (nnxp.AdamW(factors={"biases": 2}), [("lr",)]),
        (nnxp.AdamW(decay_factors={"biases": 2}), [("weight_decay",)]),
        (nnxp.AdamW(factors={"Dense": 2}, decay_factors={"biases": 2}), [("lr", "weight_decay")]),
        (nnxp.AdamW(factors={"weights": 2, "scale": 2}, decay_biases=False), [(), ("lr",)]),
        (nnxp.AdamW(), [()]),
    ]
    for rule, expected in cases:
        model = made(None, rule, own=None)
        train(model, range(1))
        if rule.decay_factors is None and not rule.decay_biases:
            expected = [(), ()]
        assert arrays(model) == expected, rule


def test_a_formula_with_factors() -> None:
    update = scaled(formulas.momentum, ("lr",))
    assert update is scaled(formulas.momentum, ("lr",))
    assert list(parameters_of(update)) == ["w", "g", "m", "lr", "beta", "lr_factors", "nesterov"]
    w, g, m, f = (np.asarray(a) for a in ([1.0, 1.0], [2.0, 4.0], [1.0, 0.0], [1.0, 0.5]))
    expected = ([1 - 0.7, 1 - 0.2], [0.7, 0.2])  # m = 0.5 m + 0.1 f g
    for got in (update(w, g, m, 0.1, 0.5, f, nesterov=False), fuse(update, np, nesterov=False)(w, g, m, 0.1, 0.5, f)):
        np.testing.assert_allclose(np.stack(got), expected, rtol=1e-15)


@pytest.mark.parametrize("names", [("lr",), ("weight_decay",), ("lr", "weight_decay")])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_is_compiled_as_one_loop(names: tuple[str, ...], dtype: str) -> None:
    """To the bits of the formula on plain arrays, in the arrays' dtype."""
    pytest.importorskip("numba", reason="numba is the extra `fast`: pip install nnxp[fast]")
    from nnxp.kernels.graph import trace
    from nnxp.kernels.numba_fusion import compilable

    formula = scaled(formulas.adamw, names)
    assert compilable(trace(formula, {}, {}))
    draw = np.random.default_rng(0)
    w, g, m, c, *f = (draw.random(1000).astype(dtype) for _ in range(4 + len(names)))
    numbers = (0.1, 0.9, 0.99, 1e-7, 0.1, 0.01, 0.02)
    plain, fast = ([a.copy() for a in (w, g, m, c)] for _ in range(2))
    fuse(formula, np, ("w", "m", "c"), fast=False)(*plain, *numbers, *f)
    fuse(formula, np, ("w", "m", "c"), fast=True)(*fast, *numbers, *f)
    for a, b in zip(plain, fast, strict=True):
        assert a.dtype == b.dtype == dtype
        np.testing.assert_array_equal(a, b)


# --- with all that surrounds an update -------------------------------------------------------------------------------


def test_the_average_frozen_layers_and_each_layer_by_itself(backend: Target) -> None:
    """Frozen parameters stand still, others move as without; layers in a model are its slices."""
    case = CASES["adamw"]
    model, single = (made(backend, optimizer(case, ema=0.5)) for _ in range(2))
    start = parameters(model)
    for own in (model, single):
        own.layers[2].trainable = False
    train(model, range(1))
    store = single.store
    for name, own in parameters(model).items():
        if name.startswith("2."):
            np.testing.assert_array_equal(own, start[name])
    for entry in store.entries:
        name = f"{entry.owner}.{entry.name}"
        store.write(store.gradient(entry.owner, entry.name), 0.3 * start[name] + noise(name, entry.shape)[0], name)
    for layer in single.layers:
        if layer.parameters:
            single.optimizer.update_params(layer)
    np.testing.assert_allclose(values(single), values(model), rtol=1e-14, atol=1e-300)
    averages = [backend.to_numpy(own.optimizer.average(own.store)) for own in (model, single)]
    np.testing.assert_allclose(*averages, rtol=1e-14)


def test_by_hand() -> None:
    """A layer of its own has its names looked up alike; one that it does not have is another layer's."""
    layer = Dense(2, 1, factors={"biases": 0.0}, dtype="float64", backend="numpy")
    layer.weights, layer.biases = [[1.0], [1.0]], [[1.0]]
    layer.dweights, layer.dbiases = [[1.0], [1.0]], [[1.0]]
    nnxp.SGD(0.5, factors={"weights": 0.5, "Scale": 6}).update_params(layer)
    assert layer.weights.tolist() == [[0.75], [0.75]] and layer.biases.tolist() == [[1.0]]


def test_other_factors_count_from_the_next_step_on() -> None:
    model = made(None, nnxp.SGD(1.0))
    model.optimizer.factors = {"biases": 0.0}
    before = parameters(model)
    after = train(model, range(1))
    assert all(np.array_equal(before[name], after[name]) is name.endswith("biases") for name in before)
    model.optimizer.factors = None
    assert not np.array_equal(train(model, range(1, 2))["0.biases"], before["0.biases"])


def fitted(spec: Any, epochs: int, **options: Any) -> Sequential:
    X, y = problem()
    model = Sequential(
        [Dense(5, 8), "tanh", nnxp.BatchNorm(8, factors={"gains": 2}), Dense(8, 3), "softmax"],
        "categorical_crossentropy",
        nnxp.AdamW(0.05, factors={"biases": 0.1, "Dense": 2}, decay_factors={"Dense.biases": 0}, weight_decay=0.1),
        backend=spec,
        seed=0,
    )
    model.fit(X, y, epochs=epochs, batch_size=7, **options)
    return model


COPIES: dict[str, Callable[[Sequential, Path], Sequential]] = {
    "deepcopy": lambda model, path: copy.deepcopy(model),
    "pickle": lambda model, path: pickle.loads(pickle.dumps(model)),
    "file": lambda model, path: (model.save(path), nnxp.load(path, backend=model.backend))[1],
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_goes_on_alike(backend: Target, name: str, tmp_path: Path) -> None:
    X, y = problem()
    model = fitted(backend.spec, 2)
    twin = COPIES[name](model, tmp_path / "m.safetensors")
    assert twin.optimizer.config() == model.optimizer.config()
    assert [layer.config() for layer in twin.layers] == [layer.config() for layer in model.layers]
    for own in (model, twin):
        own.fit(X, y, epochs=2, batch_size=7)
    np.testing.assert_array_equal(values(twin), values(model))


def test_a_fit_is_resumed(tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(state: Any) -> None:
        if state.step == 6:
            raise Stopped

    stop.events, stop.last = ("step",), True  # type: ignore[attr-defined]
    path = tmp_path / "m.safetensors"
    checkpoint = nnxp.callbacks.Checkpoint(path, every_steps=1)
    with pytest.raises(Stopped):
        fitted("numpy", 4, callbacks=[checkpoint, stop])
    resumed = fitted("numpy", 4, callbacks=[nnxp.callbacks.Checkpoint(path, every_steps=1)], resume=path)
    np.testing.assert_array_equal(values(resumed), values(fitted("numpy", 4)))


def test_an_optimizer_keeps_no_model_alive() -> None:
    rule = nnxp.Adam(factors={"biases": 0.1})
    layer = Dense(2, 3)
    layer.dweights, layer.dbiases = np.ones((2, 3)), np.ones((1, 3))
    rule.update_params(layer)
    token = weakref.ref(layer.store.token)
    del layer
    gc.collect()
    assert token() is None and len(rule._laid_out) == 0


@pytest.mark.matrix
@pytest.mark.skipif(not on_host_memory(), reason="CuPy is not on host memory here: `nox -s cupy_on_host`")
@pytest.mark.parametrize("rule", [nnxp.Adam, nnxp.AdamW])
def test_the_counts_of_a_step_on_cupy(rule: type[Optimizer]) -> None:
    """No launch, copy or wait more than without."""
    import cupy

    X, y = problem()
    seen = []
    for factors in (None, FACTORS):
        model = Sequential([*layers(), "softmax"], "categorical_crossentropy", rule(factors=factors), backend="cupy")
        given = cupy.asarray(X), cupy.asarray(y)
        for _ in range(2):
            model.train_step(*given)
        hostcuda.counters(reset=True)
        model.train_step(*given)
        counts = hostcuda.counters()
        seen.append({name: counts[name] for name in ("launches", "syncs", "d2h", "h2d", "d2d", "mallocs")})
    assert seen[0] == seen[1]


# --- what is said ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_a_configuration_names_factors_only_where_there_are_any(cls: type[Optimizer]) -> None:
    assert not {"factors", "decay_factors", "weight_decay_schedule"}.intersection(cls().config())
    assert cls(factors={}).config() == cls().config()
    options: dict[str, Any] = {"factors": {"Dense": 2}}
    options |= {"decay_factors": {"biases": 0}} if issubclass(cls, Decaying) else {}
    config = json.loads(json.dumps(cls(**options).config()))
    assert all(config[name] == value for name, value in options.items())
    del config["class"]
    assert cls(**config).config() == cls(**options).config()


def test_a_layer_s_configuration_names_factors_only_where_there_are_any() -> None:
    for layer in (Dense(2, 3), LayerNorm(3), nnxp.BatchNorm(3)):
        assert "factors" not in layer.config()
    assert Dense(2, 3, factors={"biases": 0.5}).config()["factors"] == {"biases": 0.5}


def model_of(rule: Optimizer, **keywords: Any) -> Sequential:
    return Sequential([Dense(2, 3, **keywords), "softmax"], "categorical_crossentropy", rule, seed=0)


REFUSED: list[tuple[Callable[[], Any], str]] = [
    (
        lambda: model_of(nnxp.Adam(factors={"bias": 0.1})),
        r"got factors of 'bias', .*: Dense\.weights, Dense\.biases, Dense, weights, biases; did you mean 'biases'\?",
    ),
    (lambda: model_of(nnxp.AdamW(decay_factors={"Scaling": 6})), "got decay_factors of 'Scaling', expected names that"),
    (lambda: setattr(model_of(nnxp.Adam()), "optimizer", nnxp.SGD(factors={"x": 1})), "got factors of 'x', expected"),
    (lambda: nnxp.Adam(factors={"biases": -0.1}), r"got factors\['biases'\]=-0.1, expected a number from 0 up"),
    (lambda: nnxp.Adam(factors=[0.1]), "got factors=.*, expected a dict of numbers by name"),  # type: ignore[arg-type]
    (lambda: nnxp.Adam(decay_factors={"biases": 0}), "got decay_factors= for Adam, expected one of"),
    (lambda: nnxp.LBFGS(factors={"biases": 0}), "got factors= for LBFGS, expected one of"),  # type: ignore[call-arg]
    (
        lambda: model_of(nnxp.LBFGS(), factors={"biases": 0}),
        r"got Dense\(factors={'biases': 0.0}\) \(layer 0\) with LBFGS, which has no learning rate",
    ),
    (lambda: Dense(2, 3, factors=0.1), "got factors=0.1, expected a dict of numbers by name"),  # type: ignore[arg-type]
    (lambda: Dense(2, 3, factors={"bias": 1}), "got factors of 'bias' for Dense, expected some of weights, biases"),
    (lambda: setattr(nnxp.Residual([Dense(3, 3)]), "factors", {"weights": 1}), "some of none, as Residual has"),
    (
        lambda: setattr(made(None, nnxp.SGD()).layers[0], "factors", {"weights": 2}),
        "got Dense.factors when its parameters have found their place, expected it before",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("make", "message"), REFUSED)
def test_what_is_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_names_that_are_wrong_later_are_refused_before_a_step(tmp_path: Path) -> None:
    model = model_of(nnxp.Adam())
    model.optimizer.factors = {"bias": 0.1}
    before = values(model)
    for run in (
        lambda: model.fit([[1.0, 2.0]], [1]),
        lambda: model.train_step([[1.0, 2.0]], [1]),
        lambda: model.save(tmp_path / "m.safetensors"),
    ):
        with pytest.raises(ValueError, match="got factors of 'bias', expected names that the model has"):
            run()
    np.testing.assert_array_equal(values(model), before)


def test_a_factor_beyond_the_dtype_is_refused() -> None:
    with pytest.raises(ValueError, match="beyond float32"):
        model_of(nnxp.Adam(factors={"biases": 1e300})).fit([[1.0, 2.0]], [1])
