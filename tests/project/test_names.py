"""Nothing public moves: every name that README, the pages, the examples and the stub give is where they say."""

import importlib
import re
from pathlib import Path

import pytest

import nnxp

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "examples").glob("*.py"))]
TEXTS += [ROOT / "nnxp" / "__init__.pyi"]
FROM = re.compile(r"^\s*(?:>>> )?from (nnxp[\w.]*) import (\([^)]*\)|[^\n(#]+)", re.MULTILINE)
DOTTED = re.compile(r"(?<![\w./-])nnxp(?:\.[A-Za-z_]\w*)+")


def resolve(name: str) -> object:
    """What a dotted name stands for: as a module, or as an attribute of what stands before its last dot."""
    before, _, last = name.rpartition(".")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not before or error.name not in (name, before) or name == "nnxp":
            raise
        return getattr(resolve(before), last)


def names_of(text: str) -> set[str]:
    """The dotted names of a text, and those that it imports from nnxp."""
    found = set(DOTTED.findall(text))
    for module, names in FROM.findall(text):
        found |= {
            f"{module}.{name.split(' as ')[0].strip()}" for name in names.strip("() \n").split(",") if name.strip()
        }
    return found


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_name_is_there(path: Path) -> None:
    pytest.importorskip("sklearn", reason="some of the names are those of the estimators, which need scikit-learn")
    if path.name == "pytorch.md":
        pytest.importorskip("torch", reason="some of the names are those of modules of PyTorch's")
    for name in sorted(names_of(path.read_text(encoding="utf-8"))):
        assert resolve(name) is not None, name


def test_names_are_found() -> None:
    text = "`nnxp.kernels.show` and\n>>> from nnxp.data import load, spiral as s\nnnxp.csv, a/nnxp.toml"
    assert names_of(text) == {"nnxp.kernels.show", "nnxp.data", "nnxp.data.load", "nnxp.data.spiral", "nnxp.csv"}
    assert resolve("nnxp.kernels.show") is nnxp.kernels.show and resolve("nnxp.Dense") is nnxp.Dense
    with pytest.raises(AttributeError):
        resolve("nnxp.nowhere")
