"""What `fit` and `evaluate` are asked for, and the data that they go over."""

import contextlib
import functools
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, NamedTuple, TypeAlias

from nnxp.backends import blas
from nnxp.callbacks import Callback, events_of
from nnxp.distributed import ByMember, Communicator, together
from nnxp.doors.options import boolean, positive
from nnxp.network import drawing
from nnxp.network.model import Model
from nnxp.optimizers import LBFGS
from nnxp.training.batches import Batches
from nnxp.training.course import describe, fingerprints
from nnxp.training.evaluation import evaluate
from nnxp.training.given import is_stream, training_data, validation_of
from nnxp.training.loop import Training
from nnxp.training.prediction import BATCH as PREDICTION_BATCH
from nnxp.training.prediction import Prediction
from nnxp.training.progress import Progress
from nnxp.training.streams import Stream
from nnxp.typing import ArrayLike

Given: TypeAlias = tuple[Any, ArrayLike | None, ArrayLike | None]
"""X, y and weights; or an iterable of batches, alone."""
Trained: TypeAlias = Callable[[], Training]
"""Gives a model's bound step, which there is once the first X has decided the backend."""


class Asked(NamedTuple):
    """The options of a fit; `Sequential.fit` explains them."""

    epochs: int
    batch_size: int | None = None
    validation_split: float | None = None
    micro_batch_size: int | None = None
    shuffle: bool | Literal["members"] = True
    resume: Any = None
    drop_last: bool = False


def fit(
    model: Model,
    trained: Trained,
    given: Given,
    validation_data: Any,
    asked: Asked,
    callbacks: Sequence[Callback],
    progress: bool | None,
    verbose: bool | None,
) -> None:
    """Trains a model; its history tells the rest."""
    epochs, batch_size, validation_split, micro_batch_size, shuffle, resume, drop_last = asked
    epochs, drop_last = positive("epochs", epochs), boolean("drop_last", drop_last)
    by_member = isinstance(shuffle, str) and shuffle == "members"
    shuffled = by_member or boolean("shuffle", shuffle, ', or "members"')
    if validation_data is not None and validation_split is not None:
        raise ValueError("got validation_data and validation_split, expected one of them")
    if micro_batch_size is not None:
        micro_batch_size = positive("micro_batch_size", micro_batch_size)
    if not isinstance(callbacks, Iterable) or callable(callbacks):
        one = "" if callbacks is None else f"{type(callbacks).__name__}(...)"
        raise TypeError(f"got callbacks={one or None}, expected a list of them: callbacks=[{one}]")
    for callback in callbacks:
        events_of(callback)
    if batch_size is None and isinstance(model.optimizer, LBFGS):  # every step takes all: rows computed at once
        batch_size = None if is_stream(given[0]) else PREDICTION_BATCH
    with _alone(model), together(model.communicator):
        data = training_data(model, lambda: trained().plan, *given, batch_size, validation_split, shuffled, drop_last)
        if micro_batch_size is not None and isinstance(data, Batches) and data.w is not None and data.w.ndim > 1:
            raise ValueError(
                f"got micro_batch_size={micro_batch_size} with sample_weight of {tuple(data.w.shape)}, expected "
                f"({data.n},), one weight for all members: leave micro_batch_size out, and take a smaller batch_size"
            )
        if by_member:
            from nnxp.training.own_orders import check_own_orders

            check_own_orders(model, data, micro_batch_size)
        validation = None
        if validation_data is not None:
            validation = validation_of(model, lambda: trained().plan, validation_data, PREDICTION_BATCH)
        options: dict[str, Any] = {"epochs": epochs, "micro_batch_size": micro_batch_size}
        options["validation_split"] = validation_split
        if by_member or not shuffled:  # what is not said is the default: files of before do not say it
            options["shuffle"] = "members" if by_member else False
        if drop_last:
            options["drop_last"] = True
        if model.communicator is not None and model.communicator.leaves:
            options["reproducible"] = model.communicator.leaves
        described = functools.cache(functools.partial(describe, data, validation, callbacks, **options))
        resumed = None
        if resume is not None:
            from nnxp.training import resuming  # which reads files: few fits do

            resumed = resuming.resume(model, resume, described(), data.steps)
        waiting = drawing.waiting(model.layers, model.seeds)
        if isinstance(data, Stream):
            if waiting:
                raise ValueError(
                    f"got batches one by one for {waiting[0]!r}, expected weights drawn before: model.draw(X), X some "
                    "thousand rows such as the batches have"
                )
            data.open()
        with model.backend.context(), _threads(model):
            if validation_split is not None:
                assert isinstance(data, Batches)
                data, validation = data.split(validation_split, PREDICTION_BATCH)
            if waiting:
                assert isinstance(data, Batches)
                parts = functools.partial(data.inputs, drawing.ROWS)
                predict = functools.partial(Prediction, model)
                drawing.draw(waiting, model.layers, model.seeds, predict, parts, data.n)
            shown = functools.partial(Progress, show=progress, lines=verbose)
            if model.communicator is not None:
                if model.communicator.rank:
                    shown = functools.partial(Progress, show=False, lines=False)
                _check_alike(model.communicator, {**fingerprints(model), **described()})
                data, validation = shared(data, model), validation and shared(validation, model)
                from nnxp.training.portions import lend

                lend(model, lambda: trained().plan, data, validation)
            training = trained()
            if by_member and model.members > 1:
                from nnxp.training.own_orders import OwnOrders, OwnOrdersPlan

                assert isinstance(data, Batches)
                plan = OwnOrdersPlan(model)
                data, training = OwnOrders(data, plan), Training(model, plan)
            if model.store.trained and not training.plan.owners:
                logging.getLogger("nnxp").warning("got a model whose layers are all frozen: nothing is trained")
            training.plan.micro_batch_size = micro_batch_size
            # for who diagnoses it
            vars(model)["_shuffled"] = None if isinstance(data, Stream) else shuffled
            vars(model)["_batch"] = None if isinstance(data, Stream) else min(data.batch_size, data.n)
            try:
                training.run(data, validation, epochs, shown, callbacks, described, resumed)
            finally:
                training.plan.micro_batch_size = None
                training.plan.release()
                training.plan.threads.leave()  # again: an interrupt may have come just there


@contextlib.contextmanager
def _alone(model: Model) -> Iterator[None]:
    """While no other fit of the model runs, in this thread or another; raises, and touches nothing, where one does."""
    own = object()
    try:  # around the taking too: an interrupt may come just there
        if vars(model).setdefault("_fit", own) is not own:  # at once: of two threads one is first
            raise RuntimeError(
                "got a fit of a model that another fit is training, expected one at a time: train a copy"
            )
        yield
    finally:
        if vars(model).get("_fit") is own:
            del vars(model)["_fit"]


def _threads(model: Model) -> AbstractContextManager[None]:
    """Inside, a process has its share of the machine's threads, where several train together."""
    return blas.shared_by(model.backend, 1 if model.communicator is None else model.communicator.neighbours)


def _check_alike(communicator: Communicator, own: dict[str, Any]) -> None:
    """Raises ValueError on every process where one has something else than process 0."""
    found = communicator.gather(own)
    for rank, theirs in enumerate(found):
        for name, expected in found[0].items():
            if theirs.get(name) != expected:
                raise ValueError(
                    f"got {name} {theirs.get(name)} on process {rank}, expected {expected} as on process 0: every "
                    "process is given the same model and options, and all of the data or its Shard of them"
                )


def evaluated(model: Model, trained: Trained, given: Given) -> dict[str, float]:
    """The mean loss and the metric of a model over data, as floats."""
    batch_size = None if is_stream(given[0]) else PREDICTION_BATCH
    with together(model.communicator):
        data = shared(training_data(model, lambda: trained().plan, *given, batch_size), model)
        if isinstance(data, Stream):
            data.open()
        with model.backend.context(), _threads(model):
            return evaluate(model, trained().plan, data)


def shared(data: Batches | Stream, model: Model) -> Batches | Stream:
    """What this process computes of the data, where several do."""
    if model.communicator is None:
        return data
    if isinstance(model.communicator, ByMember):
        from nnxp.training.spread_loop import of_all_rows

        return of_all_rows(data)
    from nnxp.training.portions import portions

    return portions(data, model.communicator)
