"""Metrics of rows that are not trained on, after each epoch."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnxp.callbacks.state import State
from nnxp.doors.arrays import sample_weights
from nnxp.doors.calling import Constructed
from nnxp.doors.describing import described
from nnxp.errors import hint
from nnxp.losses import Poisson
from nnxp.metrics.pairs import on_host
from nnxp.metrics.scoring import OF_CLASSES, OF_NUMBERS
from nnxp.network.answers import answers, class_names
from nnxp.typing import ArrayLike, HostArray


class Scores(Constructed):
    """Adds metrics to each epoch's entries in the history, "val_roc_auc", for other callbacks to follow.

    They are there before any callback is called, whatever the order, and a schedule that looks at the history sees them
    too. Where the optimizer keeps an average of the weights they are its metrics, as a validation's are. One that the
    fit's validation has as well is this one's. Two `Scores` of one fit that have a metric in common are told apart by
    `name`.

    Parameters
    ----------
    X, y
        Rows, and their truth, as `fit` takes them.
    metrics : sequence of str
        Names of `nnxp.metrics`; "precision", "recall" and "f1" are means over the classes.
    sample_weight
        (n,) weights from 0 up.
    name : str
        What the rows are called: "test" adds "test_roc_auc".

    Examples
    --------
    >>> import nnxp
    >>> X, y = nnxp.data.spiral(seed=0)
    >>> model = nnxp.Sequential([nnxp.Dense(2, 16), "tanh", nnxp.Dense(16, 3), "softmax"],
    ...     loss="categorical_crossentropy", seed=0)
    >>> scores = nnxp.callbacks.Scores(X[::5], y[::5], metrics=["roc_auc"])
    >>> best = nnxp.callbacks.EarlyStopping("val_roc_auc", patience=None, ties="last")
    >>> history = model.fit(X, y, epochs=3, callbacks=[best, scores])
    >>> max(history["val_roc_auc"]) == best.best
    True
    """

    events = ("begin",)
    name = "val"
    """The default stands in the class too, for pickles of before."""
    __repr__ = described

    def __init__(
        self,
        X: ArrayLike,
        y: ArrayLike,
        metrics: Sequence[str],
        sample_weight: ArrayLike | None = None,
        name: str = "val",
    ) -> None:
        self.X, self.y, self.sample_weight, self.name = X, y, sample_weight, name
        if not isinstance(name, str) or not name:
            raise ValueError(f'got name={name!r}, expected what the rows are called, as text: name="test"')
        if isinstance(metrics, str) or not metrics:
            raise ValueError(f'got metrics={metrics!r}, expected a list of names: metrics=["roc_auc"]')
        known = [*OF_CLASSES, *OF_NUMBERS]
        for metric in metrics:
            if metric not in known:
                meant = hint(str(metric), known)
                raise ValueError(f"got the metric {metric!r}, expected one of {', '.join(known)}{meant}")
        self.metrics = [*dict.fromkeys(metrics)]  # each once

    @property
    def adds(self) -> list[str]:
        """What the entries are called."""
        return [f"{self.name}_{metric}" for metric in self.metrics]

    def __call__(self, state: State) -> None:
        """Raises where the model, the rows and the metrics do not fit each other, before anything is trained."""
        loss = state.model.loss
        if loss.classifies and class_names(state.model) is None:
            raise ValueError("got Scores for several yes-or-no outputs, expected one output, or classes, or numbers")
        fitting, what = (OF_CLASSES, "classes") if loss.classifies else (OF_NUMBERS, "numbers")
        if wrong := [metric for metric in self.metrics if metric not in fitting]:
            raise ValueError(f"got the metric {wrong[0]!r} for {what}, expected one of {', '.join(fitting)}")
        self._measures = dict(zip(self.adds, (fitting[metric] for metric in self.metrics), strict=True))
        self._truth = self._prepared(state.model)
        self.entries(state.model)

    def entries(self, model: Any) -> dict[str, float]:
        """The metrics of a model as it is."""
        output, (truth, w) = answers(model, on_host(model.predict(self.X))), self._truth
        if isinstance(model.loss, Poisson):  # its outputs are logarithms
            output = np.exp(output)
        return {name: float(measure(output, truth, sample_weight=w)) for name, measure in self._measures.items()}

    def _prepared(self, model: Any) -> tuple[HostArray, HostArray | None]:
        """Class indices (n,), or numbers, and what each row weighs in a metric: what the loss makes of y."""
        loss, backend = model.loss, model.backend
        y = loss.prepare(self.y, model.n_out, model.dtype)
        w = sample_weights(backend, self.sample_weight, int(y.shape[0]), model.dtype)
        with backend.context():
            y, _, w = loss.weigh(y, w, model.dtype)
            y = loss.truth(y) if loss.classifies else y
        return backend.to_numpy(y), None if w is None else backend.to_numpy(w)
