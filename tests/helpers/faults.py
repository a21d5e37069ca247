"""What can go wrong while a model is saved, brought about in a process of its own.

`python -m tests.helpers.faults NAME` runs in a folder where `model.safetensors` may be, saves another model there, and
prints what a user would see, one line. `at_every_step` does so once for each write, flush and rename of a save, each
time in a process of its own.
"""

import contextlib
import errno
import io
import os
import pathlib
import resource
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import nnxp

MODEL = Path("model.safetensors")
ROOT = Path(__file__).resolve().parents[2]
ENV = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}  # it writes files too
ENV |= {"PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
NOBODY = 65534
Act = Callable[[str, int, Callable[[], Any]], None]
"""What happens before a step of a save: (its kind, its number, a function that does half of it)."""


def model(seed: int) -> nnxp.Sequential:
    """A trained model of some 100 kB, larger than any buffer on the way."""
    layers = [nnxp.Dense(32, 128), "relu", nnxp.Dense(128, 32), "relu", nnxp.Dense(32, 2), "softmax"]
    made = nnxp.Sequential(layers, "categorical_crossentropy", "adam", seed=seed)
    made.fit(np.ones((2, 32), np.float32), [0, 1])
    return made


def seen(act: Callable[[], Any]) -> str:
    """What a user sees of it: the error's class, and what it says."""
    try:
        act()
    except BaseException as error:
        text = getattr(error, "strerror", None) or str(error)
        return f"{type(error).__name__}: {text}" if text else type(error).__name__
    return "nothing"


@contextlib.contextmanager
def watched(act: Act) -> Iterator[None]:
    """Has `act` called before each write to a new file, each flush to the disk, and each rename."""
    steps = iter(range(10**6))

    class Raw(io.FileIO):
        def write(self, data: Any) -> int:
            act("write", next(steps), lambda: io.FileIO.write(self, bytes(data)[: len(data) // 2]))
            return super().write(data)

    def opened(path: Path, mode: str = "r", *rest: Any, **options: Any) -> Any:
        return io.BufferedWriter(Raw(path, mode)) if mode == "xb" else real_open(path, mode, *rest, **options)

    def stepped(kind: str, real: Callable[..., None]) -> Callable[..., None]:
        def step(*arguments: Any) -> None:
            act(kind, next(steps), lambda: None)
            real(*arguments)

        return step

    real_open, fsync, replace = pathlib.Path.open, os.fsync, os.replace
    pathlib.Path.open = opened  # type: ignore[method-assign, assignment]
    os.fsync, os.replace = stepped("flush", fsync), stepped("rename", replace)  # type: ignore[assignment]
    try:
        yield
    finally:
        pathlib.Path.open = real_open  # type: ignore[method-assign]
        os.fsync, os.replace = fsync, replace


def fails(kind: str, which: int, code: int) -> Callable[[nnxp.Sequential], str]:
    """The step of a kind, counted from 0, answers with an error: where nothing real can be made to."""

    def run(new: nnxp.Sequential) -> str:
        kinds: list[str] = []

        def act(this: str, number: int, half: Callable[[], Any]) -> None:
            kinds.append(this)
            if this == kind and kinds.count(kind) == which + 1:
                raise OSError(code, os.strerror(code))

        with watched(act):
            return seen(lambda: new.save(MODEL))

    return run


def full(new: nnxp.Sequential) -> str:
    """No file may become longer than so many bytes: a real limit of the system's, at each of 200 sizes."""
    new.save("whole")
    size = os.path.getsize("whole")
    os.unlink("whole")
    found = set()
    for limit in {*range(0, size, max(1, size // 200)), size - 1}:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        found.add(seen(lambda: new.save(MODEL)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return " / ".join(sorted(found))


def read_only(new: nnxp.Sequential) -> str:
    """A folder in which this user may not write. The superuser may everywhere, and becomes nobody."""
    os.chmod(".", 0o555)
    if os.geteuid() == 0:
        os.seteuid(NOBODY)
    try:
        return seen(lambda: new.save(MODEL))
    finally:
        os.seteuid(os.getuid())
        os.chmod(".", 0o755)


def not_ours(new: nnxp.Sequential) -> str:
    """A folder in which everybody may write, and nobody replace what belongs to others, such as /tmp."""
    os.chmod(".", 0o1777)
    os.seteuid(NOBODY)
    try:
        return seen(lambda: new.save(MODEL))
    finally:
        os.seteuid(os.getuid())


def interrupted(new: nnxp.Sequential) -> str:
    """Ctrl-C at each step."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    found, before = set(), MODEL.read_bytes()
    for wanted in range(steps_of(new)):
        MODEL.write_bytes(before)

        def act(kind: str, number: int, half: Callable[[], Any], wanted: int = wanted) -> None:
            if number == wanted:
                half()
                signal.raise_signal(signal.SIGINT)

        with watched(act):
            found.add(seen(lambda: new.save(MODEL)))
        after = MODEL.read_bytes()
        renamed = wanted == steps_of(new) - 1  # at the flush of the folder
        assert (after == before) != renamed, f"step {wanted}"
        assert os.listdir() == [MODEL.name], f"step {wanted}: {os.listdir()}"
    MODEL.write_bytes(before)
    return " / ".join(sorted(found))


def killed(new: nnxp.Sequential) -> str:
    """kill -9 at each step, half of a write done; then a save that nobody disturbs."""
    before = MODEL.read_bytes()
    new.save("whole")
    whole = Path("whole").read_bytes()
    os.unlink("whole")
    for wanted in range(steps_of(new)):
        MODEL.write_bytes(before)

        def act(kind: str, number: int, half: Callable[[], Any], wanted: int = wanted) -> None:
            if number == wanted:
                half()
                os.kill(os.getpid(), signal.SIGKILL)

        def save(act: Act = act) -> None:
            with watched(act):
                new.save(MODEL)

        assert in_a_child(save) == -signal.SIGKILL, f"step {wanted}"
        renamed = wanted == steps_of(new) - 1
        assert MODEL.read_bytes() == (whole if renamed else before), f"step {wanted}"
        nnxp.load(MODEL)
        left = sorted(set(os.listdir()) - {MODEL.name})
        assert len(left) == (not renamed) and all(name.endswith(".tmp") for name in left), f"step {wanted}: {left}"
        new.save(MODEL)
        assert os.listdir() == [MODEL.name] and MODEL.read_bytes() == whole, f"step {wanted}: {os.listdir()}"
    MODEL.write_bytes(before)
    return "nothing"


def at_once(new: nnxp.Sequential) -> str:
    """Two processes, 100 saves each to one path, and a third that reads: every file it sees is whole."""
    models = [new, model(3)]

    def saves(one: nnxp.Sequential) -> Callable[[], None]:
        return lambda: [one.save(MODEL) for _ in range(100)] and None

    children = [start(saves(one)) for one in models]
    while any(os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None for child in children):
        nnxp.load(MODEL)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0]
    return "nothing"


def python(here: Path, *words: str, largest: int | None = None) -> subprocess.CompletedProcess[str]:
    """A Python in a folder; `largest`: no file may become longer, a limit that the system enforces."""

    def limit() -> None:
        if largest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

    return subprocess.run(
        [sys.executable, *words],
        cwd=here,
        env=ENV,
        preexec_fn=limit,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def steps_of(new: nnxp.Sequential) -> int:
    """How many steps a save has."""
    kinds: list[str] = []
    with watched(lambda kind, number, half: kinds.append(kind)):
        new.save("counted")
    os.unlink("counted")
    assert kinds.count("write") > 3 and kinds[-3:] == ["flush", "rename", "flush"], kinds
    return len(kinds)


def start(act: Callable[[], None]) -> int:
    """A child that does this; its number."""
    child = os.fork()
    if child == 0:
        try:
            act()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    return child


def in_a_child(act: Callable[[], None]) -> int:
    """A child's exit code, below 0 that of the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(start(act), 0)[1])


FAULTS: dict[str, Callable[[nnxp.Sequential], str]] = {
    "full": full,
    "flush": fails("flush", 0, errno.EIO),
    "rename": fails("rename", 0, errno.EIO),
    "folder": fails("flush", 1, errno.EIO),
    "read_only": read_only,
    "not_ours": not_ours,
    "interrupted": interrupted,
    "killed": killed,
    "at_once": at_once,
}


if __name__ == "__main__":
    made = model(2)
    made.save("warm")  # everything is imported: nobody may not be allowed to
    os.unlink("warm")
    print(FAULTS[sys.argv[1]](made))
