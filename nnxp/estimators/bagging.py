"""Bags: members that each train on rows of their own, and what the rows that they leave out say of them."""

import math
import warnings
from typing import Any

import numpy as np

from nnxp import random
from nnxp.doors.options import boolean
from nnxp.estimators import inputs
from nnxp.estimators.fitted import Fitted
from nnxp.estimators.inputs import Part
from nnxp.printing import counted
from nnxp.typing import Array, ArrayLike, Floats, HostArray, Integers


class Bagged(Fitted):
    """An estimator whose members may each train on a bag of the rows (Breiman 1996, "Bagging predictors").

    A bag is as many draws, with replacement, as there are rows that weigh something. A row that member k has drawn cᵢₖ
    times weighs wᵢₖ = cᵢₖ wᵢ to it, in the loss and in the weight that `alpha` is divided by. About 1/e of the rows are
    in none of its draws. So each row is predicted by the mean of the members that were not trained on it,

        pᵢ = Σₖ [wᵢₖ = 0] pₖ(xᵢ) / Σₖ [wᵢₖ = 0],

    as scikit-learn's bagging does, but that there weights decide how often a row is drawn.

    Examples
    --------
    >>> import nnxp
    >>> X, y = nnxp.data.moons(200, seed=0)
    >>> model = nnxp.MLPClassifier((16,), learning_rate_init=0.1, tol=1e-3, members=16, bootstrap=True, oob_score=True,
    ...     random_state=0).fit(X, y)
    >>> model.oob_decision_function_.shape, model.oob_score_ > 0.9
    ((200, 2), True)
    """

    bootstrap: bool = False  # pickles of before do not have it
    oob_score: bool = False  # nor this
    oob_score_: float

    _left_out: str
    """The attribute that keeps the predictions of rows by those that left them out."""

    def _told(self, output: Array) -> Array:
        """What is told of rows by the network's output for them."""
        raise NotImplementedError

    def _rated(self, output: Array, y: ArrayLike, w: ArrayLike | None) -> float:
        """The score of the network's output."""
        raise NotImplementedError

    def _check_bags(self, partial: bool) -> None:
        """Raises ValueError where bags are asked for that cannot be drawn, or said to leave rows out."""
        bags, scored, name = (
            boolean("bootstrap", self.bootstrap),
            boolean("oob_score", self.oob_score),
            type(self).__name__,
        )
        if bags and self.members == 1:
            raise ValueError(
                f"got bootstrap=True for one network, expected several, each with a bag of its own: {name}(members=32, "
                "bootstrap=True)"
            )
        if bags and partial:
            raise ValueError(
                "got bootstrap=True in a partial_fit, expected fit: a bag is drawn of all rows, and a call has some"
            )
        if scored and not bags:
            raise ValueError(
                "got oob_score=True without bags, which alone leave rows out, expected bootstrap=True beside it"
            )
        if scored and self.warm_start:
            raise ValueError(
                "got oob_score=True and warm_start=True, expected one of them: the last weights may know the rows "
                "that this one's bags leave out"
            )

    def _bagged(self, part: Part) -> Part:
        """Rows to train on, (n,) weights becoming (n, members) where each member has a bag."""
        for name in ("oob_score_", self._left_out):
            self.__dict__.pop(name, None)  # of the last fit
        if not self.bootstrap:
            return part
        w = np.ones(len(part.y)) if part.w is None else part.w
        rows, weights = np.flatnonzero(w), np.zeros((len(w), self.members))
        for k, seed in enumerate(self.model_.seeds):
            weights[rows, k] = random.bag(random.key(seed, "bags"), len(rows)) * w[rows]
        return part._replace(w=weights)

    def _score_left_out(self, part: Part, rows: Integers, y: HostArray, w: Floats | None) -> None:
        """Predicts the rows of a fit by the members whose bags did not have them.

        Parameters
        ----------
        part
            The rows that were trained on, with their bags.
        rows
            Which of all rows they are; the others are predicted by none, since they have chosen the epoch.
        y, w
            All rows' labels or targets, and weights, as the user gave them.
        """
        assert part.w is not None
        left_out = part.w == 0
        found = np.flatnonzero(left_out.any(axis=1))
        outputs = inputs.on_host(self.model_.predict(part.X, members=True)).astype(np.float64)[:, found]
        mean = np.average(outputs, axis=0, weights=np.broadcast_to(left_out[found].T[..., None], outputs.shape))
        output = self._home.asarray(mean, dtype=self.model_.dtype)
        told, places = inputs.on_host(self._told(output)), rows[found]
        every = np.full((len(y), *told.shape[1:]), np.nan, dtype=told.dtype)
        every[places] = told
        setattr(self, self._left_out, self._home.asarray(every, dtype=self.model_.dtype))
        weights: Any = None if w is None else w[places]
        some = len(found) > 0 if weights is None else weights.any()
        self.oob_score_ = self._rated(output, y[places], weights) if some else math.nan
        if gone := len(rows) - len(found):
            warnings.warn(
                f"{counted(gone, 'row')} of {len(rows)} {'has' if gone == 1 else 'have'} no out-of-bag prediction, "
                f"which is NaN: all {self.members} members were trained on {'it' if gone == 1 else 'them'}; take more",
                stacklevel=6,
            )
