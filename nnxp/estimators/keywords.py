"""What both estimators are given, and what scikit-learn asks of them."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from sklearn.base import BaseEstimator

from nnxp.callbacks import Callback
from nnxp.doors.calling import Constructed
from nnxp.estimators.hooks import CallbackSupportMixin
from nnxp.optimizers import LBFGS


class Keywords(Constructed, BaseEstimator):
    """An estimator of scikit-learn's that keeps its parameters as they were given."""

    backend: Any
    members: int = 1  # pickles of before do not have it

    def _keep(self, given: dict[str, Any]) -> None:
        """Stores the parameters that `__init__` was given, as they are: scikit-learn's rule."""
        self.__dict__.update({name: given[name] for name in self._get_param_names()})

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters; a backend that is a module by its name, since modules cannot be copied."""
        params: dict[str, Any] = super().get_params(deep)
        return params | {"backend": _by_name(params["backend"])}

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
