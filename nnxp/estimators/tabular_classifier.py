"""The classifier of tables."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score

from nnxp.callbacks import Callback
from nnxp.doors.options import boolean
from nnxp.estimators import inputs
from nnxp.estimators.classes import Labels
from nnxp.estimators.tabular_base import Rows, TabularEstimator
from nnxp.estimators.uncertainty import SeveralOfClasses
from nnxp.metrics.scoring import RANKING
from nnxp.printing import counted
from nnxp.sequential import Sequential
from nnxp.tabular.encoders.target import ClassTarget, Target
from nnxp.tabular.networks.presets import Preset
from nnxp.tabular.networks.temperature import temperature, tempered
from nnxp.tabular.table import Indices
from nnxp.typing import Array, ArrayLike, Floats, HostArray, Integers


class TabularClassifier(ClassifierMixin, SeveralOfClasses, TabularEstimator):
    """A classifier of a table's rows: frames with words, dates and missing cells in, probabilities out.

    Columns become numbers through `nnxp.tabular.Encoder`, learned from the rows that are trained on. Of 100 rows and
    more a share is held out, of each class alike, and chooses the epoch whose weights are kept; of fewer, none.

    Parameters
    ----------
    preset : str
        The network and its training: "default" (which is "ensemble"), "binned", "mlp", "realmlp-s", "realmlp" or "tabm"
        (see docs/tables.md).
    monitor : str
        The score of the held-out rows that chooses the epoch: "log_loss", "accuracy", or another of `nnxp.metrics`.
        For one that is a mean over classes ("roc_auc", "f1") a row at least of each class of two or more is held out.
    class_weight : dict, "balanced" or None
        What each class's rows count in the loss, the held-out ones too; classes that a dict leaves out count 1.
    calibrate : bool
        Whether one temperature, which minimises the log loss of the held-out rows, divides the network's outputs before
        they become probabilities. It changes no prediction, of one member.
    validation_fraction : float, optional
        The share that is held out; by default the preset's, 0 holds none out.
    epochs, batch_size : int, optional
        Passes over the rows, and rows of a step; by default the preset's.
    random_state : int, RandomState or None
        Initial weights, order, dropout and held-out rows follow from it.
    kinds : dict of str to str, optional
        The kinds of columns, where they are not to be decided by their values: see `nnxp.tabular.kinds.decide`. Names
        are texts: "0" is the column 0 of a frame.
    drop : sequence of str
        Columns to leave out.
    callbacks : sequence of callable, optional
        See `nnxp.callbacks`.
    verbose : bool
        Whether to print a line an epoch.
    backend : optional
        Where to compute: "cupy", "torch:mps", "auto", ... Without it, X decides: a frame or a list computes with NumPy.
        Results come back in the library and on the device of an array X, else as NumPy's.
    dtype : {"float32", "float64"}, optional
        Of the network and of what the encoder gives it; float32 by default.
    members : int, optional
        How many networks are trained side by side, each with its own initial weights and dropout, on the same batches
        (Lakshminarayanan et al. 2017, arXiv:1612.01474); by default the preset's. Probabilities are the mean of theirs,
        and the epoch is chosen, and a temperature fitted, by this mean.

    Attributes
    ----------
    classes_ : array
        The sorted labels: of X's library if they are numbers, else of NumPy.
    model_ : Sequential
        The network.
    encoder_ : Encoder
        What makes its inputs of a table; `encoder_.decisions` says what each column was taken for.
    n_iter_, best_epoch_ : int, int or None
        Epochs that were trained, and the one whose weights were kept, if one was chosen; 0: none was better than the
        linear model that the network began with.
    temperature_ : float
        1 without `calibrate`.
    n_features_in_, feature_names_in_
        As scikit-learn's.

    Examples
    --------
    >>> import nnxp
    >>> rows = [{"age": 20 + i % 50, "city": ("Fez", "Rome", None)[i % 3]} for i in range(90)]
    >>> y = ["yes" if row["age"] > 40 and row["city"] != "Rome" else "no" for row in rows]
    >>> model = nnxp.TabularClassifier(random_state=0).fit(rows, y)
    >>> model.predict([{"city": "Fez", "age": 60}, {"city": "Rome", "age": 60}]).tolist()
    ['yes', 'no']
    """

    class_weight: Any
    calibrate: bool
    temperature_: float

    def __init__(
        self,
        preset: str = "default",
        *,
        monitor: str = "log_loss",
        class_weight: Any = None,
        calibrate: bool = False,
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
        """The labels (n,), in the library and on the device of an array X if they are numbers, else NumPy's."""
        output, home = self._output(X, "predict")
        return self._labels.decode(home.asarray(output, dtype=self.model_.dtype))

    def predict_proba(self, X: ArrayLike) -> Array:
        """The probabilities (n, classes), in the order of `classes_`."""
        output, home = self._output(X, "predict_proba")
        return home.asarray(output, dtype=self.model_.dtype)

    def predict_log_proba(self, X: ArrayLike) -> Array:
        """The logarithms of `predict_proba`; -inf where that is 0."""
        output, home = self._output(X, "predict_log_proba")
        with np.errstate(divide="ignore"):
            return home.asarray(np.log(output), dtype=self.model_.dtype)

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """The share of rows whose label is right."""
        guess, truth, w = (inputs.on_host(a) for a in (self.predict(X), y, sample_weight))
        return float(accuracy_score(truth, guess, sample_weight=w))

    @property
    def classes_(self) -> Array:
        """The sorted labels, of X's library if they are numbers."""
        return self._labels.on(self._home)

    _numeric = False
    _labels: Labels

    def _begin(self, y: HostArray) -> None:
        self._labels = Labels.told_apart(y)

    def _known(self) -> dict[str, Any]:
        labels, weights = self._labels.document, self.class_weight
        known = {"labels": labels, "temperature": self.temperature_, **super()._known()}
        if isinstance(weights, dict) and not all(isinstance(name, str) for name in weights):  # the names JSON has
            spelled = dict(zip(self._labels.classes.tolist(), labels["values"], strict=True))
            known["class_weight"] = [[spelled.get(name, name), weight] for name, weight in weights.items()]
        return known

    def _know(self, known: dict[str, Any], target: Target) -> None:
        self._labels = Labels.of_known({"labels": {"dtype": None, "values": [*(target.classes or ())]}} | known)
        if len(self._labels.classes) != len(target.classes or ()):
            raise ValueError(f"its labels are {self._labels.classes.tolist()!r:.60}")
        self.temperature_ = float(known.get("temperature", 1.0))
        if "class_weight" in known:
            self.class_weight = dict(known["class_weight"])

    def _understand(
        self, names: list[str], y: HostArray, rows: Indices, w: Floats | None, preset: Preset
    ) -> ClassTarget:
        assert self._labels.names is not None
        return ClassTarget(names[0], tuple(self._labels.names))

    def _encoded(self, y: HostArray) -> HostArray:
        return self._labels.encode(y)

    def _strata(self, y: HostArray) -> Integers:
        return self._labels.encode(y)

    def _check_followed(self, followed: Rows, whole: Rows, own: bool) -> None:
        counts, there = (self._counts(rows) for rows in (whole, followed))
        if self.monitor not in RANKING or np.count_nonzero(there) > 1:
            return
        instead = 'choose another monitor, "log_loss", or give fit X_val and y_val with rows of two classes or more'
        lacking = int(np.argmax(np.where(there, -1, counts)))
        name, only = (repr(self._labels.classes.tolist()[k]) for k in (lacking, int(there.argmax())))
        if own:
            raise ValueError(
                f"got monitor={self.monitor!r} and y_val of the class {only} alone, expected rows of {name} or another "
                f"too, which they are ranked against: {instead}"
            )
        raise ValueError(
            f"got monitor={self.monitor!r} and {counted(int(counts[lacking]), 'row')} of the class {name} with a "
            f"weight above 0, expected 2 or more, one to train on and one to hold out: {instead}"
        )

    def _counts(self, rows: Rows) -> Integers:
        """How many rows of each class weigh something, (classes,)."""
        weighs = rows.y if rows.w is None else rows.y[rows.w > 0]
        return np.bincount(weighs, minlength=len(self._labels.classes))

    def _purpose(self, y: HostArray, w: Floats | None) -> dict[str, Any]:
        weights = self._labels.by_class(y, w, self.class_weight)
        return {
            "outputs": len(self._labels.classes),
            "classifies": True,
            "class_weight": None if weights is None else weights.tolist(),
            "smooths": self.monitor == "accuracy",
        }

    def _finished(self, model: Sequential, given: dict[str, Any], chosen: bool) -> Sequential:
        self.temperature_ = 1.0
        if boolean("calibrate", self.calibrate):
            if not chosen:
                raise ValueError(
                    "got calibrate=True and no rows held out, expected some to fit the temperature on: give fit X_val "
                    "and y_val, or 100 rows and more with a validation_fraction above 0"
                )
            X, y, w = given["validation_data"]
            self.temperature_ = temperature(np.asarray(model.predict(X, members=True)), y, w)
            model = tempered(model, self.temperature_)
        model.classes = self._labels.names
        return model
