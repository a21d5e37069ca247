"""TF32: asked for, refused where there is none, set while the device is entered, put back by the last."""

import pickle
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp.backends import get_backend, precision
from nnxp.backends.precision import Entered, Setting
from tests.helpers import needs
from tests.helpers.models import classifier, problem

ROOT = Path(__file__).resolve().parents[2]


def now() -> str:
    """CuPy's compute type of float32, in our word."""
    from cupy._core import _routines_linalg as linalg

    return "tf32" if linalg.get_compute_type("float32") == linalg.COMPUTE_TYPE_TF32 else "float32"


class Library:
    """A library whose setting is an attribute, with all that was written to it."""

    def __init__(self, found: str = "as found") -> None:
        self.now, self.written = found, list[str]()
        self.setting = Setting(lambda: self.now, str, self.write, self.write)

    def write(self, value: str) -> None:
        self.now = value
        self.written.append(value)


def test_the_first_sets_and_the_last_puts_back() -> None:
    library = Library()
    for _ in range(3):
        library.setting.enter("tf32")
    assert library.written == ["tf32"]
    library.setting.leave()
    library.setting.leave()
    assert library.now == "tf32"
    library.setting.leave()
    assert library.written == ["tf32", "as found"]


def test_a_thread_may_enter_another_within_its_own() -> None:
    library = Library()
    library.setting.enter("tf32")
    library.setting.enter("float32")
    assert library.now == "float32"
    library.setting.leave()
    assert library.now == "tf32"
    library.setting.leave()
    assert library.written == ["tf32", "float32", "tf32", "as found"]


def test_two_threads_share_one_precision_and_are_refused_two() -> None:
    library, inside, done = Library(), threading.Event(), threading.Event()

    def other() -> None:
        library.setting.enter("tf32")
        inside.set()
        done.wait(30)
        library.setting.leave()

    thread = threading.Thread(target=other)
    thread.start()
    assert inside.wait(30)
    library.setting.enter("tf32")
    library.setting.leave()
    assert library.now == "tf32"  # the other is not through
    with pytest.raises(RuntimeError, match='got precision="float32" while another thread computes in "tf32"'):
        library.setting.enter("float32")
    done.set()
    thread.join()
    assert library.written == ["tf32", "as found"]
    library.setting.enter("float32")
    library.setting.leave()


def test_a_device_that_is_refused_its_precision_is_left() -> None:
    calls: list[str] = []

    class Device:
        def __enter__(self) -> None:
            calls.append("in")

        def __exit__(self, *_: Any) -> None:
            calls.append("out")

    def refuse(_: str) -> None:
        raise RuntimeError("no")

    entered = Entered(Device(), SimpleNamespace(enter=refuse, leave=None), "tf32")  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="no"), entered:
        pass
    assert calls == ["in", "out"]


@pytest.mark.parametrize("spec", ["numpy", "array_api_strict", pytest.param("torch", marks=needs.torch)])
def test_libraries_without_it_refuse_it(spec: str) -> None:
    with pytest.raises(nnxp.BackendUnavailableError, match=f'got precision="tf32" for {spec}.*NVIDIA GPUs'):
        get_backend(spec, precision="tf32")
    assert get_backend(spec, precision="float32") == get_backend(spec)


def test_other_words_are_refused() -> None:
    with pytest.raises(ValueError, match=r"got precision='TF32', expected \"float32\" or \"tf32\""):
        get_backend("numpy", precision="TF32")


@pytest.mark.parametrize(("capability", "text"), [("75", r"7\.5"), ("70", r"7\.0")])
def test_a_gpu_before_ampere_refuses_it(capability: str, text: str) -> None:
    with pytest.raises(nnxp.BackendUnavailableError, match=f"compute capability {text}, which has no TF32"):
        precision.check("cupy", SimpleNamespace(compute_capability=capability), "tf32")
    for newer in ("80", "90", "120"):
        precision.check("cupy", SimpleNamespace(compute_capability=newer), "tf32")


@pytest.mark.long
@needs.torch
@pytest.mark.parametrize(
    "before",
    [
        "",
        "matmul.allow_tf32 = True",
        "matmul.allow_tf32 = False",
        "matmul.fp32_precision = 'tf32'",
        "matmul.fp32_precision = 'ieee'",
        "torch.backends.fp32_precision = 'tf32'",
        "torch.set_float32_matmul_precision('high')",
        "torch.set_float32_matmul_precision('medium')",
    ],
)
def test_all_of_pytorchs_names_are_put_back(before: str) -> None:
    """In a process of its own: some of these cannot be undone. No GPU is needed to see them."""
    code = f"""
import torch
from nnxp.backends import precision
matmul = torch.backends.cuda.matmul
def told(read):
    try:
        return read()
    except RuntimeError:
        return "cannot be read"
def seen():
    return [told(read) for read in (lambda: matmul.fp32_precision, lambda: matmul.allow_tf32,
        torch.get_float32_matmul_precision, lambda: torch.backends.mkldnn.matmul.fp32_precision)]
{before}
found, setting = seen(), precision.setting_of("torch")
word = setting.found()
for wanted in ("tf32", "float32"):
    setting.enter(wanted)
    assert matmul.fp32_precision == {{"tf32": "tf32", "float32": "ieee"}}[wanted] and setting.found() == word
    setting.leave()
    assert seen() == found, (found, seen())
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@needs.cupy_on_host
def test_a_fit_runs_in_its_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """CuPy's setting inside, and as it was outside; host memory has no TF32, so the numbers are those of float32."""
    from nnxp.kernels.cuda import products

    X, y = problem()
    found = now()
    assert found == "float32" and get_backend("cupy").precision == "float32"
    seen: list[str] = []
    real = products.is_of
    monkeypatch.setattr(products, "is_of", lambda *given: (seen.append(now()), real(*given))[1])
    backend = get_backend("cupy", precision="tf32")
    assert backend.precision == "tf32" and backend != get_backend("cupy") and "TF32" in repr(backend)
    rounded, plain = classifier(backend), classifier("cupy")
    history = rounded.fit(X, y, epochs=2, batch_size=8)
    assert {*seen} == {"tf32"} and now() == found
    assert history["loss"] == plain.fit(X, y, epochs=2, batch_size=8)["loss"]
    rounded.predict(X)
    assert {*seen} == {"tf32", "float32"} and now() == found
    assert rounded.training.plan.lines()[0] == "float32 products rounded to TF32"


@needs.cupy_on_host
def test_it_is_in_pickles_and_files(tmp_path: Any) -> None:
    from nnxp.files import modelfile

    backend = get_backend("cupy", precision="tf32")
    assert pickle.loads(pickle.dumps(backend)) == backend
    rounded, plain = classifier(backend), classifier("cupy")
    assert modelfile.state_of(rounded)["precision"] == "tf32" and "precision" not in modelfile.state_of(plain)
    rounded.save(tmp_path / "m.safetensors")
    X, _ = problem()
    np.testing.assert_allclose(nnxp.load(tmp_path / "m.safetensors").predict(X), plain.predict(X), atol=1e-6)
    with pytest.raises(ValueError, match='got precision="tf32" with dtype="float64"'):
        get_backend("cupy", "float64", precision="tf32")


@needs.cupy_on_host
def test_given_it_wins_over_the_librarys_own() -> None:
    from cupy._core import _routines_linalg as linalg

    linalg.set_compute_type(np.float32, linalg.COMPUTE_TYPE_TF32)  # as CUPY_TF32=1 has it
    try:
        assert get_backend("cupy").precision == "tf32"
        with get_backend("cupy", precision="float32").context():
            assert now() == "float32"
        assert now() == "tf32"
    finally:
        linalg.set_compute_type(np.float32, linalg.COMPUTE_TYPE_DEFAULT)


def test_the_command_line_refuses_it_in_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Any) -> None:
    from nnxp.cli import main

    out = str(tmp_path / "run")
    assert main(["train", "spiral", "--precision", "tf32", "--out", out]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and 'got precision="tf32" for numpy' in said[0]


def test_who_would_go_back_to_another_is_in_the_way_too() -> None:
    """A thread within float32 inside tf32 will write tf32 when it leaves: nobody may compute in float32 till then."""
    library, inside, done = Library(), threading.Event(), threading.Event()

    def other() -> None:
        library.setting.enter("tf32")
        library.setting.enter("float32")
        inside.set()
        done.wait(30)
        library.setting.leave()
        library.setting.leave()

    thread = threading.Thread(target=other)
    thread.start()
    assert inside.wait(30)
    with pytest.raises(RuntimeError, match='"float32" while another thread computes in "tf32"'):
        library.setting.enter("float32")
    done.set()
    thread.join()
    assert library.now == "as found"


def test_what_is_found_is_not_what_was_entered() -> None:
    library = Library()
    library.setting.enter("tf32")
    assert library.setting.found() == "as found" and library.now == "tf32"
    library.setting.leave()


@needs.cupy_on_host
def test_labels_from_the_host_go_on_moving_in() -> None:
    """X on the device and y on the host, after a step that went through the door at once."""
    import cupy

    X, y = problem()
    model, there = classifier("cupy"), cupy.asarray(X)
    losses = [float(model.train_step(there, labels)) for labels in (y, cupy.asarray(y), y)]
    twin = classifier("cupy")
    assert losses == [float(twin.train_step(X, y)) for _ in range(3)]
