"""Programs that are shipped without sources: the package in a zip file, and as bytecode alone.

What a frozen program (PyInstaller and its kin) takes away comes down to these two: there is no source to read, and what
stands beside a module is no file of the disk.
"""

import ast
import compileall
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "nnxp"

PROGRAM = """
import sys
sys.modules["matplotlib"] = None  # slow, and not what is asked about here
import nnxp
from nnxp.cli import main
from nnxp.kernels import numba_kernels

place, has_numba, *words = sys.argv[1:]
assert nnxp.__file__.startswith(place) and not nnxp.__file__.endswith(".py"), nnxp.__file__
short = ("--epochs", "1", "--hidden", "8", "--quiet")
for command in (
    ("train", "digits", *short, "--out", "digits"),
    ("evaluate", "digits/model.safetensors", "digits"),
    ("train", "table.csv", "--target", "kind", *short, "--out", "table"),
    ("predict", "table/model.safetensors", "table.csv", "--out", "predictions.csv"),
    ("doctor", "--backend", "numpy"),
):
    assert main(command) == 0, command
# Softmax with cross-entropy was trained: with numba, by the loops whose text is no module.
assert bool(has_numba) == bool(numba_kernels._loop.cache_info().misses)
"""


def zipped(folder: Path) -> Path:
    """The package in a zip file, its modules as bytecode."""
    place = folder / "nnxp.zip"
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in bytecode(folder).rglob("*.*"):
            archive.write(path, path.relative_to(folder / "bytecode"))
    shutil.rmtree(folder / "bytecode")
    return place


def bytecode(folder: Path) -> Path:
    """The package without a source: `python -m compileall -b`."""
    place = folder / "bytecode"
    shutil.copytree(PACKAGE, place / "nnxp", ignore=shutil.ignore_patterns("__pycache__"))
    assert compileall.compile_dir(place, quiet=1, legacy=True)
    for path in place.rglob("*.py"):
        path.unlink()
    return place


@pytest.mark.parametrize("shipped", [zipped, bytecode])
def test_the_package_works_without_its_sources(shipped: object, tmp_path: Path) -> None:
    assert callable(shipped)
    place = shipped(tmp_path)
    rows = "".join(f"{i % 7},{'hill' if i % 3 else 'valley'},{'uv'[i % 2]}\n" for i in range(40))
    (tmp_path / "table.csv").write_text(f"x,where,kind\n{rows}")
    numba = subprocess.run([sys.executable, "-c", "import numba"], capture_output=True).returncode == 0
    command = [sys.executable, "-P", "-c", PROGRAM, str(place), "numba" if numba else ""]
    env = os.environ | {"PYTHONPATH": str(place)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert "accuracy" in done.stdout and "1 passed" in done.stdout


def test_no_module_looks_for_its_own_file() -> None:
    """What is beside a module is had through `importlib.resources`; its source is nobody's business."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(node, "attr", getattr(node, "id", ""))
            if isinstance(node, ast.Attribute | ast.Name) and name in (
                "__file__", "getsource", "getsourcefile", "getsourcelines", "getfile", "linecache",
            ):  # fmt: skip
                found.add(str(path.relative_to(PACKAGE)))
    assert found == {"doctor/child.py"}  # where Python, started anew, finds the package: a folder or a zip file
