"""What can go wrong while a model is trained: cases of the table in docs/faults.md (see tests/files/test_faults.py)."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import nnxp
from nnxp import SGD
from nnxp.callbacks import Checkpoint, Interruption, State
from tests.helpers.faults import ENV, ROOT, python
from tests.helpers.models import classifier, problem, values

X, Y = problem()
LAST = "the checkpoint that was saved last"
Seen = tuple[str, str]


def in_fit(
    fault: Callable[[State], Any], error: type[BaseException], saved: int, before: Callable[[int], Any] | None = None
) -> Callable[[Path], Seen]:
    """A fault in the second of three epochs, of three steps each: `fault` is called after each step, or `before` it,
    with its number, by the data.

    `saved` is the step of the file afterwards: from it, and without the fault, the same end is reached as without any.
    """

    def case(here: Path) -> Seen:
        path = here / "checkpoint.safetensors"

        def run(faulty: bool) -> Any:
            model = classifier("numpy", optimizer=SGD(0.1, momentum=0.9))

            def after(state: State) -> None:
                if faulty:
                    fault(state)

            def batches() -> Iterator[Any]:
                for number in range(3):
                    if faulty and before is not None:
                        before(3 * model.epoch + number)
                    yield X[8 * number : 8 * number + 8], Y[8 * number : 8 * number + 8]

            after.events = ("step",)  # type: ignore[attr-defined]
            with Interruption() as interruption:
                model.fit(batches, epochs=3, callbacks=[after, Checkpoint(path), interruption], resume=path)
            return model

        expected = values(run(faulty=False))
        path.unlink()
        try:
            run(faulty=True)
        except error as found:
            notes = "".join(f"; {note}" for note in getattr(found, "__notes__", ()))
            text = str(found).partition(";")[0] + notes.replace(f"{here}/", "")
        assert nnxp.load(path).step == saved
        np.testing.assert_array_equal(values(run(faulty=False)), expected)
        where = LAST if saved == 3 else "the checkpoint, saved after that step"
        return f"{error.__name__}: {text}".replace(": ;", ":") if text else error.__name__, where

    return case


def spoil(state: State) -> None:
    if state.step == 4:
        state.model.store.values[0] = np.nan


def callback(state: State) -> None:
    if state.step == 5:
        raise RuntimeError("no more")


def data(step: int) -> None:
    if step == 5:
        raise OSError("the tape is torn")


def send(number: int) -> Callable[[State], None]:
    def sent(state: State) -> None:
        if state.step == 5:
            os.kill(os.getpid(), number)

    return sent


def no_memory(here: Path) -> Seen:
    """A real limit on the process, below what binding takes; the model of a file that is there is left alone."""
    from tests.training.test_interruption import NO_MEMORY

    env = os.environ | {"PYTHONPATH": str(ROOT), "MALLOC_MMAP_THRESHOLD_": str(2**16)}
    command = [sys.executable, "-c", NO_MEMORY, "numpy", "binding"]
    done = subprocess.run(command, cwd=here, env=env, capture_output=True, text=True, check=True)
    assert not [*here.iterdir()]
    return f"MemoryError: {done.stdout.partition(' (')[0]}", "nothing is written"


SIGNALLED = """
import os, sys, nnxp.cli, nnxp.callbacks

number, due = int(sys.argv.pop(1)), nnxp.callbacks.Checkpoint._is_due

def sent(self, step):
    if step == 14:
        os.kill(os.getpid(), number)
    return due(self, step)

nnxp.callbacks.Checkpoint._is_due = sent
sys.exit(nnxp.cli.main(sys.argv[1:]))
"""
TRAIN = ("train", "spiral", "--epochs", "6", "--hidden", "8", "--batch-size", "40", "--quiet", "--out", "run")


def in_train(number: int, code: int, saved: int) -> Callable[[Path], Seen]:
    """A signal to `nnxp train` after step 14; `--resume` then reaches the same end."""

    def case(here: Path) -> Seen:
        done = python(here, "-c", SIGNALLED, str(number), *TRAIN, "--checkpoint-every", "4")
        path = here / "run" / "checkpoint.safetensors"
        assert done.returncode == code and nnxp.load(path).step == saved
        assert python(here, "-m", "nnxp", *TRAIN, "--resume").returncode == 0
        assert python(here, "-m", "nnxp", *TRAIN[:-1], "other").returncode == 0
        ends = [nnxp.load(here / name / "model.safetensors") for name in ("run", "other")]
        np.testing.assert_array_equal(values(ends[0]), values(ends[1]))
        where = LAST if number == signal.SIGKILL else "the checkpoint, saved after that step"
        return done.stderr.strip() or "nothing", f"{where}; `--resume` goes on from it"

    return case


def no_room_on_the_way(here: Path) -> Seen:
    """A checkpoint holds more than a model: there is room for the one and not for the other."""
    words = (*TRAIN[:-1], "run", "--hidden", "64")
    assert python(here, "-m", "nnxp", *words[:-3], "other", *words[-2:]).returncode == 0
    largest = (here / "other" / "model.safetensors").stat().st_size + 500
    done = python(here, "-m", "nnxp", *words, "--checkpoint-every", "20", largest=largest)
    warnings = done.stderr.splitlines()
    assert done.returncode == 0 and [line.split()[3] for line in warnings] == ["20", "36"], done.stderr
    ends = [nnxp.load(here / name / "model.safetensors") for name in ("run", "other")]
    np.testing.assert_array_equal(values(ends[0]), values(ends[1]))
    assert not (here / "run" / "checkpoint.safetensors").exists()
    return warnings[0], "the run, once it is complete"


def killed_before_the_first_save(here: Path) -> Seen:
    path = here / "run" / "checkpoint.safetensors"
    assert python(here, "-c", SIGNALLED, "9", *TRAIN, "--checkpoint-every", "4").returncode == -9
    before, new = path.read_bytes(), (*TRAIN, "--seed", "1")
    done = python(here, "-c", SIGNALLED, "9", *new, "--overwrite", "--checkpoint-every", "20")
    assert done.returncode == -9 and path.read_bytes() == before
    refused = python(here, "-m", "nnxp", *new, "--resume")
    assert refused.returncode == 2 and "got seed 1, expected 0" in refused.stderr and path.read_bytes() == before
    return (
        done.stderr or "nothing",
        "the checkpoint of the training before, which `--resume` with other options refuses",
    )


def another_trains(here: Path) -> Seen:
    path = here / "run" / "checkpoint.safetensors"
    words = [sys.executable, "-m", "nnxp", *TRAIN, "--epochs", "1000000", "--checkpoint-every", "10"]
    said = set()
    with subprocess.Popen(words, cwd=here, env=ENV, stderr=subprocess.PIPE, text=True) as process:
        while not path.exists():
            assert process.poll() is None
            time.sleep(0.01)
        for more in ((), ("--overwrite",), ("--resume",)):
            done = python(here, "-m", "nnxp", *TRAIN, *more)
            assert done.returncode == 2 and process.poll() is None
            said.add(done.stderr.strip())
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate()
    assert process.returncode == 143 and f"step {nnxp.load(path).step} is saved" in err
    return " / ".join(said), "what the first one saves"


def a_folder_in_the_way(here: Path) -> Seen:
    (here / "run" / "checkpoint.safetensors").mkdir(parents=True)
    said = {python(here, "-m", "nnxp", *TRAIN, more).stderr.strip() for more in ("--overwrite", "--resume")}
    assert [str(path.relative_to(here)) for path in here.rglob("*")] == ["run", "run/checkpoint.safetensors"]
    return " / ".join(said), "what was there before"


CASES: dict[str, Callable[[Path], Seen]] = {
    "`fit`: a callback raises": in_fit(callback, RuntimeError, 3),
    "`fit`: the iterable of batches raises": in_fit(lambda state: None, OSError, 3, data),
    "`fit`: the loss is not finite": in_fit(spoil, nnxp.NonFiniteLossError, 3),
    "`fit`: Ctrl-C, with `Interruption`": in_fit(send(signal.SIGINT), KeyboardInterrupt, 5),
    "`fit`: SIGTERM, with `Interruption`": in_fit(send(signal.SIGTERM), SystemExit, 5),
    "`fit`: no memory for the model": no_memory,
    "`nnxp train --checkpoint-every`: Ctrl-C": in_train(signal.SIGINT, 130, 15),
    "`nnxp train --checkpoint-every`: SIGTERM": in_train(signal.SIGTERM, 143, 15),
    "`nnxp train --checkpoint-every`: `kill -9`": in_train(signal.SIGKILL, -9, 12),
    "`nnxp train --checkpoint-every`: the disk is full on the way, and not at the end": no_room_on_the_way,
    "`nnxp train --overwrite --checkpoint-every`: `kill -9` before the first save": killed_before_the_first_save,
    "`nnxp train`: another process trains in the folder": another_trains,
    "`nnxp train`: a folder in the place of a file": a_folder_in_the_way,
}
