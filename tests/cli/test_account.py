"""What is said of a training on a table: K trainings of its parts (`--cv`), and findings that fail."""

import html
import json
from pathlib import Path

import numpy as np
import pytest

from nnxp import plots
from nnxp.cli import main
from nnxp.cli.crossvalidation import _mean

SHORT = ["--epochs", "2", "--hidden", "8", "--out", "run"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plots, "training", lambda *args, **rest: None)
    generator = np.random.default_rng(0)
    rows = [f"{a:.3f},{w},{'no' if i % 4 else 'yes'}" for i, (a, w) in enumerate(zip(
        generator.normal(size=120), generator.integers(0, 12, 120), strict=True
    ))]  # fmt: skip
    Path("t.csv").write_text("\n".join(["a,who,y", *rows]) + "\n")
    return tmp_path


def test_the_mean_over_the_parts_and_its_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "t.csv", "--target", "y", "--cv", "4", *SHORT]) == 0
    out = capsys.readouterr().out
    assert out.count("trained on 90 rows, tested on 30") == 4
    found = json.loads(Path("run/summary.json").read_text())["cv"]
    assert found["parts"] == 4 and next(iter(found["scores"])) == "the model"
    # Of 30 "yes" over 4 parts of 30 rows, two parts have 7 and two 8: s = 0.5 / 30 · √(4 / 3), divided by √4.
    constant = found["scores"]["the most frequent class"]["accuracy"]
    assert constant["value"] == pytest.approx(0.75)
    assert constant["error"] == pytest.approx(0.5 / 30 / np.sqrt(3))
    assert 0 < found["scores"]["the model"]["log_loss"]["error"] < 0.2
    table = out.partition("Mean over 4 parts")[2]
    assert "  ROC AUC " in table and "  F1 " in table, "named as in the other tables"


def test_parts_that_agree_have_no_error_of_rounding() -> None:
    """Three times 0.1, one of them by another sum: not 0.1 ± 9.8·10⁻¹⁸."""
    assert _mean([0.1, 0.1, 0.3 - 0.2])["error"] == 0.0
    assert _mean([0.1, 0.2]) == {"value": pytest.approx(0.15), "error": pytest.approx(0.05)}


def test_groups_stay_together_in_the_parts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "t.csv", "--target", "a", "--cv", "3", "--split-by", "who", *SHORT]) == 0
    assert capsys.readouterr().out.count(" of 3: trained on ") == 3
    assert main(["train", "t.csv", "--target", "a", "--cv", "13", "--split-by", "who", *SHORT, "--overwrite"]) == 2
    assert "got 13 parts of 12 groups, expected one or more in each" in capsys.readouterr().err


def warned() -> dict[str, str]:
    found = json.loads(Path("run/summary.json").read_text())["findings"]["warnings"]
    return {warning["kind"]: warning["text"] for warning in found}


def test_rows_of_the_training_are_no_test(capsys: pytest.CaptureFixture[str]) -> None:
    names, *rows = Path("t.csv").read_text().splitlines()
    Path("same.csv").write_text("\n".join([names, *rows[::-1]]) + "\n")
    Path("within.csv").write_text("\n".join([names, *rows[:40]]) + "\n")
    Path("some.csv").write_text("\n".join([names, *rows[:40], *(f"9.{i},1,no" for i in range(1000, 1020))]) + "\n")
    for file, said in (
        ("same", "All 120 test rows are the very rows that the model was trained on"),
        ("within", "All 40 test rows are rows that the model was trained on too"),
        ("some", "40 of the 60 test rows are rows of the training part too"),
    ):
        assert main(["train", "t.csv", "--target", "y", "--test", f"{file}.csv", *SHORT, "--overwrite"]) == 0
        assert said in warned()["known rows"] and f"warning: {said}" in capsys.readouterr().out
    Path("new.csv").write_text("\n".join([names, *(f"9.{i},1,no" for i in range(1000, 1020))]) + "\n")
    assert main(["train", "t.csv", "--target", "y", "--test", "new.csv", *SHORT, "--overwrite"]) == 0
    assert "known rows" not in warned()


def test_rows_that_are_alike_in_training_are_so_in_a_test() -> None:
    rows = [f"{i % 4},{i % 2}" for i in range(200)]
    for file, n in (("few", 200), ("later", 50)):
        Path(f"{file}.csv").write_text("\n".join(["a,y", *rows[:n]]) + "\n")
    assert main(["train", "few.csv", "--target", "y", "--test", "later.csv", *SHORT]) == 0
    assert "known rows" not in warned()


@pytest.mark.parametrize(("name", "doubted"), [("patient_id", True), ("Patient", True), ("ward", False)])
def test_a_column_that_says_whose_a_row_is_is_perhaps_to_split_by(name: str, doubted: bool) -> None:
    Path("t.csv").write_text(Path("t.csv").read_text().replace("a,who,y", f"a,{name},y"))
    train = ["train", "t.csv", "--target", "y", *SHORT]
    assert main(train) == 0
    text = warned().get("groups", "")
    assert ("12 different values in 96 rows" in text and f"perhaps --split-by {name}" in text) == doubted
    assert main([*train, "--split-by", name, "--overwrite"]) == 0 and "groups" not in warned()


def test_the_network_begins_as_a_linear_model_with_its_class_weights() -> None:
    """Where the derivative by its constant is 0, Σ wp = Σ wy: of 90 "no" and 30 "yes" that weigh 9, p is 3/4 there."""
    still = ["--learning-rate", "1e-12", "--dropout", "0", "--validation-split", "0", "--test", "t.csv"]
    assert main(["train", "t.csv", "--target", "y", "--class-weight", "1,9", *still, *SHORT]) == 0
    assert main(["predict", "run/model.safetensors", "t.csv", "--out", "p.csv"]) == 0
    p = np.loadtxt("p.csv", delimiter=",", skiprows=1, usecols=2)
    w = np.where(np.arange(120) % 4, 1, 9)
    assert np.average(p, weights=w) == pytest.approx(0.75, abs=0.01)  # as near as Adam comes in its steps


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--cv", "3", "--time", "a"], "--cv tests on every row once"),
        (["--cv", "1"], "expected a number of parts from 2"),
    ],
)
def test_refused(words: list[str], what: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "t.csv", "--target", "y", *words, *SHORT]) == 2
    out, err = capsys.readouterr()
    assert what in err and out == "" and not Path("run").exists()


def test_findings_that_fail_do_not_cost_the_model(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*args: object, **rest: object) -> None:
        raise ZeroDivisionError("of something")

    monkeypatch.setattr("nnxp.cli.account.findings", fails)
    assert main(["train", "t.csv", "--target", "y", *SHORT]) == 0
    assert "no report.html: making it failed (ZeroDivisionError: of something)" in capsys.readouterr().out
    assert Path("run/model.safetensors").is_file() and not Path("run/report.html").exists()
    assert "findings" not in json.loads(Path("run/summary.json").read_text())


def test_the_diagnosis_is_told_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    header, *rows = Path("t.csv").read_text().split()
    same = [f"{row},{2.5 if row.endswith('yes') else 1.5}" for row in rows]
    Path("t.csv").write_text("\n".join([f"{header},<same>", *same]) + "\n")
    assert main(["train", "t.csv", "--target", "y", *SHORT]) == 0
    found = json.loads(Path("run/summary.json").read_text())["diagnosis"]
    assert found[0]["name"] == "a feature is the label" and "column '<same>' alone" in found[0]["text"]
    assert f"diagnosis: {found[0]['text']}" in capsys.readouterr().out
    page = Path("run/report.html").read_text(encoding="utf-8")
    assert "<h2>Diagnosis</h2>" in page and f"<li>{html.escape(found[0]['text'])}</li>" in page
    assert main(["train", "moons", "--epochs", "60", "--out", "moons"]) == 0
    assert json.loads(Path("moons/summary.json").read_text())["diagnosis"] == []
    assert "diagnosis" not in capsys.readouterr().out


def test_a_diagnosis_that_fails_does_not_cost_the_model(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*args: object, **rest: object) -> None:
        raise ZeroDivisionError("of something")

    monkeypatch.setattr("nnxp.cli.tutor.diagnose", fails)
    assert main(["train", "t.csv", "--target", "y", *SHORT]) == 0
    assert "no diagnosis: making it failed (ZeroDivisionError: of something)" in capsys.readouterr().out
    assert json.loads(Path("run/summary.json").read_text())["diagnosis"] == []
    assert "<h2>Diagnosis</h2>" not in Path("run/report.html").read_text(encoding="utf-8")
