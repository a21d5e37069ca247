"""Dropout."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nnxp import random
from nnxp.doors.options import each_member, share
from nnxp.kernels import formulas
from nnxp.layers.base import Layer
from nnxp.typing import Array, ArrayLike

if TYPE_CHECKING:
    from nnxp.schedules import Schedule


class Dropout(Layer):
    """While training, sets each value to 0 with probability `rate` and divides the others by 1 - rate.

    y = x · kept / (1 - rate): inverted dropout, so that the expected output is the input and nothing is
    left to do afterwards (Srivastava et al. 2014, section 10). The mask of each step follows from the seed
    alone, the same on every backend. Backward after a forward with `training=False` is the identity.

    Parameters
    ----------
    rate : float or sequence of float
        The share that is dropped, from 0 up to but not including 1; in a model of several members, also one for each.
    schedule : str, Schedule or callable, optional
        What multiplies the rate at each step, "flat_cosine" say: a curve over the steps of `nnxp.schedules`, or a
        function of (step, total), the updates that the model's optimizer has made and will make. A layer on its own
        counts its calls, and knows no total.
    seed : int, optional
        For a layer on its own, which counts its own calls; a model gives its layers its seed, epoch and step.
    trainable : bool
        As on every layer; there is nothing to train, and a frozen layer drops as any other.
    backend, dtype
        See `nnxp.get_backend`; by default those of the inputs.
    """

    options = ("rate", "schedule")
    _if_given = (*Layer._if_given, "schedule")
    _lent = ("_draw",)
    schedule: "Schedule | None" = None
    reads = ()
    initializer_before = None

    def __init__(
        self,
        rate: float | Sequence[float],
        *,
        schedule: Any = None,
        seed: int | None = None,
        trainable: bool = True,
        backend: Any = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(backend, dtype, trainable)
        self.rate = each_member("rate", rate, share)
        if schedule is not None:
            from nnxp.schedules import get_curve

            self.schedule = get_curve(schedule)
        self.seed = random.fresh_seed() if seed is None else seed
        self.calls = 0
        self._mask: tuple[Any, ...] | None = None

    def forward(self, inputs: ArrayLike, training: bool = False) -> Array:
        """x · kept / (1 - rate) while training, else x itself."""
        own = self.__dict__  # what runs in a step goes past the check of an attribute's name
        own["inputs"] = own["output"] = inputs
        own["_mask"] = None
        if isinstance(self.rate, tuple):
            raise ValueError(f"got a rate for each of {len(self.rate)} members by itself, expected a model of several")
        if training and self.rate > 0:
            moment = (0, 0, self.calls) if self.moment is None else self.moment
            rate = self.rate if self.schedule is None else self._scheduled(self.schedule)
            own["calls"] += 1
            assert self.seed is not None
            if rate > 0:
                drawn = self._draw(random.key(self.seed, "dropout", *moment), inputs.shape, rate)
                own["_mask"] = *drawn, 1 / (1 - rate)
                own["output"] = self._drop(inputs, "output")
        return self.output

    def backward(self, dvalues: ArrayLike) -> Array:
        """dy · kept / (1 - rate), with the last forward's mask."""
        dinputs = dvalues if self._mask is None else self._drop(dvalues, "dinputs")
        self.__dict__["dinputs"] = dinputs
        return dinputs

    @property
    def _draws_again(self) -> bool:
        """On CuPy a kernel draws the bits itself, forward and backward: one launch each, and no mask in memory."""
        return self.backend.library == "cupy"

    def _scheduled(self, schedule: "Schedule") -> float:
        """The rate of this step."""
        return share("rate times its schedule", self.rate * self._factor(schedule))

    def _factor(self, schedule: "Schedule") -> float:
        """What the schedule multiplies the rate of this step by."""
        if self.moment is None:
            return schedule(self.calls, None)
        return schedule(self.model.optimizer.iterations, self.model.optimizer.total)

    def _draw(self, key: int, shape: tuple[int, ...], rate: float) -> tuple[Any, ...]:
        """The mask, or what it follows from."""
        if self._draws_again:
            return key, random.threshold(rate)
        return (random.kept(self.backend, key, shape, rate, out=self.take("kept", shape, "bool")),)

    def _drop(self, x: Array, name: str) -> Array:
        """x · kept / (1 - rate)."""
        assert self._mask is not None
        drop = self.kernel("dropped") if self._draws_again else self.backend.fuse(formulas.dropout)
        return drop(x, *self._mask, out=self.take(name, x.shape))
