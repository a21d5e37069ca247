"""scikit-learn's own callbacks, which it has from 1.9 on: `estimator.set_callbacks(...)`."""

import copy
import functools
from collections.abc import Callable
from typing import Any

from nnxp.callbacks import State
from nnxp.estimators.inputs import Given
from nnxp.sequential import Sequential

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ModuleNotFoundError:  # before 1.9 there is nothing to set, and nothing to tear down

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing."""

    def with_callbacks(method: Callable[..., Any]) -> Callable[..., Any]:
        """The method, called as it would be there: in a frame between, which warnings count."""

        @functools.wraps(method)
        def called(*args: Any, **keywords: Any) -> Any:
            return method(*args, **keywords)

        return called


__all__ = ["CallbackSupportMixin", "Hooks", "with_callbacks"]


class Hooks:
    """The callback of one `fit` that tells scikit-learn's of it: a task, and in it one for each epoch.

    Parameters
    ----------
    estimator
        Whose callbacks they are.
    given
        X, y and weights as `fit` got them, which the hooks are given in turn.
    epochs
        How many there are at most.
    partial
        Whether it is a partial fit, which has no tasks.
    """

    events = ("begin", "epoch", "end")

    def __init__(self, estimator: Any, given: Given, epochs: int, partial: bool) -> None:
        X, y, w = given
        self.estimator, self.epochs, self.done = estimator, epochs, 0
        self.given = {"X": X, "y": y, "metadata": None if w is None else {"sample_weight": w}}
        self.told = hasattr(estimator, "_init_callback_context") and not partial
        self.task: Any = None
        self.epoch: Any = None

    @property
    def callbacks(self) -> "list[Hooks]":
        """This one, where the estimator has any of scikit-learn's."""
        return [self] if self.told and hasattr(self.estimator, "_skl_callbacks") else []

    def begin(self) -> None:
        """Before a fit: also without callbacks of its own, an estimator is part of what those of a search follow."""
        if self.told:
            self.task = self.estimator._init_callback_context(max_subtasks=self.epochs)
            self.task.call_on_fit_task_begin(estimator=self.estimator, **self.given)

    def end(self) -> None:
        """After a fit."""
        if self.told:
            self.task.call_on_fit_task_end(estimator=self.estimator, **self.given, reconstruction_attributes={})

    def __call__(self, state: State) -> None:
        """Begins and ends the tasks of the epochs; where a hook says so, the training ends."""
        if state.event == "epoch":
            fitted = functools.partial(as_it_is, state.model)
            stops = self.epoch.call_on_fit_task_end(
                estimator=self.estimator, **self.given, reconstruction_attributes=fitted
            )
            self.done, self.epoch, state.stop = self.done + 1, None, state.stop or stops
        if state.event == "end":
            if self.epoch is not None:  # one that L-BFGS did not come to
                self.epoch.call_on_fit_task_end(estimator=self.estimator)
        elif self.done < self.epochs and not state.stop:
            self.epoch = self.task.subcontext(task_name="epoch")
            self.epoch.call_on_fit_task_begin(estimator=self.estimator, **self.given)


def as_it_is(model: Sequential) -> dict[str, Any]:
    """What makes an estimator one that predicts as its network does now, while that trains on."""
    return {"model_": copy.deepcopy(model) if model.optimizer.ema is None else model.averaged()}
