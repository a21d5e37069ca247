"""What is known of an estimator after a fit, and its use."""

import copy
import dataclasses
import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from nnxp.backends import Backend, dtype_of, get_backend
from nnxp.doors.arrays import finite
from nnxp.doors.sparse import SparseRows
from nnxp.estimators import inputs
from nnxp.estimators.building import rebuilt, settings
from nnxp.estimators.classes import Labels
from nnxp.estimators.convergence import Convergence
from nnxp.estimators.keywords import Parameters
from nnxp.estimators.rate import Rate
from nnxp.estimators.saving import rows_of
from nnxp.estimators.uncertainty import AtHome, Several
from nnxp.layers import Dense
from nnxp.sequential import Sequential
from nnxp.typing import Array, ArrayLike, Floats

if TYPE_CHECKING:
    from nnxp.export.selfcheck import Checked
COURSE = (
    "loss_",
    "best_loss_",
    "loss_curve_",
    "validation_loss_curve_",
    "validation_scores_",
    "best_validation_score_",
    "n_iter_",
    "t_",
    "stopped_",
)
"""What is known of a fit in numbers."""


class Fitted(Several, Parameters):
    """An estimator once it has a network; `MLPClassifier` explains the attributes."""

    model_: Sequential
    loss_: float
    best_loss_: float | None
    loss_curve_: list[float]
    validation_loss_curve_: list[float] | None
    validation_scores_: list[float] | None
    best_validation_score_: float | None
    n_iter_: int
    t_: int
    stopped_: bool
    n_features_in_: int

    _home: Backend
    _target: Any
    _rule: Convergence
    _rate: Rate | None = None  # pickles of before do not have it
    _made: dict[str, Any]

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Takes over what was pickled; a parameter that was not there yet has its default."""
        defaults = {name: p.default for name, p in inspect.signature(type(self)).parameters.items()}
        if "_made" in state:
            state = state | {"_made": settings(defaults) | state["_made"]}
        super().__setstate__(defaults | state)

    def _known(self) -> dict[str, Any]:
        rate = {} if self._rate is None else {"rate": dataclasses.asdict(self._rate)}
        course = {name.removesuffix("_"): getattr(self, name) for name in COURSE}
        target = self._target
        meaning = target.known if isinstance(target, Labels) else {"scale": dataclasses.asdict(target)}
        return {"kind": type(self).__name__, "course": course, **meaning, **rate, **super()._known()}

    def _know(self, known: dict[str, Any], target: Any) -> None:
        super()._know(known, target)
        layers, loss = self._head(1, target)
        if [*map(type, self.model_.layers[-len(layers) :])] != [*map(type, layers)] or (
            type(self.model_.loss) is not type(loss) or self.n_outputs_ != layers[0].n_out
        ):
            raise ValueError(f"its network does not end as that of {type(self).__name__} does")
        if self.n_features_in_ != self.model_.n_in:
            raise ValueError(f"it has {self.n_features_in_} features, its network {self.model_.n_in}")
        self._target, self._made = target, settings(self.get_params(deep=False))
        for name in COURSE:
            value = known["course"][name.removesuffix("_")]
            for number in value if isinstance(value, list) else [value]:
                if not isinstance(number, int | float | None):
                    raise ValueError(f"its {name.removesuffix('_')} is {value!r:.60}")
            setattr(self, name, value)
        if "rate" in known:
            self._rate = Rate(**known["rate"])
        self._rule = Convergence(self.tol, self.n_iter_no_change, False, False)

    def _rows(self) -> dict[str, Any]:
        return rows_of(self.model_, self.n_features_in_, getattr(self, "feature_names_in_", None))

    def _check_home(self, X: ArrayLike, home: Backend, method: str) -> None:
        if self.backend is None:  # else the model's own door knows what may move in
            inputs.same_home(self, X, home, method)

    def _output(self, X: ArrayLike, method: str, members: bool = False) -> Array:
        """The network's output for a user's X; of each member, (members, n, m)."""
        check_is_fitted(self)
        self._check_home(X, self._home, method)
        X, dtype = inputs.features(self, X, reset=False), self.model_.dtype
        if dtype_of(X) != dtype and not isinstance(X, SparseRows):  # which looks itself
            finite(get_backend(X), X, "X", dtype)
        return self.model_.predict(X, members=members)

    def export(
        self,
        path: Any,
        *,
        outputs: Sequence[str] | None = None,
        input_dtype: str | None = None,
        check: ArrayLike | None = None,
    ) -> "Checked":
        """Writes an ONNX file that predicts as the estimator does, without nnxp (see docs/onnx.md). Needs onnx.

        Its input is X, (rows, features).

        Parameters
        ----------
        path
            The file: written whole, once it is checked, or not at all.
        outputs
            Of a classifier by default "probabilities", as `predict_proba`, and "label", as `predict`: numbers as int64,
            all other labels as texts; also "logits". Of a regressor "prediction", as `predict`. Of several
            members "std", of a regressor as `predict_std`, and "members", what each network gives.
        input_dtype
            What X is of; by default the network's dtype.
        check
            Rows to check the file with; by default made up.

        Returns
        -------
        nnxp.export.selfcheck.Checked
            What the file was checked with, and the largest differences.

        Raises
        ------
        ExportError
            A layer cannot be written, or the file's error is too large: see `Sequential.export`.

        Examples
        --------
        >>> import nnxp, pathlib, tempfile
        >>> X, y = nnxp.data.moons(200, seed=0)
        >>> model = nnxp.MLPClassifier((16,), learning_rate_init=0.1, random_state=0).fit(X, y)
        >>> model.export(pathlib.Path(tempfile.mkdtemp(), "model.onnx"), check=X).rows
        200
        """
        check_is_fitted(self)
        from nnxp.estimators.exporting import export

        return export(self, path, outputs, input_dtype, check)

    def _apart(self, X: ArrayLike, method: str) -> tuple[Floats, AtHome]:
        """See `Several`."""
        check_is_fitted(self)
        self._check_several(method)
        output = self._output(X, method, members=True)
        home, dtype = get_backend(output), self.model_.dtype
        one = self.n_outputs_ == 1
        return inputs.on_host(output).astype(np.float64), lambda a: home.asarray(a[:, 0] if one else a, dtype=dtype)

    def _at_home(self, a: Array) -> Array:
        """An array of the model where X of the fit was."""
        backend, home = self.model_.backend, self._home
        if backend.name == home.name:
            return a
        return home.asarray(backend.to_numpy(a), dtype=self.model_.dtype)

    @property
    def _dense(self) -> list[Dense]:
        return [layer for layer in self.model_.layers if isinstance(layer, Dense)]

    @property
    def coefs_(self) -> list[Array]:
        """The weights (n_in, n_out) of each dense layer, or (members, n_in, n_out), in the library of the X
        that was fitted; to change them, assign to those of `model_.layers`."""
        return [self._at_home(layer.weights) for layer in self._dense]

    @property
    def intercepts_(self) -> list[Array]:
        """The biases (n_out,) of each dense layer, or (members, n_out)."""
        return [self._at_home(layer.biases[..., 0, :]) for layer in self._dense]

    @property
    def n_layers_(self) -> int:
        """The number of layers, the inputs' and the outputs' among them."""
        return len(self._dense) + 1

    @property
    def n_outputs_(self) -> int:
        """The number of the network's outputs."""
        return self._dense[-1].n_out

    def __sklearn_array_api_convert__(self, convert: Callable[[Array], Array]) -> Self:
        """A copy on the library and device that scikit-learn's `move_estimator_to` moves arrays to."""
        check_is_fitted(self)
        twin = copy.copy(self)
        twin._home = get_backend(convert(self._home.asarray([0.0], dtype=self.model_.dtype)))
        twin.backend = None
        twin.model_ = rebuilt(self.model_, twin._home)
        twin._rule = Convergence(self.tol, self.n_iter_no_change, False, False)
        twin._rate = copy.copy(self._rate)
        twin._made = self._made | {"backend": None}
        return twin
