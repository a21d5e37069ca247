"""When an estimator's training ends: scikit-learn's rule."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nnxp.callbacks import State
from nnxp.callbacks.best import BestWeights
from nnxp.callbacks.patience import Patience
from nnxp.estimators.rate import Rate
from nnxp.optimizers import Optimizer
from nnxp.sequential import Sequential
from nnxp.training.packing import Packing

Score = Callable[[Mapping[str, float]], float]
"""From an epoch's record to the validation score."""


class Convergence(Patience):
    """`Patience`, for a training that keeps its best weights and may go on.

    What is followed is the validation's score or negative loss, or the negative training loss. Of epochs with the best
    score the weights of the lowest validation loss are kept, which scikit-learn does not: the accuracy of imbalanced
    data often stands still from the first epoch on.

    Parameters
    ----------
    tol, patience
        As there.
    scored : bool
        Whether it follows the validation, and keeps the best weights.
    partial : bool
        Whether it goes on over several calls of `partial_fit`: the best weights are put back when it stops, and else
        at the end of the fit.
    by_loss : bool
        Whether it follows the validation by its loss.

    Attributes
    ----------
    best, stopped
        As there.
    """

    _loss = math.inf  # of the weights that are kept; pickles of before do not have it
    by_loss = False  # nor this

    def __init__(self, tol: float, patience: float, scored: bool, partial: bool, by_loss: bool = False) -> None:
        super().__init__(tol, patience)
        self.scored, self.partial, self.by_loss = scored, partial, by_loss
        self._best = BestWeights()

    @property
    def follows(self) -> tuple[bool, bool]:
        """What two rules have in common where one can go on as the other."""
        return self.scored, self.by_loss

    def update(self, value: float, model: Sequential, loss: float = math.inf) -> None:
        """Takes the value of an epoch, and its validation loss."""
        before = self.best, -self._loss
        self.follow(value)
        if (value, -loss) > before:
            self._loss = loss
            if self.scored:
                self._best.keep(model)

    @property
    def ends(self) -> bool:
        """Whether it may end a training: the training loss ends no partial fits, but its rate may fall."""
        return self.scored or not self.partial

    def go_on(self) -> None:
        """Begins to count again, where the training is not to end."""
        self.count, self.stopped = 0, False

    def end(self, model: Sequential) -> None:
        """Puts the best weights back, if they were kept and nothing follows."""
        if self.stopped or not self.partial:
            self._best.put_back(model)
            self._best = BestWeights()


class Stopping(Packing):
    """The rule of several trainings side by side, each by rows that it holds out: of its epochs with one score the one
    with the lowest loss is the best, as in `Convergence`.

    Parameters
    ----------
    scores
        What gives each one's score.
    by_loss : bool
        Whether they are followed by their losses.
    options
        As there.
    """

    def __init__(self, scores: Sequence[Score], by_loss: bool, **options: Any) -> None:
        super().__init__("val_member_loss", **options)
        self.scores, self.by_loss, self._lowest = scores, by_loss, [math.inf] * len(scores)

    def follow(self, k: int, record: Mapping[str, Any]) -> bool:
        """Takes training k's entries of an epoch: whether it is at its best."""
        rule, loss = self._rules[k], record["val_loss"]
        value = -loss if self.by_loss else self.scores[k](record)
        best = (value, -loss) > (rule.best, -self._lowest[k])
        rule.follow(value)
        if best:
            self._lowest[k] = loss
        return best


class Watch:
    """The callback of one `fit`: records it, and asks the rule after each epoch whether to go on.

    Parameters
    ----------
    rule
        Which outlives the fit where it is one of several calls of `partial_fit`.
    score
        The validation score of an epoch's record; None where nothing is validated.
    verbose
        Whether to print a line an epoch.
    rate, samples
        How the learning rate goes on, None where that is nobody's affair here, and the samples of an epoch.

    Attributes
    ----------
    losses, validation_losses, scores : list of float
        One entry an epoch.
    stopped : bool
        Whether the rule or another callback ended the training.
    """

    events = ("begin", "epoch", "end")

    def __init__(
        self, rule: Convergence, score: Score | None, verbose: Any, rate: Rate | None = None, samples: int = 0
    ) -> None:
        self.rule, self.score, self.verbose, self.rate, self.samples = rule, score, verbose, rate, samples
        self.losses, self.validation_losses, self.scores = list[float](), list[float](), list[float]()
        self.stopped = False

    def __call__(self, state: State) -> None:
        """Records an epoch, and may end the training."""
        rule, record = self.rule, state.record
        if state.event == "begin":
            if rule.partial:  # no one knows how many calls will follow: a schedule has to have steps of its own
                state.model.optimizer.total = None
            return
        if state.event == "end":
            self.stopped = state.stop
            rule.end(state.model)
            return
        self.losses.append(record["loss"])
        if self.verbose:
            print(f"Iteration {len(self.losses)}, loss = {record['loss']:.8f}")
        if self.score is not None:
            self.validation_losses.append(record["val_loss"])
            self.scores.append(self.score(record))
            if self.verbose:
                print(f"Validation score: {self.scores[-1]:f}")
        if rule.scored:
            loss = record["val_loss"]
            rule.update(-loss if rule.by_loss else self.scores[-1], state.model, loss)
        else:
            rule.update(-record["loss"], state.model)
        if self.rate is not None:
            self._set_rate(self.rate, state.model.optimizer)
        if rule.stopped:
            state.stop = True

    def _set_rate(self, rate: Rate, optimizer: Optimizer) -> None:
        """The rate of the next epoch; one that falls comes in place of an end."""
        rate.after(self.samples)
        falls = self.rule.stopped and rate.falls()
        if falls and self.verbose:
            print(f"Learning rate = {rate.now:g}")
        if falls or (self.rule.stopped and not self.rule.ends):
            self.rule.go_on()
        optimizer.learning_rate = rate.now


def unfinished(optimizer: Optimizer, max_iter: int, max_fun: int) -> str | None:
    """Why a training ended that no rule ended, in words; None where L-BFGS found its minimum."""
    result = getattr(optimizer, "result", None)  # L-BFGS has a rule of its own
    if result is not None and result.converged:
        return None
    if result is None or result.iterations >= max_iter:
        return f"max_iter={max_iter} epochs, before it converged: raise max_iter, or tol"
    if result.evaluations >= max_fun:
        return f"max_fun={max_fun} evaluations of the loss, before it converged: raise max_fun, or tol"
    return (
        f"{result.iterations} of {max_iter} epochs, where its line search found no lower loss "
        f"({result.message.strip(': ')}): scale the inputs to mean 0 and variance 1, or take float64"
    )
