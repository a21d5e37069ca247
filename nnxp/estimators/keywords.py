"""What both estimators are given, and what scikit-learn asks of them."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any, ClassVar

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from nnxp.callbacks import Callback
from nnxp.doors.calling import Constructed
from nnxp.estimators.hooks import CallbackSupportMixin
from nnxp.estimators.saving import document_of
from nnxp.optimizers import LBFGS
from nnxp.sequential import Sequential


class Keywords(Constructed, BaseEstimator):
    """An estimator of scikit-learn's that keeps its parameters as they were given."""

    backend: Any
    members: int = 1  # pickles of before do not have it
    model_: Sequential
    _param_names: ClassVar[list[str]]

    def _keep(self, given: dict[str, Any]) -> None:
        """Stores the parameters that `__init__` was given, as they are: scikit-learn's rule."""
        self.__dict__.update({name: given[name] for name in self._get_param_names()})

    @classmethod
    def _get_param_names(cls) -> list[str]:
        """scikit-learn's, which reads the signature at each call: once for a class."""
        if "_param_names" not in cls.__dict__:
            cls._param_names = super()._get_param_names()
        return cls._param_names

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters; a backend that is a module by its name, since modules cannot be copied."""
        params: dict[str, Any] = super().get_params(deep)
        return params | {"backend": _by_name(params["backend"])}

    def save(self, path: Any) -> None:
        """Writes the fitted estimator to one safetensors file, without pickle, whole or not at all:
        `nnxp.load_estimator` opens it, and so do `nnxp predict` and `nnxp evaluate`, where they can read its columns.

        In it are the network with its optimizer's state, the parameters but for the backend, the classes, the names of
        the features, a table's encoder, and the course of the fit. scikit-learn's own callbacks are not, nor what
        several calls of `partial_fit` keep to stop early by: that begins anew; nor what bags gave of their own rows.

        Raises
        ------
        NotFittedError
            There is nothing to save yet.
        TypeError
            A parameter is nothing that JSON can hold: callbacks, functions, generators of random numbers, objects of
            your own classes. The message says which.
        OSError
            The file cannot be written; the one that was there is as it was.
        """
        check_is_fitted(self, "model_")
        before = self.model_.preprocessing
        self.model_.preprocessing = self._rows() | {"estimator": document_of(self)}
        try:
            self.model_.save(path)
        finally:
            self.model_.preprocessing = before

    def _rows(self) -> dict[str, Any]:
        """How rows of a file become rows of X, where they can."""
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return state | {"backend": _by_name(state["backend"])}


class Parameters(CallbackSupportMixin, Keywords):
    """The parameters that both MLPs have; `MLPClassifier` explains them."""

    hidden_layer_sizes: Any
    activation: Any
    solver: Any
    alpha: float
    batch_size: Any
    learning_rate: str
    learning_rate_init: float
    power_t: float
    max_iter: int
    shuffle: bool
    random_state: Any
    tol: float
    verbose: Any
    warm_start: bool
    momentum: float
    nesterovs_momentum: bool
    early_stopping: bool
    validation_fraction: float
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: float
    max_fun: int
    dropout: float
    normalization: str | None
    schedule: Any
    callbacks: Sequence[Callback] | None
    dtype: str | None
    monitor: str
    """The default stands in the class too, for pickles of before."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.array_api_support = True
        tags.input_tags.sparse = True
        return tags


def _by_name(backend: Any) -> Any:
    return backend.__name__.removeprefix("array_api_compat.") if isinstance(backend, ModuleType) else backend


def stochastic(estimator: Parameters) -> bool:
    """Whether `partial_fit` exists; raises AttributeError, which scikit-learn shows, where it does not."""
    if estimator.solver == "lbfgs" or isinstance(estimator.solver, LBFGS):
        raise AttributeError('partial_fit needs a solver that takes batches, "adam" say; L-BFGS takes all data at once')
    return True
