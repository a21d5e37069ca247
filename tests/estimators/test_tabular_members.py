"""Estimators of tables of several networks."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from scipy.stats import beta

import nnxp
from nnxp import TabularClassifier, TabularRegressor
from nnxp.cli import main
from nnxp.estimators.uncertainty import mutual_information
from nnxp.network.recipe import SEVERAL
from nnxp.tabular import Encoder
from nnxp.tabular.findings.baselines import linear_model
from nnxp.tabular.networks import trained
from nnxp.tabular.networks.presets import LARGE, get_preset
from nnxp.tabular.networks.purpose import Purpose
from nnxp.tabular.networks.temperature import temperature
from nnxp.tabular.reading.frames import as_table
from tests.estimators.test_tabular import PRESETS, made, write
from tests.helpers.matrix import Target

K = 3


@pytest.mark.long
@pytest.mark.parametrize("classifies", [True, False])
@pytest.mark.parametrize("preset", PRESETS)
def test_each_network_of_a_preset_is_the_training_that_its_seed_gives_alone(
    preset: str, classifies: bool, backend: Target
) -> None:
    """Weights from the data, the linear start, dropout that fades, decay and rates by kind. Products of another shape
    round otherwise; in float64 that stays small over 12 steps."""
    rows, labels, values = made(160)
    table = as_table(rows)
    settled = get_preset(preset, classifies, 160).settled(160, epochs=3, batch_size=40, members=K)
    settled = replace(settled, recipe=settled.recipe._replace(hidden=(16, 12)))  # minutes less on CuPy over host memory
    encoder = Encoder(**settled.encoding).fit(table)
    X = encoder.transform(table)
    y = np.array([label == "yes" for label in labels]).astype(np.int64) if classifies else (values[:, None] - 200) / 50
    purpose = Purpose.of(encoder, 2 if classifies else 1, classifies, X=X)
    many = trained.network(settled, purpose, backend=backend.spec, dtype="float64", seed=3)
    networks = [many, *(many.member(k) for k in range(K))]
    for model in networks:
        if settled.begins_linear:
            trained.begin_linear(model, linear_model(X, y, 2 if classifies else None, None, 0))
            start = model.predict(X, members=True)
            assert np.ptp(start, axis=0).max() < 1e-12  # all begin as the one linear model
        given = {"X": X, "y": y, "sample_weight": None}
        trained.fit(model, settled, given, chooses=None, shuffle=False, progress=False)
    each = np.stack([model.predict(X) for model in networks[1:]])
    np.testing.assert_allclose(many.predict(X, members=True), each, rtol=1e-7, atol=1e-8)
    assert np.ptp(each, axis=0).max() > 1e-4  # and end as others


@pytest.mark.parametrize("preset", PRESETS)
def test_the_epoch_is_chosen_by_the_mean_prediction(preset: str) -> None:
    rows, labels, values = made(200)
    for kind, y, names in ((TabularClassifier, labels, ("loss",)), (TabularRegressor, values, ("loss", "rmse"))):
        model = kind(preset, random_state=0, epochs=4, members=K, monitor=names[-1]).fit(rows, y)
        history = model.model_.history
        best = model.best_epoch_
        assert model.model_.members == K and len(history["member_loss"][0]) == K
        chosen = [*history[f"val_{names[-1]}"]]
        assert best == 0 or chosen[best - 1] == min(chosen)


def test_where_nothing_is_better_than_the_line_all_of_them_are_it() -> None:
    """Classes that follow from no column: no network is better by a standard error."""
    rows = made(150)[0]
    chance = np.random.default_rng(1).permutation(150)
    model = TabularClassifier("mlp", random_state=0, epochs=3, members=K).fit(rows, chance % 2)
    other = TabularRegressor("mlp", random_state=0, epochs=3, members=K).fit(rows, chance.astype(float))
    assert model.best_epoch_ == other.best_epoch_ == 0
    assert model.disagreement(rows).max() < 1e-12
    assert other.predict_std(rows).max() < 1e-3  # of numbers up to 150, in float32


@pytest.mark.long
@pytest.mark.parametrize("preset", PRESETS)
def test_one_file_there_and_back(preset: str, tmp_path: Path) -> None:
    rows, labels, values = made(130)
    path = tmp_path / "model.safetensors"
    model = TabularClassifier(preset, random_state=0, epochs=3, members=K, calibrate=True).fit(rows, labels)
    model.save(path)
    again = nnxp.load_estimator(path)
    assert again.get_params() == model.get_params() and again.members == again.model_.members == K
    np.testing.assert_array_equal(again.predict_proba(rows), model.predict_proba(rows))
    np.testing.assert_array_equal(again.disagreement(rows), model.disagreement(rows))
    for targets in (values, np.stack([values, -values], axis=1)):
        regressor = TabularRegressor(preset, random_state=0, epochs=3, members=K).fit(rows, targets)
        regressor.save(path)
        again = nnxp.load_estimator(path)
        np.testing.assert_array_equal(again.predict(rows), regressor.predict(rows))
        np.testing.assert_array_equal(again.predict_std(rows), regressor.predict_std(rows))
        np.testing.assert_array_equal(again.predict_interval(rows), regressor.predict_interval(rows))
        assert np.shape(regressor.predict_interval(rows)) == (2, *targets.shape)
        assert regressor.predict_std(rows).shape == targets.shape
    TabularRegressor(preset, random_state=0, epochs=1).fit(rows, values).save(path)
    text = path.read_bytes()
    assert b"members" not in text and b"intervals" not in text  # as it was before there were any


def test_predict_and_evaluate_open_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, labels, values = made(130)
    path, data = tmp_path / "m.safetensors", tmp_path / "t.csv"
    for model, y in (
        (TabularClassifier(random_state=0, epochs=3, members=K), labels),
        (TabularRegressor(random_state=0, epochs=3, members=K), values),
    ):
        write(data, rows, y=y)
        table = nnxp.tabular.read(data)
        model.fit({name: [row[name] for row in rows] for name in rows[0]}, y).save(path)
        assert main(["predict", str(path), str(data)]) in (0, None)
        got = [line.split(",")[0] for line in capsys.readouterr().out.splitlines()[1:]]
        assert got == [str(cell) for cell in model.predict(table).tolist()]
        assert main(["evaluate", str(path), str(data), "--json"]) in (0, None)
        figures = json.loads(capsys.readouterr().out)
        if y is labels:
            assert figures["accuracy"] == pytest.approx(model.score(table, np.array(labels)), abs=1e-12)
        else:
            assert figures["r2"] == pytest.approx(model.score(table, values), rel=1e-9)


def test_the_spread_is_in_the_units_of_the_target(backend: Target) -> None:
    """Of logarithms as well, whose intervals are as wide in both directions only there."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 3))
    for y, transform in ((1e4 + 50 * X[:, 0], "standard"), (np.exp(2 * X[:, 0] + 0.3 * X[:, 1]), "log")):
        model = TabularRegressor("realmlp-s", random_state=0, epochs=2, members=K, dtype="float64")
        model.fit(backend.asarray(X), y)
        target = model.encoder_.target
        assert target.transform == transform
        each = [
            target.inverse(z[:, 0]) for z in model.model_.predict(model.encoder_.transform(nnxp_table(X)), members=True)
        ]
        got = model.predict_std(backend.asarray(X))
        assert type(got) is type(backend.asarray(X)) and tuple(got.shape) == (200,)
        np.testing.assert_allclose(backend.to_numpy(got), np.std(each, axis=0, ddof=1), rtol=1e-6)
        low, high = (backend.to_numpy(end) for end in model.predict_interval(backend.asarray(X)))
        middle = backend.to_numpy(model.predict(backend.asarray(X)))
        held = (target.within[0] < low) & (high < target.within[1])
        assert held.sum() > 50
        average = np.sqrt(low * high) if transform == "log" else (low + high) / 2
        np.testing.assert_allclose(average[held], middle[held], rtol=1e-9)


def nnxp_table(X: Any) -> Any:
    """As an estimator names the columns of an array."""
    return as_table({f"x{j}": X[:, j].tolist() for j in range(X.shape[1])})


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_intervals_hold_what_they_say(level: float) -> None:
    """See `tests.estimators.test_estimators_members`: Beta(k, m + 1 - k), counted over 10,000 new rows."""

    def drawn(n: int, seed: int) -> tuple[Any, Any]:
        rng = np.random.default_rng(seed)
        x = rng.uniform(-2, 2, (n, 1))
        return x, np.exp(x[:, 0] + np.where(x[:, 0] > 0, 0.6, 0.1) * rng.standard_normal(n))

    held_out, (x, y), val, new = 300, drawn(200, 0), drawn(300, 1), drawn(10_000, 2)
    model = TabularRegressor(random_state=0, epochs=10, members=K).fit(x, y, X_val=val[0], y_val=val[1])
    low, high = model.predict_interval(new[0], level)
    k = int(np.ceil((held_out + 1) * level))
    least, most = beta.ppf([5e-7, 1 - 5e-7], k, held_out + 1 - k)
    assert least - 0.025 < np.mean((low <= new[1]) & (new[1] <= high)) < most + 0.025


def test_a_temperature_is_of_the_mean_that_is_predicted() -> None:
    rows, labels, _ = made(400)
    noisy = [label if i % 4 else "yes" for i, label in enumerate(labels)]
    options: Any = {"random_state": 0, "epochs": 40, "monitor": "accuracy", "members": K, "dtype": "float64"}
    given: Any = {"X_val": rows[200:], "y_val": noisy[200:]}
    plain = TabularClassifier(**options).fit(rows[:200], noisy[:200], **given)
    model = TabularClassifier(calibrate=True, **options).fit(rows[:200], noisy[:200], **given)
    assert model.model_.members == K
    val = plain.model_.predict(model.encoder_.transform(as_table(rows[200:])), members=True)
    truth = np.array([label == "yes" for label in noisy[200:]]).astype(np.int64)
    assert model.temperature_ == pytest.approx(temperature(val, truth), rel=1e-9)
    assert abs(model.temperature_ / temperature(val.mean(axis=0), truth) - 1) > 1e-4
    X = model.encoder_.transform(as_table(rows))
    z = np.log(plain.model_.predict(X, members=True)) / model.temperature_
    p = np.exp(z) / np.exp(z).sum(axis=2, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(rows), p.mean(axis=0), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(model.disagreement(rows), mutual_information(p), rtol=1e-6, atol=1e-12)


def test_how_many_networks_is_the_presets_unless_it_is_said() -> None:
    rows, labels, _ = made(60)
    asked = [(None, SEVERAL.members), (1, 1), (2, 2)]
    for members, found in asked:
        assert TabularClassifier(epochs=1, members=members).fit(rows, labels).model_.members == found
    assert [get_preset("default", True, n).recipe.members for n in (LARGE - 1, LARGE)] == [SEVERAL.members, 1]


def test_what_one_network_and_few_rows_cannot_say() -> None:
    rows, labels, values = made(60)
    for one, y, name in (
        (TabularClassifier("binned", epochs=1), labels, "disagreement"),
        (TabularRegressor("binned", epochs=1), values, "predict_std"),
        (TabularRegressor("binned", epochs=1), values, "predict_interval"),
    ):
        with pytest.raises(ValueError, match=rf"got {name} of one network, expected several.*\(members=8\)"):
            getattr(one.fit(rows, y), name)(rows)
    with pytest.raises(ValueError, match="rows held out: 100 rows and more, or fit"):
        TabularRegressor(epochs=1, members=2).fit(rows, values).predict_interval(rows)
    with pytest.raises(ValueError, match="got members=1.5, expected a whole number from 1 up"):
        TabularRegressor(members=1.5).fit(rows, values)
