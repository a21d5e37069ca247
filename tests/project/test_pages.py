"""The pages of docs/: their Python runs, their commands are understood, their pictures and links are there.

Of the other pages, the README's Python is run by `test_readme.py`, that of docs/file-format.md by
`tests/files/test_file_format.py`.
"""

import logging
import math
import re
import runpy
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import metrics
from nnxp.cli.parser import parser
from nnxp.teaching.diagnosis.diagnosing import FAULTS
from tests.helpers import pages

BESIDE = {
    "by-hand.md", "diagnosis.md", "distributed.md", "estimators.md", "explain.md", "file-format.md", "gpu.md",
    "onnx.md", "playground.md", "pytorch.md", "serving.md", "speed.md", "tables.md", "training.md",
}  # fmt: skip
"""Those of which a test says more than that they run and print what they show."""
ALONE = [
    page.name
    for page in sorted((pages.ROOT / "docs").glob("*.md"))
    if page.name not in BESIDE and "```python" in page.read_text("utf-8")
]


@pytest.fixture
def scope(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Where a page's Python runs, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return {}


def run(page: str, scope: dict[str, Any]) -> None:
    for block in pages.blocks(page, "python"):
        pages.run(block.code, scope)


@pytest.fixture
def readme(scope: dict[str, Any]) -> dict[str, Any]:
    """What the README's first block leaves."""
    pages.run(pages.blocks("README.md", "python")[0].code, scope)
    digits, test = scope["digits"], scope["test"]
    assert metrics.accuracy(scope["model"].predict(digits.X[test]), digits.y[test]) > 0.93
    assert Path("digits.safetensors").is_file()
    return scope


@pytest.mark.parametrize("page", ALONE)
def test_its_python_prints_what_it_shows(page: str, scope: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    for block in pages.blocks(f"docs/{page}", "python"):
        pages.run(block.code, scope)
        printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
        assert not block.printed or printed == block.printed.splitlines(), block.code


def test_serving(scope: dict[str, Any]) -> None:
    run("docs/serving.md", scope)
    (found,) = scope["answer"]["predictions"]
    (expected,) = nnxp.load_estimator("prices.safetensors").predict([{"size": 20, "town": "Rome"}])
    assert found["y"] == expected and not scope["thread"].is_alive()
    alone = runpy.run_path("predictor.py")
    X = np.ones((2, 4), np.float32)
    np.testing.assert_allclose(alone["predict"](X), scope["network"].predict(X), rtol=1e-6)  # where `fast` is installed
    assert alone["classes"]() == scope["network"].classes
    found = runpy.run_path("prices.py")["predict"]({"size": [55, None], "town": ["Rome", "Lima"]})
    wanted = scope["prices"].predict({"size": [55, None], "town": ["Rome", "Lima"]})
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_training(readme: dict[str, Any]) -> None:
    blocks = (block.code for block in pages.blocks("docs/training.md", "python"))
    looks, batches, toolbox, followed, paced, watched, tabular, embedded, together, apart, sharing, survives = blocks
    digits, test = readme["digits"], readme["test"]
    pages.run(looks, readme)
    assert len(readme["model"].history["accuracy"]) == 30
    pages.run(batches, readme)
    assert readme["model"].epoch == 30 + 1 + 2
    pages.run(toolbox, readme)
    assert metrics.accuracy(readme["normalised"].predict(digits.X[test]), digits.y[test]) > 0.93
    assert len(Path("training.csv").read_text().splitlines()) == 1 + readme["normalised"].epoch
    pages.run(followed, readme)
    assert readme["best"].best == max(readme["normalised"].history["val_roc_auc"][-2:]) > 0.99
    pages.run(paced, readme)
    assert readme["paced"].history["learning_rate"][-1] < 0.01 and readme["paced"].history["accuracy"][-1] > 0.5
    pages.run(watched, readme)
    assert len(readme["losses"]) == math.ceil(len(readme["train"]) / 32)
    pages.run(tabular, readme)
    assert metrics.accuracy(readme["tabular"].predict(digits.X[test] / 16), digits.y[test]) > 0.93
    pages.run(embedded, readme)
    assert readme["numbers"].n_out == 4 + 8 and np.isfinite(readme["embedded"].predict(readme["X"])).all()
    pages.run(sharing, readme)
    assert readme["shared"].evaluate(digits.X[test], digits.y[test])["accuracy"] > 0.8
    assert readme["shared"].layers[1].weights.shape == (64, 64)
    pages.run(together, readme)
    assert readme["several"].evaluate(digits.X[test], digits.y[test])["accuracy"] > 0.8
    assert readme["third"].predict(digits.X[test]).shape == (len(test), 10)
    pages.run(apart, readme)
    losses = [each[4] for each in readme["history"]["member_loss"]]
    np.testing.assert_allclose(losses, readme["fifth"].history["loss"], rtol=1e-3)
    pages.run(survives, readme)
    assert readme["long"].epoch == 5 and nnxp.load("long.safetensors").epoch == 5


def test_speed(readme: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    run("docs/speed.md", readme)
    plan, ufuncs = capsys.readouterr().out.split("def adam")
    assert "Dense.forward, its bias and ReLU.forward in one pass" in plan and "_multiply" in ufuncs


def test_explain(scope: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    run("docs/explain.md", scope)
    assert "Layer 4, Softmax: backward" in capsys.readouterr().out and Path("step.html").is_file()
    assert scope["step"].loss_after < scope["step"].loss


def test_playground(scope: dict[str, Any]) -> None:
    run("docs/playground.md", scope)
    assert "height from -1." in Path("playground.html").read_text("utf-8")
    frames = scope["playground"].frames
    assert [frame.epoch for frame in frames][::20] == [0, 30, 60] and len(frames[-1].dead) == 2


def test_diagnosis(scope: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    run("docs/diagnosis.md", scope)
    printed = capsys.readouterr().out
    (mended,) = (block.printed for block in pages.blocks("docs/diagnosis.md", "python") if block.printed)
    quoted = " ".join(line[2:] for line in pages.read("docs/diagnosis.md").splitlines() if line.startswith("> "))
    assert str(scope["worst"]) == quoted and printed.startswith(f"1. {quoted}\n") and printed.endswith(f"\n{mended}")
    named = {line.split("`")[1] for line in pages.read("docs/diagnosis.md").splitlines() if line.startswith("| `")}
    assert named == {fault.name for fault in FAULTS}
    assert "inputs not scaled" in {finding.name for finding in scope["watching"].diagnosis}


def test_estimators(scope: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    moons, searched, tables, several, grid, words = (
        block.code for block in pages.blocks("docs/estimators.md", "python")
    )
    pages.run(moons, scope)
    X, y, test, model = (scope[name] for name in ("X", "y", "test", "model"))
    assert model.predict_proba(X[test]).shape == (100, 2) and model.score(X[test], y[test]) > 0.8
    assert len(model.loss_curve_) == len(model.validation_loss_curve_) == len(model.validation_scores_) == model.n_iter_
    assert "Dense" in capsys.readouterr().out
    pages.run(searched, scope)
    digits, test = scope["digits"], scope["test"]
    assert scope["search"].score(digits.X[test], digits.y[test]) > 0.93
    assert "mlpclassifier__dropout" in scope["search"].best_params_
    pages.run(tables, scope)
    model = scope["model"]
    assert f"feature_names_out  # {model.encoder_.feature_names_out}" in tables
    assert model.score(scope["rows"][300:], scope["bought"][300:]) > 0.9 and Path("bought.safetensors").is_file()
    pages.run(several, scope)
    within, beyond = scope["model"].predict_std([[0.0], [9.0]])
    assert 0 < 5 * within < beyond and all(scope["high"] > scope["low"])
    pages.run(grid, scope)
    assert scope["search"].best_score_ > 0.9 and f"{scope['search'].best_params_}" in grid
    assert len(scope["found"]["test_score"]) == 5
    pages.run(words, scope)
    assert scope["words"].predict(["my cat", "your dog"]).tolist() == ["cat", "dog"]


def test_tables(scope: dict[str, Any]) -> None:
    reading, encoder = (block.code for block in pages.blocks("docs/tables.md", "python"))
    Path("measurements.csv").write_text("height;town\n1,5;Fez\n;Rome\n")
    pages.run(reading, scope)
    assert f"notes  # what was found out: {scope['table'].notes}" in reading
    assert len(scope["rows"]) == len([*scope["blocks"]("measurements.csv", rows=1)]) == 2
    pages.run(encoder, scope)
    for said in (f"feature_names_out  # {scope['encoder'].feature_names_out}", f"[*notes]  # {[*scope['notes']]}"):
        assert said in encoder
    assert scope["X"].shape == (1, 6) and scope["X"].dtype == np.float32


def test_onnx(scope: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    run("docs/onnx.md", scope)
    assert "checked on 1797 rows with onnxruntime" in capsys.readouterr().out
    expected = scope["model"].predict(scope["digits"].X[:5])
    np.testing.assert_allclose(scope["probabilities"], expected, rtol=0, atol=1e-6)
    assert scope["label"].tolist() == expected.argmax(axis=1).tolist()


def test_pytorch(scope: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("torch", reason="the page is about PyTorch")
    run("docs/pytorch.md", scope)
    kinds = [type(module).__name__ for module in scope["module"]]
    assert f"Sequential({', '.join(kinds)})" in pages.read("docs/pytorch.md")
    assert scope["largest"] < 1e-5 and scope["same"] == 0.0 and scope["adder"].predict([[2.0, 3.0]]).tolist() == [[5.0]]
    assert scope["taken"].epoch == 1 and not caplog.records


def test_by_hand(scope: dict[str, Any]) -> None:
    run("docs/by-hand.md", scope)
    assert float(scope["loss"]) < 1.0  # chance is ln 3 = 1.0986


def test_distributed(scope: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """With one process in the place of MPI's, which is the same code."""
    alone = SimpleNamespace(COMM_WORLD=nnxp.distributed.Alone())
    monkeypatch.setitem(sys.modules, "mpi4py", SimpleNamespace(MPI=alone))
    run("docs/distributed.md", scope)
    assert scope["history"]["val_accuracy"][-1] > 0.9 and Path("digits.safetensors").is_file()


def test_gpu(scope: dict[str, Any]) -> None:
    """With NumPy in CuPy's place, which is all that the page says has to change."""
    switch, silence, rounded = (block.code for block in pages.blocks("docs/gpu.md", "python"))
    assert switch.count('backend="cupy"') == 1
    X = np.random.default_rng(0).random((32, 4))
    scope |= {"nnxp": nnxp, "logging": logging, "X": X, "y": np.arange(32) % 3}
    scope["layers"] = [nnxp.Dense(4, 3), nnxp.Softmax()]
    first, rest = switch.replace('backend="cupy"', 'backend="numpy"').split("\n", 1)
    pages.run(first, scope)
    scope["model"].save("model.safetensors")  # the file that the page loads
    pages.run(rest, scope)
    assert scope["model"].epoch == 10
    log = logging.getLogger("nnxp")
    level = log.level
    try:
        pages.run(silence, scope)
        assert log.level == logging.ERROR
    finally:
        log.setLevel(level)
    with pytest.raises(nnxp.BackendUnavailableError, match="TF32 is of NVIDIA GPUs"):
        pages.run(rounded.replace('"cupy"', '"numpy"'), scope)


def test_commands_are_understood() -> None:
    found = {page.name: pages.commands(str(page.relative_to(pages.ROOT))) for page in pages.pages()}
    assert len(found["command-line.md"]) >= 7 and found["gpu.md"]
    for line in (line for lines in found.values() for line in lines):
        words = shlex.split(line, comments=True)
        assert parser().parse_args(words).command == words[0]


@pytest.mark.parametrize("page", pages.pages(), ids=lambda page: str(page.relative_to(pages.ROOT)))
def test_pictures_and_links_are_there(page: Path) -> None:
    for target in pages.links(page.read_text(encoding="utf-8")):
        name, _, place = target.partition("#")
        path = page.parent / name if name else page
        assert path.exists(), target
        assert not place or place in pages.anchors(path.read_text(encoding="utf-8")), target


def test_how_it_works_repeats_what_was_measured() -> None:
    (row,) = re.findall(r"^\| 128, 784-512-512-10 \| (\S+) \| (\S+) \|", pages.read("docs/speed.md"), re.MULTILINE)
    page = " ".join(pages.read("docs/how-it-works.md").split())
    said = re.search(r"took (\S+) times as long .*?, and (\S+) times", page)
    assert said and (said[2], said[1]) == row
