"""The regressor of tables."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

from nnxp.callbacks import Callback
from nnxp.errors import hint
from nnxp.estimators import inputs
from nnxp.estimators.tabular_base import TabularEstimator
from nnxp.estimators.uncertainty import Intervals, SeveralOfNumbers
from nnxp.sequential import Sequential
from nnxp.tabular.encoders.target import ClassTarget, NumberTarget, NumberTargets, Target
from nnxp.tabular.networks.presets import Preset
from nnxp.tabular.table import Indices
from nnxp.typing import Array, ArrayLike, Floats, HostArray

LOSSES = {"squared_error": "mean_squared_error", "absolute_error": "mean_absolute_error", "huber": "huber"}
"""By the names of ours."""


class TabularRegressor(RegressorMixin, SeveralOfNumbers, TabularEstimator):
    """A regressor of a table's rows: frames with words, dates and missing cells in, numbers out, one or several a row.

    Each target is learned less its mean and in standard deviations, or its logarithm so, and predicted in its own
    units. Columns and held-out rows are treated as by `TabularClassifier`.

    Parameters
    ----------
    preset : str
        The network and its training: "default" (which is "ensemble"), "binned", "mlp", "realmlp-s", "realmlp" or "tabm"
        (see docs/tables.md). Predictions are held within the range of the training's targets, wider by half of it on
        either side; of "realmlp" within it.
    monitor : str
        The score of the held-out rows that chooses the epoch, of targets as they are learned: "rmse", or another of
        `nnxp.metrics`.
    loss : {"squared_error", "absolute_error", "huber"}
        Of errors in standard deviations.
    target_transform : {"auto", "standard", "log", "none"}
        What is learned of a target; "auto": its logarithm where it is positive and spans decades (see
        `nnxp.tabular.encoders.target.NumberTarget`), else "standard".
    validation_fraction, epochs, batch_size, random_state, kinds, drop, callbacks, verbose, backend, dtype
        See `TabularClassifier`.
    members : int, optional
        See `TabularClassifier`; the mean is one of what is learned, of logarithms where these are.

    Attributes
    ----------
    model_ : Sequential
        The network, which predicts on the scale on which the targets are learned.
    encoder_ : Encoder
        What makes its inputs of a table; `encoder_.target` gives its outputs the targets' units.
    n_iter_, best_epoch_, n_features_in_, feature_names_in_
        See `TabularClassifier`.

    Examples
    --------
    >>> import nnxp
    >>> rows = [{"size": i % 40, "city": ("Fez", "Rome")[i % 2]} for i in range(90)]
    >>> y = [100 + 5 * row["size"] + 50 * (row["city"] == "Rome") for row in rows]
    >>> model = nnxp.TabularRegressor(random_state=0).fit(rows, y)
    >>> bool(abs(model.predict([{"size": 20, "city": "Rome"}])[0] - 250) < 15)
    True
    """

    loss: str
    target_transform: str

    def __init__(
        self,
        preset: str = "default",
        *,
        monitor: str = "rmse",
        loss: str = "squared_error",
        target_transform: str = "auto",
        validation_fraction: float | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        random_state: Any = None,
        kinds: Mapping[str, str] | None = None,
        drop: Collection[str] = (),
        callbacks: Sequence[Callback] | None = None,
        verbose: bool = False,
        backend: Any = None,
        dtype: str | None = None,
        members: int | None = None,
    ) -> None:
        self._keep(locals())

    def predict(self, X: ArrayLike) -> Array:
        """The numbers (n,), or (n, outputs), in the library and on the device of an array X, else NumPy's."""
        output, home = self._output(X, "predict")
        return self._at_home(self._targets.inverse(output), home)

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """R², averaged over the outputs: 1 is perfect, 0 no better than the mean of y."""
        guess, truth, w = (inputs.on_host(a) for a in (self.predict(X), y, sample_weight))
        return float(r2_score(truth, guess, sample_weight=w))

    def _in_units(self, outputs: Floats) -> Floats:
        return self._targets.inverse(outputs)

    @property
    def _calibrates(self) -> str:
        return "rows held out: 100 rows and more, or fit(X, y, X_val=..., y_val=...)"

    def _finished(self, model: Sequential, given: dict[str, Any], chosen: bool) -> Sequential:
        self._intervals = None
        if model.members > 1 and "validation_data" in given:
            X, y, w = given["validation_data"]
            self._intervals = Intervals.of(np.asarray(model.predict(X, members=True), dtype=np.float64), y, w)
        return model

    _numeric = True
    _targets: NumberTargets

    def _understand(self, names: list[str], y: HostArray, rows: Indices, w: Floats | None, preset: Preset) -> Target:
        columns = y.reshape(len(y), -1)[rows].astype(np.float64)
        columns = columns if w is None else columns[w[rows] > 0]
        count = columns.shape[1]
        called = names if len(names) == count else [f"{names[0]}{i}" for i in range(count)]
        targets = tuple(
            NumberTarget.of(name, column, self.target_transform, margin=preset.margin)
            for name, column in zip(called, columns.T, strict=True)
        )
        self._targets = NumberTargets("y" if len(names) == count > 1 else names[0], targets)
        return self._targets if count > 1 else targets[0]

    def _encoded(self, y: HostArray) -> HostArray:
        columns = y.reshape(len(y), -1).astype(np.float64)
        if columns.shape[1] != len(self._targets.targets):
            raise ValueError(
                f"got y_val with {columns.shape[1]} outputs, expected {len(self._targets.targets)}, as in y"
            )
        return self._targets.encode(columns)

    def _strata(self, y: HostArray) -> int:
        return len(y)

    def _purpose(self, y: HostArray, w: Floats | None) -> dict[str, Any]:
        if not isinstance(self.loss, str) or self.loss not in LOSSES:
            raise ValueError(
                f"got loss={self.loss!r}, expected one of {', '.join(LOSSES)}{hint(str(self.loss), LOSSES)}"
            )
        return {"outputs": y.shape[1], "classifies": False, "loss": LOSSES[self.loss]}

    def _know(self, known: dict[str, Any], target: Target) -> None:
        super()._know(known, target)
        assert not isinstance(target, ClassTarget)
        self._targets = target if isinstance(target, NumberTargets) else NumberTargets(target.name, (target,))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
