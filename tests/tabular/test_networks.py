"""Presets, what a network is made for, and the temperature."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nnxp import Sequential
from nnxp.activations import ReLU, Softmax
from nnxp.initializers import RandomSigns
from nnxp.layers import Dense, Dropout, PiecewiseLinearEmbedding, SharedDense
from nnxp.network.recipe import Recipe
from nnxp.network.residual import Residual
from nnxp.tabular.findings.baselines import linear_model
from nnxp.tabular.networks import trained
from nnxp.tabular.networks.presets import LARGE, Preset
from nnxp.tabular.networks.presets import get_preset as preset_for
from nnxp.tabular.networks.purpose import Purpose
from nnxp.tabular.networks.temperature import temperature, tempered


def get_preset(name: str) -> Preset:
    """Of a table of classes that is not large."""
    return preset_for(name, True, 1000)


def test_presets_are_what_is_published() -> None:
    """Numbers of Holzmüller et al. 2024 (arXiv 2407.04491)."""
    for name, rates, dropout, decay in (
        ("realmlp-s", (0.04, 0.07), 0.0, 0.0),
        ("realmlp", (0.04, 0.2), 0.15, 0.02),
    ):
        preset = get_preset(name)
        recipe = preset.recipe
        assert (recipe.rates, recipe.dropout, recipe.weight_decay) == (rates, dropout, decay)
        assert (recipe.hidden, recipe.epochs, recipe.batch_size) == ((256, 256, 256), 256, 256)
        assert preset.held_out == 0.2 and preset.patience is None and preset.whole_batches


def test_tabm_is_what_is_published() -> None:
    """Numbers of Gorishniy et al. 2025 (arXiv 2410.24210) and their package's example."""
    preset = get_preset("tabm")
    assert (preset.patience, preset.recipe.batch_size, preset.encoding) == (16, 256, {"scaling": "quantile"})
    model = trained.network(preset, Purpose(6, 3, True, 2), backend="numpy", seed=0)
    assert model.members == 32 and [type(layer) for layer in model.layers] == [
        *([SharedDense, ReLU, Dropout] * 3), Dense, Softmax,
    ]  # fmt: skip
    dense = [layer for layer in model.layers if isinstance(layer, SharedDense)]
    assert [(layer.n_in, layer.n_out) for layer in dense] == [(6, 512), (512, 512), (512, 512)]
    assert [type(layer.input_initializer) for layer in dense] == [RandomSigns, type(None), type(None)]
    assert {layer.rate for layer in model.layers if isinstance(layer, Dropout)} == {0.1}
    optimizer: Any = model.optimizer
    assert type(optimizer).__name__ == "AdamW" and (optimizer.learning_rate, optimizer.clip_norm) == (2e-3, 1.0)
    assert (optimizer.weight_decay, optimizer.epsilon) == (3e-4, 1e-8)
    assert trained.network(preset.settled(50, members=4), Purpose(6, 1, False), backend="numpy").members == 4


@pytest.mark.parametrize(
    ("name", "rows", "size"),
    [
        ("mlp", 50, 128),
        ("mlp", 80_000, 256),
        ("binned", 50, 32),
        ("binned", 1100, 64),
        ("binned", 5000, 256),
        ("binned", 10**6, 1024),
        ("realmlp", 50, 50),
        ("realmlp-s", 256, 256),
        ("realmlp", 10**6, 256),
    ],
)
def test_a_preset_is_settled_for_its_rows(name: str, rows: int, size: int) -> None:
    settled = get_preset(name).settled(rows)
    assert settled.recipe.batch_size == size and settled.recipe.epochs == get_preset(name).recipe.epochs
    asked = get_preset(name).settled(rows, epochs=3, batch_size=7).recipe
    assert (asked.epochs, asked.batch_size) == (3, 7)


def test_bins_grow_and_dropout_goes_where_there_are_many_rows() -> None:
    said = [
        (one.recipe.hidden, one.recipe.bins, one.recipe.dropout)
        for one in (preset_for("default", *given) for given in ((False, LARGE - 1), (False, LARGE), (True, 100)))
    ]
    assert said == [((128, 128), 16, 0.1), ((256, 256), 64, 0.0), ((128, 128), 16, 0.5)]
    assert preset_for("default", True, LARGE).recipe.dropout == 0.5, "probabilities of noisy classes need it"


def test_numbers_are_bins_for_the_hidden_layers_alone() -> None:
    """Yes and no, and a constant, have none; the network begins as the linear model of the columns as they are."""
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=500), rng.integers(2, size=500), np.ones(500)])
    y = (3 * X[:, :1] - X[:, 1:2]).astype(np.float64)
    preset = preset_for("default", False, len(X))
    model = trained.network(preset, Purpose(3, 1, False, 1, X=X), backend="numpy", dtype="float64", seed=0)
    (block,) = model.layers
    assert isinstance(block, Residual)
    bins = block.layers[0]
    assert isinstance(bins, PiecewiseLinearEmbedding)
    assert bins.columns == [0]
    np.testing.assert_allclose(bins.edges[0], np.quantile(X[:, 0], np.arange(17) / 16))
    linear = linear_model(X, y)
    trained.begin_linear(model, linear)
    np.testing.assert_allclose(model.predict(X), linear.predict(X), rtol=1e-9, atol=1e-9)
    model.fit(X, y, epochs=1)
    assert np.asarray(block.layers[-1].weights).any(), "the hidden layers learn"


@pytest.mark.parametrize("line", [True, False])
@pytest.mark.parametrize("name", ["mlp", "binned"])
def test_a_network_that_is_no_better_than_the_linear_model_is_it(name: str, line: bool) -> None:
    """Held-out rows that lie on the linear model itself, or on what no line is."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3)).astype(np.float32)
    y = 3 * np.abs(X[:, :1]) + 0.1 * rng.normal(size=(300, 1)).astype(np.float32)
    linear = linear_model(X[:240], y[:240])
    held_out = np.asarray(linear.predict(X[240:])) if line else y[240:]
    preset = preset_for(name, False, 240).settled(240, epochs=20)
    model = trained.network(preset, Purpose(3, 1, False, 3, X=X), backend="numpy", seed=0)
    trained.begin_linear(model, linear)
    given = {"X": X[:240], "y": y[:240], "sample_weight": None, "validation_data": (X[240:], held_out, None)}
    stopping = trained.fit(model, preset, given, chooses="loss")
    assert stopping is not None
    assert (stopping.best_epoch == 0) is line
    same = np.allclose(model.predict(X), linear.predict(X), rtol=1e-5, atol=1e-5)
    assert same is line


@pytest.mark.parametrize("weights", [None, np.array([1.0, 1.0, 1.0, 1.0, 0.0])])
def test_better_is_better_by_a_standard_error(weights: Any) -> None:
    """Gains of 1 + d and 1 - d twice have the mean 1 and the standard error of it d / 2; a fifth row weighs
    nothing."""
    for d, better in ((1.9, True), (2.3, False)):
        gains = np.array([1 + d, 1 - d, 1 + d, 1 - d, 1e9][: None if weights is not None else 4])
        assert trained._is_better(np.zeros(len(gains)), gains, weights) is better


def test_a_table_without_numbers_has_no_bins() -> None:
    X = np.array([[1.0, 0.0], [0.0, 1.0]] * 50)
    for recipe in (preset_for("binned", True, 100).recipe, preset_for("binned", True, 100).recipe._replace(hidden=())):
        preset = replace(get_preset("binned"), recipe=recipe)
        model = trained.network(preset, Purpose(2, 2, True, X=X), backend="numpy", seed=0)
        assert "PiecewiseLinearEmbedding" not in str([getattr(layer, "layers", layer) for layer in model.layers])
        assert model.predict(X).shape == (100, 2)


@pytest.mark.parametrize("name", ["realmlp-s", "realmlp"])
def test_kinds_of_parameters_have_rates_and_decays_of_their_own(name: str) -> None:
    purpose = Purpose(6, 3, True, 2, {3: 12} if name == "realmlp" else {})
    model = trained.network(get_preset(name), purpose, backend="numpy", seed=0)
    factors = {"Scaling": 6.0, "biases": 0.1}
    if name == "realmlp":
        factors |= {"PeriodicEmbedding": 0.1, "ParametricActivation": 0.1}
        assert model.optimizer.decay_factors == {
            "Scaling": 6.0, "PeriodicEmbedding": 0.1, "ParametricActivation": 0.1, "Dense.biases": 0.0,
        }  # fmt: skip
    assert model.optimizer.factors == factors
    last = model.layers[-2]
    assert isinstance(last, Dense) and last.parametrization == "ntk"
    if name == "realmlp-s":
        assert not np.asarray(last.weights).any() and not np.asarray(last.biases).any()


def test_a_table_of_words_alone_or_of_numbers_alone() -> None:
    for purpose in (Purpose(2, 2, True, 0, {0: 12, 1: 9}), Purpose(2, 1, False, 2)):
        model = trained.network(get_preset("realmlp"), purpose, backend="numpy", seed=0)
        X = np.array([[1.0, 2.0], [3.0, 4.0]])
        assert model.predict(X).shape == (2, purpose.outputs)


def test_smoothing_is_for_those_who_ask() -> None:
    for smooths, smoothing in ((True, 0.1), (False, 0.0)):
        purpose = Purpose(2, 2, True, smooths=smooths)
        loss: Any = trained.network(get_preset("realmlp-s"), purpose, backend="numpy", seed=0).loss
        assert loss.label_smoothing == smoothing


def test_a_plain_recipe_is_any() -> None:
    recipe = Recipe(hidden=(), optimizer="sgd", optimizer_options={"momentum": 0.9}, schedule="cosine")
    preset = replace(get_preset("mlp"), recipe=recipe)
    model = trained.network(preset, Purpose(3, 2, True), backend="numpy", seed=0)
    assert [type(layer).__name__ for layer in model.layers] == ["Dense", "Softmax"]
    assert model.optimizer.config()["momentum"] == 0.9 and model.optimizer.schedule is not None


# --- the temperature ---------------------------------------------------------------------------------------


def log_loss(p: Any, y: Any, T: float, w: Any = None) -> float:
    z = np.log(p) / T
    z = z - z.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return float(-np.average(log_p[np.arange(len(y)), y], weights=w))


@pytest.mark.parametrize("weighted", [False, True])
def test_no_other_temperature_has_a_lower_log_loss(weighted: bool) -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet([0.5] * 4, size=300)
    y = np.array([rng.choice(4, p=row**0.5 / (row**0.5).sum()) for row in p])  # made with a temperature of 2
    w = rng.random(300) if weighted else None
    T = temperature(p, y, w)
    assert 1.5 < T < 2.6
    assert log_loss(p, y, T, w) <= min(log_loss(p, y, T * k, w) for k in (0.5, 0.9, 0.999, 1.001, 1.1, 2.0))


@pytest.mark.parametrize("weighted", [False, True])
def test_no_other_temperature_of_several_members_has_a_lower_log_loss(weighted: bool) -> None:
    """Of the mean of their probabilities, each with that temperature."""
    rng = np.random.default_rng(0)
    p = rng.dirichlet([0.3] * 4, size=(3, 300))
    truth = np.mean(p**0.5 / (p**0.5).sum(axis=2, keepdims=True), axis=0)
    y = np.array([rng.choice(4, p=row) for row in truth])
    w = rng.random(300) if weighted else None

    def loss(T: float) -> float:
        q = p ** (1 / T)
        q = np.mean(q / q.sum(axis=2, keepdims=True), axis=0)
        return float(-np.average(np.log(q[np.arange(300), y]), weights=w))

    T = temperature(p, y, w)
    assert 1.5 < T < 2.6 and loss(T) <= min(loss(T * k) for k in (0.5, 0.9, 0.999, 1.001, 1.1, 2.0))
    assert temperature(p[:1], y, w) == temperature(p[0], y, w)
    assert temperature(p[[0, 0]], y, w) == pytest.approx(temperature(p[0], y, w), rel=1e-9)


def test_temperatures_are_held_within_20() -> None:
    p = np.array([[0.1, 0.9], [0.8, 0.2]])
    assert temperature(p, np.array([1, 0])) == pytest.approx(1 / 20)  # all are right
    assert temperature(p, np.array([0, 1])) == pytest.approx(20)  # all are wrong
    assert np.isfinite(temperature(np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0, 0])))


def test_a_tempered_model_trains_on() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), rng.integers(3, size=40)
    model = Sequential([Dense(3, 3), "softmax"], "categorical_crossentropy", "adamw", backend="numpy", seed=0)
    model.fit(X, y, epochs=3)
    twin = tempered(model, 2.0)
    z = np.log(model.predict(X).astype(np.float64)) / 2
    by_hand = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(twin.predict(X), by_hand, rtol=1e-5)
    assert (twin.epoch, twin.step, type(twin.optimizer)) == (3, model.step, type(model.optimizer))
    twin.fit(X, y)
    assert twin.epoch == 4 and model.epoch == 3 and len(model.history["loss"]) == 3
