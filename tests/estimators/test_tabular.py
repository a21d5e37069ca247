"""Estimators of tables: what comes in, what is held out, what comes out, and the file."""

import datetime
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.metrics import log_loss, r2_score, root_mean_squared_error
from sklearn.utils.validation import _get_feature_names

import nnxp
from nnxp import ModelFileError, TabularClassifier, TabularRegressor
from nnxp.cli import main
from nnxp.tabular.networks import trained
from tests.helpers.matrix import Target

PRESETS = ["mlp", "binned", "realmlp-s", "realmlp"]
TOWNS = ("Bonn", "Fez", "Oslo", "Rome")


def made(n: int, seed: int = 0, coded: int = 12) -> tuple[list[dict[str, Any]], list[str], Any]:
    """Rows of numbers, words, dates and missing cells; a class and a number for each."""
    rng = np.random.default_rng(seed)
    rows, labels, values = list[dict[str, Any]](), list[str](), list[float]()
    for _ in range(n):
        age, town, code = int(rng.integers(18, 80)), int(rng.integers(4)), int(rng.integers(coded))
        day = datetime.date(2020, 1, 1) + datetime.timedelta(int(rng.integers(700)))
        rows.append(
            {
                "age": None if rng.random() < 0.05 else age,
                "town": None if rng.random() < 0.05 else TOWNS[town],
                "code": f"k{code:04}",
                "day": day,
                "member": bool(rng.random() < 0.5),
            }
        )
        labels.append("yes" if age > 45 and town != 3 else "no")
        values.append(100 + 2 * age + 30 * town + 0.05 * (day - datetime.date(2020, 1, 1)).days)
    return rows, labels, np.array(values)


# --- what comes in ---------------------------------------------------------------------------------------


def test_every_form_of_a_table_is_the_same() -> None:
    pandas, polars, pyarrow = map(pytest.importorskip, ("pandas", "polars", "pyarrow"))
    rows, labels, values = made(90)
    lists = {name: [row[name] for row in rows] for name in rows[0]}
    frame = pandas.DataFrame(rows).assign(day=lambda d: pandas.to_datetime(d["day"]))
    expected = TabularClassifier(random_state=0, epochs=5).fit(rows, labels).predict_proba(rows[:20])
    numbers = TabularRegressor(random_state=0, epochs=5).fit(rows, values).predict(rows[:20])
    for X in (lists, frame, polars.DataFrame(rows), pyarrow.Table.from_pylist(rows)):
        some = {name: cells[:20] for name, cells in lists.items()} if X is lists else X[:20]
        model = TabularClassifier(random_state=0, epochs=5).fit(X, labels)
        np.testing.assert_array_equal(model.predict_proba(some), expected)
        if X is lists or _get_feature_names(X) is not None:  # an older scikit-learn reads none of polars
            assert model.feature_names_in_.tolist() == [*rows[0]] and model.n_features_in_ == 5
        np.testing.assert_array_equal(TabularRegressor(random_state=0, epochs=5).fit(X, values).predict(some), numbers)


def test_arrays_of_numbers_and_of_words() -> None:
    rows, labels, _ = made(90)
    cells = np.array([[row["age"], row["town"]] for row in rows], dtype=object)
    model = TabularClassifier(random_state=0, epochs=5).fit(cells, labels)
    kinds = {decision.name: decision.kind for decision in model.encoder_.decisions}
    assert kinds == {"x0": "number", "x1": "category"}
    numbers = np.random.default_rng(0).integers(0, 2, size=(90, 3)).astype(np.float64)  # yes and no, in a table
    numbers[3, 1] = np.inf  # as if missing
    model = TabularClassifier(random_state=0, epochs=5).fit(numbers, labels)
    assert [decision.kind for decision in model.encoder_.decisions] == ["number"] * 3
    model = TabularClassifier(random_state=0, epochs=5, kinds={"x2": "category"}, drop=["x0"]).fit(numbers, labels)
    assert [decision.kind for decision in model.encoder_.decisions] == ["number", "category"]
    assert np.isfinite(model.predict_proba(np.full((2, 3), np.nan))).all()
    dates = np.array(["2020-01-01", "2020-06-05", "NaT"] * 10, dtype="datetime64[D]")[:, None]
    assert [d.kind for d in TabularClassifier(epochs=2).fit(dates, ["a", "b", "a"] * 10).encoder_.decisions] == ["date"]


def test_a_frame_has_its_columns_in_the_order_of_the_fit_and_rows_have_any() -> None:
    pandas = pytest.importorskip("pandas")
    rows, labels, _ = made(60)
    frame = pandas.DataFrame(rows).assign(day=lambda d: pandas.to_datetime(d["day"]))
    model = TabularClassifier(random_state=0, epochs=2).fit(frame, labels)
    other, expected = frame[[*reversed(frame.columns)]], model.predict_proba(frame)
    with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
        model.predict(other)
    np.testing.assert_array_equal(model.predict_proba(other[model.feature_names_in_]), expected)
    np.testing.assert_array_equal(model.predict_proba([dict(reversed(row.items())) for row in rows]), expected)


def test_columns_that_are_called_by_numbers() -> None:
    """They are texts to `kinds` and `drop`, and no places: an array's columns have other names."""
    pandas = pytest.importorskip("pandas")
    cells = np.random.default_rng(0).integers(0, 3, size=(60, 2)).astype(np.float64)
    frame, labels = pandas.DataFrame(cells), ["no", "yes"] * 30
    for options in ({"drop": [0]}, {"kinds": {0: "category"}}):
        with pytest.raises(
            nnxp.DataError, match="got 0, expected columns of the table given: '0', '1'; did you mean '0'"
        ):
            TabularClassifier(epochs=1, **options).fit(frame, labels)
    model = TabularClassifier(epochs=1, random_state=0, kinds={"0": "category"}).fit(frame, labels)
    assert {one.name: one.kind for one in model.encoder_.decisions} == {"0": "category", "1": "number"}
    np.testing.assert_array_equal(model.predict_proba(frame[[1, 0]]), model.predict_proba(frame))
    as_in_fit = "expected {}, as in fit: give X in the form that fit was given"
    with pytest.raises(nnxp.DataError, match="got X with the columns x0, x1, " + as_in_fit.format("0, 1")):
        model.predict(cells)
    model = TabularClassifier(epochs=1).fit(cells, labels)
    with pytest.raises(nnxp.DataError, match="got X with the columns 0, 1, " + as_in_fit.format("x0, x1")):
        model.predict(frame)


def test_what_cannot_be_a_table_is_refused() -> None:
    scipy = pytest.importorskip("scipy.sparse")
    rows, labels, _ = made(30)
    with pytest.raises((TypeError, ValueError), match="[Ss]parse"):
        TabularClassifier().fit(scipy.csr_array(np.eye(30)), labels)
    with pytest.raises(ValueError, match="got y of one class, \\['yes'\\], expected two or more"):
        TabularClassifier().fit(rows, ["yes"] * 30)
    with pytest.raises(ValueError, match="got y of shape \\(30, 2\\), expected one label a row"):
        TabularClassifier().fit(rows, np.eye(30, dtype=int)[:, :2])
    with pytest.raises(ValueError, match="got preset='mpl', expected one of mlp, .*; did you mean 'mlp'"):
        TabularClassifier("mpl").fit(rows, labels)
    with pytest.raises(ValueError, match="got drop='age', expected names of columns: drop=\\['age'\\]"):
        TabularClassifier(drop="age").fit(rows, labels)
    with pytest.raises(nnxp.DataError, match="lacks the column 'town'"):
        TabularClassifier(epochs=1).fit(rows, labels).predict([{"age": 3, "code": "", "day": None, "member": True}])


@pytest.mark.parametrize("gone", ["None", "nan", "NaT", "NA"])
def test_a_target_that_is_missing_is_refused(gone: str) -> None:
    """It is no class called "nan", and no number."""
    pandas = pytest.importorskip("pandas")
    rows, labels, values = made(30)
    cell = {"None": None, "nan": float("nan"), "NaT": pandas.NaT, "NA": pandas.NA}[gone]
    message = "in 2 of 30 rows, the first of them row 3, counted from 0, .*: leave those rows out"
    for kind, full in ((TabularClassifier, labels), (TabularRegressor, [*values])):
        y = [cell if number in (3, 20) else value for number, value in enumerate(full)]
        forms = [y, np.array(y, dtype=object), pandas.Series(y, dtype=object)]
        for given in forms if kind is TabularClassifier or gone != "nan" else forms[1:]:
            with pytest.raises(ValueError, match=message):
                kind(epochs=1).fit(rows, given)
    with pytest.raises(ValueError, match="in 1 of 30 rows, the first of them row 0"):
        nnxp.MLPClassifier(max_iter=1).fit(np.eye(30), [cell, *labels[1:]])


def test_dates_are_labels_but_no_numbers() -> None:
    rows, _, _ = made(30)
    days = np.array(["2020-01-01", "2021-01-01", "2022-01-01"] * 10, dtype="datetime64[D]")
    assert TabularClassifier(epochs=1).fit(rows, days).classes_.dtype == days.dtype
    for y in (days, days - days[0]):
        with pytest.raises(ValueError, match="got y of (datetime|timedelta)64\\[D\\], expected numbers"):
            TabularRegressor(epochs=1).fit(rows, y)
    days[4] = "NaT"
    with pytest.raises(ValueError, match="in 1 of 30 rows, the first of them row 4"):
        TabularClassifier(epochs=1).fit(rows, days)


def test_what_is_not_as_it_should_be_is_said() -> None:
    pandas = pytest.importorskip("pandas")
    rows, labels, values = made(120)
    with pytest.raises(ValueError, match="got kinds=\\['age'\\], expected kinds by name"):
        TabularClassifier(kinds=["age"]).fit(rows, labels)  # type: ignore[arg-type]
    with pytest.raises(nnxp.DataError, match="drop: got 1, .*; did you mean '1'"):
        TabularClassifier(drop=[1]).fit(pandas.DataFrame(np.eye(120)[:, :9]), labels)  # type: ignore[list-item]
    with pytest.raises(nnxp.DataError, match=r"as the column 'age', expected a list of cells: one row is \[row\]"):
        TabularClassifier(epochs=1).fit(rows, labels).predict(rows[0])
    for n in (50, 120):  # no matter whether rows are held out
        with pytest.raises(ValueError, match="got monitor='rmse', expected one of loss, accuracy"):
            TabularClassifier(monitor="rmse").fit(rows[:n], labels[:n])
        with pytest.raises(ValueError, match="got monitor='log_loss', expected one of loss, r2, rmse"):
            TabularRegressor(monitor="log_loss").fit(rows[:n], values[:n])


# --- what is held out ------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", PRESETS)
def test_below_100_rows_none_is_held_out(preset: str) -> None:
    rows, labels, values = made(100)
    share = {"mlp": 0.1, "binned": 0.1}.get(preset, 0.2)
    for kind, y in ((TabularClassifier, labels), (TabularRegressor, values)):
        small = kind(preset, epochs=3, random_state=0).fit(rows[:99], y[:99])
        large = kind(preset, epochs=3, random_state=0).fit(rows, y)
        assert small.best_epoch_ is None and "val_loss" not in small.model_.history
        assert large.best_epoch_ in range(4) and len(large.model_.history["val_loss"]) == 3
        steps = large.model_.step / 3  # of 90 rows
        assert steps == (3 if preset == "binned" else 1)
        assert kind(preset, epochs=1, batch_size=1).fit(rows, y).model_.step == 100 - 100 * share
    assert kind(preset, epochs=3, validation_fraction=0).fit(rows, y).best_epoch_ is None


def test_the_epoch_is_chosen_by_the_score_that_is_named() -> None:
    rows, labels, values = made(300)
    for monitor, entry, best in (
        ("log_loss", "val_loss", min),
        ("accuracy", "val_accuracy", max),
        ("roc_auc", "val_roc_auc", max),
    ):
        model = TabularClassifier(monitor=monitor, random_state=0, epochs=30).fit(rows, labels)
        history = model.model_.history[entry]
        assert model.best_epoch_ == 30 - history[::-1].index(best(history)), "of equally good ones the last"
        last = TabularClassifier("realmlp-s", monitor=monitor, random_state=0, epochs=6).fit(rows, labels)
        history = last.model_.history[entry]  # of equally good ones the last
        assert last.n_iter_ == 6 and last.best_epoch_ == 6 - history[::-1].index(best(history))
    model = TabularRegressor(monitor="mean_absolute_error", random_state=0, epochs=10).fit(rows, values)
    history = model.model_.history["val_mean_absolute_error"]
    assert model.best_epoch_ == history.index(min(history)) + 1
    with pytest.raises(ValueError, match="'roc_auk'.*did you mean 'roc_auc'"):
        TabularClassifier(monitor="roc_auk").fit(rows[:50], labels[:50])  # also where none is held out


def test_a_score_by_class_has_a_row_held_out_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth, of each class alike, is none of a class of 3."""
    rows, _, _ = made(300)
    labels = ["often"] * 240 + ["at times"] * 50 + ["seldom"] * 2 + ["rare"] * 5 + ["once"] + ["rare"] * 2
    followed: list[Any] = []
    real = trained.fit

    def spy(model: Any, preset: Any, given: Any, **options: Any) -> Any:
        followed.append(given)
        return real(model, preset, given, **options)

    monkeypatch.setattr(trained, "fit", spy)
    for monitor in ("log_loss", "accuracy", "roc_auc", "average_precision", "balanced_accuracy", "f1"):
        TabularClassifier(monitor=monitor, epochs=1, random_state=0).fit(rows, labels)
    plain, _, *by_class = ([*np.bincount(given["validation_data"][1], minlength=5)] for given in followed)
    assert sum(plain) == 30 and plain[4] == 0  # at times, often, once, rare, seldom
    assert by_class == [[max(pair) for pair in zip(plain, (1, 1, 0, 1, 1), strict=True)]] * 4
    for given in followed:
        assert len(given["y"]) + len(given["validation_data"][1]) == 300
    rare = ["a"] * 297 + ["b"] * 3
    for monitor in ("roc_auc", "average_precision"):
        model = TabularClassifier(monitor=monitor, epochs=2, random_state=0).fit(rows, rare)
        assert np.isfinite(model.model_.history[f"val_{monitor}"]).all() and model.best_epoch_ is not None


def test_a_ranking_of_one_class_is_refused_before_the_training() -> None:
    rows, _, _ = made(200)
    stepped: list[Any] = []
    model = TabularClassifier(monitor="roc_auc", epochs=1, callbacks=[stepped.append])
    one = ["a"] * 199 + ["b"]
    with pytest.raises(ValueError, match="monitor='roc_auc' and 1 row of the class 'b'.*expected 2 or more.*X_val and"):
        model.fit(rows, one)
    weights = np.ones(200)
    weights[[7, 8]] = 0
    with pytest.raises(ValueError, match="0 rows of the class 2 with a weight above 0"):
        model.fit(rows, np.where(weights, 1, 2), weights)
    both = ["a", "b"] * 100
    with pytest.raises(ValueError, match="y_val of the class 'b' alone, expected rows of 'a' or another too.*log_loss"):
        model.fit(rows, both, X_val=rows[:9], y_val=["b"] * 9)
    assert not stepped
    model.set_params(monitor="f1").fit(rows, one)
    assert stepped


def test_label_smoothing_is_for_the_error_rate() -> None:
    """Its authors leave it off where probabilities count."""
    rows, labels, _ = made(120)
    for monitor, smoothing in (("accuracy", 0.1), ("log_loss", 0.0), ("roc_auc", 0.0)):
        model = TabularClassifier("realmlp-s", monitor=monitor, epochs=1).fit(rows, labels)
        assert model.model_.loss.label_smoothing == smoothing


def test_a_validation_of_ones_own() -> None:
    rows, labels, values = made(160)
    fit = {"X_val": rows[120:], "y_val": labels[120:], "sample_weight_val": np.ones(40)}
    model = TabularClassifier(epochs=4, random_state=0).fit(rows[:120], labels[:120], **fit)
    assert len(model.model_.history["val_loss"]) == 4
    twice = TabularClassifier(epochs=4, random_state=0, batch_size=1).fit(rows[:20], labels[:20], **fit)
    assert twice.model_.step == 80 and twice.best_epoch_ is not None  # none of the 20 is held out
    with pytest.raises(ValueError, match="alone, expected X_val and y_val together"):
        TabularRegressor().fit(rows, values, X_val=rows)
    with pytest.raises(ValueError, match="expected some of \\['no', 'yes'\\]"):
        TabularClassifier().fit(rows, labels, X_val=rows[:2], y_val=["no", "perhaps"])


def test_the_encoder_learns_from_the_rows_that_are_trained_on() -> None:
    rows = [{"word": f"w{i}", "x": float(i % 7)} for i in range(200)]  # each word is in one row
    kinds = {"word": "category"}
    model = TabularClassifier("realmlp", random_state=0, epochs=1, kinds=kinds).fit(rows, ["a", "b"] * 100)
    assert model.encoder_.codes == {"word": 1 + 160}
    own = TabularClassifier("realmlp", epochs=1, kinds=kinds)
    own.fit(rows[:150], ["a", "b"] * 75, X_val=rows[150:], y_val=["a", "b"] * 25)
    assert own.encoder_.codes == {"word": 1 + 150}


def test_of_equally_good_epochs_realmlp_keeps_the_last_and_mlp_the_first() -> None:
    rows = [{"x": float(i % 20) - 9.5} for i in range(200)]
    for preset, monitored in (("realmlp-s", -1), ("mlp", 0)):
        model = TabularClassifier(preset, monitor="accuracy", random_state=0, epochs=8)
        history = model.fit(rows, [row["x"] > 0 for row in rows]).model_.history["val_accuracy"]
        best = [epoch for epoch, value in enumerate(history, start=1) if value == max(history)]
        assert len(best) > 1 and model.best_epoch_ == best[monitored]


# --- weights ---------------------------------------------------------------------------------------------


def test_rows_that_weigh_nothing_do_not_train() -> None:
    rows, labels, values = made(80)
    w = np.r_[np.ones(40), np.zeros(40)]
    wrong = [*labels[:40], *["no" if label == "yes" else "yes" for label in labels[40:]]]
    model = TabularClassifier(random_state=0, epochs=40).fit(rows, wrong, w)
    assert model.score(rows[:40], labels[:40]) > 0.9 > 0.5 > model.score(rows[40:], wrong[40:])
    far = np.r_[values[:40], 1e6 + values[40:]]
    regressor = TabularRegressor(random_state=0, epochs=40).fit(rows, far, w)
    assert regressor.encoder_.target.mean == pytest.approx(values[:40].mean())


def test_classes_weigh_what_is_said() -> None:
    rows = [{"noise": float(x)} for x in np.random.default_rng(0).normal(size=90)]
    y = ["rare" if i % 9 == 0 else "usual" for i in range(90)]
    plain, balanced = (
        TabularClassifier(class_weight=weight, random_state=0, epochs=3).fit(rows, y).predict_proba(rows)[:, 0].mean()
        for weight in (None, "balanced")
    )
    assert plain < 0.3 < balanced
    model = TabularClassifier(class_weight={"rare": 4.0}, epochs=1).fit(rows, y)
    assert model.model_.loss.class_weight == [4.0, 1.0]
    with pytest.raises(ValueError, match="got class_weight for the classes \\['reir'\\]"):
        TabularClassifier(class_weight={"reir": 4.0}).fit(rows, y)


# --- calibration -----------------------------------------------------------------------------------------


def test_a_temperature_makes_the_held_out_log_loss_least() -> None:
    rows, labels, _ = made(400)
    noisy = [label if i % 4 else "yes" for i, label in enumerate(labels)]
    one: dict[str, Any] = {"preset": "binned", "random_state": 0, "epochs": 60, "monitor": "accuracy"}
    plain = TabularClassifier(**one).fit(rows, noisy)
    model = TabularClassifier(**one, calibrate=True).fit(rows, noisy)
    assert plain.temperature_ == 1.0 != model.temperature_
    p, q = plain.predict_proba(rows).astype(np.float64), model.predict_proba(rows).astype(np.float64)
    np.testing.assert_array_equal(p.argmax(axis=1), q.argmax(axis=1))
    by_hand = p ** (1 / model.temperature_)
    np.testing.assert_allclose(q, by_hand / by_hand.sum(axis=1, keepdims=True), rtol=1e-4, atol=1e-6)
    assert [type(layer).__name__ for layer in model.model_.layers[-2:]] == ["Rescaling", "Softmax"]
    with pytest.raises(ValueError, match="got calibrate=True and no rows held out"):
        TabularClassifier(calibrate=True).fit(rows[:50], noisy[:50])


# --- numbers ---------------------------------------------------------------------------------------------


def test_several_numbers_at_once() -> None:
    pandas = pytest.importorskip("pandas")
    rows, _, values = made(150)
    Y = np.stack([values, np.exp(values / 40), -values], axis=1)
    model = TabularRegressor(random_state=0).fit(rows, Y)
    assert model.predict(rows).shape == (150, 3) and model.score(rows, Y) > 0.9
    assert [one.name for one in model.encoder_.target.targets] == ["y0", "y1", "y2"]
    frame = pandas.DataFrame(Y, columns=["a", "b", "c"])
    named = TabularRegressor(random_state=0, epochs=2).fit(rows, frame)
    assert [one.name for one in named.encoder_.target.targets] == ["a", "b", "c"]
    with pytest.raises(ValueError, match="got y_val with 1 outputs, expected 3, as in y"):
        TabularRegressor().fit(rows, Y, X_val=rows, y_val=values)


def test_a_target_over_decades_is_learned_as_its_logarithm() -> None:
    rows, _, values = made(200)
    y = np.exp((values - values.mean()) / values.std() * 1.5)
    model = TabularRegressor(random_state=0, epochs=5).fit(rows, y)
    assert model.encoder_.target.transform == "log"
    plain = TabularRegressor(random_state=0, epochs=5, target_transform="standard").fit(rows, y)
    assert plain.encoder_.target.transform == "standard"
    with pytest.raises(ValueError, match="got loss='mse', expected one of squared_error, absolute_error, huber"):
        TabularRegressor(loss="mse").fit(rows, y)
    assert type(TabularRegressor(loss="huber", epochs=1).fit(rows, y).model_.loss).__name__ == "Huber"


# --- columns that mean harm ------------------------------------------------------------------------------


def hostile(n: int, rng: Any) -> list[dict[str, Any]]:
    return [
        {
            "x": float(rng.normal()),
            "constant": 3.0,
            "rare": float(i == 5),
            "huge": float(rng.choice([-1e300, 1e300, 1e-300, 0.0])),
            "empty": None,
            "many": f"c{int(rng.integers(5000))}",
            "nearly constant": 1.0 + 1e-9 * float(rng.normal()),
        }
        for i in range(n)
    ]


@pytest.mark.parametrize("preset", PRESETS)
def test_hostile_columns_give_sensible_predictions(preset: str) -> None:
    rng = np.random.default_rng(0)
    rows = hostile(800, rng)
    y = np.array([2 * row["x"] + 1 for row in rows])
    far = [
        {**row, "x": x, "nearly constant": -x, "rare": 1e6, "huge": -1e308, "many": "new", "constant": 1e9}
        for row in hostile(20, rng)
        for x in (1e300, -1e300, 1e9)
    ]
    for target in (y, np.exp(3 * y)):  # the second as its logarithm
        model = TabularRegressor(preset, random_state=0, epochs=8).fit(rows, target)
        reach = 0.0 if preset == "realmlp" else 0.5 * (target.max() - target.min())  # the margin that is stated
        for X in (rows, far):
            predicted = model.predict(X)
            assert np.isfinite(predicted).all()
            assert target.min() - reach <= predicted.min() and predicted.max() <= target.max() + reach
    p = TabularClassifier(preset, random_state=0, epochs=8).fit(rows, y > 0).predict_proba(far)
    assert np.isfinite(p).all() and p.min() >= 0
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)


def test_targets_of_any_size() -> None:
    rows, _, values = made(60)
    y = 1e300 * (values - values.mean()) / values.std()
    predicted = TabularRegressor(random_state=0, epochs=20).fit(rows, y).predict(rows)
    assert np.isfinite(predicted).all() and np.corrcoef(predicted / 1e300, y / 1e300)[0, 1] > 0.9
    assert TabularRegressor(epochs=2).fit(rows, np.full(60, 7.0)).predict(rows) == pytest.approx(7.0)


# --- what comes out --------------------------------------------------------------------------------------


def test_results_are_in_the_library_of_an_array(backend: Target) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3)).astype(np.float32)
    y = (X[:, 0] > 0).astype(np.int64)
    given = backend.asarray(X)
    model = TabularClassifier(random_state=0, epochs=5).fit(given, y)
    p, labels = model.predict_proba(given), model.predict(given)
    host = TabularClassifier(random_state=0, epochs=5).fit(X, y)
    backend.assert_close(p, host.predict_proba(X), rtol=1e-4, atol=1e-5)
    assert nnxp.get_backend(labels).library == nnxp.get_backend(given).library
    np.testing.assert_array_equal(backend.to_numpy(labels), host.predict(X))
    values = TabularRegressor(random_state=0, epochs=5).fit(given, X[:, 1]).predict(given)
    assert nnxp.get_backend(values).name == nnxp.get_backend(given).name
    moved = TabularClassifier(random_state=0, epochs=5, backend=backend.spec).fit(X, y)
    assert isinstance(moved.predict_proba(X), np.ndarray)  # back where X is
    np.testing.assert_allclose(moved.predict_proba(X), host.predict_proba(X), rtol=1e-4, atol=1e-5)
    if backend.module != "numpy":
        with pytest.raises(nnxp.BackendMismatchError, match="expected X on"):
            host.predict(given)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_rows_prediction_does_not_depend_on_the_rows_beside_it(preset: str) -> None:
    rows, _, values = made(200)
    model = TabularRegressor(preset, random_state=0, epochs=3).fit(rows, values)
    whole = model.predict(rows)
    for n in (1, 2, 7, 16, 17, 100):
        assert max(abs(model.predict(rows[:n]) - whole[:n]) / whole[:n]) <= np.finfo(np.float64).eps, n


def test_labels_are_what_they_were() -> None:
    rows, labels, _ = made(60)
    for y in ([0, 1, 5] * 20, [1.0, 2.0] * 30, [True, False] * 30, labels):
        model = TabularClassifier(epochs=2).fit(rows, y)
        np.testing.assert_array_equal(model.classes_, np.unique(y))
        assert model.predict(rows).dtype == np.unique(y).dtype
        assert model.predict_proba(rows).shape == (60, len(set(y)))
        np.testing.assert_allclose(np.exp(model.predict_log_proba(rows)), model.predict_proba(rows), rtol=1e-5)


def test_dtype_is_float32_or_what_is_said() -> None:
    rows, labels, _ = made(60)
    assert TabularClassifier(epochs=2).fit(rows, labels).predict_proba(rows).dtype == np.float32
    assert TabularClassifier(epochs=2, dtype="float64").fit(rows, labels).predict_proba(rows).dtype == np.float64


def test_the_same_seed_is_the_same_model_and_a_clone_is_new() -> None:
    rows, labels, _ = made(120)
    model = TabularClassifier("realmlp", random_state=3, epochs=3, kinds={"code": "category"})
    one, two = model.fit(rows, labels).predict_proba(rows), clone(model).fit(rows, labels).predict_proba(rows)
    np.testing.assert_array_equal(one, two)
    assert clone(model).get_params() == model.get_params() and not hasattr(clone(model), "model_")


def test_a_fit_that_fails_leaves_what_was() -> None:
    rows, labels, _ = made(60)
    model = TabularClassifier(random_state=0, epochs=2).fit(rows, labels)
    before = model.predict_proba(rows)
    with pytest.raises(ValueError, match="monitor|metric"):
        model.set_params(monitor="f2").fit(rows[:50], [1, 2] * 25, X_val=rows, y_val=[1, 2] * 30)
    np.testing.assert_array_equal(model.predict_proba(rows), before)
    assert model.classes_.tolist() == ["no", "yes"]


def test_callbacks_are_called() -> None:
    rows, labels, _ = made(60)
    seen = []
    TabularClassifier(epochs=3, callbacks=[lambda state: seen.append(state.event)]).fit(rows, labels)
    assert seen.count("epoch") == 3
    with pytest.raises(ValueError, match="expected a list of them"):
        TabularClassifier(callbacks=print).fit(rows, labels)


# --- the file --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", PRESETS)
def test_one_file_there_and_back(preset: str, tmp_path: Path) -> None:
    rows, labels, values = made(120)
    path = tmp_path / "model.safetensors"
    for y, options in ((labels, {"calibrate": True}), ([3, 1] * 60, {"class_weight": "balanced"})):
        model = TabularClassifier(preset, random_state=0, epochs=3, **options).fit(rows, y)
        model.save(path)
        again = nnxp.load_estimator(path)
        assert type(again) is TabularClassifier and again.get_params() == model.get_params()
        np.testing.assert_array_equal(again.predict_proba(rows), model.predict_proba(rows))
        assert again.predict(rows).tolist() == model.predict(rows).tolist()
        assert again.classes_.dtype == model.classes_.dtype and again.temperature_ == model.temperature_
        assert (again.n_iter_, again.best_epoch_) == (model.n_iter_, model.best_epoch_)
        assert again.feature_names_in_.tolist() == [*rows[0]]
    for targets in (values, np.stack([values, -values], axis=1)):
        regressor = TabularRegressor(preset, random_state=0, epochs=3).fit(rows, targets)
        regressor.save(path)
        again = nnxp.load_estimator(path)
        assert type(again) is TabularRegressor
        np.testing.assert_array_equal(again.predict(rows), regressor.predict(rows))


def test_a_file_holds_parameters_of_any_kind_of_number_and_list(tmp_path: Path) -> None:
    """What `drop` leaves out is left out by the next fit, too."""
    rows, labels, _ = made(60)
    forms: list[Any] = [("day", "code"), np.array(["day", "code"]), {"day", "code"}]
    for drop in forms:
        TabularClassifier(epochs=np.int64(2), drop=drop, random_state=np.int32(3)).fit(rows, labels).save(
            tmp_path / "m"
        )
        again = nnxp.load_estimator(tmp_path / "m")
        assert (sorted(again.drop), again.epochs, again.random_state) == (["code", "day"], 2, 3)
        assert type(again.epochs) is int and type(again.drop) is (list if isinstance(drop, np.ndarray) else type(drop))
        assert [d.name for d in clone(again).fit(rows, labels).encoder_.decisions] == ["age", "town", "member"]


@pytest.mark.parametrize(
    ("classes", "class_weight", "expected"),
    [
        ([0, 1], {0: 1.0, 1: 3.0}, {0: 1.0, 1: 3.0}),
        ([0, 1], {np.int64(1): np.float32(3), 7: 2}, {1: 3.0, 7: 2}),  # 7 is a class that this fit does not have
        ([False, True], {False: 0.5, True: 3}, {False: 0.5, True: 3}),
        ([1.0, 2.0], {2.0: 3}, {2.0: 3}),
        (["no", "yes"], {"yes": np.float32(3)}, {"yes": 3.0}),
        (
            np.array(["2020-01-01", "2021-06-05"], dtype="datetime64[D]"),  # which a file has as texts
            {datetime.date(2020, 1, 1): 3},
            {"2020-01-01": 3},
        ),
    ],
)
def test_a_file_holds_what_each_class_weighs(
    classes: Any, class_weight: Any, expected: dict[Any, float], tmp_path: Path
) -> None:
    """By the classes' own values, which JSON's objects could not have as names."""
    rows, _, _ = made(60)
    y = np.asarray(classes)[np.arange(60) % 2]
    model = TabularClassifier(epochs=2, random_state=0, class_weight=class_weight).fit(rows, y)
    model.save(tmp_path / "m")
    again = nnxp.load_estimator(tmp_path / "m")
    assert again.class_weight == expected and [*map(type, again.class_weight)] == [*map(type, expected)]
    assert set(again.class_weight) & set(again.classes_.tolist())
    later = clone(again).fit(rows, again.classes_[np.arange(60) % 2])
    np.testing.assert_array_equal(later.predict_proba(rows), model.predict_proba(rows))


def test_nothing_is_pickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, labels, _ = made(60)
    monkeypatch.setattr("pickle.dumps", None)
    monkeypatch.setattr("pickle.loads", None)
    model = TabularClassifier(epochs=1, random_state=np.random.RandomState(0)).fit(rows, labels)
    with pytest.raises(TypeError, match=r"got random_state=RandomState.*cannot hold.*set_params\(random_state=None\)"):
        model.save(tmp_path / "m")
    model.set_params(random_state=None).save(tmp_path / "m")
    assert nnxp.load_estimator(tmp_path / "m").random_state is None


def write(path: Path, rows: list[dict[str, Any]], **more: Any) -> None:
    lines = [",".join([*rows[0], *more])]
    for i, row in enumerate(rows):
        lines.append(",".join("" if v is None else str(v) for v in (*row.values(), *(y[i] for y in more.values()))))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_what_nnxp_train_wrote_is_an_estimator(tmp_path: Path) -> None:
    rows, labels, values = made(200)
    write(tmp_path / "t.csv", rows, answer=labels, price=values)
    for target in ("answer", "price"):
        out, drop = tmp_path / target, "price" if target == "answer" else "answer"
        words = ["train", str(tmp_path / "t.csv"), "--target", target, "--drop", drop, "--epochs", "5", "--quiet"]
        assert main([*words, "--out", str(out)]) in (0, None)
        model = nnxp.load_estimator(out / "model.safetensors")
        assert type(model) is (TabularClassifier if target == "answer" else TabularRegressor)
        whole = nnxp.tabular.read(tmp_path / "t.csv")
        direct = nnxp.load(out / "model.safetensors").predict(nnxp.tabular.Encoder.of(model.model_).transform(whole))
        if target == "answer":
            assert model.classes_.tolist() == ["no", "yes"]
            np.testing.assert_array_equal(model.predict_proba(rows), direct)
        else:
            np.testing.assert_array_equal(model.predict(rows), model.encoder_.target.inverse(direct[:, 0]))
        assert model.predict(whole).shape == (200,)  # the columns that are no inputs are passed over


@pytest.mark.parametrize("preset", ["mlp", "binned", "realmlp"])
def test_numbers_of_a_file_are_held_within_its_limits_by_whoever_predicts(
    preset: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And are the same to the last bit, however many rows there are: limits are the target's range, or half of it more
    on either side."""
    rng = np.random.default_rng(0)
    rows = [{"size": float(size), "town": TOWNS[k % 4]} for k, size in enumerate(rng.normal(size=200))]
    prices = [10 * row["size"] + 3 * (row["town"] == "Fez") for row in rows]
    write(tmp_path / "t.csv", rows, price=prices)
    options = ["--target", "price", "--preset", preset, "--epochs", "40", "--quiet", "--out", str(tmp_path / "run")]
    assert main(["train", str(tmp_path / "t.csv"), *options]) in (0, None)
    path = tmp_path / "run/model.safetensors"
    model = nnxp.load_estimator(path)
    low, high = model.encoder_.target.within
    beyond = (0.0 if preset == "realmlp" else 0.5) * (max(prices) - min(prices)) + 1e-9
    assert min(prices) - beyond <= low < high <= max(prices) + beyond  # of the rows that are trained on
    for count in (*range(1, 18), 37):
        new = [{"size": float(size), "town": TOWNS[k % 4]} for k, size in enumerate(rng.normal(scale=9, size=count))]
        write(tmp_path / "new.csv", new)
        assert main(["predict", str(path), str(tmp_path / "new.csv")]) in (0, None)
        got = np.array([float(line) for line in capsys.readouterr().out.splitlines()[1:]])
        np.testing.assert_array_equal(got, model.predict(new))
        assert (got >= low).all() and (got <= high).all()
    assert low in got or high in got


@pytest.mark.parametrize("named", [["--preset", "realmlp"], ["--preset", "default"], []])
def test_an_estimator_of_nnxp_train_has_its_preset_and_its_best_epoch(named: list[str], tmp_path: Path) -> None:
    rows, labels, _ = made(160)
    write(tmp_path / "t.csv", rows, answer=labels)
    words = ["train", str(tmp_path / "t.csv"), "--target", "answer", "--epochs", "4", "--quiet", *named]
    assert main([*words, "--out", str(tmp_path / "run")]) in (0, None)
    path, summary = tmp_path / "run/model.safetensors", json.loads((tmp_path / "run/summary.json").read_text())
    model = nnxp.load_estimator(path)
    assert model.preset == (named or ["", "default"])[1]
    assert (model.best_epoch_, model.n_iter_) == (summary["best_epoch"], 4)
    assert main([*words, "--out", str(tmp_path / "run"), "--resume"]) in (0, None)  # what came out is not asked for
    nothing = [*words, "--validation-split", "0", "--out", str(tmp_path / "none")]
    assert main(nothing) in (0, None)
    config = nnxp.load(tmp_path / "none/model.safetensors").preprocessing
    assert ("estimator" in config) == (model.preset != "default")
    assert nnxp.load_estimator(tmp_path / "none/model.safetensors").best_epoch_ is None


def test_nnxp_predict_opens_what_save_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, labels, values = made(120)
    write(tmp_path / "t.csv", rows)
    several = np.stack([values, -values], axis=1)
    for model, head in (
        (TabularClassifier(random_state=0, epochs=3, calibrate=True).fit(rows, labels), "class,p(no),p(yes)"),
        (TabularRegressor(random_state=0, epochs=3).fit(rows, values), "y"),
        (TabularRegressor(random_state=0, epochs=3).fit(rows, several), "y0,y1"),
    ):
        model.save(tmp_path / "m.safetensors")
        assert main(["predict", str(tmp_path / "m.safetensors"), str(tmp_path / "t.csv")]) in (0, None)
        first, *lines = capsys.readouterr().out.splitlines()
        expected = model.predict(nnxp.tabular.read(tmp_path / "t.csv"))
        assert first == head and len(lines) == 120
        if head[0] == "c":
            assert [line.split(",")[0] for line in lines] == expected.tolist()
        else:
            got = np.array([[float(cell) for cell in line.split(",")] for line in lines])
            np.testing.assert_array_equal(got, expected.reshape(got.shape))


def test_nnxp_evaluate_scores_each_of_several_numbers_and_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By scikit-learn's scores of what the estimator predicts for the rows that have both."""
    rows, _, values = made(120)
    y = np.stack([values, 3 - values / 7], axis=1)
    model = TabularRegressor(random_state=0, epochs=3).fit(rows, y)
    model.save(tmp_path / "m.safetensors")
    y0, y1 = ([None if k % gap == 0 else value for k, value in enumerate(y[:, j])] for j, gap in enumerate((7, 11)))
    write(tmp_path / "t.csv", rows, y1=y1, y0=y0)  # in whatever order
    words = ["evaluate", str(tmp_path / "m.safetensors"), str(tmp_path / "t.csv")]
    assert main([*words, "--json"]) in (0, None)
    found = json.loads(capsys.readouterr().out)
    there = [k for k in range(120) if k % 7 and k % 11]
    truth, guess = y[there], model.predict([rows[k] for k in there])
    assert [one["target"] for one in found["findings"]] == ["y0", "y1"] and found["samples"] == len(there)
    for j, one in enumerate(found["findings"]):
        scores = one["contenders"][0]["scores"]
        assert scores["r2"]["value"] == pytest.approx(r2_score(truth[:, j], guess[:, j]), rel=1e-9)
        error = root_mean_squared_error(truth[:, j], guess[:, j])
        assert scores["rmse"]["value"] == pytest.approx(error, rel=1e-9)
    assert found["r2"] == pytest.approx(r2_score(truth, guess), rel=1e-9)  # the mean
    assert main(words) in (0, None)
    said = capsys.readouterr().out
    assert f"over 2 targets, mean R² {found['r2']:.3f}, {len(there)} samples" in said and "passed over" not in said
    for j, name in enumerate(("y0", "y1")):
        assert f"\n{name}\nR² {r2_score(truth[:, j], guess[:, j]):.3f}" in said
    write(tmp_path / "t.csv", rows, y0=y0)
    assert main(words) == 2 and "t.csv has no target column 'y1'" in capsys.readouterr().err


def test_a_model_of_no_table_is_no_estimator(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    nnxp.Sequential([nnxp.Dense(2, 1)], "mean_squared_error", backend="numpy").save(path)
    with pytest.raises(ModelFileError, match="is no estimator's and was trained on no table.*nnxp.load opens"):
        nnxp.load_estimator(path)
    with pytest.raises(FileNotFoundError):
        nnxp.load_estimator(tmp_path / "none")
    rows, labels, _ = made(40)
    TabularClassifier(epochs=1).fit(rows, labels).save(path)
    model = nnxp.load(path)
    model.preprocessing["estimator"]["labels"] = {"dtype": "object", "values": 3}
    model.save(path)
    with pytest.raises(ModelFileError, match="it says of its estimator what cannot be used"):
        nnxp.load_estimator(path)


def test_log_loss_is_scikit_learns() -> None:
    """What the default monitor chooses by is what people compute afterwards."""
    rows, labels, _ = made(160)
    model = TabularClassifier(epochs=4, random_state=0)
    model.fit(rows[:100], labels[:100], X_val=rows[100:], y_val=labels[100:])
    best = min(model.model_.history["val_loss"])
    assert log_loss(labels[100:], model.predict_proba(rows[100:])) == pytest.approx(best, rel=1e-5)
    assert json.dumps(model.model_.preprocessing) and sys.modules["nnxp"]
