"""Estimators of numbers in files: without pickle, there and back in every bit."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

import nnxp
from nnxp import MLPClassifier, MLPRegressor, ModelFileError
from nnxp.cli import main
from nnxp.cli.saved import open_model
from nnxp.serving import Answering

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
THREE = np.where(X[:, 0] > 0.4, 2, np.where(X[:, 1] > 0, 1, 0))
NUMBERS = 3.0 + X[:, 0] - 2 * X[:, 1] ** 2
SHORT: dict[str, Any] = {"hidden_layer_sizes": (5,), "max_iter": 3, "tol": 0.0, "n_iter_no_change": math.inf}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

CASES: dict[str, tuple[Callable[..., Any], dict[str, Any], Any]] = {
    "text": (MLPClassifier, {}, np.array(["low", "middle", "höchst"])[THREE]),
    "wide text": (MLPClassifier, {}, np.array(["a", "b"], dtype="<U40")[THREE % 2]),
    "text of a frame": (MLPClassifier, {}, np.array(["no", "yes"], dtype=object)[THREE % 2]),
    "int": (MLPClassifier, {"dropout": 0.2, "normalization": "batch"}, THREE.astype(np.int8) * 7 - 3),
    "bool": (MLPClassifier, {"early_stopping": True, "monitor": "loss"}, THREE > 0),
    "float": (MLPClassifier, {"class_weight": {1.0: 2.0, 2.0: 1.0}}, 1.0 + (THREE > 0)),
    "one class": (MLPClassifier, {}, np.full(60, "only")),
    "several labels": (MLPClassifier, {}, np.stack([THREE > 0, THREE > 1], axis=1).astype(np.int64)),
    "members": (MLPClassifier, {"members": 3, "random_state": np.int32(4)}, THREE),
    "number": (MLPRegressor, {"solver": "sgd", "learning_rate": "invscaling", "momentum": np.float32(0.5)}, NUMBERS),
    "several numbers": (MLPRegressor, {"dtype": "float32", "loss": "huber"}, np.stack([NUMBERS, -NUMBERS], axis=1)),
    "rates": (MLPRegressor, {"loss": "poisson"}, np.exp(X[:, 0])),
    "intervals": (MLPRegressor, {"members": 3, "early_stopping": True, "validation_fraction": 0.3}, NUMBERS),
    "no batches": (MLPRegressor, {"solver": "lbfgs", "hidden_layer_sizes": [5, 4], "activation": "gelu"}, NUMBERS),
    "objects": (
        MLPRegressor,
        {
            "solver": nnxp.AdamW(0.01, schedule=nnxp.schedules.Cosine(steps=100)),
            "activation": nnxp.LeakyReLU(0.2),
            "hidden_layer_sizes": (np.int64(5),),
        },
        NUMBERS,
    ),
}


def fitted(name: str, X: Any = X) -> tuple[Any, Any]:
    kind, options, y = CASES[name]
    return kind(**{**SHORT, "random_state": 0, **options}).fit(X, y), y


def as_told(params: dict[str, Any]) -> dict[str, Any]:
    """Of parts what they say of themselves: two of them are never equal."""
    return {name: value.config() if hasattr(value, "config") else value for name, value in params.items()}


def same(got: Any, expected: Any) -> None:
    assert type(got) is type(expected) and got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("name", CASES)
def test_one_file_there_and_back(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.safetensors"
    model, y = fitted(name)
    before = dict(model.model_.preprocessing)
    monkeypatch.setattr("pickle.dumps", None)
    monkeypatch.setattr("pickle.loads", None)
    model.save(path)
    assert model.model_.preprocessing == before
    again = nnxp.load_estimator(path)
    assert type(again) is type(model) and as_told(again.get_params()) == as_told(model.get_params())
    given = {n: p for n, p in model.get_params().items() if isinstance(p, tuple | list | dict)}
    assert {n: type(p) for n, p in again.get_params().items() if n in given} == {n: type(p) for n, p in given.items()}
    same(again.predict(X), model.predict(X))
    if isinstance(model, MLPClassifier):
        same(again.predict_proba(X), model.predict_proba(X))
        same(again.classes_, model.classes_)
        if model.members > 1:
            same(again.disagreement(X), model.disagreement(X))
    if model._known().get("intervals"):
        same(again.predict_std(X), model.predict_std(X))
        np.testing.assert_array_equal(again.predict_interval(X, 0.5), model.predict_interval(X, 0.5))
    told = [n for n in vars(model) if n.endswith("_") and n != "model_"]
    assert {n: getattr(again, n) for n in told} == {n: getattr(model, n) for n in told}
    for a, b in zip([*again.coefs_, *again.intercepts_], [*model.coefs_, *model.intercepts_], strict=True):
        same(a, b)
    assert again.score(X, y) == model.score(X, y)
    again.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def test_training_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    """By `partial_fit` from the optimizer's state, by `warm_start` from the weights."""
    for name in ("int", "bool", "number", "objects"):
        kind, options, y = CASES[name]
        options = {**SHORT, "random_state": 0, **options, "early_stopping": False}
        model = kind(**options)
        more = {"classes": np.unique(y)} if kind is MLPClassifier else {}
        model.partial_fit(X, y, **more).partial_fit(X, y)
        model.save(tmp_path / "m")
        again = nnxp.load_estimator(tmp_path / "m")
        for one in (model, again):
            one.partial_fit(X[::-1], y[::-1])
        same(again.coefs_[0], model.coefs_[0])
        assert again.loss_curve_ == model.loss_curve_ and again.t_ == model.t_ == 180
        with pytest.raises(ValueError, match="got dropout=0.5 in a partial_fit"):
            again.set_params(dropout=0.5).partial_fit(X, y)
        model = kind(**options, warm_start=True).fit(X, y)
        model.save(tmp_path / "m")
        again = nnxp.load_estimator(tmp_path / "m")
        same(again.fit(X, y).coefs_[0], model.fit(X, y).coefs_[0])
        assert len(again.loss_curve_) == len(model.loss_curve_) == 6


def test_what_is_not_fitted_or_cannot_be_held_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "m"
    for kind in (MLPClassifier, MLPRegressor, nnxp.TabularClassifier, nnxp.TabularRegressor):
        with pytest.raises(NotFittedError):
            kind().save(path)
    for name, value, fix in (
        ("callbacks", [lambda state: None], "callbacks=None"),
        ("callbacks", [nnxp.callbacks.EarlyStopping("loss")], "callbacks=None"),
        ("schedule", lambda step, total: 1.0, "schedule=None"),
        ("random_state", np.random.RandomState(0), "random_state=None"),
        ("activation", Own(), r"activation='relu'"),
    ):
        model = MLPClassifier(**{**SHORT, "random_state": 0, name: value}).fit(X, THREE)
        with pytest.raises(TypeError, match=rf"^got {name}=.*cannot hold.*set_params\({fix}\)\.save"):
            model.save(path)
        assert not path.exists() and model.model_.preprocessing == {}
    with pytest.raises(TypeError, match="got a OwnEstimator, a class of your own"):
        OwnEstimator(**SHORT).fit(X, NUMBERS).save(path)
    with pytest.raises(FileNotFoundError, match="no folder"):
        MLPRegressor(**SHORT).fit(X, NUMBERS).save(tmp_path / "none" / "m")


class Own(nnxp.ReLU):
    """Somebody's own, which no file makes again."""


class OwnEstimator(MLPRegressor):
    """Somebody's own."""


def test_a_damaged_or_edited_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m"
    for name in ("text", "several labels", "number", "intervals"):
        model, _ = fitted(name)
        model.save(path)
        whole = path.read_bytes()
        for damaged in (
            whole[:-1],
            whole[: len(whole) // 2],
            whole.replace(b"hidden_layer_sizes", b"hidden_layer_size_"),
        ):
            (tmp_path / "damaged").write_bytes(damaged)
            with pytest.raises(ModelFileError, match="damaged"):
                nnxp.load_estimator(tmp_path / "damaged")
        edits: list[tuple[tuple[str, ...], Any]] = [
            (("kind",), "Pipeline"),
            (("kind",), "MLPClassifier" if name in ("number", "intervals") else "MLPRegressor"),
            (("features",), 5),
            (("features",), "four"),
            (("names",), ["a", "b"]),
            (("parameters",), ["relu"]),
            (("parameters", "no_such"), 1),
            (("parameters", "hidden_layer_sizes"), {"nnxp": "code", "of": "print(1)"}),
            (("parameters", "activation"), {"nnxp": "part", "of": {"class": "Path"}}),
            (("course",), {}),
            (("course", "loss"), "low"),
        ]
        if name == "text":
            edits += [
                (("labels", "values"), ["low", "middle"]),
                (("labels", "values"), [["low"], ["middle"], ["höchst"]]),
                (("labels", "values"), [1, 2, 3]),
                (("labels", "dtype"), "V1000000000"),
                (("labels", "dtype"), "<U5000"),
                (("layout",), "several"),
                (("layout",), "binary"),
            ]
        if name == "number":
            edits += [(("scale", "sigma"), "wide"), (("scale", "sigma"), [1.0, 2.0]), (("rate",), {"kind": "adaptive"})]
        if name == "intervals":
            edits += [(("intervals", "bounds"), [[1.0], [2.0]]), (("intervals", "deviation"), [None])]
        for place, value in edits:
            network = nnxp.load(path)
            said = network.preprocessing["estimator"]
            for key in place[:-1]:
                said = said[key]
            said[place[-1]] = value
            network.save(tmp_path / "edited")
            with pytest.raises(ModelFileError, match="edited: it says of its estimator what cannot be used"):
                nnxp.load_estimator(tmp_path / "edited")


def test_nnxp_predict_and_evaluate_read_columns_of_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By name where the features have names, else as an array; what they could not write is refused."""
    frame = pd.DataFrame(X, columns=["a", "b", "y", "ö"])
    path = str(tmp_path / "m")
    table, arrays = str(tmp_path / "t.csv"), str(tmp_path / "t.npz")
    frame[["ö", "y", "b", "a"]].assign(y_=CASES["text"][2]).to_csv(table, index=False)
    np.savez(arrays, X=X, y=CASES["int"][2])
    for name, data in (("text", table), ("text of a frame", table), ("number", table), ("int", arrays)):
        named = data == table
        model, y = fitted(name, frame if named else X)
        model.save(path)
        again = nnxp.load_estimator(path)
        if named:
            assert again.feature_names_in_.tolist() == [*frame]
            same(again.predict(frame), model.predict(frame))
        assert main(["predict", path, data]) in (0, None)
        head, *lines = capsys.readouterr().out.splitlines()
        got = np.array([line.split(",") for line in lines])
        if name == "number":
            assert head == "y_"
            np.testing.assert_array_equal(got[:, 0].astype(np.float64), model.predict(frame))
        else:
            assert head == ",".join(["class", *(f"p({label})" for label in np.unique(y))])
            assert got[:, 0].tolist() == [str(label) for label in model.predict(frame if named else X)]
            expected = model.predict_proba(frame if named else X)
            np.testing.assert_array_equal(got[:, 1:].astype(np.float64), expected)
        rows = [{"X": x} for x in X.tolist()] if not named else frame.to_dict("records")
        (answer,) = Answering(*open_model(path, "numpy", None)).answer([rows])
        found = np.array([[str(cell) for cell in row.values()] for row in answer.predictions])
        if name == "number":  # served in blocks of rows, whose products are summed in another order
            np.testing.assert_allclose(found[:, 0].astype(np.float64), model.predict(frame), rtol=1e-12)
        else:
            assert found[:, 0].tolist() == got[:, 0].tolist()
            np.testing.assert_allclose(found[:, 1:].astype(np.float64), expected, atol=1e-14)
        if name in ("text", "int"):
            assert main(["evaluate", path, data, "--json"]) in (0, None)
            assert f'"accuracy": {model.score(frame if named else X, y)}' in capsys.readouterr().out
    for name in ("several labels", "one class", "rates"):
        fitted(name)[0].save(path)
        assert main(["predict", path, arrays]) == 2
        assert "got an estimator of several labels a row, of one class, or of rates" in capsys.readouterr().err


def test_every_attribute_of_a_fit_is_in_the_file() -> None:
    """Whoever adds one decides about it here."""
    left_out = {"_rule": "begins anew", "_home": "NumPy", "_epochs": "of a fit that runs", "_made": "of the parameters"}
    told = {"model_", "_target", "_rate", "_intervals", "n_features_in_", *nnxp.estimators.fitted.COURSE}
    model, _ = fitted("intervals")
    params = set(model.get_params())
    scikit_learns = {"_skl_callbacks", "_parent_callback_ctx", "_callback_ctx"}
    assert {*vars(model)} - params - scikit_learns <= told | {*left_out}
