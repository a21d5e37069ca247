"""Ctrl-C and SIGTERM while a fit runs: the step is finished first."""

import signal
import threading
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from nnxp.doors.calling import Constructed
from nnxp.doors.describing import described

if TYPE_CHECKING:
    from nnxp.callbacks.state import State
    from nnxp.distributed import Communicator

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption(Constructed):
    """A callback by which Ctrl-C and SIGTERM wait for the end of the step, while its `with` block runs.

    The fit is then left by the exception that the signal stands for: KeyboardInterrupt, or for SIGTERM SystemExit with
    the exit code 143. Between the two a `Checkpoint` saves, whatever its turn, and the exception says where. A second
    signal interrupts at once. Of several processes that train together, all leave at the same step, whichever of them
    the signal came to. Afterwards signals do what they did before. In a thread other than the main one, which
    no signal reaches, it does nothing.

    Attributes
    ----------
    exception : BaseException or None
        What has come.

    Examples
    --------
    >>> import nnxp
    >>> X, y = nnxp.data.spiral(seed=0)
    >>> model = nnxp.Sequential([nnxp.Dense(2, 3), "softmax"], loss="categorical_crossentropy", seed=0)
    >>> with nnxp.callbacks.Interruption() as interruption:
    ...     history = model.fit(X, y, epochs=2, callbacks=[interruption])
    """

    events = ("begin", "step", "epoch")
    __repr__ = described

    def __init__(self) -> None:
        self.exception: BaseException | None = None
        self._entered = self._handed_on = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if self._entered:
            raise RuntimeError("got an Interruption in its own with block, expected one block for each")
        self.exception, self._entered, self._handed_on = None, True, False
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, and what a shell starts with &
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._before.clear()
        self._entered = False
        if self.exception is not None and not self._handed_on and not isinstance(value, KeyboardInterrupt | SystemExit):
            raise self.exception from value  # it came after the last step, or while another exception passed

    def __call__(self, state: "State") -> None:
        """Hands on what has come."""
        if not self._entered:
            raise RuntimeError(
                "got an Interruption outside its with block, expected `with Interruption() as interruption:` around "
                "fit(..., callbacks=[interruption])"
            )
        if state.event == "begin":
            if self._handed_on:  # to a fit before, whose exception was caught
                self.exception, self._handed_on = None, False
            return
        if state.model.communicator is not None:
            self._agree(state.model.communicator)
        if self.exception is not None:
            if state.model.course is not None:
                state.model.course.gather()  # what is left has the weights of this step
            state.interrupted, self._handed_on = self.exception, True

    def _agree(self, communicator: "Communicator") -> None:
        """What has come to one process has come to all, at the same step."""
        counts = np.array([isinstance(self.exception, kind) for kind in (KeyboardInterrupt, SystemExit)], np.float64)
        communicator.sum(counts)
        if self.exception is None and counts.any():
            self.exception = KeyboardInterrupt() if counts[0] else SystemExit(128 + signal.SIGTERM)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Itself, for the estimators that scikit-learn clones: signals come to one place."""
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        exception = KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)
        if self.exception is not None:
            raise exception
        self.exception = exception
