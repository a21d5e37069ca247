"""Scripts in the book's style, chapters 2 to 22 (`scripts/`): each as it stands, and with its names from `nnfs.on`,
gives the numbers of the same script over a transcription of the book's equations (`tests/helpers/book_names.py`)."""

import ast
import contextlib
import functools
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnxp import data, get_backend, nnfs
from nnxp.data import images
from tests.helpers import book_names
from tests.helpers.matrix import selected

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("ch*.py"))
KEPT = ("weights", "biases", "dweights", "dbiases", "output", "dinputs")
"""What is compared of a layer."""
LIBRARIES = [target.name for target in selected() if target.name in ("numpy", "torch")] or ["numpy"]
EXACTLY = {"rtol": 1e-9, "atol": 1e-12}
"""In float64: sums in another order are some hundred roundings, which at most 21 steps leave far below."""
ROUNDED = {"rtol": 1e-5, "atol": 1e-6}
"""The same in float32, whose roundings are 2²⁹ times as large, where nothing is trained."""
SHOWN = {"rtol": 1e-2, "atol": 1e-2}
"""Of a training in float32 the losses and accuracies: an optimizer that divides by a gradient's size makes a step as
long as any of one that is near 0, so that single weights go another way."""
NUMBER = re.compile(r"-?\d+\.?\d*(?:e-?\d+)?")


@functools.cache
def fashion_mnist() -> Any:
    """Read once, since each reading takes a second."""
    return images.fashion_mnist()


def ran(path: Path, names: Any = None) -> tuple[dict[str, Any], str]:
    """What a script leaves, and what it prints; of `names`, where they are given, instead of those it imports from
    `nnxp.nnfs`: nothing else is changed."""
    tree, scope = ast.parse(path.read_text(encoding="utf-8")), dict[str, Any]()
    if names is not None:
        imports = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "nnxp.nnfs"]
        assert len(imports) == 1
        tree.body.remove(imports[0])
        scope = {alias.name: getattr(names, alias.name) for alias in imports[0].names}
    np.random.seed(0)
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(compile(tree, str(path), "exec"), scope)
    return {name: value for name, value in scope.items() if not name.startswith("_")}, said.getvalue()


@functools.cache
def expected(path: Path) -> tuple[dict[str, Any], str]:
    """What the transcription gives."""
    return ran(path, book_names)


def assert_same(ours: Any, theirs: Any, where: str, tolerance: dict[str, float]) -> int:
    """Numbers and texts, alone, in lists, and those that layers keep; how many there were."""
    if isinstance(theirs, book_names.Model):
        ours, theirs = ours.get_parameters(), theirs.get_parameters()
    if type(theirs).__module__.startswith("tests.helpers.book"):
        kept = [name for name in KEPT if hasattr(theirs, name)]
        return sum(assert_same(getattr(ours, n), getattr(theirs, n), f"{where}.{n}", tolerance) for n in kept)
    if isinstance(theirs, list | tuple):
        pairs = enumerate(zip(ours, theirs, strict=True))
        return sum(assert_same(one, other, f"{where}[{i}]", tolerance) for i, (one, other) in pairs)
    if isinstance(theirs, str):
        assert ours == theirs, where
    if not isinstance(theirs, int | float | np.ndarray | np.generic):
        return 0
    found, wanted = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    np.testing.assert_allclose(found.reshape(wanted.shape), wanted, err_msg=where, **tolerance)
    return wanted.size


def check(path: Path, names: Any, tolerance: dict[str, float]) -> None:
    (ours, said), (theirs, wanted) = ran(path, names), expected(path)
    assert {*theirs} == {*ours}
    seen = {n: v for n, v in theirs.items() if tolerance is not SHOWN or isinstance(v, float | list)}
    assert sum(assert_same(ours[name], value, name, tolerance) for name, value in seen.items()) > 2 or said
    assert NUMBER.sub("#", said) == NUMBER.sub("#", wanted)
    numbers, others = ([float(number) for number in NUMBER.findall(text)] for text in (said, wanted))
    np.testing.assert_allclose(numbers, others, rtol=tolerance["rtol"], atol=1.001e-3 + tolerance["atol"])  # 3 digits


@pytest.fixture(autouse=True)
def a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data, "fashion_mnist", fashion_mnist)


def needed(path: Path) -> Any:
    reason = "Fashion-MNIST is not installed (apt install dataset-fashion-mnist)"
    lacks = "fashion_mnist" in path.read_text(encoding="utf-8") and not any(
        place.is_dir() for place in images.FASHION_MNIST_PLACES
    )
    return pytest.param(path, id=path.stem, marks=pytest.mark.skipif(lacks, reason=reason))


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("path", [*map(needed, SCRIPTS)])
def test_a_script_gives_the_books_numbers(path: Path, library: str) -> None:
    """On NumPy as it stands, on PyTorch with its names from `nnfs.on("torch")`; and in float64, where nothing but the
    order of sums differs."""
    trains = "Optimizer_" in path.read_text(encoding="utf-8")
    check(path, None if library == "numpy" else nnfs.on(library), SHOWN if trains else ROUNDED)
    check(path, nnfs.on(get_backend(library, "float64")), EXACTLY)


def test_every_chapter_is_there() -> None:
    assert len(SCRIPTS) == 40 and {int(path.stem[2:4]) for path in SCRIPTS} == {*range(2, 23)}
