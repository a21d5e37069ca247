"""Compiled fusion: when numba is used, that its results are NumPy's, and what is kept on disk."""

import copy
import inspect
import os
import pickle
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp.errors import BackendUnavailableError
from nnxp.kernels import compose, formulas, fuse, numba_fusion, show
from nnxp.kernels.fusion import lowered
from nnxp.kernels.graph import trace
from nnxp.kernels.libraries import library_for
from nnxp.kernels.numba_fusion import cache_folder, compilable, compile_function
from nnxp.kernels.register_machine import Machine

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def numba() -> Any:
    return pytest.importorskip("numba", reason="numba is the extra `fast`: pip install nnxp[fast]")


def python(code: str, **environment: str) -> str:
    """What a process of its own prints."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code)]
    result = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


# --- the switch ------------------------------------------------------------------------------------


def test_fast_is_a_choice(numba: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NNXP_FAST", raising=False)
    fast, plain = nnxp.get_backend("numpy"), nnxp.get_backend("numpy", fast=False)
    assert (fast.fast, plain.fast) == (True, False)
    assert repr(fast) == "<nnxp backend numpy, float32, fast>" and repr(plain) == "<nnxp backend numpy, float32>"
    assert fast != plain and fast == nnxp.get_backend("numpy", fast=True) and hash(fast) != hash(plain)
    assert fast.fuse(formulas.sgd) is not plain.fuse(formulas.sgd)
    assert nnxp.get_backend(fast, fast=False) == plain and nnxp.get_backend(plain, fast=True) == fast
    assert nnxp.get_backend(plain) is plain and nnxp.get_backend(plain, fast=False) is plain
    assert nnxp.get_backend(plain, dtype="float64").fast is False
    for backend in (fast, plain, plain.with_dtype("float64")):
        assert pickle.loads(pickle.dumps(backend)) == backend
    monkeypatch.setenv("NNXP_FAST", "0")
    assert nnxp.get_backend("numpy") == plain and nnxp.get_backend("numpy", fast=True) == fast


def test_fast_without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnxp.backends.finding._has_numba", lambda: False)
    assert nnxp.get_backend("numpy").fast is False
    with pytest.raises(
        BackendUnavailableError, match=r'fast=True, which needs the package numba: pip install "nnxp\[fast\]"'
    ):
        nnxp.get_backend("numpy", fast=True)


def test_fast_is_numpys() -> None:
    with pytest.raises(ValueError, match="got fast=True for array_api_strict, expected it for numpy alone"):
        nnxp.get_backend("array_api_strict", fast=True)
    assert nnxp.get_backend("array_api_strict", fast=False).fast is False


def test_numba_is_imported_when_something_is_compiled(numba: Any, tmp_path: Path) -> None:
    seen = python(
        """
        import sys
        import numpy as np
        import nnxp
        kernel = nnxp.get_backend("numpy", fast=True).fuse(nnxp.kernels.formulas.relu)
        before = "numba" in sys.modules
        kernel(np.ones(3))
        print(before, "numba" in sys.modules)
        """,
        NNXP_CACHE_DIR=str(tmp_path),
    )
    assert seen == "False True"


def test_a_numba_that_does_not_import_is_not_used(tmp_path: Path) -> None:
    """It refuses a NumPy newer than it knows."""
    (tmp_path / "numba.py").write_text("raise ImportError('Numba needs NumPy 1.0 or less')\n")
    seen = python(
        """
        import os, sys, warnings
        sys.path.insert(0, os.environ["BROKEN"])
        import numpy as np
        import nnxp
        kernel = nnxp.get_backend("numpy", fast=True).fuse(nnxp.kernels.formulas.relu)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            results = [kernel(np.array([-1.0, 2.0])).tolist(), kernel(np.ones((1, 1))).tolist()]
        print(results, len(told), told[0].message)
        """,
        BROKEN=str(tmp_path),
    )
    assert seen.startswith("[[0.0, 2.0], [[1.0]]] 1 numba is installed but does not import")
    assert "needs NumPy 1.0 or less" in seen and "Update numba, or set NNXP_FAST=0" in seen


# --- what is compiled, and its results -------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [("adam", True), ("relu_grad", True), ("splitmix64", True), ("huber", True), ("gelu", False), ("sigmoid", False)],
)
def test_formulas_of_exponentials_are_numpys(name: str, expected: bool) -> None:
    assert compilable(trace(getattr(formulas, name), {}, {"erf": formulas.erf})) is expected


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("formula", "into", "loops"),
    [
        (compose(formulas.mish_grad, formulas.scaled_add_row), ("dy",), 2),
        (formulas.poisson, (), 2),  # two words beside each other
        (formulas.sigmoid_crossentropy, (), 3),  # one after the other
    ],
)
def test_what_is_cut_has_the_register_machines_bits(
    numba: Any, monkeypatch: pytest.MonkeyPatch, formula: Any, into: tuple[str, ...], loops: int, dtype: str
) -> None:
    """In one block and in several; of a row, a number, bytes; with column sums."""
    made = lowered(formula, np, into, bool(into), True, ())
    assert isinstance(made, Machine) and len(made.compiled.parts) == loops
    rng, found = np.random.default_rng(0), []
    given = {name: rng.normal(0, 4, (8, 16)).astype(dtype) for name in ("p", "z", "dy")}
    given["z"][0, :4] = given["p"][0, :4] = np.inf, -np.inf, np.nan, -0.0
    given |= {"b": given["p"][1:2], "y": (given["dy"] > 0).astype(np.uint8), "scale": 0.5}
    for fast, block in ((False, 1 << 17), (True, 1 << 17), (True, 32)):
        monkeypatch.setattr(library_for(np), "block", block)
        arguments = [copy.copy(given[name]) for name in inspect.signature(formula).parameters]
        sums = {"sums": np.empty((1, 16), dtype)} if into else {}
        with np.errstate(all="ignore"):
            found.append([fuse(formula, np, into, bool(into), fast)(*arguments, **sums), *sums.values()])
    for result, *sums_of in found[1:]:
        np.testing.assert_array_equal(result, found[0][0])
        for mine, theirs in zip(sums_of, found[0][1:], strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-5)


def test_show_prints_the_loop(numba: Any, capsys: pytest.CaptureFixture[str]) -> None:
    show("adam", nnxp.get_backend("numpy", fast=True))
    text = capsys.readouterr().out
    assert "T = np.float32" in text and "for i in range(w.size):" in text and "math.sqrt" in text


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_adam_has_the_register_machines_bits(numba: Any, dtype: str) -> None:
    """A hundred steps; one product and sum contracted would show."""
    rng = np.random.default_rng(0)
    start = [rng.standard_normal(1000).astype(dtype) for _ in "wgmc"]
    start[3] = np.abs(start[3])
    ends = []
    for fast in (False, True):
        w, g, m, c = (a.copy() for a in start)
        update = fuse(formulas.adam, np, into=("w", "m", "c"), fast=fast)
        for t in range(1, 101):
            update(w, g * np.cos(t).astype(dtype), m, c, 1e-3, 0.9, 0.999, 1e-7, 1 - 0.9**t, 1 - 0.999**t)
        ends.append((w, m, c))
    for a, b in zip(*ends, strict=True):
        np.testing.assert_array_equal(a, b)


def test_nothing_is_contracted(numba: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No fused multiply-add, whose result is rounded once instead of twice."""
    monkeypatch.setenv("NNXP_CACHE_DIR", str(tmp_path))
    text = numba_fusion.loop_source(trace(formulas.adam, {}, {}), ("w", "m", "c"), False, "float32")
    vector = numba.types.Array(numba.float32, 1, "C")
    text = text.replace("def adam(", "def adam_here(")  # not read from disk, from where it could not be inspected
    compiled = compile_function(text, "adam_here", numba.void(*[vector] * 4, *[numba.float64] * 6))
    (assembly,) = compiled.inspect_asm().values()
    assert "mul" in assembly and "fmadd" not in assembly and "fmla" not in assembly


# --- the cache -------------------------------------------------------------------------------------

RUN = """
import numpy as np
from nnxp.kernels import formulas, fuse
import numba.core.caching as caching
saved = []
save = caching.Cache.save_overload
caching.Cache.save_overload = lambda self, *a: (saved.append(1), save(self, *a))
kernel = fuse(formulas.huber, np, fast=True)
x = np.linspace(-2, 2, 5)
assert np.array_equal(kernel(x, 0 * x, 1.0), formulas.huber(x, 0 * x, 1.0))
print(len(saved))
"""


def test_the_second_process_does_not_compile(numba: Any, tmp_path: Path) -> None:
    assert python(RUN, NNXP_CACHE_DIR=str(tmp_path / "new")) == "1"
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "new").rglob("*") if path.is_file()}
    assert {path.suffix for path in files} >= {".py", ".nbi", ".nbc"}
    assert all(time == 0 for path, time in files.items() if path.suffix == ".py")  # the same, whoever wrote it
    assert python(RUN, NNXP_CACHE_DIR=str(tmp_path / "new")) == "0"
    after = {path: path.stat().st_mtime_ns for path in files}
    assert after == files


def test_two_processes_may_write_at_once(numba: Any, tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "NNXP_CACHE_DIR": str(tmp_path)}
    both = [subprocess.Popen([sys.executable, "-c", RUN], env=env, stdout=subprocess.PIPE) for _ in "ab"]
    assert all(process.wait() == 0 for process in both)
    for process in both:
        assert process.stdout is not None
        process.stdout.close()
    assert not [path for path in tmp_path.iterdir() if path.is_dir() and path.name != "__pycache__"]  # temporary ones
    assert python(RUN, NNXP_CACHE_DIR=str(tmp_path)) == "0"


@pytest.mark.parametrize("ending", [".py", ".nbi", ".nbc"])
def test_a_damaged_file_is_not_used(numba: Any, tmp_path: Path, ending: str) -> None:
    python(RUN, NNXP_CACHE_DIR=str(tmp_path))
    for path in tmp_path.rglob("*" + ending):
        path.write_bytes(path.read_bytes()[:20] if ending != ".py" else b"")
    python(RUN, NNXP_CACHE_DIR=str(tmp_path))


def test_numba_may_be_told_not_to_compile(numba: Any) -> None:
    code = """
        import numpy as np
        from nnxp.kernels import formulas, fuse
        print(fuse(formulas.relu, np, fast=True)(np.array([-1.0, 2.0], np.float32)).tolist())
    """
    assert python(code, NUMBA_DISABLE_JIT="1") == "[0.0, 2.0]"


def test_a_shape_that_is_assigned_to_is_seen(numba: Any) -> None:
    """A compiled loop checks no index."""
    add = fuse(formulas.add_row, np, into=("z",), fast=True)
    z, b = np.zeros((4, 6)), np.ones((1, 6))
    add(z, b)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # NumPy would rather have reshape
        z.shape = (3, 8)
    with pytest.raises(ValueError, match="broadcast"):
        add(z, b)


def test_a_folder_that_cannot_be_written_is_no_error(numba: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert python(RUN, NNXP_CACHE_DIR=str(tmp_path / "file" / "below")) == "0"


def test_compile_function_is_for_any_source(numba: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled for the types of its first call, where none are given."""
    monkeypatch.setenv("NNXP_CACHE_DIR", str(tmp_path))
    total = compile_function("def total(x):\n    s = 0.0\n    for v in x:\n        s += v\n    return s\n", "total")
    assert total(np.arange(4.0)) == 6.0
    (kept,) = tmp_path.glob("nnxp_total_*.py")
    assert kept.stem in sys.modules


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNXP_CACHE_DIR", "somewhere")
    assert cache_folder() == Path("somewhere")
    monkeypatch.delenv("NNXP_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    monkeypatch.setenv("LOCALAPPDATA", "local")
    for platform, expected in (("linux", Path("/xdg/nnxp")), ("win32", Path("local/nnxp/cache"))):
        monkeypatch.setattr(sys, "platform", platform)
        assert cache_folder() == expected
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder() == Path.home() / "Library" / "Caches" / "nnxp"
