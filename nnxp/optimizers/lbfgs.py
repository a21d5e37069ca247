"""L-BFGS, SciPy's, over the flat store: for small data, of which every evaluation sees all."""

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from nnxp.doors.options import not_negative, positive
from nnxp.layers.base import Layer
from nnxp.layers.parts import with_parts
from nnxp.memory.parameters import ParameterStore
from nnxp.optimizers.base import Optimizer
from nnxp.optimizers.targets import Target
from nnxp.typing import HostArray


class Result(NamedTuple):
    """How a minimisation ended."""

    converged: bool
    """Whether the gradient or the last improvement was small enough."""
    message: str
    loss: float
    """The lowest that was met, which is that of the weights it left."""
    iterations: int
    evaluations: int


class LBFGS(Optimizer):
    """Limited-memory BFGS with a line search: Byrd, Lu, Nocedal and Zhu 1995 as SciPy's
    `minimize(method="L-BFGS-B")` without bounds. There is no learning rate to choose.

    `model.fit(X, y, epochs=200)` runs up to 200 iterations, each over all data; an iteration is an epoch in the
    history. SciPy works in float64 on the host: weights and gradients are copied there and back at every evaluation,
    whatever the backend. The loss of a float32 model moves in steps of a ten-millionth of itself, which near a minimum
    may be taken for convergence, or make the line search give up ("ABNORMAL", in `result`): use dtype="float64" to go
    further. A second `fit` begins with a new memory of curvature.

    Parameters
    ----------
    tol : float
        Ends where no element of the gradient is larger; 0.0001 by default, as scikit-learn's MLP. It also ends where
        the loss falls by less than 2.2e-9 of itself, SciPy's default.
    history : int
        How many pairs of steps and gradients the curvature is estimated from; 10 by default, as SciPy.
    max_fun : int
        The most evaluations of a `fit`; 15000 by default, as SciPy and scikit-learn.
    backend
        Where given, models of another backend are refused.

    Attributes
    ----------
    result : Result or None
        How the last minimisation ended: `converged`, `message`, `loss`, `iterations`, `evaluations`. None before the
        first, and after one that an exception ended.

    Examples
    --------
    >>> import numpy as np, nnxp
    >>> X = np.linspace(-3, 3, 100)[:, None]
    >>> layers = [nnxp.Dense(1, 16), "tanh", nnxp.Dense(16, 1)]
    >>> model = nnxp.Sequential(layers, "mean_squared_error", nnxp.LBFGS(), dtype="float64", seed=0)
    >>> history = model.fit(X, np.sin(X), epochs=100)
    >>> history["rmse"][-1] < 0.02
    True
    """

    options = ("tol", "history", "max_fun")

    def __init__(self, *, tol: float = 1e-4, history: int = 10, max_fun: int = 15000, backend: Any = None) -> None:
        super().__init__(1.0, backend=backend)
        self.tol, self.history = not_negative("tol", tol), positive("history", history)
        self.max_fun = positive("max_fun", max_fun)

    def _begin(self) -> None:
        super()._begin()
        self.result: Result | None = None

    def check_factors(self, layers: Iterable[Layer], members: int = 1) -> None:
        """Refuses those of a layer: there is no rate to multiply."""
        for position, layer in with_parts(layers):
            if layer.factors:
                raise ValueError(
                    f"got {type(layer).__name__}(factors={layer.factors}) (layer {position}) with LBFGS, which has no "
                    "learning rate to multiply: leave them out, or take another optimizer"
                )

    def minimise(
        self,
        store: ParameterStore,
        evaluate: Callable[[], float],
        iterations: int,
        after: Callable[[float], bool],
    ) -> None:
        """Moves a store's trained parameters to a minimum of the loss, and leaves the best that it met there, also
        where `after` ends it or an exception passes.

        Parameters
        ----------
        store : ParameterStore
            `model.store`.
        evaluate : callable
            Fills `store.gradients` for the present `store.values`, over all data, and gives the loss, penalties
            included.
        iterations : int
            The most iterations.
        after : callable
            Called with the loss after each iteration, when the store holds what it has reached; True ends it.

        Raises
        ------
        ModuleNotFoundError
            SciPy is not installed; the message names the extra.
        """
        optimize = self._scipy()
        self._refuse_other(store)
        self.result, search = None, _Search(store, evaluate)

        def iterated(intermediate_result: Any) -> None:
            self.iterations += 1
            search.put(intermediate_result.x)  # SciPy does not say that the last that it evaluated is it
            if after(float(intermediate_result.fun)):
                raise StopIteration

        minimize: Any = optimize.minimize
        options = {"maxcor": self.history, "gtol": self.tol, "maxfun": self.max_fun, "maxiter": iterations}
        try:
            found = minimize(search, search.best, jac=True, method="L-BFGS-B", callback=iterated, options=options)
        finally:
            search.put(search.best)
        self.result = Result(found.success, found.message, search.loss, found.nit, found.nfev)

    @staticmethod
    def _scipy() -> Any:
        """SciPy's minimisers."""
        try:
            from scipy import optimize
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "scipy":
                raise
            raise ModuleNotFoundError('L-BFGS needs SciPy: pip install "nnxp[sklearn]"', name="scipy") from None
        return optimize

    def update_params(self, target: Target) -> None:
        """Refuses: there is no step for one batch."""
        raise RuntimeError(
            "got a step for LBFGS, which looks at all data at once and takes many evaluations a step: call "
            "model.fit(X, y, epochs=200), of up to 200 iterations, or LBFGS.minimise with a loss of your own; "
            "for batches take another optimizer, Adam say"
        )

    def update_store(self, store: ParameterStore, part: slice | None = None) -> None:
        """Refuses, as `update_params`."""
        self.update_params(store)


class _Search:
    """The loss as a function of a host vector, and where it was lowest."""

    def __init__(self, store: ParameterStore, evaluate: Callable[[], float]) -> None:
        self.store, self.evaluate = store, evaluate
        self.parts = [slice(start, stop) for start, stop, _ in store.spans(None, by_kind=False)]
        self.best, self.loss = self._host(store.values), math.inf

    def __call__(self, x: HostArray) -> tuple[float, HostArray]:
        self.put(x)
        loss = float(self.evaluate())
        if -math.inf < loss < self.loss:  # not so where it is NaN
            self.best, self.loss = x.copy(), loss
        return loss, self._host(self.store.gradients)

    def put(self, x: HostArray) -> None:
        """Makes x the store's parameters that are trained and not frozen."""
        backend, done = self.store.backend, 0
        with backend.context():
            for part in self.parts:
                ahead = done + part.stop - part.start
                self.store.values[part] = backend.asarray(x[done:ahead], dtype=self.store.dtype)
                done = ahead

    def _host(self, a: Any) -> HostArray:
        """What of a flat array belongs to them."""
        host = self.store.backend.to_numpy(a)
        return np.concatenate([np.empty(0), *(host[part] for part in self.parts)], dtype=np.float64)
