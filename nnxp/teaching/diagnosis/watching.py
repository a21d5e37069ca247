"""A diagnosis while a training runs."""

import logging
from typing import Any

from nnxp.callbacks.state import State
from nnxp.doors.calling import Constructed
from nnxp.sequential import Sequential
from nnxp.teaching.diagnosis.diagnosing import checked, evidence_of
from nnxp.teaching.diagnosis.told import Diagnosis
from nnxp.typing import ArrayLike


class Diagnosing(Constructed):
    """A callback that diagnoses a training while it runs, and tells of each fault once, when it is first seen.

    It looks before the first step, after epochs 1, 2, 4, 8, ... of the fit and at the end, and gives the log "nnxp" a
    warning for each new finding. What takes several epochs to see ("loss stuck", "under-fitting", "learning rate too
    low" and their like) is told at the end alone. A diagnosis that fails is logged and ends no training.

    Parameters
    ----------
    X, y, validation_data
        As `nnxp.diagnose` takes them.

    Attributes
    ----------
    diagnosis : Diagnosis
        The last one; empty before the first.

    Examples
    --------
    >>> import nnxp
    >>> X, y = nnxp.data.moons(samples=200, seed=0)
    >>> model = nnxp.Sequential([nnxp.Dense(2, 16), "relu", nnxp.Dense(16, 1), "sigmoid"],
    ...     loss="binary_crossentropy", optimizer=nnxp.Adam(0.05), seed=0)
    >>> watching = nnxp.Diagnosing(X, y)
    >>> history = model.fit(X, y, epochs=30, callbacks=[watching])
    >>> len(watching.diagnosis)
    0
    """

    events = ("begin", "epoch", "end")

    def __init__(self, X: ArrayLike, y: ArrayLike, *, validation_data: Any = None) -> None:
        self.X, self.y, self.validation_data = X, y, validation_data
        self.diagnosis = Diagnosis()
        self._told: set[str] = set()
        self._epochs = 0

    def __repr__(self) -> str:
        return "Diagnosing(X, y)"

    def __call__(self, state: State[Sequential]) -> None:
        """Looks, where it is time to."""
        if state.event == "begin":
            self._told, self._epochs = set(), 0
        elif state.event == "epoch":
            self._epochs += 1
        is_power = self._epochs & (self._epochs - 1) == 0
        if state.event == "epoch" and not is_power:
            return
        if state.model.communicator is None or not state.model.communicator.rank:
            self._look(state)

    def _look(self, state: State[Sequential]) -> None:
        log = logging.getLogger("nnxp")
        try:
            evidence = evidence_of(state.model, self.X, self.y, self.validation_data)
            self.diagnosis = checked(evidence, early=state.event != "end")
        except Exception as error:  # of a loss or a layer of the user's own, any
            log.warning("no diagnosis: %s", error)
            return
        for finding in self.diagnosis:
            if finding.name not in self._told:
                self._told.add(finding.name)
                log.warning("epoch %d: %s", state.epoch, finding)
