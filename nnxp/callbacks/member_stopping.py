"""Early stopping of several members, one by one."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nnxp.callbacks.best import BestWeights, shapes
from nnxp.callbacks.patience import Patience
from nnxp.callbacks.state import State
from nnxp.doors.calling import Constructed
from nnxp.doors.describing import described
from nnxp.doors.options import each_member, not_negative, positive
from nnxp.network.history import of_one

LOSSES = {"val_member_loss": "val_loss", "member_loss": "loss"}
"""What may be followed, and what a model of one member calls it."""


class MemberStopping(Constructed):
    """Stops each member of a model when its own loss no longer gets better, and in the end gives each its own weights.

    The rule is scikit-learn's, of `tol` and `n_iter_no_change`: a member has stopped after more than `patience` epochs
    in a row whose loss was not lower than its lowest by `min_delta`. The training ends once all have. Those that have
    stopped are trained on beside the others, which costs time and changes nothing: their weights are put back.

    Parameters
    ----------
    monitor : {"val_member_loss", "member_loss"}
        The losses that are followed: those of the validation, on (n, members) weights each on its own rows, or those
        of the training.
    patience : int
        How many epochs in a row may pass without a lower loss; `math.inf` stops none.
    min_delta : float or sequence of float
        By how much a loss has to be lower; one for each member where they have losses of other sizes.
    restore_best : bool
        Whether a member, stopped or not, gets the weights of its own best epoch; else those after its last.

    Attributes
    ----------
    best_losses : list of float
        The lowest of each member; infinite before the first.
    best_epochs, last_epochs : list of int or None
        How many epochs the model had finished when a member was at its best, and when it stopped; None before.

    Examples
    --------
    >>> import nnxp
    >>> X, y = nnxp.data.spiral(seed=0)
    >>> model = nnxp.Sequential([nnxp.Dense(2, 16), "relu", nnxp.Dense(16, 3), "softmax"],
    ...     loss="categorical_crossentropy", optimizer=nnxp.Adam(learning_rate=0.1), seed=0, members=4)
    >>> stopping = MemberStopping(patience=3)
    >>> history = model.fit(X, y, epochs=100, validation_split=0.2, callbacks=[stopping])
    >>> len(history["loss"]) == max(stopping.last_epochs) < 100
    True
    """

    events = ("begin", "epoch", "end")
    options: tuple[str, ...] = ("monitor", "patience", "min_delta", "restore_best")
    __repr__ = described

    def __init__(
        self,
        monitor: str = "val_member_loss",
        patience: float = 10,
        min_delta: float | Sequence[float] = 0.0,
        restore_best: bool = True,
    ) -> None:
        if monitor not in LOSSES:
            raise ValueError(f"got monitor={monitor!r}, expected one of {', '.join(LOSSES)}")
        self.monitor, self.restore_best = monitor, restore_best
        self.patience = patience if patience == math.inf else positive("patience", patience)
        delta = each_member("min_delta", min_delta, not_negative)
        self.min_delta = [*delta] if isinstance(delta, tuple) else delta  # as a file holds it
        self._begin(len(delta) if isinstance(delta, tuple) else 0)

    def _begin(self, members: int) -> None:
        deltas = self.min_delta if isinstance(self.min_delta, list) else [self.min_delta] * members
        if len(deltas) != members:
            raise ValueError(f"got min_delta of {len(deltas)} members for a model of {members}, expected one for each")
        self._rules = [Patience(delta, self.patience) for delta in deltas]
        self.best_epochs: list[int | None] = [None] * members
        self.last_epochs: list[int | None] = [None] * members
        self._follow(range(members))

    def _follow(self, members: Sequence[int]) -> None:
        """The model that is trained is of these members."""
        self.members, self._weights, self._kept = members, BestWeights(), set[int]()

    @property
    def best_losses(self) -> list[float]:
        """The lowest of each member."""
        return [-rule.best for rule in self._rules]

    @property
    def running(self) -> list[int]:
        """Of the members that are trained, those that have not stopped."""
        return [k for k in self.members if not self._rules[k].stopped]

    def __call__(self, state: State) -> None:
        """Compares, keeps or puts back."""
        if state.event == "begin":
            self._check(state)
            self._begin(state.model.members)
            self._shapes = shapes(state.model)
        elif state.event == "epoch":
            self.compare(state)
            state.stop = state.stop or not self.running
        else:
            self.put_back(state.model)

    def _check(self, state: State) -> None:
        if state.model.members > 1 and state.model.store.common:
            raise ValueError(
                "got MemberStopping for members that share weights, which are one network and stop together, expected "
                "EarlyStopping()"
            )
        if self.monitor.startswith("val_") and not state.validates:
            raise ValueError(
                f"got no validation to take {self.monitor!r} from: give fit validation_data= or validation_split=, or "
                'follow the training itself, monitor="member_loss"'
            )

    def compare(self, state: State) -> None:
        """Takes the losses of an epoch, and keeps the weights of those that are at their best, or stop."""
        keeps = []
        for j, k in enumerate(self.members):
            if (rule := self._rules[k]).stopped:
                keeps.append(False)
                continue
            highest = self.follow(k, of_one(state.record, j))
            if highest:
                self.best_epochs[k] = state.epoch
            if rule.stopped:
                self.last_epochs[k] = state.epoch
            keeps.append(highest if self.restore_best else rule.stopped)
        if any(keeps):
            self._weights.keep(state.model, keeps)
            self._kept |= {j for j, keep in enumerate(keeps) if keep}

    def follow(self, k: int, record: Mapping[str, float]) -> bool:
        """Takes member k's entries of an epoch: whether it is at its best."""
        return self._rules[k].follow(-record[LOSSES[self.monitor]])

    def put_back(self, model: Any) -> set[int]:
        """Gives each member the weights that were kept of it: which of the model's these were."""
        kept = self._kept
        if kept:
            self._weights.put_back(model, [j in kept for j in range(model.members)])
        self._weights, self._kept = BestWeights(), set()
        return kept

    def state(self) -> dict[str, Any]:
        """Each member's best loss so far, None for none, how often it was no better since, its epochs and weights."""
        arrays = {f"weights.{number}": weights for number, weights in enumerate(self._weights.arrays)}
        return {
            "best": [None if math.isinf(rule.best) else rule.best for rule in self._rules],
            "counts": [rule.count for rule in self._rules],
            "best_epochs": self.best_epochs,
            "last_epochs": self.last_epochs,
            "kept": sorted(self._kept),
            **arrays,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over what `state` gave."""
        for rule, best, count in zip(self._rules, state["best"], state["counts"], strict=True):
            rule.best, rule.count = -math.inf if best is None else float(best), int(count)
            rule.stopped = rule.count > rule.patience
        self.best_epochs, self.last_epochs = [*state["best_epochs"]], [*state["last_epochs"]]
        self._kept = {int(j) for j in state["kept"]}
        self._weights.arrays = tuple(state[name] for name in ("weights.0", "weights.1") if name in state)
        if (got := [tuple(weights.shape) for weights in self._weights.arrays]) not in ([], self._shapes):
            raise ValueError(f"got weights of shapes {got}, expected {self._shapes}")
