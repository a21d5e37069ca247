"""A table's model as one file of NumPy alone: the bits of `nnxp predict`, for cells as people have them."""

import datetime
import itertools
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import nnxp
from nnxp.data import spelling
from nnxp.errors import ExportError
from nnxp.tabular import Encoder
from nnxp.tabular.encoders.target import ClassTarget, NumberTarget, NumberTargets
from nnxp.tabular.findings import baselines
from nnxp.tabular.networks import trained
from nnxp.tabular.reading.frames import as_table
from nnxp.tabular.standalone import export_predictor
from nnxp.tabular.table import Table, Words
from tests.helpers.tables import KINDS, hostile, of_before, table

PLAIN = nnxp.get_backend("numpy", fast=False)
UTC = datetime.UTC


def alone(model: Any, folder: Path) -> dict[str, Any]:
    export_predictor(model, folder / "predictor.py")
    return runpy.run_path(str(folder / "predictor.py"))


def network(encoder: Encoder, **options: Any) -> nnxp.Sequential:
    """One that is not trained, of an encoder; of numbers, or of two classes."""
    layers = [nnxp.Dense(len(encoder.feature_names_out), 2)]
    model = nnxp.Sequential(layers, seed=0, dtype=encoder.dtype, backend=PLAIN, **options)
    model.encoder = encoder.state()
    return model


def cells(rows: Table) -> dict[str, Any]:
    """The columns of a table as a person has them."""
    return {
        name: [column.texts[code] for code in column.codes] if isinstance(column, Words) else column.values
        for name, column in rows.columns.items()
    }


def expected(model: nnxp.Sequential, rows: Any) -> Any:
    """What `nnxp predict` computes, on NumPy without `fast`."""
    encoder = Encoder.of(model)
    assert encoder is not None and encoder.target is not None
    with np.errstate(all="ignore"), threadpool_limits(1):
        X = encoder.transform(rows)
        return trained.in_units(model, encoder.target, trained.predicted(model, X))


def assert_same_bits(got: Any, wanted: Any) -> None:
    assert got.dtype == wanted.dtype and got.shape == wanted.shape
    np.testing.assert_array_equal(got.view(f"u{got.itemsize}"), wanted.view(f"u{wanted.itemsize}"))


@pytest.mark.parametrize("scaling", ["robust", "standard", "quantile", "none"])
def test_the_matrix_is_that_of_the_encoder(scaling: str, tmp_path: Path) -> None:
    """Every kind of column, as it was trained and as nobody has it; each way of scaling, of words and of rounding; of
    files of before too."""
    for scaling_of, categories, dtype in itertools.product(
        ("numbers", "all"), ("onehot", "codes", 4), ("float32", "float64")
    ):
        encoder = Encoder(
            kinds=KINDS, scaling=scaling, scaling_of=scaling_of, categories=categories, dtype=dtype, rare=9
        ).fit(table())
        encoder = encoder if categories == "codes" else of_before(encoder)
        encoder.target = NumberTargets("y", tuple(NumberTarget(n, "none", 0.0, 1.0, 0.0) for n in "ab"))
        file = alone(network(encoder), tmp_path)
        document = file["loaded"]()["table"]
        for rows in (table(seed=1), hostile(), table().take(slice(0, 0))):
            found = file["cells_of"](cells(rows), file["columns"]())
            with np.errstate(all="ignore"):
                assert_same_bits(file["encoded"](found, document), encoder.transform(rows))


def drawn(rng: np.random.Generator) -> dict[str, list[Any]]:
    """Cells in the forms that Python, NumPy and files have, each as any other might be."""
    moment = datetime.datetime(1960, 1, 1) + datetime.timedelta(seconds=int(rng.integers(4 * 10**9)), microseconds=7)
    zone = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
    number, whole = float(rng.normal() * 10.0 ** rng.integers(-9, 20)), int(rng.integers(-(10**6), 10**6))
    missing = [None, "", " NA ", float("nan"), np.float32("nan"), "?", "nUll"]
    numbers = [
        number,
        whole,
        np.float32(number),
        np.int16(whole % 99),
        f" {number!r} ",
        f"{whole}",
        "1e3",
        "-0.50",
        "7.",
    ]
    far = [float("inf"), -np.inf, 2**60, 10**40, f"{10**40}", "1e999", np.uint64(2**63)]
    words = [
        "Rome",
        " Fez ",
        "rome",
        "1",
        1,
        1.0,
        "1.00",
        True,
        np.True_,
        "2.5",
        "2.50",
        2.5,
        np.float64(2.5),
        "1e0",
        2**60,
        "-",
    ]
    says = ["yes", "No", " TRUE", "f", 1, 0, 1.0, "0", "1.0", True, False, np.False_, "perhaps", 2, 0.5]
    dates = [
        moment, moment.date(), moment.isoformat(), f" {moment:%Y-%m-%d %H:%M} ", f"{moment:%Y-%m-%d}", "0001-01-01",
        moment.replace(tzinfo=UTC), moment.replace(tzinfo=zone), np.datetime64(moment), np.datetime64(moment.date()),
        np.datetime64(moment, "ns"), np.datetime64("NaT"), "2000-02-29T23:59:59.1234567",
    ]  # fmt: skip
    clocks = ["12:30", "00:00:00", " 23:59:59.5 ", "", None]
    columns = {"n": [*numbers, *far], "w": words, "b": says, "d": dates, "c": clocks}
    kinds = {name: [*values, *missing] if rng.random() < 0.7 else values for name, values in columns.items()}
    return {name: [values[i] for i in rng.integers(len(values), size=5)] for name, values in kinds.items()}


def test_cells_as_people_have_them(tmp_path: Path) -> None:
    """Numbers, words and dates of Python and of NumPy, and their usual texts: what `transform` reads of each. Of a
    category that was asked for 2.5 and 2.50 are two words."""
    first = datetime.datetime(2000, 1, 1, 6)
    rows = [
        {
            "n": i**1.5, "w": ("Rome", "Fez", 1, "2.50", "1.00", "2.5", None)[i % 7], "b": ("yes", "no")[i % 2],
            "d": first + datetime.timedelta(days=i, hours=i), "c": datetime.time(i % 24, i % 60),
        }
        for i in range(120)
    ]  # fmt: skip
    rows = [{**row, "c": row["c"].isoformat()} for row in rows]
    encoder = Encoder(kinds={"w": "category"}, categories="codes", scaling="none", dtype="float64").fit(rows)
    assert [one.kind for one in encoder.decisions] == ["number", "category", "yes/no", "date", "date"]
    encoder.target = NumberTargets("y", tuple(NumberTarget(n, "none", 0.0, 1.0, 0.0) for n in "ab"))
    file, rng = alone(network(encoder), tmp_path), np.random.default_rng(0)
    for _ in range(150):
        given = drawn(rng)
        matrix = file["encoded"](file["cells_of"](given, file["columns"]()), file["loaded"]()["table"])
        for j, name in enumerate(encoder.feature_names_out):
            ours = encoder.transform(as_table(given, texts=encoder.texts))
            np.testing.assert_array_equal(matrix[:, j], ours[:, j], err_msg=f"{name}: {given}")
    as_rows = [dict(zip(given, row, strict=True)) for row in zip(*given.values(), strict=True)]
    assert_same_bits(file["predict"](as_rows), file["predict"](given))
    times = [datetime.time(9, 30), datetime.time(9, 30, tzinfo=UTC), None]
    one = {name: values[:1] * 3 for name, values in given.items()} | {"c": times}
    assert_same_bits(file["predict"](one), file["predict"](one | {"c": ["09:30", "09:30", ""]}))
    moment = np.array(["1969-07-20T20:17:40.123456", "NaT"], "M8[us]")
    two = {name: values[:1] * 2 for name, values in given.items()}
    dates = moment, moment.view(np.int64), [int(moment[0].astype(np.int64)), None]
    first_way, *others = [file["predict"](two | {"d": found}) for found in dates]
    for other in others:  # as the ONNX file takes them
        assert_same_bits(other, first_way)
    masked = {"n": np.ma.masked_array([1.5, 2.5], [False, True]), "d": np.ma.masked_array(moment, [False, True])}
    filled = {"n": [1.5, None], "d": [moment[0], None]}
    assert_same_bits(file["predict"](two | masked), file["predict"](two | filled))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The linear model that a network begins with is cut short."""
    monkeypatch.setattr(baselines, "STEPS", 10)


def people(n: int, seed: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    return [
        {
            "age": None if i % 9 == 8 else float(rng.normal(40, 10)),
            "town": ("Fez", "Rome", "Oslo", "1", "2.5", None)[int(rng.integers(6))],
            "smokes": ("yes", "no", None)[int(rng.integers(3))],
            "when": datetime.datetime(2000, 1, 1) + datetime.timedelta(hours=int(rng.integers(99_999))),
        }
        for i in range(n)
    ]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("preset", ["binned", "mlp", "realmlp-s", "realmlp", "tabm"])
def test_trained_models_predict_as_nnxp_does(preset: str, tmp_path: Path) -> None:
    """Every preset: classes and numbers, of a logarithm and of several targets, members, a temperature; one row, and
    blocks of rows and what is left of them."""
    rows, later = people(130, 0), people(37, 1)
    churn = np.array(["yes" if (row["age"] or 40) > 42 else "no" for row in rows])
    spent = np.array([np.exp((row["age"] or 40) / 5) for row in rows])
    options: dict[str, Any] = {"random_state": 0, "epochs": 1, "backend": PLAIN}
    classifier = nnxp.TabularClassifier(preset, dtype="float32", members=3, calibrate=True, **options)
    regressor = nnxp.TabularRegressor(preset, dtype="float64", target_transform="log", **options)
    pair = nnxp.TabularRegressor(preset, dtype="float32", **options)
    classifier.fit(rows, churn), regressor.fit(rows, spent), pair.fit(rows, np.stack([spent, -spent], axis=1))
    for fitted in (classifier, regressor, pair):
        file = alone(fitted.model_, tmp_path)
        for some in (later, later[:1], later[:16]):
            with threadpool_limits(1):
                assert_same_bits(file["predict"](some), expected(fitted.model_, some))
        says = fitted.predict_proba if fitted is classifier else fitted.predict
        with threadpool_limits(1):
            np.testing.assert_array_equal(file["predict"](later), says(later))
    assert file["classes"]() is None and alone(classifier.model_, tmp_path)["classes"]() == ["no", "yes"]
    assert file["columns"]() == ["age", "town", "smokes", "when"]


def test_losses_of_logits_and_of_two_classes_give_probabilities(tmp_path: Path) -> None:
    encoder = Encoder().fit(rows := people(60, 0))
    encoder.target = ClassTarget("y", ("a", "b"))
    width = len(encoder.feature_names_out)
    for layers, loss in (
        ([nnxp.Dense(width, 2)], "softmax_crossentropy"),
        ([nnxp.Dense(width, 1)], "sigmoid_crossentropy"),
        ([nnxp.Dense(width, 1), "sigmoid"], "binary_crossentropy"),
    ):
        model = nnxp.Sequential(layers, loss, seed=0, backend=PLAIN)
        model.encoder = encoder.state()
        file = alone(model, tmp_path)
        assert_same_bits(file["predict"](rows), expected(model, rows))
        np.testing.assert_allclose(file["predict"](rows).sum(axis=1), 1, rtol=1e-6)


def test_what_it_does_not_read_is_refused_by_name(tmp_path: Path) -> None:
    """Never read as something else: spellings that only nnxp's own parser knows, and what is no row."""
    rows = [
        {
            "n": f"{i} %",
            "m": f"{i},5",
            "x": i / 2,
            "w": "ab"[i % 2],
            "d": f"2020-01-{1 + i % 28:02}",
            "c": f"{i % 24}:00",
        }
        for i in range(60)
    ]
    encoder = Encoder().fit(rows)
    encoder.target = NumberTarget("y", "none", 0.0, 1.0, 0.0)
    model = nnxp.Sequential([nnxp.Dense(len(encoder.feature_names_out), 1)], seed=0, backend=PLAIN)
    model.encoder = encoder.state()
    predict = alone(model, tmp_path)["predict"]
    good = {"n": [0.5], "m": [1.5], "x": ["1.5"], "w": ["a"], "d": ["2020-01-02"], "c": ["12:30"]}
    assert np.isfinite(predict(good)).all()
    for name, cell, said in (
        ("n", "5", "expected a number, no text"), ("n", "5 %", "no text"), ("m", "1.234", "no text"),
        ("x", "1,234", "'1,234' in the column 'x', expected a number, in a text one such as 1234.5, or None; nnxp"),
        ("x", "007", "a number"), ("x", "5 mm", "a number"), ("x", True, "a number"), ("x", [1], "a number"),
        ("w", b"a", "a text"), ("w", datetime.date(2020, 1, 1), "a text"),
        ("d", "1.2.2020", "a text such as 2020-01-31"), ("d", "2020-02-30", "a date"), ("d", "2020", "a date"),
        ("d", 10**30, "a date"),
        ("d", "12:30", "a date"), ("d", 1.5, "a date"), ("d", True, "a date"), ("d", "2020-01-01 25:00", "a date"),
        ("c", "2020-01-02", "such as 12:30"), ("c", "9:30", "such as 12:30"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=said):
            predict(good | {name: [cell]})
    for wrong, said in (
        ([], "expected a dict of columns, or a list of dicts"),
        ([[1, 2]], "a list of dicts"),
        ("rows.csv", "got str"),
        ({**good, "x": "1.5"}, "expected a list of cells"),
        ({**good, "x": 1.5}, "expected a list of cells"),
        ({**good, "x": np.ones((1, 1))}, "expected a list of cells"),
        ({**good, "x": [1, 2]}, "different lengths"),
        ({"x": [1]}, r"got rows without \['n', 'm', 'w', 'd', 'c'\]"),
        ([{**good, "x": 1}, {"x": 1}], "got rows without"),
    ):
        with pytest.raises(ValueError, match=said):
            predict(wrong)
    model.layers[0].weights = np.full(model.layers[0].weights.shape, 3e38)
    with pytest.raises(ValueError, match="the prediction for row 2 is not finite"):
        alone(model, tmp_path)["predict"]({name: [None, *cells] for name, cells in good.items()} | {"n": [None, 1e38]})
    encoder.target = None
    model.encoder = encoder.state()
    with pytest.raises(ExportError, match="says no target"):
        export_predictor(model, tmp_path / "predictor.py")


def test_what_it_repeats_is_what_the_library_says(tmp_path: Path) -> None:
    source = runpy.run_path(str(Path(nnxp.__file__).parent / "export" / "standalone.txt"))
    assert source["MISSING"] == spelling.MISSING and source["PLAIN"] == spelling.PLAIN
    assert source["EXACT"] == spelling.EXACT and source["BLOCK"] == trained.BLOCK
