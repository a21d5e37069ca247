"""`nnxp train --members`: several networks from the command line to the run's folder, and back."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import metrics, plots
from nnxp.cli import main
from nnxp.tabular import Encoder
from nnxp.tabular.findings import baselines

K = 3


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every command runs in a folder with a table; a linear model is cut short, no picture is drawn."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(baselines, "STEPS", 10)
    monkeypatch.setattr(plots, "training", lambda history, path, **rest: Path(path).write_text("picture"))
    rng = np.random.default_rng(0)
    lines = ["age,side,price,answer"]
    for _ in range(240):
        age, side = int(rng.integers(18, 80)), int(rng.integers(2))
        lines.append(f"{age},{('left', 'right')[side]},{50 + 2 * age + 9 * side},{'yes' if age > 45 else 'no'}")
    Path("t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def run(*words: object) -> dict[str, Any]:
    """The summary of a training."""
    assert main(["train", *map(str, words), "--overwrite", "--out", "run"]) in (0, None)
    found: dict[str, Any] = json.loads(Path("run/summary.json").read_text(encoding="utf-8"))
    return found


def test_digits(capsys: pytest.CaptureFixture[str]) -> None:
    summary = run("digits", "--members", K, "--epochs", 2)
    said = capsys.readouterr().out
    model = nnxp.load("run/model.safetensors")
    own = sum(int(np.prod(a.shape)) for a in (model.layers[2].weights, model.layers[2].biases))
    assert model.members == summary["members"] == K and own == K * (64 * 256 + 256)
    assert (
        f"network   {K} members, each 64-256-128-10, " in said
        and f"{summary['parameters']:,} parameters in all" in said
    )
    data = nnxp.data.digits()
    test = nnxp.data.split(data.y, 0.2, 0)[1]
    each = [metrics.accuracy(model.member(k).predict(data.X[test]), data.y[test]) for k in range(K)]
    assert summary["test_accuracy_of_members"] == pytest.approx(each, abs=1e-12)
    assert f"each member alone: accuracy {min(each):.4g} to {max(each):.4g}" in said
    assert summary["test_accuracy"] == metrics.accuracy(model.predict(data.X[test]), data.y[test])
    rows = [*csv.DictReader(Path("run/history.csv").read_text(encoding="utf-8").splitlines())]
    for name in ("", "test_"):
        losses = [[float(row[f"{name}member_loss_{k}"]) for k in range(K)] for row in rows]
        assert losses == model.history[name.replace("test", "val") + "member_loss"] and len(rows) == 2
    losses = model.history["member_loss"]
    np.testing.assert_allclose([float(row["loss"]) for row in rows], np.mean(losses, axis=1), rtol=1e-12)
    assert main(["evaluate", "run/model.safetensors", "digits", "--json"]) in (0, None)
    assert json.loads(capsys.readouterr().out)["accuracy"] == summary["test_accuracy"]


@pytest.mark.parametrize("preset", ["binned", "realmlp"])
@pytest.mark.parametrize("target", ["answer", "price"])
def test_a_table(target: str, preset: str, capsys: pytest.CaptureFixture[str]) -> None:
    other = "price" if target == "answer" else "answer"
    words = ["t.csv", "--target", target, "--drop", other, "--preset", preset, "--epochs", 3, "--members", K]
    summary = run(*words, "--cv", 2)
    assert summary["members"] == K and summary["cv"]["parts"] == 2
    said = capsys.readouterr().out
    name = "accuracy" if target == "answer" else "rmse"
    each = summary[f"test_{name}_of_members"]
    assert len(each) == K and f"each member alone: {name} {min(each):.4g} to {max(each):.4g}" in said
    assert f"<dt>members</dt><dd>{K}</dd>" in Path("run/report.html").read_text(encoding="utf-8")
    assert main(["evaluate", "run/model.safetensors", "t.csv", "--json"]) in (0, None)
    assert json.loads(capsys.readouterr().out)[name] == pytest.approx(summary[f"test_{name}"], rel=1e-12)
    model = nnxp.load("run/model.safetensors")
    table = nnxp.tabular.read("t.csv")
    X = Encoder.of(model).transform(table)
    assert main(["predict", "run/model.safetensors", "t.csv"]) in (0, None)
    lines = [line.split(",") for line in capsys.readouterr().out.splitlines()[1:]]
    if target == "answer":
        got = np.array([[float(cell) for cell in line[1:]] for line in lines])
        np.testing.assert_allclose(got, np.mean([model.member(k).predict(X) for k in range(K)], axis=0), atol=1e-5)
    else:
        inverse = Encoder.of(model).target.inverse
        expected = inverse(np.mean([model.member(k).predict(X) for k in range(K)], axis=0)[:, 0])
        np.testing.assert_allclose([float(line[0]) for line in lines], expected, rtol=1e-4)
    pytest.importorskip("sklearn")
    estimator = nnxp.load_estimator("run/model.safetensors")
    assert estimator.members == K
    uncertain = estimator.disagreement if target == "answer" else estimator.predict_std
    assert uncertain(table).shape == (240,)


def test_one_network_says_nothing_of_members(capsys: pytest.CaptureFixture[str]) -> None:
    summary = run("t.csv", "--target", "answer", "--drop", "price", "--epochs", 2, "--preset", "binned")
    assert summary["members"] == 1 and "test_accuracy_of_members" not in summary
    assert "member" not in capsys.readouterr().out + Path("run/history.csv").read_text(encoding="utf-8")


def test_another_number_of_them_is_another_run(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["digits", "--epochs", "1", "--quiet", "--out", "run"]
    assert main(["train", *words, "--members", "2"]) in (0, None)
    assert main(["train", *words, "--members", "2", "--resume"]) in (0, None)
    assert main(["train", *words, "--resume"]) == 2
    assert "got members 1, expected 2 as it has" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("digits --members 2 --clip-norm 1", "--clip-norm is for one network, and --members trains several"),
        ("digits --members 2 --optimizer lbfgs", "--optimizer lbfgs is for one network"),
        ("digits --members 2 --reproducible", "--reproducible is for one network"),
        ("t.csv --target answer --preset tabm --reproducible", "--preset tabm has 32: leave it out, or add --m"),
        ("digits --members 0", "argument --members: got '0', expected a number of networks from 1 to 9999, 8 say"),
        ("digits --members 10000", "got '10000', expected a number of networks from 1 to 9999"),
    ],
)
def test_what_does_not_fit_is_refused(words: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *words.split(), "--out", "run"]) == 2
    assert message in capsys.readouterr().err
    assert not Path("run").exists()
