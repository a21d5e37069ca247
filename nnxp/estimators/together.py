"""Estimators of one architecture, on rows of one table, trained side by side as the members of one model."""

import time
import warnings
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from nnxp.errors import NonFiniteLossError
from nnxp.estimators import inputs
from nnxp.estimators.base import MLP
from nnxp.estimators.building import batch_rows, hidden, hidden_widths, make_optimizer, one_or_each
from nnxp.estimators.convergence import Score, Stopping, Watch
from nnxp.estimators.inputs import Part
from nnxp.estimators.matching import Job, of_equal_steps
from nnxp.layers import Dense, Dropout, Rescaling
from nnxp.network.history import MEMBER, of_each
from nnxp.optimizers import SGD
from nnxp.sequential import Sequential
from nnxp.training.packing import Packing, train
from nnxp.typing import ArrayLike, Floats, HostArray

HEAVIEST = 1 << 16
"""A first layer of up to so many weights is trained side by side: of larger ones the products are all there is."""
MOST = 64
"""How many are trained at once."""
CELLS = 1 << 24
"""How many weights of rows there are at most, one for each of them and each row."""
SHARED = 0.5
"""The share of all rows that one trains on, from which it pays to compute all rows for each."""


class Trained(NamedTuple):
    """A job that is done: the estimator is fitted, in so many seconds of those that all took."""

    job: Job
    seconds: float


def trained(jobs: Iterable[Job], X: ArrayLike, y: ArrayLike) -> list[Trained]:
    """Those of the jobs that can be done side by side, done; it leaves the others, which are to be fitted alone."""
    groups: dict[Hashable, list[Job]] = {}
    for job in jobs:
        if job.kind is not None:
            groups.setdefault(job.kind, []).append(job)
    found = []
    for group in (alike for kind in groups.values() for alike in of_equal_steps(kind)):
        most = max(1, min(MOST, CELLS // len(y)))
        parts = -(-len(group) // most)
        for part in (group[i::parts] for i in range(parts)):
            found += _together(part, X, y) if len(part) > 1 else []
    return found


def _together(jobs: Sequence[Job], X: ArrayLike, y: ArrayLike) -> list[Trained]:
    """The jobs of one kind, done; none of them where that cannot be, or is not worth it."""
    start, first = time.perf_counter(), jobs[0].estimator
    X, y, _ = first._checked((X, y, None), reset=True)
    if X.shape[1] * (hidden_widths(first.hidden_layer_sizes) or [1])[0] > HEAVIEST:
        return []
    try:
        targets = [job.estimator._target_of(y[job.rows], None, None) for job in jobs]
        units = [unit for target in targets if (unit := first._in_units_of(target, targets[0])) is not None]
        if len(units) < len(jobs):
            return []
        divided = [_divided(job, y, target) for job, target in zip(jobs, targets, strict=True)]
        counts, held_out = (np.stack(of_each, axis=1) for of_each in zip(*divided, strict=True))
        used = np.flatnonzero(counts.any(axis=1) | held_out.any(axis=1))
        if counts.sum() < SHARED * counts[used].size:
            return []
        part = Part(X, y, None) if len(used) == len(y) else Part(X, y, None).rows(used)
        part = Part(part.X, targets[0].encode(part.y), None)
        group = Group(jobs, part, targets, units, counts[used], held_out[used])
        group.train()
    except (ValueError, NonFiniteLossError):  # of one of them, which will say so alone
        return []
    for k, job in enumerate(jobs):
        group.give(job.estimator, k)
    seconds = (time.perf_counter() - start) / len(jobs)
    return [Trained(job, seconds) for job in jobs]


def _divided(job: Job, y: HostArray, target: Any) -> tuple[Floats, Floats]:
    """How often a job trains on each row, and how often the row is held out for its early stopping."""
    kept, held_out = job.rows, job.rows[:0]
    if job.estimator.early_stopping:
        own, others = job.estimator._divided(Part(None, target.encode(y[job.rows]), None))
        kept, held_out = job.rows[own], job.rows[others]
    counted = [np.bincount(rows, minlength=len(y)).astype(np.float64) for rows in (kept, held_out)]
    return counted[0], counted[1]


class Group:
    """Jobs of one kind and the model that does them: of each batch, a job trains on the rows that are its own.

    Batches are larger by what the jobs leave out: each then has as many steps an epoch as alone, and in a batch as many
    rows of its own on average. A step's gradient is Σ w ∇ℓ by the mean Σ w of a batch, not by its own.

    Parameters
    ----------
    jobs
        As said.
    part
        Rows of which each trains on some, and what their y is to all.
    targets, units
        What y means to each, and how many times as large as by itself a loss is in the first one's units.
    counts, held_out
        How often each row is trained on by each job, and held out for its early stopping, (n, jobs).
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        part: Part,
        targets: Sequence[Any],
        units: Sequence[float],
        counts: Floats,
        held_out: Floats,
    ) -> None:
        self.jobs, self.targets, self.units, self.n = jobs, targets, units, counts.sum(axis=0)
        self.first, estimators = jobs[0].estimator, [job.estimator for job in jobs]
        self.weights = np.zeros_like(counts)
        for k, (estimator, target) in enumerate(zip(estimators, targets, strict=True)):
            rows = np.flatnonzero(counts[:, k])
            self.weights[rows, k] = estimator._ready(Part(part.X, part.y[rows], counts[rows, k]), target).w
        own = [batch_rows(estimator.batch_size, int(n)) for estimator, n in zip(estimators, self.n, strict=True)]
        share = 1.0 if np.array_equal(own, self.n) else np.mean(own) / self.n.mean()
        self.batch_size = max(1, round(share * len(counts)))
        self.part = self.first._ready(part, targets[0])
        means = (self.weights.sum(axis=0) / self.n).tolist()
        places = zip(estimators, own, means, targets, units, strict=True)
        penalties = [unit * each._penalty(size, mean, target) for each, size, mean, target, unit in places]
        self.model = self._model(estimators, penalties)
        self.scores: list[Score] = []
        self.held_out: Part | None = None
        if self.first.early_stopping:
            self.scores, self.held_out = self._scores(part, held_out)
        by_loss = not self.scores or self.first.monitor == "loss"
        tol = [self.first.tol * unit if by_loss else self.first.tol for unit in units]
        options: dict[str, Any] = {"patience": self.first.n_iter_no_change, "min_delta": tol}
        if self.scores:
            self.rule: Packing = Stopping(self.scores, by_loss, **options)
        else:
            self.rule = Packing("member_loss", restore_best=False, **options)

    def _scores(self, part: Part, held_out: Floats) -> tuple[list[Score], Part]:
        """What gives each job's score, and the rows that any holds out, with the weights of each."""
        scores = []
        for k, (job, target) in enumerate(zip(self.jobs, self.targets, strict=True)):
            own = np.flatnonzero(held_out[:, k])
            rows = Part(None, np.repeat(part.y[own], held_out[own, k].astype(np.int64), axis=0), None)
            scores.append(job.estimator._ready_to_validate(rows, target)[1])
        used = np.flatnonzero(held_out.any(axis=1))
        return scores, Part(self.part.X, self.part.y, held_out).rows(used)

    def _model(self, estimators: Sequence[MLP], penalties: Sequence[float]) -> Sequential:
        """The networks of all; each begins and drops units as alone."""
        first = self.first
        layers, width = hidden(first, int(self.part.X.shape[1]))
        last, loss = first._head(width, self.targets[0])
        if isinstance(last[-1], Rescaling):
            own = [first._head(width, target)[0][-1] for target in self.targets]
            last[-1] = Rescaling([each.scale for each in own], [each.offset for each in own])
        for layer in (*layers, *last):
            if isinstance(layer, Dense):
                layer.l2 = one_or_each(penalties)
            elif isinstance(layer, Dropout):
                layer.rate = one_or_each([float(each.dropout) for each in estimators])
        optimizer, rates = make_optimizer(first), [1.0] * len(estimators)
        if isinstance(first.solver, str):
            rates = [each.learning_rate_init / first.learning_rate_init for each in estimators]
        if isinstance(optimizer, SGD):  # the others take no larger steps where gradients are larger
            rates = [rate / unit for rate, unit in zip(rates, self.units, strict=True)]
        if any(rate != 1 for rate in rates):
            optimizer.factors = {"members": rates}
        seeds = [each._seed() for each in estimators]
        dtype = inputs.precision(self.part.X, first.dtype)
        place: dict[str, Any] = {"backend": first.backend, "dtype": dtype, "seed": seeds[0]}
        model = Sequential([*layers, *last], loss, optimizer, members=len(estimators), **place)
        model.seeds = seeds
        return model

    def train(self) -> None:
        """Trains each until its own rule ends it."""

        def fit(model: Sequential, members: Sequence[int], epochs: int, packing: Packing) -> None:
            w, several = self.weights[:, [*members]], model.members > 1
            validation = self.held_out
            if validation is not None:
                v = np.asarray(validation.w)[:, [*members]]
                validation = validation._replace(w=v if several else v[:, 0])
            model.fit(
                self.part.X,
                self.part.y,
                epochs=epochs,
                batch_size=self.batch_size,
                sample_weight=w if several else w[:, 0],
                validation_data=validation,
                callbacks=[packing],
                shuffle=self.first.shuffle,
                progress=False,
            )

        train(self.model, self.rule, self.first.max_iter, fit)
        if unfinished := self.rule.last_epochs.count(None):
            warnings.warn(
                f"{unfinished} of {len(self.jobs)} trainings side by side ended after max_iter={self.first.max_iter} "
                "epochs, before they converged: raise max_iter, or tol",
                ConvergenceWarning,
                stacklevel=6,
            )

    def give(self, estimator: MLP, k: int) -> None:
        """What training alone would have left in an estimator."""
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.first, name):
                setattr(estimator, name, getattr(self.first, name))
        model, epochs = self.model.member(k), self.rule.last_epochs[k] or self.model.epoch
        unit, target = self.units[k], self.targets[k]
        own = {
            name.replace(MEMBER, "", 1): [entry[k] for entry in entries[:epochs]]
            for name, entries in self.model.history.items()
            if of_each(name)
        }
        own |= {name: [loss / unit for loss in own[name]] for name in ("loss", "val_loss") if name in own}
        losses = own["loss"]
        model.epoch, model.history, model.loss = epochs, {"loss": losses}, estimator._head(1, target)[1]
        model.classes = target.names
        estimator._take(model, self.part.X, target)
        estimator._rule = rule = estimator._new_rule(False, bool(self.scores))
        watch = Watch(rule, self.scores[k] if self.scores else None, False)
        watch.losses, rule.stopped = losses, self.rule.last_epochs[k] is not None
        if self.scores:
            watch.validation_losses = own["val_loss"]
            records = [dict(zip(own, entries, strict=True)) for entries in zip(*own.values(), strict=True)]
            watch.scores = [self.scores[k](record) for record in records]
        best = -self.rule.best_losses[k]
        rule.best = best if self.scores and not rule.by_loss else best / unit
        estimator._calibrate(None)
        estimator._tell(watch, int(self.n[k]))
