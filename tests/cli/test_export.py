"""`nnxp export`: files that give what `nnxp predict` does, and what is said where there is none."""

import csv
import datetime
import importlib.util
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import nnxp
from nnxp import plots
from nnxp.cli import main
from nnxp.tabular.findings import baselines

MODEL = "run/model.safetensors"
SHORT = ("--epochs", "4", "--hidden", "8", "--out", "run", "--quiet")
Command = Callable[..., str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(baselines, "STEPS", 10)
    monkeypatch.setattr(plots, "training", lambda history, path, **rest: Path(path).write_text("picture"))
    return tmp_path


@pytest.fixture
def ok(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command that has to work, and gives what it printed."""

    def run(*words: object) -> str:
        capsys.readouterr()
        code = main([*map(str, words)])
        said = capsys.readouterr()
        assert code == 0, said.err
        return said.out

    return run


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command that has to fail, and gives its one line."""

    def run(*words: object) -> str:
        capsys.readouterr()
        code = main([*map(str, words)])
        said = capsys.readouterr()
        assert code == 2 and said.out == "" and said.err.count("\n") == 1 and "mistake in nnxp" not in said.err
        return said.err

    return run


def run_onnx(path: str, cells: dict[str, Any]) -> dict[str, Any]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return dict(zip([output.name for output in session.get_outputs()], session.run(None, cells), strict=True))


def written(path: str, names: list[str], rows: list[list[str]]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([names, *rows])


def people(path: str, n: int, seed: int) -> None:
    """A table as people write it: groups of digits, days before months, words and cells that are missing."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        age, pay = int(rng.integers(18, 80)), int(rng.integers(1_000, 90_000))
        town = ("Fez", "Oslo", "Rome", "")[int(rng.integers(4))]
        day = datetime.date(2000, 1, 1) + datetime.timedelta(days=int(rng.integers(8000)))
        left = "left" if age + (20 if town == "Fez" else 0) > 50 else "stays"
        cells = ["NA" if i % 7 == 6 else f"{age}", f"{pay:,}", town, ("yes", "no")[i % 2], f"{day:%d.%m.%Y}"]
        rows.append([*cells, left, f"{np.exp(pay / 9000 + age / 50):.3f}"])
    written(path, ["age", "pay", "town", "member", "since", "end", "worth"], rows)


LATER = [  # columns in another order, with one that is not known, missing cells and unknown words
    ["Rome", "x", "17.05.2011", "1,234", "yes", "33"],
    ["Lima", "x", "-", "90,000", "no", "NA"],
    ["", "x", "29.02.2024", "", "", "1e3"],
    ["Fez", "x", "01.01.2001", "77", "no", "-5"],
    ["null", "x", "?", "n/a", "None", "nan"],
]
CELLS = {
    "age": np.array([[33], [np.nan], [1000], [-5], [np.nan]]),
    "pay": np.array([[1234], [90000], [np.nan], [77], [np.nan]]),
    "town": np.array([["Rome"], ["Lima"], [""], ["Fez"], [None]], dtype=object),
    "member": np.array([[1], [0], [np.nan], [0], [np.nan]]),
    "since": np.array(["2011-05-17", "NaT", "2024-02-29", "2001-01-01", "NaT"], "M8[us]").view(np.int64)[:, None],
}


def predicted(ok: Command) -> list[list[str]]:
    ok("predict", MODEL, "later.csv", "--out", "predictions.csv", "--overwrite")
    return [*csv.reader(Path("predictions.csv").read_text(encoding="utf-8").splitlines())]


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("float64", 1e-12)])
def test_raw_rows_get_from_the_file_what_predict_says(ok: Command, dtype: str, tolerance: float) -> None:
    people("people.csv", 150, 0)
    written("later.csv", ["town", "colour", "since", "pay", "member", "age"], LATER)
    ok("train", "people.csv", "--target", "end", "--drop", "worth", "--dtype", dtype, "--members", 2, *SHORT)
    said = ok("export", MODEL, "--to", "m.onnx").splitlines()
    assert said[0].startswith(f"checked on 64 rows with onnxruntime {onnxruntime.__version__}: at most ")
    assert said[1] == f"written to m.onnx, {Path('m.onnx').stat().st_size:,} bytes"
    found, (head, *rows) = run_onnx("m.onnx", CELLS), predicted(ok)
    assert head == ["class", "p(left)", "p(stays)"] and found["label"].tolist() == [row[0] for row in rows]
    p = np.array([row[1:] for row in rows], dtype=dtype)
    assert found["probabilities"].dtype == dtype and np.abs(found["probabilities"] - p).max() <= tolerance
    assert np.ptp(p[:, 0]) > 0.01 and len({*found["label"].tolist()}) == 2
    ok("train", "people.csv", "--target", "worth", "--drop", "end", "--dtype", dtype, "--overwrite", *SHORT)
    ok("export", MODEL, "--to", "m.onnx", "--overwrite", "--check", "later.csv")
    found, (_, *rows) = run_onnx("m.onnx", CELLS), predicted(ok)
    y = np.array([float(row[0]) for row in rows])
    assert y.max() > 2 * y.min() and found["prediction"].dtype == np.float64
    np.testing.assert_allclose(found["prediction"], y, rtol=20 * tolerance)  # a logarithm, undone


def test_images_go_in_as_they_are_stored(ok: Command) -> None:
    ok("train", "digits", *SHORT)
    said = ok("export", MODEL, "--to", "DIGITS.ONNX", "--input-dtype", "uint8")
    assert "checked on 64 rows" in said
    from nnxp import data

    X = data.load("digits").X[:20].astype(np.uint8)
    np.savez("some.npz", X=X.reshape(20, 8, 8))
    ok("export", MODEL, "--to", "checked.onnx", "--check", "some.npz", "--outputs", "label,logits,probabilities")
    ok("predict", MODEL, "some.npz", "--out", "predictions.csv")
    rows = [*csv.reader(Path("predictions.csv").read_text().splitlines())][1:]
    found, also = run_onnx("DIGITS.ONNX", {"X": X}), run_onnx("checked.onnx", {"X": X.astype(np.float32)})
    assert found["label"].tolist() == also["label"].tolist() == [row[0] for row in rows]
    p = np.array([row[1:] for row in rows], dtype=np.float32)
    assert np.abs(found["probabilities"] - p).max() <= 1e-6 and [*also] == ["label", "logits", "probabilities"]


def test_what_is_asked_wrongly_is_said_in_a_line(ok: Command, fails: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    people("people.csv", 60, 0)
    ok("train", "people.csv", "--target", "end", "--preset", "binned", *SHORT)
    assert "expected a file that ends in .onnx" in fails("export", MODEL, "--to", "model.txt")
    assert "arguments are required: --to" in fails("export", MODEL)
    assert "there is no folder nowhere" in fails("export", MODEL, "--to", "nowhere/m.onnx")
    assert "--input-dtype is for a model of numbers" in fails(
        "export", MODEL, "--to", "m.onnx", "--input-dtype", "uint8"
    )
    assert "got outputs with 'std', expected some of probabilities, label, logits" in fails(
        "export", MODEL, "--to", "m.onnx", "--outputs", "std"
    )
    written("few.csv", ["age", "pay"], [["1", "2"]])
    assert "few.csv lacks the columns town, member" in fails("export", MODEL, "--to", "m.onnx", "--check", "few.csv")
    written("none.csv", ["age", "pay", "town", "member", "since", "worth"], [])
    assert "none.csv" in fails("export", MODEL, "--to", "m.onnx", "--check", "none.csv")
    assert "run is a run's folder" in fails("export", "run", "--to", "m.onnx")
    there = importlib.util.find_spec
    with monkeypatch.context() as patched:  # `undo` would leave the folder of this test too
        patched.setattr(importlib.util, "find_spec", lambda name: None if name == "onnx" else there(name))
        assert 'exporting needs onnx: pip install "nnxp[onnx]"' in fails("export", MODEL, "--to", "m.onnx")
    assert not Path("m.onnx").exists()
    ok("train", "moons", "--out", "moons", *SHORT[:4], "--quiet")
    assert "expected one of float32" in fails(
        "export", "moons/model.safetensors", "--to", "m.onnx", "--input-dtype", "half"
    )
    assert "--separator is for a table" in fails(
        "export", "moons/model.safetensors", "--to", "m.onnx", "--separator", ";"
    )
    ok("export", "moons/model.safetensors", "--to", "m.onnx")
    before = Path("m.onnx").read_bytes()
    assert "m.onnx is there already: replace it with --overwrite, or choose another --to" in fails(
        "export", MODEL, "--to", "m.onnx"
    )
    assert Path("m.onnx").read_bytes() == before and onnx.load("m.onnx").ir_version == 8


def test_a_file_of_numpy_alone_is_written_with_its_weights_beside_it(ok: Command, fails: Command) -> None:
    """And refused in a line where it cannot be, with nothing written and nothing of a user's replaced."""
    model = nnxp.Sequential([nnxp.Dense(3, 2), "softmax"], "categorical_crossentropy", seed=0)
    model.classes = ["no", "yes"]
    model.save("m.safetensors")
    said = ok("export", "m.safetensors", "--to", "alone.py")
    assert "its weights are in alone.py.safetensors" in said and "written to alone.py" in said
    alone, X = runpy.run_path("alone.py"), np.ones((2, 3), np.float32)
    eps = float(np.finfo(np.float32).eps)
    np.testing.assert_allclose(alone["predict"](X), nnxp.load("m.safetensors").predict(X), rtol=8 * eps)
    assert alone["classes"]() == ["no", "yes"]
    assert "--overwrite" in fails("export", "m.safetensors", "--to", "alone.py")
    Path("alone.py").unlink()
    assert "--overwrite" in fails("export", "m.safetensors", "--to", "alone.py") and not Path("alone.py").exists()
    assert ok("export", "m.safetensors", "--to", "alone.py", "--overwrite")
    assert "a name that Python can import" in fails("export", "m.safetensors", "--to", "my-model.py")
    assert "--check is for an ONNX file" in fails("export", "m.safetensors", "--to", "b.py", "--check", "rows.npz")
    assert "--decimal is for an ONNX file" in fails("export", "m.safetensors", "--to", "b.py", "--decimal", ",")
    assert sorted(path.name for path in Path().iterdir()) == ["alone.py", "alone.py.safetensors", "m.safetensors"]


def test_a_table_goes_into_a_file_of_numpy_alone(ok: Command) -> None:
    """Raw rows, in another order, with cells that are missing and a word that is not known: what `nnxp predict` says
    (where `fast` is installed, but for rounding)."""
    people("people.csv", 150, 0)
    written("later.csv", ["town", "colour", "since", "pay", "member", "age"], LATER)
    ok("train", "people.csv", "--target", "end", "--drop", "worth", "--members", 2, *SHORT)
    assert "its weights are in alone.py.safetensors" in ok("export", MODEL, "--to", "alone.py")
    alone, (_, *rows) = runpy.run_path("alone.py"), predicted(ok)
    cells = {name: column[:, 0] for name, column in CELLS.items()}
    p = alone["predict"](cells | {"member": ["yes", "no", "", "no", "None"], "colour": ["x"] * 5})
    assert [alone["classes"]()[k] for k in p.argmax(axis=1)] == [row[0] for row in rows]
    np.testing.assert_allclose(p, np.array([row[1:] for row in rows], np.float32), rtol=1e-5)
    with pytest.raises(ValueError, match="got '1,234' in the column 'pay'"):
        alone["predict"]([*csv.DictReader(Path("later.csv").read_text().splitlines())])


def test_an_estimators_file_is_exported_as_the_estimator_is(ok: Command) -> None:
    """Of two classes two probabilities, and the label by its name."""
    X = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    estimator = nnxp.MLPClassifier((4,), learning_rate_init=0.05, max_iter=500, random_state=0).fit(
        X, np.where(X[:, 0] > 0, "up", "down")
    )
    estimator.save("estimator.safetensors")
    ok("export", "estimator.safetensors", "--to", "estimator.onnx")
    probabilities, label = onnxruntime.InferenceSession("estimator.onnx").run(["probabilities", "label"], {"X": X})
    np.testing.assert_allclose(probabilities, estimator.predict_proba(X), atol=1e-6)
    assert label.tolist() == estimator.predict(X).tolist()


def test_what_predict_cannot_write_as_a_table_is_exported_all_the_same(ok: Command, fails: Command) -> None:
    """Rates, whose logarithms the network gives, and several labels a row; not as a network of NumPy alone."""
    X = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    rates = nnxp.MLPRegressor(loss="poisson", hidden_layer_sizes=(4,), solver="lbfgs", max_iter=50, random_state=0)
    rates.fit(X, np.exp(X[:, 0])).save("rates.safetensors")
    labels = nnxp.MLPClassifier((4,), solver="lbfgs", max_iter=50, random_state=0).fit(X, (X[:, :2] > 0).astype(int))
    labels.save("labels.safetensors")
    for name, output, expected in (
        ("rates", "prediction", rates.predict(X)),
        ("labels", "probabilities", labels.predict_proba(X)),
    ):
        assert f"nnxp.load_estimator('{name}.safetensors')" in fails("export", f"{name}.safetensors", "--to", "m.py")
        ok("export", f"{name}.safetensors", "--to", f"{name}.onnx")
        (found,) = onnxruntime.InferenceSession(f"{name}.onnx").run([output], {"X": X})
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert not Path("m.py").exists()
