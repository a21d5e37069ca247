"""What the two estimators for tables share."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from nnxp.backends import Backend, check_dtype, get_backend
from nnxp.callbacks import Callback
from nnxp.doors.options import above_zero, positive, share
from nnxp.errors import hint
from nnxp.estimators import inputs
from nnxp.estimators.inputs import Given
from nnxp.estimators.keywords import Keywords
from nnxp.estimators.tabular_inputs import cells, check_names
from nnxp.estimators.uncertainty import AtHome, Several
from nnxp.metrics.scoring import BY_CLASS, OF_CLASSES, OF_NUMBERS
from nnxp.sequential import Sequential
from nnxp.tabular import Encoder
from nnxp.tabular.encoders.target import Target
from nnxp.tabular.findings.baselines import linear_model
from nnxp.tabular.kinds import Decision
from nnxp.tabular.networks import presets, trained
from nnxp.tabular.networks.presets import Preset
from nnxp.tabular.networks.purpose import Purpose
from nnxp.tabular.splitting import at_random
from nnxp.tabular.table import Indices, Table
from nnxp.typing import Array, ArrayLike, Floats, HostArray, Integers


class Rows(NamedTuple):
    """Rows of a table, what is learned of them, and what they weigh."""

    table: Table
    y: HostArray
    w: Floats | None

    def take(self, rows: Indices) -> "Rows":
        """Some of them."""
        return Rows(self.table.take(rows), self.y[rows], None if self.w is None else self.w[rows])


class TabularEstimator(Several, Keywords):
    """The base class of `TabularClassifier` and `TabularRegressor`, which say what y means."""

    preset: str
    monitor: str
    validation_fraction: float | None
    epochs: int | None
    batch_size: int | None
    random_state: Any
    kinds: Mapping[str, str] | None
    drop: Collection[str]
    callbacks: Sequence[Callback] | None
    verbose: bool
    dtype: str | None

    model_: Sequential
    encoder_: Encoder
    n_iter_: int
    best_epoch_: int | None
    n_features_in_: int

    _home: Backend

    # --- what a subclass says ----------------------------------------------------------------------

    _numeric: bool
    """Whether y has to be numbers."""

    def _begin(self, y: HostArray) -> None:
        """Takes notice of all y."""

    def _known(self) -> dict[str, Any]:
        return {"epochs": self.n_iter_, "best_epoch": self.best_epoch_, **super()._known()}

    def _understand(self, names: list[str], y: HostArray, rows: Indices, w: Floats | None, preset: Preset) -> Target:
        """What is predicted, of those rows of y that are trained on."""
        raise NotImplementedError

    def _encoded(self, y: HostArray) -> HostArray:
        """What is learned of y."""
        raise NotImplementedError

    def _strata(self, y: HostArray) -> Integers | int:
        """The classes of which a share each is held out, or the number of rows."""
        raise NotImplementedError

    def _check_followed(self, followed: Rows, whole: Rows, own: bool) -> None:
        """Raises where the monitor says nothing of the rows that choose the epoch: the user's own, or some of all."""

    def _purpose(self, y: HostArray, w: Floats | None) -> dict[str, Any]:
        """What the network is for: `Purpose.of`'s arguments."""
        raise NotImplementedError

    def _finished(self, model: Sequential, given: dict[str, Any], chosen: bool) -> Sequential:
        """The trained network as it is used."""
        return model

    # --- training ----------------------------------------------------------------------------------

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Trains anew.

        Parameters
        ----------
        X : frame, list of dict, dict of list, or array-like, (n, features)
            A frame of pandas, polars or pyarrow, rows of named values, or an array of any library, whose columns are
            called x0, x1 and so on. Cells may be words, dates or missing. A frame to predict has its columns in the
            order of this one, by scikit-learn's rule: `frame[model.feature_names_in_]`; named values have any.
        y : array-like, (n,) or (n, outputs)
            Labels, or numbers.
        sample_weight : array-like, (n,), optional
            Numbers from 0 up.
        X_val, y_val, sample_weight_val : array-like, optional
            Rows of your own that choose the epoch, instead of a share of X.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            A parameter, X, y or weights are not what can be trained on.
        NonFiniteLossError
            The loss became NaN or infinite.
        """
        before = self.__dict__.copy()
        try:
            self._fit((X, y, sample_weight), (X_val, y_val, sample_weight_val))
        except BaseException:  # everything is as it was
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        return self

    def _fit(self, given: Given, given_val: Given) -> None:
        X, y, w = given
        self._check_parameters()
        dtype = check_dtype(self.dtype or "float32")
        table, home, known = cells(self, X, reset=True)
        n, names = len(table), _names_of_target(y)
        y, w = inputs.targets(self, y, np.empty((n, 0)), self._numeric), inputs.weights(w, n)
        self._begin(y)
        preset = presets.get_preset(self.preset, not self._numeric, n)
        own = self._own(*given_val)
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        rows, held_out = self._divided(y, w, preset, seed) if own is None else (np.arange(n), np.arange(0))
        encoder = Encoder(kinds={**known, **(self.kinds or {})}, drop=[*self.drop], dtype=dtype, **preset.encoding)
        encoder.fit(table.take(rows))
        encoder.target = self._understand(names, y, rows, w, preset)
        whole = Rows(table, self._encoded(y), w)
        part, validation = whole.take(rows), own and Rows(own[0], self._encoded(own[1]), own[2])
        if len(held_out):
            validation = whole.take(held_out)
        if validation is not None:
            self._check_followed(validation, whole, own is not None)
        data: dict[str, Any] = {"X": encoder.transform(part.table), "y": part.y, "sample_weight": part.w}
        if validation is not None:
            data["validation_data"] = (encoder.transform(validation.table), validation.y, validation.w)
        preset = preset.settled(len(rows), self.epochs, self.batch_size, self.members)
        backend = get_backend(home if self.backend is None else self.backend, dtype)
        place = {"backend": backend, "dtype": dtype, "seed": seed}
        model = self._trained(preset, encoder, data, **place)
        model.encoder, model.preprocessing = encoder.state(), preprocessing_of(encoder.target)
        self.model_, self.encoder_, self._home = model, encoder, home

    def _trained(self, preset: Preset, encoder: Encoder, given: dict[str, Any], **place: Any) -> Sequential:
        purpose = Purpose.of(encoder, X=given["X"], **self._purpose(given["y"], given["sample_weight"]))
        model = trained.network(preset, purpose, **place)
        if preset.begins_linear:
            count, w = purpose.outputs if purpose.classifies else None, given["sample_weight"]
            if purpose.class_weight is not None:
                by_class = np.asarray(purpose.class_weight)[given["y"]]
                w = by_class if w is None else w * by_class
            trained.begin_linear(model, linear_model(given["X"], given["y"], count, w, model.seed))
        chooses = self.monitor if "validation_data" in given else None
        verbose, callbacks = bool(self.verbose), self.callbacks or ()
        stopping = trained.fit(
            model, preset, given, chooses=chooses, callbacks=callbacks, progress=False, verbose=verbose
        )
        self.n_iter_, self.best_epoch_ = model.epoch, None if stopping is None else stopping.best_epoch
        return self._finished(model, given, chooses is not None)

    def _check_parameters(self) -> None:
        """Raises where one has a value that no fit could use."""
        for name in ("epochs", "batch_size", "members"):
            if getattr(self, name) is not None:
                positive(name, getattr(self, name))
        if self.validation_fraction:
            share("validation_fraction", above_zero("validation_fraction", self.validation_fraction))
        known = ["loss", *(OF_NUMBERS if self._numeric else OF_CLASSES)]
        if self.monitor not in known:
            meant = hint(str(self.monitor), known)
            raise ValueError(f"got monitor={self.monitor!r}, expected one of {', '.join(known)}{meant}")
        callbacks = self.callbacks
        if callbacks is not None and not isinstance(callbacks, list | tuple):
            raise ValueError(f"got callbacks={callbacks!r}, expected a list of them: callbacks=[...]")
        if not isinstance(self.kinds or {}, Mapping):
            raise ValueError(f'got kinds={self.kinds!r}, expected kinds by name: kinds={{"postcode": "category"}}')
        if isinstance(self.drop, str):
            raise ValueError(f"got drop={self.drop!r}, expected names of columns: drop=[{self.drop!r}]")

    def _own(self, *given: ArrayLike) -> tuple[Table, HostArray, Floats | None] | None:
        """The user's own rows to validate with."""
        X, y, w = given
        if X is None and y is None and w is None:
            return None
        if X is None or y is None:
            raise ValueError("got X_val, y_val or sample_weight_val alone, expected X_val and y_val together")
        table = cells(self, X, reset=False).table
        return table, inputs.targets(self, y, np.empty((len(table), 0)), self._numeric), inputs.weights(w, len(table))

    def _divided(self, y: HostArray, w: Floats | None, preset: Preset, seed: int) -> tuple[Indices, Indices]:
        """Rows to train on, and those held out, of each class alike; rows that weigh 0 are trained on."""
        n, weighs = len(y), np.flatnonzero(np.ones(len(y)) if w is None else w)
        fraction = preset.held_out if self.validation_fraction is None else self.validation_fraction
        if len(weighs) < presets.FEWEST or not fraction:
            return np.arange(n), np.arange(0)
        strata, every = self._strata(y[weighs]), self.monitor in BY_CLASS
        held_out = weighs[at_random(strata, fraction, seed, every)[1]]
        return np.setdiff1d(np.arange(n), held_out), held_out

    # --- the file ----------------------------------------------------------------------------------

    def export(self, path: Any, *, outputs: Sequence[str] | None = None, check: ArrayLike | None = None) -> Any:
        """Writes an ONNX file that takes rows by column and predicts as the estimator does (see docs/onnx.md): of
        classes "probabilities" and "label", numbers as int64 and all else as texts; of numbers "prediction", all
        shaped as here. `outputs` and `check`, rows as `predict` takes them, are as for any estimator; what is returned
        says what the file was checked with."""
        check_is_fitted(self, "model_")
        from nnxp.estimators.exporting import export_of_table

        return export_of_table(self, path, outputs, check)

    # --- use ---------------------------------------------------------------------------------------

    def _output(self, X: ArrayLike, method: str, members: bool = False) -> tuple[HostArray, Backend]:
        """The network's output for a user's X, or (members, n, m), on the host, and where its results go."""
        check_is_fitted(self, "model_")
        if self.backend is None:  # else what there is may move in
            inputs.same_home(self, X, self._home, method)
        table, home, _ = cells(self, X, reset=False)
        check_names(table, self.encoder_)
        return trained.predicted(self.model_, self.encoder_.transform(table), members=members), home

    def _apart(self, X: ArrayLike, method: str) -> tuple[Floats, AtHome]:
        """See `Several`."""
        check_is_fitted(self, "model_")
        self._check_several(method)
        outputs, home = self._output(X, method, members=True)
        return outputs.astype(np.float64), lambda a: self._at_home(a, home)

    def _at_home(self, a: HostArray, home: Backend) -> Array:
        """What is (n, m), or (n,) where that is the shape of a prediction, in the library and on the device of X."""
        dtype = "float64" if home.library == "numpy" else self.model_.dtype  # a device may have no other
        return home.asarray(a[:, 0] if a.ndim == 2 and a.shape[1] == 1 else a, dtype=dtype)

    def _rows(self) -> dict[str, Any]:
        assert self.encoder_.target is not None
        return preprocessing_of(self.encoder_.target)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        return tags


def preprocessing_of(target: Target) -> dict[str, Any]:
    """What a file says of the table, as `nnxp train` says it."""
    classes = target.classes
    return {
        "format": "table",
        "target": target.name,
        "task": "regression" if classes is None else "classification",
        "classes": classes and [*classes],
        "decision": Decision(target.name, "number" if classes is None else "category", "as given", 0).document(),
    }


def _names_of_target(y: Any) -> list[str]:
    """What its columns are called in a frame, or it in a series."""
    if hasattr(y, "column_names") or hasattr(y, "columns"):  # pyarrow's `columns` are the columns
        return [str(name) for name in getattr(y, "column_names", None) or y.columns]
    return [str(y.name if getattr(y, "name", None) else "y")]
