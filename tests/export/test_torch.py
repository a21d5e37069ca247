"""PyTorch, both ways: the same numbers, the same training, and refused where nobody could tell."""

import copy
import logging
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import (
    BatchNorm,
    Dense,
    Dropout,
    Embedding,
    LayerNorm,
    ParametricActivation,
    PeriodicEmbedding,
    PiecewiseLinearEmbedding,
    Rescaling,
    Residual,
    Scaling,
    Sequential,
    Shared,
    SharedDense,
)
from nnxp.activations import ACTIVATIONS
from nnxp.layers import LAYERS, Layer
from nnxp.layers.parts import with_parts
from tests.helpers.models import Scale

torch = pytest.importorskip("torch", reason="PyTorch is what this is about: `nox -s full`")
nn = torch.nn
prune = pytest.importorskip("torch.nn.utils.prune", reason="PyTorch")

from nnxp.export import from_torch, to_torch  # noqa: E402  # they import it

EPS = 2.0**-52
SAME = 2.0**-40
"""Of numbers around 1 after a dozen layers, each of sums of at most 30 terms and a few functions: 12 · (30 + 10) · 8
roundings of float64, 8 for what layers multiply errors by, are 4e3 · 2⁻⁵³ < 2⁻⁴⁰."""


def rows(n: int, generator: np.random.Generator) -> Any:
    """Two columns of codes, of 3 and of 4, and three of numbers; one code is of none."""
    X = generator.standard_normal((n, 5))
    X[:, 0], X[:, 2] = np.arange(n) % 3, np.arange(n) % 4
    return X


def everything(dropout: float = 0.0) -> list[Layer | str]:
    """Every layer, each at least once, with options that are not the default."""
    embedded = [
        Embedding(5, [3, 4], 2, [2, 0][::-1]),
        PeriodicEmbedding(7, 3, 4, columns=[1], sigma=0.5),
        PeriodicEmbedding(9, 2, 3, activation="relu", columns=[2, 0]),
        PiecewiseLinearEmbedding(11, [[-1.0, 0.5, 1.0], [0.1, 0.9]], columns=[2, 1]),
        PiecewiseLinearEmbedding(14, [[-1.0, 0.25, 2.0], [-0.1, 0.9], [0.3]], 4, [5, 1, 0], beyond=None),
    ]
    width = embedded[-1].n_out
    return [
        *embedded,
        Scaling(width),
        Rescaling([0.5] * width, 0.25),
        Rescaling(2.0, -0.5),
        Dense(width, 8, parametrization="ntk"),
        ParametricActivation(8, "selu"),
        Dropout(dropout),
        Residual([Dense(8, 6), BatchNorm(6, momentum=0.25, epsilon=1e-3), "mish"]),
        Residual([LayerNorm(6, epsilon=1e-3), "gelu", Dense(6, 6)]),
        SharedDense(6, 5, input_initializer="random_signs"),
        Shared([LayerNorm(5), Dense(5, 5), "tanh"]),
        Dense(5, 2),
    ]


def shaken(model: Sequential, generator: np.random.Generator) -> Sequential:
    """The model with gains, factors and running means that are not 1 and 0."""
    values = model.store.values
    model.store.values[:] = values + 0.1 * model.backend.asarray(generator.random(values.shape), dtype=model.dtype)
    return model


def of(module: Any, X: Any) -> Any:
    return module(torch.from_numpy(np.array(X))).detach().numpy()


# --- a model as a module --------------------------------------------------------------------------------


def test_every_layer_has_a_module() -> None:
    own = {Residual, Shared, ParametricActivation}
    assert {*to_torch.MODULES} == {*LAYERS} | own and {*to_torch.FUNCTIONS} == {*ACTIVATIONS}
    used = {type(layer) for _, layer in with_parts(Sequential(everything()).layers)}
    assert used >= own | {*LAYERS}


@pytest.mark.parametrize("members", [1, 3])
def test_a_module_gives_what_predict_gives(members: int) -> None:
    """Every layer, of one network and of several, codes that are unknown among the rows, and no rows."""
    generator = np.random.default_rng(0)
    state = torch.get_rng_state()
    X = rows(40, generator)
    X[5, 0], X[6, 2] = 3.0, np.nan
    for dtype, same in (("float64", SAME), ("float32", SAME * 2**29)):
        model = shaken(Sequential(everything(0.5), dtype=dtype, seed=0, members=members), generator)
        module = model.to_torch()
        given, expected = of(module, X.astype(dtype)), model.predict(X.astype(dtype))
        assert not module.training and given.dtype == dtype
        assert np.isnan(expected).any(axis=1).tolist() == [i in (5, 6) for i in range(40)]
        np.testing.assert_allclose(given, expected, rtol=same, atol=same, equal_nan=True)
        assert of(module, X[:0].astype(dtype)).shape == (0, 2)
        assert sum(parameter.numel() for parameter in module.parameters()) == model.store.trained
        if members == 3:
            apart = np.stack([of(network, X.astype(dtype)) for network in module.networks])
            np.testing.assert_allclose(apart, model.predict(X.astype(dtype), members=True), rtol=same, atol=same)
    assert torch.equal(torch.get_rng_state(), state)


def any_row(n: int, depth: int, generator: np.random.Generator) -> tuple[list[Layer | str], int]:
    """Some layers for n inputs, and how many outputs the last one has."""
    made: list[Layer | str] = []
    for _ in range(generator.integers(1, 5)):
        m, column = int(generator.integers(2, 7)), [int(generator.integers(n))]
        inner = any_row(n, depth - 1, generator) if depth else ([Dense(n, m)], m)
        name = ["relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "tanh", "softplus"][generator.integers(9)]
        kinds = [
            [BatchNorm(n)],
            [LayerNorm(n)],
            [Dropout(0.3)],
            [Scaling(n)],
            [Rescaling(generator.uniform(0.5, 1.5, n).tolist(), 0.1)],
            [ParametricActivation(n, name)],
            [Residual(inner[0])],
            [Shared(inner[0])],
            [SharedDense(n, m)],
            [PeriodicEmbedding(n, 3, 3, columns=column)],
            [PiecewiseLinearEmbedding(n, [[-1.0, 0.3, 2.0]], m, columns=column)],
            [Dense(n, m), name],
            [Dense(n, m, parametrization="ntk"), "sigmoid"],
        ]
        made += kinds[generator.integers(13)]
        widest = made[-2] if isinstance(made[-1], str) else made[-1]
        n = widest.output_width(None) or n
    return made, n


def test_random_models_are_the_same_as_modules() -> None:
    """Of 1 to 3 members, in both dtypes: no numbers, and no weights, but of a size around 1."""
    for seed in range(24):
        generator = np.random.default_rng(seed)
        n, dtype = int(generator.integers(2, 6)), ["float32", "float64"][seed % 2]
        row, m = any_row(n, 2, generator)
        layers = [Dense(n, n), *row, Dense(m, 3), *[["softmax"], ["sigmoid"], []][generator.integers(3)]]
        model = shaken(Sequential(layers, dtype=dtype, seed=seed, members=int(generator.integers(1, 4))), generator)
        X, same = generator.standard_normal((20, n)).astype(dtype), SAME * np.finfo(dtype).eps / EPS
        expected = model.predict(X)
        largest = float(np.abs(expected).max())
        np.testing.assert_allclose(
            of(model.to_torch(), X), expected, rtol=0, atol=same * (1 + largest), err_msg=str(seed)
        )


def test_activations_are_torchs_own() -> None:
    x = np.concatenate([np.linspace(-50, 50, 2001), [-1e-9, 0.0, 1e-9, 19.5, 20.5, 39.5, 40.5, -700, 700]])[:, None]
    x = np.hstack([x, x[::-1], -x / 3])
    made = [*(kind() for kind in ACTIVATIONS), nnxp.GELU("tanh"), nnxp.ELU(0.3), nnxp.LeakyReLU(0.2)]
    for activation in made:
        module = Sequential([activation], dtype="float64").to_torch()
        assert type(module[0]).__module__.startswith("torch.nn.modules")
        ours = activation.forward(x)
        # Both are some roundings from the true value; GELU's 1 + erf is so of numbers around 1, times x.
        np.testing.assert_allclose(of(module, x), ours, rtol=16 * EPS, atol=16 * EPS * 50)


def test_a_step_is_torchs() -> None:
    """A step of SGD on both, batch statistics, gradients and all; what is frozen stays on both."""
    generator = np.random.default_rng(1)
    X, y = rows(24, generator), generator.standard_normal((24, 2))
    model = Sequential(everything(), "mean_squared_error", nnxp.SGD(0.05), dtype="float64", seed=1)
    shaken(model, generator)
    frozen = BatchNorm(5, trainable=False), Dense(5, 5, trainable=False)
    model = Sequential([*copy.deepcopy(model.layers[:-1]), *frozen, *copy.deepcopy(model.layers[-1:])],
                       "mean_squared_error", nnxp.SGD(0.05), dtype="float64", seed=1)  # fmt: skip
    module, before = model.to_torch().train(), np.array(model.store.values)
    optimizer = torch.optim.SGD((p for p in module.parameters() if p.requires_grad), 0.05)
    loss = nn.functional.mse_loss(module(torch.from_numpy(X)), torch.from_numpy(y))
    loss.backward()
    optimizer.step()
    assert float(model.train_step(X, y)) == pytest.approx(loss.item(), rel=SAME)
    trained, expected = copy.deepcopy(model), np.array(model.store.values)
    trained.store.values[:] = 0
    nnxp.load(module.state_dict(), into=trained)
    np.testing.assert_allclose(trained.store.values, expected, rtol=SAME, atol=SAME)
    moved = np.abs(expected - before) > 1e-9
    assert moved.mean() > 0.7  # ReLUs and codes that no row has leave some


def test_members_that_share_are_one_module() -> None:
    """A step on the mean of their losses, as ours is; what they share is one parameter there, too."""
    generator = np.random.default_rng(2)
    X, y = generator.standard_normal((16, 4)), generator.standard_normal((16, 1))
    layers = [Dense(4, 6), "relu", Dense(6, 5), "relu", Dense(5, 1)]
    model = Sequential(layers, "mean_squared_error", nnxp.SGD(0.1), dtype="float64", seed=3, members=3, shared=True)
    module = model.to_torch().train()
    assert sum(p.numel() for p in module.parameters()) == model.store.trained
    losses = [nn.functional.mse_loss(net(torch.from_numpy(X)), torch.from_numpy(y)) for net in module.networks]
    torch.stack(losses).mean().backward()
    torch.optim.SGD(module.parameters(), 0.1).step()
    model.train_step(X, y)
    np.testing.assert_allclose(of(module.eval(), X), model.predict(X), rtol=SAME, atol=SAME)


def test_a_module_is_by_itself() -> None:
    """Copies of the weights, on the CPU whatever the default device; options of each member; bytes."""
    layers = [Rescaling(([1 / 255, 1 / 51], [1.0, 1.0]), 0.5), Dense(2, 3), Dropout((0.1, 0.9)), "sigmoid"]
    model = Sequential(layers, seed=0, members=2)
    with torch.device("meta"):
        module = model.to_torch()
    X = np.arange(8, dtype=np.uint8).reshape(4, 2)
    before = model.predict(X)
    np.testing.assert_allclose(of(module, X), before, rtol=2.0**-20)
    assert [network[2].p for network in module.networks] == [0.1, 0.9]
    for parameter in module.parameters():
        parameter.data += 1.0
    np.testing.assert_array_equal(model.predict(X), before)
    twin = copy.deepcopy(module)
    assert twin.state_dict().keys() == module.state_dict().keys() and "networks.1.1.weight" in twin.state_dict()


def test_a_table_model_takes_the_encoded_matrix() -> None:
    table = {"town": ["Fez", "Rome", "Fez", "Oslo"] * 10, "height": [1.0, 2.0, 3.0, np.nan] * 10}
    y = [0.0, 1.0, 0.5, 0.25] * 10
    estimator = nnxp.TabularRegressor(preset="realmlp", epochs=1, random_state=0).fit(table, y)
    X = estimator.encoder_.transform(table)
    module = estimator.model_.to_torch()
    np.testing.assert_allclose(of(module, X), estimator.model_.predict(X), rtol=2.0**-14, atol=2.0**-14)


def test_a_layer_of_ones_own_is_refused() -> None:
    for layers in ([Dense(5, 2), Scale(2)], [Dense(5, 2), Residual([Dense(2, 2), Scale2(2)])]):
        with pytest.raises(nnxp.ExportError, match=r"got Scale2?, a layer of your own, at 1.*expected nnxp's"):
            Sequential(layers).to_torch()

    class Twice(nnxp.ReLU):
        def forward(self, inputs: Any, training: bool = False) -> Any:
            return 2 * super().forward(inputs)

    with pytest.raises(nnxp.ExportError, match="got Twice, a layer of your own, at 1"):
        Sequential([Dense(5, 2), Twice()]).to_torch()


class Scale2(Scale):
    """One that says its width, so that a Residual takes it."""

    def output_width(self, n_in: int | None) -> int | None:
        return self.n


# --- a module as a model --------------------------------------------------------------------------------


def bound(model: Sequential, X: Any) -> Any:
    """A bound of the difference of two float64 computations of a model's layers, row by row: to first order each
    layer's own roundings, and what it makes of those of its inputs. Twice, for there are two."""
    model.forward(X)
    e = np.zeros(X.shape[0])  # of any input of the layer
    for layer in model.layers:
        x, y, n = np.abs(layer.inputs), np.abs(layer.output), layer.inputs.shape[1]
        if isinstance(layer, Dense):
            W, b = np.abs(layer.weights), np.abs(layer.biases)
            e = (e[:, None] * W.sum(0) + (n + 2) * EPS * (x @ W + b)).max(1)
        elif isinstance(layer, BatchNorm):
            s = np.abs(layer.gains) / np.sqrt(layer.running_variance + layer.epsilon)
            own = 8 * EPS * ((x + np.abs(layer.running_mean)) * s + np.abs(layer.biases))
            e = (e[:, None] * s + own).max(1)
        elif isinstance(layer, LayerNorm):  # |∂x̂ᵢ| sums to at most s (2 + |x̂ᵢ|); moments are sums of n
            gains, hat = np.abs(layer.gains), np.abs(layer.normalized)
            own = (
                (2 * n + 10) * EPS * (x.max(1, keepdims=True) * layer.scale * (2 + hat) * gains + np.abs(layer.biases))
            )
            e = (e[:, None] * layer.scale * (2 + hat) * gains + own).max(1)
        elif isinstance(layer, nnxp.Softmax):  # Σⱼ |∂yᵢ| is 2 yᵢ (1 - yᵢ) ≤ 1/2; exp(x) is off by x's own rounding
            e = e / 2 + 2 * EPS * (n + 8 + x.max(1))
        else:  # no slope of ours is above 2; 1 + erf and log(1 + e⁻²⁰) are absolute, times x
            own = 2.1e-9 if isinstance(layer, nnxp.Softplus) else 0.0
            e = 2 * e + (16 * EPS * (1 + x) + 16 * EPS * y).max(1) + own
    return 2 * e[:, None]


def leaves(generator: np.random.Generator) -> dict[str, Any]:
    """Makers of modules by name, (n) -> a module that takes n features."""
    slope = float(generator.uniform(0, 0.5))
    return {
        "Linear": lambda n: nn.Linear(n, int(generator.integers(2, 9)), bias=bool(generator.integers(2))),
        "BatchNorm1d": lambda n: nn.BatchNorm1d(n, eps=1e-3, momentum=0.3, affine=bool(generator.integers(2))),
        "LayerNorm": lambda n: nn.LayerNorm(n, eps=1e-2, elementwise_affine=bool(generator.integers(2))),
        "LayerNorm without bias": lambda n: nn.LayerNorm((n,), bias=False),
        "Dropout": lambda n: nn.Dropout(0.5, inplace=bool(generator.integers(2))),
        "Flatten": lambda n: nn.Flatten(),
        "Identity": lambda n: nn.Identity(n, unused=True),
        "ReLU": lambda n: nn.ReLU(inplace=bool(generator.integers(2))),
        "LeakyReLU": lambda n: nn.LeakyReLU(slope),
        "ELU": lambda n: nn.ELU(slope),
        "SELU": lambda n: nn.SELU(),
        "GELU": lambda n: nn.GELU(approximate=["none", "tanh"][generator.integers(2)]),
        "SiLU": lambda n: nn.SiLU(),
        "Mish": lambda n: nn.Mish(),
        "Sigmoid": lambda n: nn.Sigmoid(),
        "Tanh": lambda n: nn.Tanh(),
        "Softplus": lambda n: nn.Softplus(),
        "Softmax": lambda n: nn.Softmax(dim=[1, -1][generator.integers(2)]),
    }


def trained_a_little(module: Any, n: int) -> Any:
    """In float64, with running means and gains of their own, in eval mode."""
    module = module.double().train()
    for _ in range(3):
        module(2 * torch.randn(50, n, dtype=torch.float64) + 1)
    for parameter in module.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return module.eval()


def test_every_type_gives_what_torch_gives() -> None:
    generator = np.random.default_rng(4)
    torch.manual_seed(4)
    X = np.concatenate([generator.standard_normal((60, 5)) * 3, generator.standard_normal((20, 5)) * 40])
    made = leaves(generator)
    assert {name.split()[0] for name in made} == {kind.__name__ for kind in from_torch.EQUALS}
    for name, make in made.items():
        for _ in range(2):
            module = trained_a_little(make(5), 5)
            model = nnxp.from_torch(module)
            difference = np.abs(of(module, X) - model.predict(X))
            assert model.dtype == "float64" or not [*module.parameters()]
            model = model if model.dtype == "float64" else Sequential(copy.deepcopy(model.layers), dtype="float64")
            assert (np.abs(of(module, X) - model.predict(X)) <= bound(model, X)).all(), (name, difference.max())


def test_random_nested_modules_give_what_torch_gives() -> None:
    generator = np.random.default_rng(5)
    torch.manual_seed(5)

    def row(n: int, depth: int) -> tuple[Any, int]:
        made = []
        for _ in range(generator.integers(1, 5)):
            if depth and generator.random() < 0.3:
                module, n = row(n, depth - 1)
            else:
                module = [*leaves(generator).values()][generator.integers(18)](n)
                n = getattr(module, "out_features", n)
            made.append(module)
        return nn.Sequential(*made), n

    for k in range(60):
        first = int(generator.integers(2, 9))
        inner, n = row(first, 3)
        module = trained_a_little(nn.Sequential(nn.Linear(first, first), inner, nn.Linear(n, 3)), first)
        model, X = nnxp.from_torch(module, nnxp.SoftmaxCrossentropy(), seed=0), generator.standard_normal((9, first))
        assert model.dtype == "float64" and model.n_out == 3
        difference = np.abs(of(module, X) - model.predict(X))
        assert (difference <= bound(model, X)).all(), (k, module, difference.max())
        assert np.abs(of(model.to_torch(), X) - model.predict(X)).max() <= bound(model, X).max()


def test_logits_stay_and_train_as_in_torch() -> None:
    """A step of SGD on torch's cross-entropy, and on ours of logits; nothing is frozen but what was."""
    torch.manual_seed(6)
    module = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 6), nn.ELU(), nn.Linear(6, 3))
    module = module.double()
    module[3].requires_grad_(False)
    model = nnxp.from_torch(module, nnxp.SoftmaxCrossentropy(), nnxp.SGD(0.1))
    assert [layer.trainable for layer in model.layers] == [True, True, True, False, True, True]
    X, y = np.random.default_rng(6).standard_normal((12, 4)), np.arange(12) % 3
    loss = nn.functional.cross_entropy(module(torch.from_numpy(X)), torch.from_numpy(y))
    loss.backward()
    torch.optim.SGD([p for p in module.parameters() if p.requires_grad], 0.1).step()
    assert float(model.train_step(X, y)) == pytest.approx(loss.item(), rel=SAME)
    np.testing.assert_allclose(model.predict(X), of(module.eval(), X), rtol=SAME, atol=SAME)


def test_what_is_made_up_is_said(caplog: pytest.LogCaptureFixture) -> None:
    module = nn.Sequential(nn.Sequential(nn.Linear(3, 2, bias=False)), nn.BatchNorm1d(2, affine=False))
    with caplog.at_level(logging.WARNING, "nnxp"):
        model = nnxp.from_torch(module)
    assert [record.message for record in caplog.records] == [
        "Linear, module 0.0 has no bias: it gets biases of 0, which a training moves",
        "BatchNorm1d, module 1 has no weight: it gets gains of 1, which a training moves",
        "BatchNorm1d, module 1 has no bias: it gets biases of 0, which a training moves",
    ]
    assert model.layers[0].biases.tolist() == [[0, 0]] and model.dtype == "float32"


class OwnForward(nn.Module):
    def forward(self, x: Any) -> Any:
        return x


class MyLinear(nn.Linear):
    pass


def hooked(kind: str) -> Any:
    module = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    getattr(module[1] if "backward" not in kind else module, kind)(lambda *args: None)
    return module


def patched() -> Any:
    module = nn.Sequential(nn.Linear(2, 2))
    module[0].forward = lambda x: x
    return module


def tied() -> Any:
    module = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2))
    module[2].weight = module[0].weight
    return module


def half_frozen() -> Any:
    module = nn.Linear(2, 2)
    module.bias.requires_grad_(False)
    return module


def not_finite() -> Any:
    module = nn.Sequential(nn.Linear(2, 2))
    module[0].weight.data[0, 1] = np.inf
    return module


REFUSED: list[tuple[Any, type[Exception], str]] = [
    (
        lambda: OwnForward(),
        TypeError,
        "got OwnForward, whose forward is code of its own, expected nn.Sequential: build",
    ),
    (lambda: nn.Sequential(nn.Sequential(OwnForward())), TypeError, "OwnForward, module 0.0, whose forward"),
    (lambda: nn.Sequential(MyLinear(2, 2)), TypeError, "MyLinear, module 0, a subclass of Linear, expected Linear"),
    (lambda: type("Net", (nn.Sequential,), {})(nn.ReLU()), TypeError, "got Net, a subclass of Sequential"),
    (lambda: hooked("register_forward_hook"), TypeError, "got hooks on ReLU, module 1, expected none"),
    (lambda: hooked("register_forward_pre_hook"), TypeError, "got hooks on ReLU, module 1"),
    (lambda: hooked("register_full_backward_hook"), TypeError, "got hooks on Sequential, expected none"),
    (lambda: hooked("register_full_backward_pre_hook"), TypeError, "got hooks on Sequential"),
    (lambda: nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)), TypeError, "got parametrizations of Parametrized"),
    (lambda: prune.l1_unstructured(nn.Linear(2, 2), "weight", 1), TypeError, "got hooks on Linear"),
    (patched, TypeError, "got a forward that was put in place of that of Linear, module 0"),
    (lambda: nn.Sequential(nn.Linear(2, 2), nn.LogSoftmax(1)), TypeError, "leave it out, and take loss=nnxp.Softmax"),
    (lambda: nn.Sequential(nn.Embedding(3, 2)), TypeError, "got Embedding, module 0, expected nn.Sequential of Batch"),
    (lambda: nn.Sequential(nn.Hardtanh()), TypeError, "got Hardtanh, module 0, expected nn.Sequential of BatchNorm1d"),
    (lambda: nn.LazyLinear(2), TypeError, "got LazyLinear, a subclass of Linear"),
    (lambda: {"0.weight": 1}, TypeError, "got dict, expected a torch.nn.Module: a file is nnxp.load's"),
    (lambda: nn.Sequential(), ValueError, "got an empty nn.Sequential"),
    (tied, ValueError, "got weights that Linear, module 0 and Linear, module 2 share, expected each with its own"),
    (half_frozen, ValueError, "got parameters with and without gradients of Linear"),
    (not_finite, ValueError, "got a weight with NaN or infinity of Linear, module 0"),
    (lambda: nn.Linear(2, 2).half(), ValueError, "got parameters of float16, expected float32 or float64"),
    (
        lambda: nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).double()),
        ValueError,
        "got parameters of float32, float64",
    ),
    (
        lambda: nn.Sequential(nn.ReLU(), nn.Linear(2, 2, device="meta")),
        ValueError,
        "got weights on the meta device of Linear, module 1, expected numbers, which .*: module.to_empty",
    ),
    (lambda: nn.Softplus(beta=2), ValueError, r"got beta=2.*, threshold=20.* of Softplus, expected beta=1"),
    (lambda: nn.Softplus(threshold=19), ValueError, r"got beta=1.*, threshold=19.* of Softplus"),
    (lambda: nn.Softmax(dim=0), ValueError, "got dim=0 of Softmax, expected dim=1"),
    (lambda: nn.Flatten(0), ValueError, "got start_dim=0, end_dim=-1 of Flatten"),
    (lambda: nn.LayerNorm((2, 3)), ValueError, r"got normalized_shape=\(2, 3\) of LayerNorm, expected one number"),
    (lambda: nn.BatchNorm1d(2, track_running_stats=False), ValueError, "got track_running_stats=False of BatchNorm1d"),
    (lambda: nn.BatchNorm1d(2, momentum=None), ValueError, "got momentum=None of BatchNorm1d"),
    (lambda: nn.BatchNorm1d(2, momentum=1.0), ValueError, "BatchNorm1d, which has no equal here: got momentum=1.0"),
    (lambda: nn.Dropout(1.0), ValueError, "Dropout, which has no equal here: got rate=1.0"),
]


def test_what_cannot_be_read_is_refused_by_name() -> None:
    for make, error, message in REFUSED:
        with pytest.raises(error, match=message):
            nnxp.from_torch(make())


def test_one_activation_at_two_places_is_two() -> None:
    act = nn.ReLU()
    module = nn.Sequential(nn.Linear(2, 2), act, nn.Linear(2, 2), act)
    X = np.float32([[1.0, -2.0]])
    np.testing.assert_allclose(nnxp.from_torch(module).predict(X), of(module, X), rtol=2.0**-20, atol=2.0**-22)


def test_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    for call in (Sequential([Dense(2, 1)]).to_torch, lambda: nnxp.from_torch(object())):
        with pytest.raises(nnxp.BackendUnavailableError, match="needs the package torch, which is missing"):
            call()
