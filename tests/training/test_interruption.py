"""What is left of a training that a signal, an exception or the end of memory cuts short."""

import copy
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import SGD, Dense, Optimizer
from nnxp.callbacks import Checkpoint, Interruption, State
from tests.helpers import needs
from tests.helpers.matrix import Target
from tests.helpers.models import classifier, problem, values
from tests.training.test_resuming import Snapshots, everything, outcome

ROOT = Path(__file__).resolve().parents[2]
X, Y = problem()
SIGNALS = [(signal.SIGINT, KeyboardInterrupt, 130), (signal.SIGTERM, SystemExit, 143)]


def send_at(step: int, number: int, times: int = 1, event: str = "step") -> Any:
    """A callback that sends signals to this process."""

    def send(state: State) -> None:
        if state.step == step:
            for _ in range(times):
                os.kill(os.getpid(), number)

    send.events = (event,)  # type: ignore[attr-defined]
    return send


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """What a test leaves of the process's handlers is what was there before."""
    before = [signal.getsignal(number) for number, *_ in SIGNALS]
    yield
    assert [signal.getsignal(number) for number, *_ in SIGNALS] == before


@pytest.mark.parametrize(("number", "exception", "code"), SIGNALS)
def test_a_signal_waits_for_the_step_and_the_file(
    number: int, exception: type[BaseException], code: int, tmp_path: Path
) -> None:
    """A checkpoint that is not due for long is saved; what is resumed from it ends as if nothing had been."""
    path, runs = tmp_path / "m.safetensors", []
    for step in (0, 7):
        model, data, keywords = everything("numpy")
        own = keywords.pop("callbacks")
        callbacks = [Checkpoint(path, every_minutes=1000), *own, send_at(step, number)]
        runs.append((model, data, keywords, own, callbacks))
    model, data, keywords, own, callbacks = runs[0]
    model.fit(*data, callbacks=callbacks, **keywords)
    expected = outcome(model, own)
    path.unlink()
    model, data, keywords, own, callbacks = runs[1]
    with pytest.raises(exception) as stop, Interruption() as interruption:
        model.fit(*data, callbacks=[*callbacks, interruption], **keywords)
    assert (model.step, model.epoch, len(model.history["loss"])) == (7, 1, 1)
    assert stop.value.__notes__ == [f"step 7 is saved, to resume from {path}"]
    assert not isinstance(stop.value, SystemExit) or stop.value.code == code
    model, data, keywords, own, callbacks = runs[0]
    model, own = everything("numpy")[0], everything("numpy")[2]["callbacks"]
    model.fit(*data, callbacks=[Checkpoint(path), *own], resume=path, **keywords)
    assert outcome(model, own) == expected


def test_without_a_checkpoint_the_model_is_between_two_steps() -> None:
    model, other = classifier("numpy"), classifier("numpy")
    with pytest.raises(KeyboardInterrupt), Interruption() as interruption:
        model.fit(X, Y, epochs=3, batch_size=8, callbacks=[send_at(4, signal.SIGINT), interruption])
    other.fit(X, Y, epochs=3, batch_size=8, callbacks=[stop_at(4)])
    np.testing.assert_array_equal(values(model), values(other))
    assert (model.step, model.epoch, len(model.history["loss"])) == (4, 1, 1)


def stop_at(step: int) -> Any:
    def stop(state: State) -> None:
        state.stop = state.step == step

    stop.events = ("step",)  # type: ignore[attr-defined]
    return stop


def test_a_second_signal_interrupts_at_once(tmp_path: Path) -> None:
    model, path = classifier("numpy"), tmp_path / "m.safetensors"
    with pytest.raises(KeyboardInterrupt), Interruption() as interruption:
        model.fit(X, Y, callbacks=[send_at(1, signal.SIGINT, times=2), Checkpoint(path), interruption], batch_size=8)
    assert not path.exists() and model.step == 1


def test_it_needs_its_with_block_and_has_one_only() -> None:
    interruption = Interruption()
    with pytest.raises(RuntimeError, match="outside its with block, expected `with Interruption"):
        classifier("numpy").fit(X, Y, callbacks=[interruption])
    before = signal.getsignal(signal.SIGINT)
    with interruption:
        with pytest.raises(RuntimeError, match="one block for each"), interruption:
            pass
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_what_was_caught_does_not_come_again(tmp_path: Path) -> None:
    with Interruption() as interruption:
        with pytest.raises(KeyboardInterrupt):
            classifier("numpy").fit(X, Y, callbacks=[send_at(1, signal.SIGINT), interruption], batch_size=8)
        model = classifier("numpy")
        model.fit(X, Y, epochs=2, callbacks=[interruption])
        assert model.epoch == 2
        with pytest.raises(KeyboardInterrupt):  # and another one is as the first
            model.fit(X, Y, callbacks=[send_at(4, signal.SIGINT), interruption], batch_size=8)


def test_a_signal_is_not_lost_where_a_callback_raises() -> None:
    def fail(state: State) -> None:
        raise ValueError("mine")

    fail.events = ("step",)  # type: ignore[attr-defined]
    with pytest.raises(SystemExit) as stop, Interruption() as interruption:
        classifier("numpy").fit(X, Y, callbacks=[send_at(1, signal.SIGTERM), fail, interruption])
    assert stop.value.code == 143 and isinstance(stop.value.__cause__, ValueError)


def test_another_callbacks_interruption_stays() -> None:
    def leave(state: State) -> None:
        state.interrupted = RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"), Interruption() as interruption:
        classifier("numpy").fit(X, Y, callbacks=[leave, interruption])


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            model = classifier("numpy")
            model.fit(X, Y, epochs=2, callbacks=[send_at(1, signal.SIGINT), interruption])
        assert model.epoch == 2 and signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_copy_is_itself() -> None:
    """scikit-learn copies an estimator's parameters."""
    interruption = Interruption()
    assert copy.deepcopy([interruption])[0] is interruption


@pytest.mark.parametrize(("number", "exception", "code"), SIGNALS)
def test_a_signal_after_the_last_step_is_not_lost(number: int, exception: type[BaseException], code: int) -> None:
    model = classifier("numpy")
    with pytest.raises(exception), Interruption() as interruption:
        model.fit(X, Y, callbacks=[send_at(1, number, event="end"), interruption])
    assert model.epoch == 1


def test_a_signal_during_the_validation_waits_for_the_epoch(tmp_path: Path) -> None:
    path, model = tmp_path / "m.safetensors", classifier("numpy")

    def held_out() -> Iterator[Any]:
        if model.epoch == 1:
            os.kill(os.getpid(), signal.SIGINT)
        yield X, Y

    with pytest.raises(KeyboardInterrupt), Interruption() as interruption:
        model.fit(X, Y, epochs=5, validation_data=held_out, callbacks=[Checkpoint(path, 1000), interruption])
    assert model.epoch == len(model.history["val_loss"]) == nnxp.load(path).epoch == 2
    assert math.isfinite(model.history["val_loss"][-1])


def test_in_another_thread_it_does_nothing() -> None:
    found = []

    def train() -> None:
        before = signal.getsignal(signal.SIGINT)
        with Interruption() as interruption:
            found.append(signal.getsignal(signal.SIGINT) == before)
            classifier("numpy").fit(X, Y, callbacks=[interruption])

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert found == [True]


# --- a plain fit, interrupted anywhere --------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="Windows has no timer that sends a signal")
def test_ctrl_c_at_random_moments_leaves_a_defined_model() -> None:
    env = os.environ | {"PYTHONPATH": str(ROOT), "NNXP_FAST": "0"}
    command = [sys.executable, "-m", "tests.campaigns.interrupts", "30"]
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("30 interrupts")


class Breaks(SGD):
    """Raises in the middle of a step's update."""

    def __init__(self, step: int, error: BaseException) -> None:
        super().__init__(0.1, momentum=0.9)
        self.at, self.error = step, error

    def step(self, backend: Any, w: Any, g: Any, slots: Any, factors: Any) -> None:
        if self.iterations == self.at:
            w[: w.shape[0] // 2] = 7.0
            raise self.error
        super().step(backend, w, g, slots, factors)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError("no more"), RuntimeError("a device failed")])
def test_an_update_that_is_cut_short_goes_back_to_the_epoch_s_begin(error: BaseException, backend: Target) -> None:
    begins = []
    model = classifier(backend.spec, optimizer=Breaks(5, error))
    model.fit(X, Y, batch_size=8)
    begins.append(values(model))
    with pytest.raises(type(error)) as stop:
        model.fit(X, Y, epochs=2, batch_size=8)
    assert "the weights are back at those that the epoch began with" in stop.value.__notes__[0]
    np.testing.assert_array_equal(values(model), begins[0])
    assert (model.step, model.epoch, len(model.history["loss"]), model.optimizer.iterations) == (5, 1, 1, 0)
    assert isinstance(model.optimizer, Optimizer) and model.optimizer.saved_state(model.store) == {}
    model.optimizer = SGD(0.1)
    model.fit(X, Y)
    assert model.epoch == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, OSError])
def test_data_that_raise_leave_the_last_step(error: type[BaseException], backend: Target, tmp_path: Path) -> None:
    """And the file is there that was saved last."""
    path = tmp_path / "m.safetensors"

    def batches(most: int) -> Iterator[Any]:
        for number in range(4):
            if number == most:
                raise error("the disk is gone")
            yield X[6 * number : 6 * number + 6], Y[6 * number : 6 * number + 6]

    model, other = classifier(backend.spec), classifier(backend.spec)
    with pytest.raises(error, match="the disk is gone"):
        model.fit(lambda: batches(2 if model.epoch == 1 else 9), epochs=3, callbacks=[Checkpoint(path)])
    other.fit(lambda: batches(9), epochs=3, callbacks=[stop_at(6)])
    np.testing.assert_array_equal(values(model), values(other))
    assert (model.epoch, model.step, len(model.history["loss"])) == (1, 6, 1)
    assert nnxp.load(path).step == 4
    again = classifier(backend.spec)
    again.fit(lambda: batches(9), epochs=3, callbacks=[Checkpoint(path)], resume=path)
    other = classifier(backend.spec)
    other.fit(lambda: batches(9), epochs=3)
    assert outcome(again) == outcome(other)


# --- memory -----------------------------------------------------------------------------------------------

NO_MEMORY = """
import resource, sys
import numpy as np, nnxp
from pathlib import Path

backend, when = sys.argv[1:]
width = 1000
X, y = np.zeros((4, width), np.float32), [0, 1, 0, 1]
if backend == "torch":
    import torch
    X = torch.from_numpy(X)
small = nnxp.Sequential([nnxp.Dense(width, 2), "relu", nnxp.Dense(2, 2), "softmax"], "categorical_crossentropy", seed=0)
small.fit(X, y)  # compiles, and allocates what every model needs
model = nnxp.Sequential(
    [nnxp.Dense(width, width), "relu", nnxp.Dense(width, 2), "softmax"], "categorical_crossentropy", seed=0)
if when == "training":
    model.predict(X)
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**20, resource.RLIM_INFINITY))
try:
    model.fit(X, y)
except MemoryError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(model.epoch, model.step, model.history)
model.fit(X, y)
print(model.epoch, np.isfinite(model.history["loss"][0]))
"""


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="limits a process's memory, and reads /proc, as Linux has them")
@pytest.mark.parametrize("when", ["binding", "training"])
@pytest.mark.parametrize("library", ["numpy", pytest.param("torch", marks=needs.torch)])
def test_no_memory_says_what_the_model_takes_and_leaves_it_whole(library: str, when: str) -> None:
    """A real limit on the process. It trains once there is memory."""
    # what is freed goes back to the system at once, so that the limit is felt
    env = os.environ | {"PYTHONPATH": str(ROOT), "MALLOC_MMAP_THRESHOLD_": str(2**16)}
    command = [sys.executable, "-c", NO_MEMORY, library, when]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    error, nothing, after = done.stdout.splitlines()
    parameters = 1000 * 1000 + 1000 + 1000 * 2 + 2
    assert f"no memory for this model on {library}: its {parameters:,} parameters of float32 take 4.01 MB" in error
    assert "a training 20.1 MB" in error  # the store, gradients, two slots and a copy: 5 · 4.012
    assert "Adam's momentum 4.01 MB, Adam's cache 4.01 MB" in error
    assert (nothing, after) == ("0 0 {}", "1 True")


def test_a_model_whose_memory_ends_while_layers_move_in_is_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first layer: it is not left in a store that the model does not have."""
    model = classifier()
    bind, calls = Dense.bind, []

    def fail(self: Dense, *args: Any) -> Any:
        calls.append(self)
        if len(calls) == 2:
            raise MemoryError
        return bind(self, *args)

    monkeypatch.setattr(Dense, "bind", fail)
    with pytest.raises(MemoryError, match="no memory for this model on numpy: its 75 parameters of float32 take 300"):
        model.fit(X, Y)
    assert model._store is None and all(layer._store is None for layer in model.layers)
    model.fit(X, Y)
    other = classifier()
    other.fit(X, Y)
    np.testing.assert_array_equal(values(model), values(other))


def test_what_callbacks_see_is_a_state_to_resume_from(tmp_path: Path) -> None:
    """One that raises at its event: the file saved before it is whole, and the fit is resumed to the same end."""
    for event in ("step", "epoch"):
        snapshots = Snapshots(tmp_path)
        model, data, keywords = everything("numpy")
        own = keywords.pop("callbacks")

        def fail(state: State) -> None:
            if state.step >= 6:
                raise RuntimeError("no more")

        fail.events = (event,)  # type: ignore[attr-defined]
        with pytest.raises(RuntimeError, match="no more"):
            model.fit(*data, callbacks=[*own, snapshots, fail], **keywords)
        ends = []
        for resume in (None, snapshots.paths[-1]):
            model, data, keywords = everything("numpy")
            own = keywords.pop("callbacks")
            model.fit(*data, callbacks=own, resume=resume, **keywords)
            ends.append(outcome(model, own))
        assert ends[0] == ends[1]
