"""What every loss shares: its doors, and the mean over the samples."""

from collections.abc import Callable
from typing import Any, ClassVar

from nnxp.backends import dtype_of
from nnxp.doors import labels
from nnxp.doors.arrays import Switch, same_length, sample_weights, some_weight
from nnxp.kernels import formulas
from nnxp.losses.step_formula import step_formula
from nnxp.memory.buffers import Buffers
from nnxp.typing import Array, ArrayLike


class Loss(Switch):
    """The base class: subclasses give each sample's loss, its gradient, and the kind of their labels.

    Parameters
    ----------
    backend, dtype
        See `nnxp.get_backend`; by default those of the predictions.
    """

    classifies: ClassVar[bool] = False
    by_hand: ClassVar[bool] = False
    """Whether its calls are not those of the contract, so that a model cannot use it."""
    metric_formula: ClassVar[Callable[..., Array]] = formulas.squared_error
    """Of a prediction and the truth: the metric's mean, of which the rmse is the root."""
    dinputs: Array
    buffers = Buffers()

    def __init__(self, *, backend: Any = None, dtype: str | None = None) -> None:
        super().__init__(backend, dtype)

    def forward(self, y_pred: ArrayLike, y: ArrayLike) -> Array:
        """Each sample's loss, (n,), times its class's weight where the loss has class weights.

        Raises
        ------
        ValueError
            The labels do not fit the predictions: length, layout, range or dtype.
        """
        p, y, w = self._door(y_pred, y, None)
        with self.backend.context():
            losses = self.losses(p, y)
            return losses if w is None else losses * w

    def calculate(self, y_pred: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Array:
        """The mean loss Σ wᵢℓᵢ / Σ wᵢ, a 0-d array.

        Parameters
        ----------
        y_pred
            Predictions (n, m).
        y
            The truth, (n,) or (n, m).
        sample_weight
            (n,) weights from 0 up, not all 0; 1 each by default.
        """
        p, y, w = self._door(y_pred, y, sample_weight)
        _some(p)
        with self.backend.context():
            return self.backend.kernels["weighted_mean"](self.losses(p, y), w)

    def backward(self, dvalues: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Array:
        """Sets and returns `dinputs`, the gradient of `calculate` by the predictions `dvalues`, (n, m).

        It divides by Σ w, as PyTorch's mean reduction does; `fit` by rows × the mean weight (see `Sequential.fit`).
        """
        p, y, w = self._door(dvalues, y, sample_weight)
        with self.backend.context():
            self.dinputs = self.mean_gradient(self.gradients(p, y), w)
        return self.dinputs

    def prepare(self, y: ArrayLike, n_out: int | None, dtype: str, scan: bool = True) -> Array:
        """The labels as the kernels take them, checked: what a model does once per fit. `scan=False` does not
        wait for a device to check their values."""
        return labels.real(self.backend, y, n_out, dtype, scan)

    def weigh(self, y: Array, w: Array | None, dtype: str) -> tuple[Array, Array | None, Array | None]:
        """Prepared labels as the kernels take them, each sample's weight in the loss, and in the metric, (n,) or None
        for 1 each: what class weights and an ignored label do to sample weights. The truth of a sample that weighs
        nothing becomes 0: 1e20, which stands for a number that is missing, would make its loss infinite, and
        0 · ∞ is not 0."""
        if w is None or (self.backend.library == "numpy" and w.all()):  # others might have to be waited for
            return y, w, w
        xp = self.backend.xp
        return xp.where(xp.reshape(w == 0, (-1, *[1] * (y.ndim - 1))), 0, y), w, w

    def ready(self, y: ArrayLike, n: int, n_out: int | None) -> bool:
        """Whether y is an array that `prepare` would check, NumPy's alone by its values, and give back; False proves
        nothing."""
        return False

    def losses(self, p: Array, y: Array) -> Array:
        """Each sample's loss (n,), of prepared labels."""
        raise NotImplementedError(f"{type(self).__name__} defines no losses(self, p, y)")

    def gradients(self, p: Array, y: Array) -> Array:
        """The gradient of each sample's own loss by its predictions (n, m)."""
        raise NotImplementedError(f"{type(self).__name__} defines no gradients(self, p, y)")

    def both(self, p: Array, y: Array) -> tuple[Array, Array]:
        """`losses` and `gradients`, in one pass where there is one."""
        return self.losses(p, y), self.gradients(p, y)

    def from_logits_kind(self) -> "Loss | None":
        """The fused pair that takes logits, for a loss that takes probabilities."""
        return None

    def take(self, name: str, shape: tuple[int, ...], dtype: str | None = None) -> Array | None:
        """Where to write the result `name`: None makes a kernel return a new array."""
        return self.buffers.take(self, name, shape, dtype)

    def mean_gradient(self, gradient: Array, w: Array | None) -> Array:
        """The gradient of the weighted mean from those of the samples. One of the user's own is what `fit` uses too."""
        _some(gradient)
        xp = self.backend.xp
        scale_rows = self.backend.fuse(formulas.scale_rows)
        if w is None:
            return scale_rows(gradient, 1 / gradient.shape[0])
        total = xp.sum(w)
        return scale_rows(gradient, (w / xp.where(total > 0, total, 1))[:, None])

    def decide(self, p: Array) -> Array:
        """The class indices (n,) that the predictions stand for."""
        return self.backend.kernels["argmax"](p)

    def truth(self, y: Array) -> Array:
        """The class indices (n,) that prepared labels stand for."""
        return y if y.ndim == 1 else self.backend.kernels["argmax"](y)

    def score(self, p: Array, y: Array) -> Array:
        """What `metric` averages, of prepared labels: (n,)."""
        if not self.classifies:
            errors = self.backend.fuse(type(self).metric_formula)(p, y, out=self.take("errors of the metric", p.shape))
            return self.backend.kernels["row_means"](errors, out=self.take("scores", p.shape[:1]))
        xp, guess, truth = self.backend.xp, self.decide(p), self.truth(y)
        hits = xp.astype(guess == truth, p.dtype)
        return hits if hits.ndim == 1 else self.backend.kernels["row_means"](hits)

    def scores(self, p: Array, y: Array) -> Array:
        """`score` as numbers (n,): one of the user's own may give Booleans, or a column."""
        scores = self.score(p, y)
        if type(self).score is Loss.score:
            return scores
        xp = self.backend.xp
        return xp.astype(xp.reshape(scores, (-1,)), p.dtype)

    @property
    def metric(self) -> str:
        """What a model reports beside the loss: "accuracy", or "rmse" for a regression."""
        return "accuracy" if self.classifies else "rmse"

    def config(self) -> dict[str, Any]:
        """The class and its options, as JSON can hold them."""
        return {"class": type(self).__name__, **{name: getattr(self, name) for name in self.options}}

    def _door(self, y_pred: ArrayLike, y: ArrayLike, w: ArrayLike | None) -> tuple[Array, Array, Array | None]:
        p = self._matrix(y_pred, "y_pred")
        if p.shape[1] == 0:
            raise ValueError(f"got y_pred of shape {tuple(p.shape)}, expected at least one output a sample")
        dtype = dtype_of(p)
        prepared = self.prepare(y, p.shape[1], dtype)
        same_length(p.shape[0], prepared.shape[0], "labels")
        w = sample_weights(self.backend, w, p.shape[0], dtype)
        with self.backend.context():
            prepared, weighed, _ = self.weigh(prepared, w, dtype)
            if weighed is not w and p.shape[0] > 0:
                some_weight(self.backend, weighed)
        return p, prepared, weighed


def _some(samples: Array) -> None:
    if samples.shape[0] == 0:
        raise ValueError("got no samples, expected at least one: a mean of nothing has no value")


class ElementwiseLoss(Loss):
    """A loss that is the mean of a formula over a sample's outputs."""

    formula: ClassVar[Callable[..., Array]]
    gradient_formula: ClassVar[Callable[..., Array]]

    def losses(self, p: Array, y: Array) -> Array:
        """ℓᵢ = Σⱼ f(pᵢⱼ, yᵢⱼ) / m."""
        error = self.backend.fuse(self._formulas()[0])
        errors = error(p, y, *self._constants(p), out=self.take("errors", p.shape))
        return self.backend.kernels["row_means"](errors, out=self.take("losses", p.shape[:1]))

    def gradients(self, p: Array, y: Array) -> Array:
        """f'(pᵢⱼ, yᵢⱼ) / m."""
        gradient = self.backend.fuse(self._formulas()[1])
        dp = gradient(p, y, *self._constants(p), out=self.take("gradient", p.shape))
        return dp if p.shape[1] == 1 else self.backend.fuse(formulas.times, into=("x",))(dp, 1 / p.shape[1])

    def step_formula(self) -> Callable[..., tuple[Array, Array, Array]]:
        """What a step takes of each prediction, as one formula (see `nnxp.losses.step_formula`)."""
        return step_formula(*self._formulas(), type(self).metric_formula)

    def _formulas(self) -> tuple[Callable[..., Array], Callable[..., Array]]:
        return type(self).formula, type(self).gradient_formula

    def _constants(self, p: Array) -> list[float]:
        return [getattr(self, name) for name in self.options]
