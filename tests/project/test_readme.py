"""The README does what it says: its Python runs, its commands are understood, its pictures and links are there."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

import nnxp
from nnxp import metrics
from nnxp.cli.parser import parser

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_its_python_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    scope: dict[str, Any] = {}
    training, batches, toolbox, survives, estimator, by_hand, speed = blocks("python")
    exec(training, scope)
    digits, test = scope["digits"], scope["test"]
    assert metrics.accuracy(scope["model"].predict(digits.X[test]), digits.y[test]) > 0.93
    assert (tmp_path / "digits.safetensors").is_file()
    exec(batches, scope)
    assert scope["model"].epoch == 30 + 1 + 2
    exec(toolbox, scope)
    assert metrics.accuracy(scope["normalised"].predict(digits.X[test]), digits.y[test]) > 0.93
    assert len((tmp_path / "training.csv").read_text().splitlines()) == 1 + scope["normalised"].epoch
    exec(survives, scope)
    assert scope["long"].epoch == 5 and nnxp.load(tmp_path / "long.safetensors").epoch == 5
    exec(estimator, scope)
    assert scope["search"].score(digits.X[test], digits.y[test]) > 0.93
    exec(by_hand, scope)
    assert float(scope["loss"]) < 1.0  # chance is ln 3 = 1.0986
    exec(speed, scope)
    plan, ufuncs = capsys.readouterr().out.split("def adam")
    assert "Dense.forward, its bias and ReLU.forward in one pass" in plan and "_multiply" in ufuncs


def test_its_commands_are_understood() -> None:
    commands = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("nnxp ")]
    assert len(commands) >= 5
    for line in commands:
        words = shlex.split(line, comments=True)[1:]
        assert parser().parse_args(words).command == words[0]


def test_its_pictures_and_links_are_there() -> None:
    targets = [t for t in re.findall(r"\]\(([^)]+)\)", TEXT) if not t.startswith("http")]
    assert targets and all((ROOT / target).exists() for target in targets)
