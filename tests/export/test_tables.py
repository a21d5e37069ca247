"""Tables as ONNX files: the encoder, the target's own units, and the whole, run by onnxruntime."""

import datetime
import importlib.util
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import nnxp
from nnxp.errors import ExportError
from nnxp.export.operators import Operators
from nnxp.tabular import Encoder
from nnxp.tabular.encoders.columns import LearnedDate
from nnxp.tabular.findings import baselines
from nnxp.tabular.kinds.cycles import CYCLES
from nnxp.tabular.onnx import cellwise, scaled, tablefile
from nnxp.tabular.onnx.rows import feeds, made_up, read_back
from nnxp.tabular.reading.frames import as_table
from tests.helpers.tables import KINDS, TOWNS, hostile, of_before, table

EPS = float(np.finfo(np.float64).eps)


def session(proto: Any) -> Any:
    return onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])


def encoding(encoder: Encoder) -> Any:
    """An encoder alone."""
    inputs = {learned.decision.name: (cellwise.dtype_of(learned), ("rows", 1)) for learned in encoder._learned}
    graph = Operators(encoder.dtype, taken=[*inputs, "matrix"])
    width = len(encoder.feature_names_out)
    return session(graph.model(inputs, {"matrix": (tablefile.encoded(graph, encoder), encoder.dtype, ("rows", width))}))


def of_table(run: Any, encoder: Encoder, rows: Any) -> dict[str, Any]:
    names = [output.name for output in run.get_outputs()]
    return dict(zip(names, run.run(None, feeds(encoder, rows)), strict=True))


@pytest.mark.parametrize("scaling", ["robust", "standard", "quantile", "none"])
def test_the_file_encodes_as_transform_does(scaling: str) -> None:
    """Equal bits; but for the logarithm and the quotients of a normal quantile in float64."""
    options = itertools.product(("numbers", "all"), ("onehot", 4), ("float32", "float64"))
    for scaling_of, categories, dtype in options:
        encoder = Encoder(
            kinds=KINDS, scaling=scaling, scaling_of=scaling_of, categories=categories, dtype=dtype, rare=1
        )
        run = encoding(encoder.fit(table()))
        made = read_back(encoder, made_up(encoder))
        for rows in (table(seed=1), hostile(), made, table().take(slice(0, 0))):
            ours = encoder.transform(rows)
            (theirs,) = of_table(run, encoder, rows).values()
            assert theirs.shape == ours.shape and theirs.dtype == ours.dtype == dtype and np.isfinite(ours).all()
            if scaling == "quantile" and dtype == "float64":
                np.testing.assert_allclose(theirs, ours, rtol=16 * EPS, atol=16 * EPS)
            else:
                np.testing.assert_array_equal(theirs, ours)


@pytest.mark.parametrize("scaling", ["robust", "none"])
def test_cycles_of_files_of_before_differ_in_a_sines_last_bits(scaling: str) -> None:
    """Some eps, in their dtype one rounding; the other columns are the same in every bit."""
    for scaling_of, dtype in itertools.product(("numbers", "all"), ("float32", "float64")):
        encoder = of_before(Encoder(kinds=KINDS, scaling=scaling, scaling_of=scaling_of, dtype=dtype).fit(table()))
        run, rows = encoding(encoder), table(seed=1)
        ours, (theirs,) = encoder.transform(rows), of_table(run, encoder, rows).values()
        waves = np.array([name.endswith(("(sin)", "(cos)")) for name in encoder.feature_names_out])
        bound = (1 if dtype == "float32" else 0) * np.spacing(np.abs(ours[:, waves])) + 8 * EPS
        assert (np.abs(ours[:, waves] - theirs[:, waves]) <= bound).all()
        np.testing.assert_array_equal(theirs[:, ~waves], ours[:, ~waves])


def test_parts_of_dates_are_those_of_the_calendar() -> None:
    """Exactly, over all of int64's microseconds, and on both sides of each kind of year's end."""
    rng = np.random.default_rng(0)
    ends = [f"{year:04}-{day}" for year in (1, 1600, 1900, 1904, 1969, 1970, 2000, 2023, 2024, 9999)
            for day in ("01-01", "02-28", "03-01", "12-31T23:59:59.999999")]  # fmt: skip
    ends += ["2000-02-29", "2024-02-29", "1904-02-29T12"]
    moments = np.concatenate(
        [np.array(ends, dtype="datetime64[us]"), rng.integers(-(2**63) + 10**15, 2**63 - 10**15, 20_000).view("M8[us]")]
    )
    graph = Operators("float64")
    parts = {name: (write(graph, "x"), "float64", ("rows", 1)) for name, write in cellwise.CYCLES.items()}
    found = session(graph.model({"x": ("int64", ("rows", 1))}, parts)).run(None, {"x": moments.view(np.int64)[:, None]})
    assert {*cellwise.CYCLES} == {*CYCLES}
    for (name, over), column in zip(CYCLES.items(), found, strict=True):
        np.testing.assert_array_equal(column[:, 0], over(moments), err_msg=name)
    by_python = [datetime.datetime.fromisoformat(f"{end}T00" if "T" not in end else end) for end in ends]
    of_year = found[2][: len(ends), 0]
    for day, share in zip(by_python, of_year.tolist(), strict=True):
        length = 366 if (day.year % 4 == 0 and day.year % 100 != 0) or day.year % 400 == 0 else 365
        assert share == (day.timetuple().tm_yday - 1) / length


def test_a_quantile_encoding_finds_its_place_by_comparison() -> None:
    """At, between and beyond quantiles, of which several may be equal: the same shares, bit for bit."""
    from nnxp.tabular.encoders.scaling import share_below

    for count in (2, 3, 10, 31, 32, 33, 1000):
        quantiles = np.sort(np.random.default_rng(count).integers(-9, 9, (count, 2)) / 8, axis=0)
        x = np.concatenate([quantiles, quantiles + 0.03, [[-1e300, 1e300], [-5, 5], [0, -0.0]]])
        graph = Operators("float64")
        shares = scaled.share_below(graph, "x", quantiles)
        proto = graph.model({"x": ("float64", ("rows", 2))}, {"y": (shares, "float64", ("rows", 2))})
        (found,) = session(proto).run(None, {"x": x})
        for j in range(2):
            np.testing.assert_array_equal(found[:, j], share_below(x[:, j], quantiles[:, j]), err_msg=str(count))


def test_texts_that_say_nothing_are_missing_whatever_their_letters() -> None:
    known = cellwise.keys(Encoder(kinds=KINDS, rare=1).fit(table())._learned[0].vocabulary)  # type: ignore[attr-defined]
    for text in ("", "None", "nan", "NaN", "<NA>", "n/A", "NULL", "-", "?"):
        assert text in known
    assert "Rome" in known and "rome" not in known and len(known) < 300


# --- whole models ---------------------------------------------------------------------------------------


def people(n: int, seed: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    return [
        {
            "age": None if i % 9 == 8 else float(rng.normal(40, 10)),
            "town": (*TOWNS, None)[int(rng.integers(6))],
            "smokes": ("yes", "no", None)[int(rng.integers(3))],
            "when": None
            if i % 11 == 10
            else datetime.datetime(2000, 1, 1) + datetime.timedelta(hours=int(rng.integers(99_999))),
            "label": float(rng.exponential()),  # called like an output
        }
        for i in range(n)
    ]


PEOPLE = people(130, 0)
CHURN = np.array(["yes" if (row["age"] or 40) > 42 else "no" for row in PEOPLE])
SPENT = np.array([np.exp((row["age"] or 40) / 5) + row["label"] for row in PEOPLE])
LATER = [*people(40, 1), {"age": None, "town": None, "smokes": None, "when": None, "label": None}]
FAR = [{"label": x, "when": None, "smokes": "perhaps", "town": "Lima", "age": -x} for x in (1e300, -1e300)]
KIND = {"kinds": {"town": "category", "smokes": "yes/no"}}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The linear model that a network begins with is cut short."""
    monkeypatch.setattr(baselines, "STEPS", 10)


@pytest.mark.parametrize("preset", ["binned", "mlp", "realmlp-s", "realmlp", "tabm"])
def test_estimators_of_tables_predict_as_their_files_do(preset: str, tmp_path: Path) -> None:
    """Probabilities to 1e-6 in float32 and 1e-12 in float64; of a logarithm that is learned and undone, as exact as
    the check at export demands."""
    epochs = 1 if preset == "tabm" else 4
    options: dict[str, Any] = {"random_state": 0, "epochs": epochs, "validation_fraction": 0, **KIND}
    for dtype, tolerance in (("float32", 1e-6), ("float64", 1e-12))[: 1 if preset == "tabm" else 2]:
        classifier = nnxp.TabularClassifier(preset, dtype=dtype, **options).fit(PEOPLE, CHURN)
        classifier.export(tmp_path / "c.onnx")
        found = of_table(session(onnx.load(tmp_path / "c.onnx")), classifier.encoder_, as_table(LATER + FAR))
        assert [*found] == ["probabilities", "label_"]
        p = classifier.predict_proba(LATER + FAR)
        assert np.ptp(p[:, 0]) > 0.01, "all rows are alike"
        assert found["probabilities"].dtype == dtype and np.abs(found["probabilities"] - p).max() <= tolerance
        assert found["label_"].tolist() == classifier.predict(LATER + FAR).tolist()
        regressor = nnxp.TabularRegressor(preset, dtype=dtype, target_transform="log", **options).fit(PEOPLE, SPENT)
        checked = regressor.export(tmp_path / "r.onnx", check=PEOPLE)
        found = of_table(session(onnx.load(tmp_path / "r.onnx")), regressor.encoder_, as_table(LATER + FAR))
        y = regressor.predict(LATER + FAR)
        assert found["prediction"].shape == y.shape and checked.rows == len(PEOPLE)
        np.testing.assert_allclose(found["prediction"], y, rtol=20 * tolerance)


def test_rows_that_a_person_makes_by_hand(tmp_path: Path) -> None:
    """What docs/onnx.md says of inputs: float64 with NaN, texts, int64 microseconds with -2⁶³; text by str()."""
    model = nnxp.TabularClassifier(random_state=0, epochs=1, **KIND).fit(PEOPLE, CHURN)
    model.export(tmp_path / "m.onnx")
    run = session(onnx.load(tmp_path / "m.onnx"))
    assert {entry.name: entry.type for entry in run.get_inputs()} == {
        "age": "tensor(double)", "town": "tensor(string)", "smokes": "tensor(double)", "when": "tensor(int64)",
        "label": "tensor(double)",
    }  # fmt: skip
    moment = datetime.datetime(2001, 5, 17, 13, 30)
    microseconds = int((moment - datetime.datetime(1970, 1, 1)) / datetime.timedelta(microseconds=1))
    cells = {
        "label": np.array([[0.5], [np.nan], [np.inf]]),
        "when": np.array([[microseconds], [-(2**63)], [0]]),
        "town": np.array([["Rome"], [None], ["nowhere"]], dtype=object),
        "smokes": np.array([[1.0], [np.nan], [0.0]]),
        "age": np.array([[33.0], [np.nan], [1e300]]),
    }
    rows = [
        {"age": 33, "town": "Rome", "smokes": "yes", "when": moment, "label": 0.5},
        {"age": None, "town": "", "smokes": "NA", "when": None, "label": "-"},
        {"age": 1e300, "town": "nowhere", "smokes": "no", "when": datetime.datetime(1970, 1, 1), "label": None},
    ]
    p, label = run.run(None, cells)
    assert np.abs(p - model.predict_proba(rows)).max() <= 1e-6 and label.tolist() == model.predict(rows).tolist()
    noted = {entry.key: entry.value for entry in onnx.load(tmp_path / "m.onnx").metadata_props}
    assert json.loads(noted["features"]) == ["age", "town", "smokes", "when", "label"]
    assert json.loads(noted["target"]) == "y" and json.loads(noted["classes"]) == ["no", "yes"]


def test_several_members_and_several_targets(tmp_path: Path) -> None:
    y = np.stack([SPENT, SPENT / 1e3 - 5], axis=1)
    options: dict[str, Any] = {"random_state": 0, "epochs": 6, **KIND}
    model = nnxp.TabularRegressor("realmlp-s", members=3, dtype="float64", validation_fraction=0, **options).fit(
        PEOPLE, y
    )
    assert [one.transform for one in model.encoder_.target.targets] == ["log", "standard"]  # type: ignore[union-attr]
    model.export(tmp_path / "m.onnx", outputs=["std", "prediction"])
    found = of_table(session(onnx.load(tmp_path / "m.onnx")), model.encoder_, as_table(LATER))
    np.testing.assert_allclose(found["prediction"], model.predict(LATER), rtol=1e-12)
    std = model.predict_std(LATER)
    assert (std > 1e-3 * np.abs(found["prediction"])).any() and found["std"].shape == std.shape
    assert (np.abs(found["std"] - std) <= 1e-12 * (np.abs(found["prediction"]) + std)).all()
    classes = np.array([7, -1, 30])[np.digitize(SPENT, np.quantile(SPENT, [0.3, 0.7]))]
    classifier = nnxp.TabularClassifier("realmlp-s", members=2, calibrate=True, **options)
    classifier.fit(PEOPLE, classes).export(tmp_path / "c.onnx", outputs=["label", "logits", "probabilities"])
    found = of_table(session(onnx.load(tmp_path / "c.onnx")), classifier.encoder_, as_table(LATER))
    assert found["label_"].dtype == np.int64 and found["label_"].tolist() == classifier.predict(LATER).tolist()
    assert found["logits"].shape == (2, len(LATER), 3)
    softmax = np.exp(found["logits"]) / np.exp(found["logits"]).sum(axis=2, keepdims=True)
    np.testing.assert_allclose(softmax.mean(axis=0), found["probabilities"], rtol=1e-5)
    np.testing.assert_allclose(found["probabilities"], classifier.predict_proba(LATER), atol=1e-6)


def test_a_float64_model_of_before_has_an_encoder_of_float32(tmp_path: Path) -> None:
    rows, later = ([{"c0": row["age"], "Where_4": row["label"]} for row in one] for one in (PEOPLE, LATER))
    model = nnxp.TabularClassifier("mlp", random_state=0, epochs=4, dtype="float64").fit(rows, CHURN)
    assert model.encoder_.dtype == "float64"
    double = model.predict_proba(later)
    model.encoder_.dtype = "float32"
    model.model_.encoder = model.encoder_.state()
    model.export(tmp_path / "m.onnx")
    found = of_table(session(onnx.load(tmp_path / "m.onnx")), model.encoder_, as_table(later))
    assert np.abs(found["probabilities"] - model.predict_proba(later)).max() <= 1e-12
    assert np.abs(found["probabilities"] - double).max() > 1e-12


def test_the_reference_evaluator_does_where_there_is_no_runtime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = nnxp.TabularClassifier("tabm", random_state=0, epochs=1, **KIND).fit(PEOPLE, CHURN)
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else there(name))
    checked = model.export(tmp_path / "m.onnx")
    assert checked.evaluator == f"the reference evaluator of onnx {onnx.__version__}"
    assert checked.difference <= 1e-6


# --- what is refused --------------------------------------------------------------------------------------


def test_a_file_that_encodes_otherwise_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = nnxp.TabularClassifier(random_state=0, epochs=1, **KIND).fit(PEOPLE, CHURN)
    (tmp_path / "m.onnx").write_text("before")
    monkeypatch.setattr(scaled, "CLIP", 2.9)
    with pytest.raises(ExportError, match="got an error of .* in probabilities .* nothing is written"):
        model.export(tmp_path / "m.onnx")
    assert (tmp_path / "m.onnx").read_text() == "before" and len([*tmp_path.iterdir()]) == 1


def test_what_cannot_be_exported_is_refused_by_name(tmp_path: Path) -> None:
    model = nnxp.TabularClassifier(random_state=0, epochs=1, **KIND).fit(PEOPLE, CHURN)
    with pytest.raises(ExportError, match="outputs with 'prediction', expected some of probabilities, label, logits"):
        model.export(tmp_path / "m.onnx", outputs=["prediction"])
    with pytest.raises(ExportError, match="each once"):
        model.export(tmp_path / "m.onnx", outputs=["label", "label"])
    with pytest.raises(nnxp.errors.DataError, match="lacks the columns"):
        model.export(tmp_path / "m.onnx", check=[{"age": 3}])
    encoder = Encoder(scaling="quantile", scaling_of="all").fit(PEOPLE)
    assert any(isinstance(learned, LearnedDate) for learned in encoder._learned)
    with pytest.raises(ExportError, match="cycles of the date 'when' in a quantile encoding of an earlier version"):
        encoding(of_before(encoder))
    plain = nnxp.Sequential([nnxp.Dense(2, 1)], seed=0)
    with pytest.raises(ExportError, match="expected one that was trained on a table"):
        tablefile.export(plain, tmp_path / "m.onnx")
    assert not [*tmp_path.iterdir()]
