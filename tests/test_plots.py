"""The pictures: what is in them, read from SVG, where matplotlib notes each text beside its outline."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnxp import plots

ROOT = Path(__file__).resolve().parent.parent
HISTORY = {"loss": [2.0, 1.0, 0.125], "accuracy": [0.25, 0.5, 0.75]}


def texts(path: Path) -> list[str]:
    """The texts of an SVG file, in the order in which they were drawn."""
    return re.findall(r"<!-- (.*?) -->", path.read_text(encoding="utf-8"), re.DOTALL)


def draw(folder: Path, panel: plots.Panel) -> list[str]:
    """The texts of a picture with this panel below empty curves."""
    plots.training({"loss": [1.0, 0.5]}, folder / "panel.svg", panel=panel)
    return texts(folder / "panel.svg")


@pytest.mark.parametrize("prefix", ["val_", "test_"])
def test_curves(tmp_path: Path, prefix: str) -> None:
    followed = {f"{prefix}loss": [1.5, 0.75, 0.5], f"{prefix}accuracy": [0.5, 0.625, 0.6875]}
    plots.training({**HISTORY, **followed, "seconds": [1, 1, 1]}, tmp_path / "c.svg", title="a title", held_out="test")
    got = texts(tmp_path / "c.svg")
    assert {"a title", "loss", "accuracy", "epoch"} < set(got)
    assert {"training, at last 0.125", "test, at last 0.5", "training, at last 0.75", "test, at last 0.6875"} < set(got)
    assert "seconds" not in got


def test_curves_of_a_regression_without_validation(tmp_path: Path) -> None:
    plots.training({"loss": [1.0, 0.25], "rmse": [10.0, 5.0]}, tmp_path / "c.svg")
    got = texts(tmp_path / "c.svg")
    assert "training, at last 5" in got and not any("validation" in text for text in got)


def test_axes_are_logarithmic_where_that_shows_more(tmp_path: Path) -> None:
    for name, losses, expected in (
        ("wide", [1.0, 0.1, 0.01], True),
        ("narrow", [1.0, 0.5], False),
        ("zero", [1.0, 0.0], False),
    ):
        plots.training({"loss": losses}, tmp_path / f"{name}.svg")
        got = texts(tmp_path / f"{name}.svg")
        assert ("0.02" in got and "0.03" not in got and "0.04" not in got) == expected, name


def test_one_epoch_has_one_mark(tmp_path: Path) -> None:
    plots.training({"loss": [1.0], "accuracy": [0.5]}, tmp_path / "c.svg")
    assert texts(tmp_path / "c.svg").count("1") == 2  # the epoch, on both axes; losses read 1.00


@pytest.mark.parametrize("ending", ["png", "pdf", "svg"])
def test_the_ending_names_the_format(tmp_path: Path, ending: str) -> None:
    plots.training(HISTORY, tmp_path / f"c.{ending}")
    start = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}[ending]
    assert (tmp_path / f"c.{ending}").read_bytes().startswith(start)


def test_formulas_are_not_read(tmp_path: Path) -> None:
    r"""`$\frac$` would be an error in a formula, `$x$` an italic letter."""
    plots.training(HISTORY, tmp_path / "c.svg", title=r"$\frac$")
    assert r"$\frac$" in texts(tmp_path / "c.svg")
    counts = np.array([[3, 1], [0, 2]])
    assert {"$x$", "$", "3", "1", "2"} < set(draw(tmp_path, plots.confusion(counts, ["$x$", "$"])))


def test_images_show_the_most_confident_mistakes_first(tmp_path: Path) -> None:
    y = np.array([0, 1, 2, 0, 1])
    output = np.array([[0.9, 0.1, 0], [0.6, 0.4, 0], [0, 0.8, 0.2], [0, 0.3, 0.7], [0.1, 0.9, 0]])
    got = draw(tmp_path, plots.images(np.zeros((5, 6), np.uint8), y, output, ["a", "b", "trousers"], (2, 3)))
    shown = [text for text in got if re.search("^(→ )?(a|b|trousers)", text)]
    assert shown == ["trousers", "→ b", "a", "→ trousers", "b → a", "a", "b"]  # long ones on two lines
    assert any(text.startswith("3 of 3 mistakes") for text in got)
    assert (tmp_path / "panel.svg").read_text().count("<image") == 5


def test_images_without_mistakes_and_with_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "PICTURES", 14)
    X, y = np.zeros((50, 4)), np.zeros(50, dtype=np.int64)
    right, wrong = np.tile([0.75, 0.25], (50, 1)), np.tile([0.25, 0.75], (50, 1))
    assert any("No mistake" in text for text in draw(tmp_path, plots.images(X, y, right, ["a", "b"], (2, 2))))
    got = draw(tmp_path, plots.images(X, y, wrong, ["a", "b"], (2, 2)))
    assert any(text.startswith("14 of 50 mistakes") for text in got)
    assert got.count("a → b") == 14


def test_large_confusions_have_no_numbers(tmp_path: Path) -> None:
    names = [f"class {k}" for k in range(12)]
    got = draw(tmp_path, plots.confusion(777 * np.eye(12, dtype=np.int64), names))
    assert got.count("class 11") == 2 and "777" not in got


def test_regions_ask_the_model(tmp_path: Path) -> None:
    asked: list[Any] = []

    def predict(points: Any) -> Any:
        asked.append(points)
        right = (points[:, 0] > 0).astype(float)
        return np.stack([1 - right, right], axis=1)

    X = np.array([[-1.0, 100.0], [1.0, 300.0], [0.5, 200.0]])
    got = draw(tmp_path, plots.regions(X, np.array([0, 1, 1]), ["left", "right"], predict))
    assert {"left", "right", "test samples"} < set(got)
    (points,) = asked
    assert points.shape == (plots.GRID**2, 2)
    # A tenth of the spread around the points.
    np.testing.assert_allclose([points.min(axis=0), points.max(axis=0)], [[-1.2, 80.0], [1.2, 320.0]], rtol=1e-12)


@pytest.mark.parametrize(("outputs", "axes"), [(1, 1), (3, 3), (6, 4)])
def test_predicted_against_true(tmp_path: Path, outputs: int, axes: int) -> None:
    output = np.arange(5.0 * outputs).reshape(5, outputs)
    y = output[:, 0] + 1 if outputs == 1 else output + 1
    assert draw(tmp_path, plots.predicted(y, output)).count("true value") == axes


def test_matplotlib_is_left_as_it_was(tmp_path: Path) -> None:
    code = f"""
import sys, matplotlib
before = list(dict.items(matplotlib.rcParams))  # reading rcParams["backend"] itself would import pyplot
from nnxp import plots
plots.training({HISTORY!r}, {str(tmp_path / "c.png")!r})
assert list(dict.items(matplotlib.rcParams)) == before
print("matplotlib.pyplot" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "False\n"


def test_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "matplotlib.figure", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "nnxp\[plot\]"') as error:
        plots.training(HISTORY, tmp_path / "c.png")
    assert error.value.name == "matplotlib" and not list(tmp_path.iterdir())


def test_a_broken_matplotlib_is_not_called_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Finder:
        @staticmethod
        def find_spec(name: str, path: Any, target: Any = None) -> None:
            if name == "matplotlib.figure":
                raise ModuleNotFoundError("No module named 'PIL'", name="PIL")

    monkeypatch.delitem(sys.modules, "matplotlib.figure", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    with pytest.raises(ModuleNotFoundError, match="PIL"):
        plots.training(HISTORY, tmp_path / "c.png")
