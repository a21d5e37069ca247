"""Ctrl-C and SIGTERM while a fit runs: the step is finished first."""

import signal
import threading
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from nnxp.callbacks.state import State

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """A callback by which Ctrl-C and SIGTERM wait for the end of the step, while its `with` block runs.

    The fit is then left by the exception that the signal stands for: KeyboardInterrupt, or for SIGTERM SystemExit with
    the exit code 143. Between the two a `Checkpoint` saves, whatever its turn, and the exception says where. A second
    signal interrupts at once. Afterwards signals do what they did before. In a thread other than the main one, which
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

    events = ("step", "epoch")

    def __init__(self) -> None:
        self.exception: BaseException | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self.exception = None
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._before.clear()
        if self.exception is not None and value is None:  # it came after the last step
            raise self.exception

    def __call__(self, state: "State") -> None:
        """Hands on what has come."""
        state.interrupted = self.exception

    def _note(self, number: int, frame: FrameType | None) -> None:
        exception = KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)
        if self.exception is not None:
            raise exception
        self.exception = exception
