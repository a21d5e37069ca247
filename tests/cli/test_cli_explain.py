"""`nnxp explain`: what it prints and writes, and every failure in one line."""

from pathlib import Path

import numpy as np
import pytest

import nnxp
from nnxp.cli import main
from nnxp.teaching.explanation import FORMATS

TABLE = "a,b,kind\n1,2,x\n3,4,y\n5,1,\n0,3,y\n2,2,x\n4,4,y\n1,5,x\n2,0,y\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What a command that has to work prints."""
    capsys.readouterr()
    code = main([*words])
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    return out


def test_alone_it_is_the_example(capsys: pytest.CaptureFixture[str]) -> None:
    step = nnxp.explain()
    assert run(capsys, "explain") == str(step) and "0.298371109" in str(step)
    for kind, write in FORMATS.items():
        assert run(capsys, "explain", "--format", kind) == write(step.facts)
    assert run(capsys, "explain", "--out", "step.html") == "one training step written to step.html\n"
    assert Path("step.html").read_text(encoding="utf-8") == step.html()
    run(capsys, "explain", "--out", "step.html", "--overwrite", "--format", "markdown")
    assert Path("step.html").read_text(encoding="utf-8") == step.markdown()


def test_a_model_and_rows_of_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    X, y = np.arange(8.0).reshape(4, 2), np.array([0, 1, 1, 0])
    np.savez("data.npz", X=X, y=y)
    model = nnxp.Sequential([nnxp.Dense(2, 2), "softmax"], "categorical_crossentropy", seed=0)
    model.save("model.safetensors")
    before = Path("model.safetensors").read_bytes()
    for words, rows in (([], slice(0, 2)), (["--rows", "1:4"], slice(1, 4))):
        expected = str(nnxp.explain(nnxp.load("model.safetensors"), X[rows], y[rows]))
        assert run(capsys, "explain", "model.safetensors", "data.npz", *words) == expected
    assert Path("model.safetensors").read_bytes() == before


def test_a_table_loses_its_rows_without_a_target_first(capsys: pytest.CaptureFixture[str]) -> None:
    Path("t.csv").write_text(TABLE)
    assert main("train t.csv --target kind --preset mlp --hidden 3 --epochs 1 --out run --quiet".split()) == 0
    out = run(capsys, "explain", "run/model.safetensors", "t.csv", "--rows", "2:3")
    X = nnxp.tabular.Encoder.of(nnxp.load("run/model.safetensors"))
    assert X is not None
    row = X.transform([{"a": 0, "b": 3}])[0]  # the third of those that have one
    assert (
        "  ".join(f"{v:.7g}" for v in row.tolist()).split() == out.split("x  (n=1 × d0=2)\n")[1].splitlines()[0].split()
    )


def test_failures_are_one_line(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    X, y = np.zeros((3, 2)), np.array([0, 1, 1])
    np.savez("data.npz", X=X, y=y)
    nnxp.Sequential([nnxp.Dense(2, 2), "softmax"], "categorical_crossentropy", seed=0).save("model.safetensors")
    nnxp.Sequential([nnxp.Dense(2, 2000)], "mean_squared_error", seed=0).save("large.safetensors")
    np.savez("wide.npz", X=X, y=np.zeros((3, 2000)))
    nnxp.Sequential([nnxp.Dense(2, 2)], "mean_squared_error", members=2, seed=0).save("several.safetensors")
    Path("there.html").write_text("mine")
    for words, said in (
        ("explain --rows 0:2", "--rows is for a FILE, and there is none"),
        ("explain --separator ;", "--separator is for a FILE"),
        ("explain model.safetensors", "without a FILE"),
        ("explain model.safetensors data.npz --rows 2:4", "got --rows 2:4, expected some of the 3 rows of data.npz"),
        ("explain model.safetensors data.npz --rows 2", "argument --rows: got '2', expected rows from 0 on"),
        ("explain model.safetensors data.npz --rows 2:2", "argument --rows: got '2:2'"),
        ("explain model.safetensors data.npz --decimal ,", "--decimal is for a table"),
        ("explain large.safetensors wide.npz", "got a model of 6,000 parameters, expected at most 5,000"),
        ("explain several.safetensors data.npz", "got several.safetensors of 2 networks, expected one: nnxp train"),
        ("explain --out there.html", "there.html is there already"),
        ("explain --out no/step.html", "there is no folder no"),
        ("explain --format pdf", "argument --format"),
        ("explain none.safetensors data.npz", "none.safetensors"),
    ):
        capsys.readouterr()
        assert main(words.split()) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.startswith("nnxp: error: ") and said in err and err.count("\n") == 1, words
    assert Path("there.html").read_text() == "mine"
