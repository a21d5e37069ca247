"""`python -m tests.helpers.webassembly FOLDER`: a training in a process that lacks what Python lacks in WebAssembly.

What that is, Pyodide 314.0.7 (Python 3.14 under Node.js) was asked: threads cannot be started, nor processes; there is
one core; the modules resource, pwd, grp and _multiprocessing and os.link and os.sched_getaffinity are not there; mmap,
signal, ctypes and locks of files work, of which fcntl is hidden all the same. Its list of packages has no numba, and a
NumPy that names no BLAS. (What else is not there, https://pyodide.org/en/stable/usage/wasm-constraints.html says, nnxp
never imports.)
"""

import _thread
import contextlib
import io
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

HIDDEN = ("numba", "llvmlite", "resource", "fcntl", "pwd", "grp", "_multiprocessing", "torch", "cupy", "matplotlib")


class But:
    """A finder that finds all but what is hidden."""

    def __init__(self, finder: Any) -> None:
        self.finder = finder

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        return None if name.partition(".")[0] in HIDDEN else self.finder.find_spec(name, path, target)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.finder, name)


def pretend() -> None:
    """Takes it all away, before anything of nnxp is imported."""
    sys.meta_path[:] = map(But, sys.meta_path)
    for name in [name for name in sys.modules if name.partition(".")[0] in HIDDEN]:
        del sys.modules[name]

    def no_thread(*_: Any, **__: Any) -> None:
        raise RuntimeError("can't start new thread")

    def no_process(*_: Any, **__: Any) -> None:
        raise OSError(138, "emscripten does not support processes.")

    for module in (_thread, threading):
        for name in [
            name for name in vars(module) if name.lstrip("_") in ("start_new_thread", "start_joinable_thread")
        ]:
            setattr(module, name, no_thread)
    import _posixsubprocess

    import threadpoolctl

    _posixsubprocess.fork_exec = os.fork = no_process
    for name in ("link", "sched_getaffinity"):
        vars(os).pop(name, None)
    os.cpu_count = lambda: 1

    threadpoolctl.ThreadpoolController._load_libraries = lambda self: None


def fit(folder: Path) -> list[list[float]]:
    """A training with all that may happen beside it, and what the model predicts once it was saved and loaded."""
    import nnxp

    os.chdir(folder)
    X, y = nnxp.data.moons(60, seed=0)
    layers = [nnxp.Dense(2, 8), "relu", nnxp.Dropout(0.1), nnxp.Dense(8, 2), "softmax"]
    backend = nnxp.get_backend("numpy", fast=False)
    model = nnxp.Sequential(layers, "categorical_crossentropy", nnxp.Adam(0.01), backend=backend, seed=0)
    playground = nnxp.Playground(X, y)
    with nnxp.callbacks.Interruption() as interruption:
        watching = [
            nnxp.callbacks.EarlyStopping(patience=9),
            nnxp.callbacks.CSVLog("log.csv"),
            playground,
            interruption,
        ]
        watching.append(nnxp.callbacks.Checkpoint("checkpoint.safetensors"))
        model.fit(X, y, 5, validation_split=0.2, callbacks=watching, progress=True)
    model.save("model.safetensors")
    playground.save("playground.html")
    return nnxp.load("model.safetensors", backend=backend).predict(X).tolist()  # type: ignore[no-any-return]


def others() -> dict[str, Any]:
    """Tables, and the command line: what it ends with and says on standard error."""
    import nnxp
    from nnxp.cli import main

    table = "a,b,k\n" + "".join(f"{i},{i % 7},{'yes' if i % 2 else 'no'}\n" for i in range(60))
    Path("table.csv").write_text(table)
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        codes = [main(words.split()) for words in (
            "train spiral --epochs 1 --out run --checkpoint-every 9",
            "evaluate run/model.safetensors spiral",
            "train table.csv --target k --epochs 1 --out table",
            "predict table/model.safetensors table.csv --out predictions.csv",
            "doctor --backend numpy",
        )]  # fmt: skip
    return {
        "read": {name: len(nnxp.tabular.read("table.csv", reader=name)) for name in ("core", "polars", "pyarrow")},
        "codes": codes,
        "said": said.getvalue(),
        "hidden": sorted(name for name in sys.modules if name.partition(".")[0] in HIDDEN),
    }


if __name__ == "__main__":
    pretend()
    print(json.dumps({"predicted": fit(Path(sys.argv[1]))} | others()))
