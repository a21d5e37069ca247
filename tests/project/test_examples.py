"""The examples, as a reader starts them, on every backend of the matrix.

In this process and not in one of their own: CuPy over host memory is put in place by `conftest.py`.
"""

import re
import runpy
import sys
from pathlib import Path

import pytest

from tests.helpers.matrix import Target

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples").glob("*.py"))
# Few, but more than the twenty or so that Adagrad and RMSprop need to come back from their first leaps.
EPOCHS = {"spiral_by_hand": 30, "optimizer_comparison": 30}

example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)


def run(path: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    monkeypatch.setattr(sys, "argv", [str(path), *options])
    runpy.run_path(str(path), run_name="__main__")


def losses(printed: str) -> list[tuple[float, float]]:
    """The first and last loss of each training that an example reports."""
    pairs = re.findall(r"loss:? ([\d.]+) -> ([\d.]+)", printed)
    if not pairs:
        lines = re.findall(r"loss: ([\d.]+)", printed)
        pairs = [(lines[0], lines[-1])]
    return [(float(first), float(last)) for first, last in pairs]


def test_there_are_examples() -> None:
    stems = {path.stem for path in EXAMPLES}
    assert stems >= {"digits", "optimizer_comparison", "own_layer", "spiral_by_hand"}


@example
def test_is_short(example: Path) -> None:
    assert len(example.read_text(encoding="utf-8").splitlines()) < 50


@example
def test_runs_and_learns(
    example: Path, backend: Target, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(example, monkeypatch, "--backend", backend.spec, "--epochs", str(EPOCHS.get(example.stem, 3)))
    trainings = losses(capsys.readouterr().out)
    assert len(trainings) == (4 if example.stem == "optimizer_comparison" else 1)
    assert all(last < first for first, last in trainings), trainings
    assert len({first for first, _ in trainings}) == 1  # the four begin at the same weights


def test_comparison_draws_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "comparison.png"
    (script,) = (example for example in EXAMPLES if example.stem == "optimizer_comparison")
    run(script, monkeypatch, "--epochs", "2", "--out", str(path))
    assert path.read_bytes().startswith(b"\x89PNG")


def test_comparison_says_what_a_picture_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    path = tmp_path / "comparison.png"
    (script,) = (example for example in EXAMPLES if example.stem == "optimizer_comparison")
    with pytest.raises(SystemExit, match="2"):
        run(script, monkeypatch, "--out", str(path))
    assert "nnxp[plot]" in capsys.readouterr().err
    assert not path.exists()
