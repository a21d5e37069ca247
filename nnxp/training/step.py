"""One bound step on the arrays that a user hands over."""

import weakref

import numpy as np

from nnxp.distributed import ByMember
from nnxp.doors.arrays import finite, same_length, sample_weights, sum_is_finite
from nnxp.layers import Embedding
from nnxp.layers.parts import with_parts
from nnxp.network.checking import check_parts
from nnxp.network.codes import check_codes
from nnxp.network.model import Model
from nnxp.training.batches import weighed
from nnxp.training.plan import Plan
from nnxp.typing import Array, ArrayLike


def plan_of(model: Model) -> Plan:
    """The plan of a model's step: of one network or of several, by one process or by several."""
    if isinstance(model.communicator, ByMember):
        from nnxp.training.spread_plan import SpreadPlan

        return SpreadPlan(model)
    if model.communicator is not None and model.members > 1:
        from nnxp.training.portion_members import PortionMembersPlan

        return PortionMembersPlan(model)
    if model.communicator is not None:
        from nnxp.training.portion_plan import PortionPlan

        return PortionPlan(model)
    if model.members > 1:
        from nnxp.training.side_by_side import MembersPlan

        return MembersPlan(model)
    return Plan(model)


class Step:
    """A bound model's training step."""

    def __init__(self, model: Model, plan: Plan | None = None) -> None:
        self.model: Model = weakref.proxy(model)  # the model owns this: no cycle keeps it alive
        check_parts(model)  # before anything is updated
        self.plan, self.loss, self.backend = plan or plan_of(model), model.loss, model.backend
        self.on_cupy = model.backend.library == "cupy"
        self.looks_up = any(isinstance(layer, Embedding) for _, layer in with_parts(model.layers))

    def at_once(self, X: ArrayLike, y: ArrayLike) -> Array | None:
        """`one`, where X and y are arrays of NumPy, or of CuPy on the model's device, that a step takes as they are. A
        loop of small steps is not to wait for a door that finds nothing to do; None proves nothing."""
        plan, model = self.plan, self.model
        self._refuse_beside_a_fit()
        plan.follow()
        if not (model._fits_on_cupy(X) if self.on_cupy else model._fits(X)):
            return None
        n = X.shape[0]
        if not plan.loss.ready(y, n, model.n_out):
            return None
        with self.backend.context(), plan.threads(n):
            return self._step(X, y, None) if self.on_cupy or (sum_is_finite(X) and not self.looks_up) else None

    def checked(self, x: Array, y: ArrayLike, w: ArrayLike | None) -> Array:
        """`one`, of inputs past the model's door and labels and weights not yet past any. Inputs on the host are looked
        at there, where nobody waits for it."""
        model, backend, loss = self.model, self.backend, self.plan.loss
        self._refuse_beside_a_fit()
        n = int(x.shape[0])
        if n == 0:
            raise ValueError("got X with no samples, expected at least one")
        if isinstance(x, np.ndarray):
            finite(backend, x, "X", model.dtype)
            check_codes(backend, model.layers, x, "X")
        x = model._moved(x)
        self.plan.follow()
        labels = loss.prepare(y, model._outputs(x), model.dtype, scan=False)
        same_length(n, int(labels.shape[0]), "labels")
        weights = sample_weights(backend, w, n, model.dtype, scan=False, members=model.members)
        with backend.context():
            labels, weights, _ = weighed(loss, labels, weights, model.dtype)
        return self.one(backend.asarray(x, dtype=model.dtype), labels, weights)

    def _refuse_beside_a_fit(self) -> None:
        """Raises where another thread trains the model, which may be anywhere in a step."""
        course = self.model._course
        if course is not None and not course.is_here:
            raise RuntimeError(
                "got a train_step of a model that a fit in another thread is training, expected one at a time: "
                "train a copy"
            )

    def one(self, x: Array, y: Array, w: Array | None) -> Array:
        """The loss before the update, 0-d, of arrays that the plan takes."""
        with self.backend.context(), self.plan.threads(x.shape[0]):
            return self._step(x, y, w)

    def _step(self, x: Array, y: Array, w: Array | None) -> Array:
        with np.errstate(all="ignore"):  # a harmless underflow is not to stop an update
            try:
                return self.plan.step(x, y, w)
            finally:
                self.plan.release()
