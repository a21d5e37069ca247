"""A model's loop over epochs, and what to do where a loss is not finite."""

import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nnxp import random
from nnxp.backends import blas
from nnxp.callbacks import Callback, Callbacks, State
from nnxp.callbacks.state import Record
from nnxp.doors.arrays import all_finite
from nnxp.doors.sparse import SparseRows
from nnxp.errors import NonFiniteLossError
from nnxp.layers import BatchNorm, Dropout
from nnxp.layers.parts import with_parts
from nnxp.network.checking import check_parts
from nnxp.network.history import place
from nnxp.optimizers import LBFGS
from nnxp.training.batches import Batches
from nnxp.training.course import Course
from nnxp.training.evaluation import validated
from nnxp.training.measuring import averages
from nnxp.training.progress import Progress
from nnxp.training.step import Step
from nnxp.training.streams import Stream
from nnxp.typing import Array

if TYPE_CHECKING:
    from nnxp.training.resuming import Resumed


class Training(Step):
    """Runs a bound model's steps and epochs."""

    course: Course | None = None
    """Where the fit stands that runs; the model has it too, for its file."""

    def epoch(self, data: "Batches | Stream", bar: Progress, text: str) -> dict[str, float]:
        """One pass over the data, arrays in a new order, or what is left of it: the mean loss and metric, as floats."""
        model, plan, course, state = self.model, self.plan, self._running, self.callbacks.state
        means, sizes = course.room(data.interval), course.sizes
        step = plan.step if course.batches else self._first_step
        plan.follow()
        calls = bool(self.callbacks.at["step"])
        key = random.key(model.seed, "order", model.epoch)
        most = math.inf if plan.micro_batch_size is None else plan.micro_batch_size
        # Once for all steps, but where something of the user's runs between two of them.
        once = None if calls or isinstance(data, Stream) else plan.threads(min(data.n, data.batch_size, most))
        with once or blas.AS_IT_IS:
            for batch in () if state.stop else data.epoch(key, course.batches):
                row = means[len(sizes), ...]
                with blas.AS_IT_IS if once else plan.threads(min(batch.x.shape[0], most)):
                    step(batch.x, batch.y, batch.w, batch.v, row, batch.heft)
                course.last = row
                sizes.append((batch.total, batch.scored))
                course.batches += 1
                step = plan.step
                if len(sizes) == data.interval:
                    self._read(data, bar, text)
                if calls:
                    self.callbacks.call("step")
                    if state.stop:
                        break
                    plan.follow()
        if sizes:
            self._read(data, bar, text)
        return averages(plan.loss, *course.sums)

    def _first_step(self, x: Array, y: Array, w: Array | None, v: Array | None, means: Array, heft: float) -> None:
        """An epoch's first step. Where its loss is finite, the weights that it began with are the ones to go back to:
        one copy is enough, since until then it still holds those of the epoch before."""
        loss = self.plan.gradients(x, y, w, v, means, heft)
        if not self._running.kept.keep_if_finite(loss):
            raise _Stopped(self.model.step, 0, self.backend.to_numpy(loss))
        self.plan.update()

    def _read(self, data: "Batches | Stream", bar: Progress, text: str) -> None:
        """Adds an interval's losses and scores, of which a step gives the mean and the sum, to those of the epoch."""
        course, sizes, sums = self._running, self._running.sizes, self._running.sums
        read, given = self.backend.to_numpy(course.means)[: len(sizes)].astype(np.float64), np.array(sizes, np.float64)
        losses, scores, weights, counts = read[:, 0], read[:, 1], given[:, 0], given[:, 1]
        if not np.isfinite(losses).all():
            finite = np.isfinite(losses).reshape(len(sizes), -1).all(axis=1)
            first = int(np.argmin(finite))
            back = len(sizes) - 1 - first
            raise _Stopped(self.model.step - 1 - back, back, losses[first])
        weighted = losses.T @ weights if weights.ndim == 1 else (losses * weights).sum(axis=0)
        for i, part in enumerate((weighted, *map(np.add.reduce, (scores, weights, counts)))):
            sums[i] += part
        if bar.shown:
            total, weight = sums[0].mean(), sums[2].mean()
            bar.advance(len(sizes), f"{text}  loss {total / weight:.4f}" if weight else text)
        sizes.clear()

    def run(
        self,
        data: "Batches | Stream",
        validation: "Batches | Stream | None",
        epochs: int,
        shown: Callable[[int | None], Progress],
        callbacks: Sequence[Callback],
        asked: Callable[[], dict[str, Any]],
        resumed: "Resumed | None" = None,
    ) -> None:
        """`epochs` epochs, each recorded in the model's history, or fewer if a callback stops the training.

        `shown` makes the bar of so many steps; `asked` says in a file what the fit was asked for; `resumed` is what one
        holds of the fit, where it is to go on.
        """
        model, optimizer, state = self.model, self.model.optimizer, State(self.model, epochs, validation is not None)
        check_parts(model)
        if resumed is None:
            optimizer.total = None if data.steps is None else optimizer.iterations + epochs * data.steps
        self.callbacks, self.plan.updating = Callbacks(callbacks, state), False
        try:  # what NumPy would warn of, the check of the losses finds on every backend
            self.callbacks.call("begin")
            if self.plan.frozen != model.store.frozen:
                raise RuntimeError("got trainable= in a callback of fit, expected it set before: its plan is made")
            seen = data.seen if isinstance(data, Stream) else None
            self.course = model._course = course = Course(model, self.plan, asked, self.callbacks, seen)
            if resumed is not None:
                resumed.give(course)
                if resumed.is_finished:
                    return
            whole = isinstance(optimizer, LBFGS)
            steps = epochs if whole else None if data.steps is None else epochs * data.steps
            with shown(steps) as bar, np.errstate(all="ignore"):
                if whole:
                    self._minimise(data, validation, epochs, bar)
                else:
                    bar.advance((model.epoch - course.first) * (data.steps or 0) + course.batches, "")
                while not whole and model.epoch < course.first + epochs and not (state.stop and not course.batches):
                    number = model.epoch - course.first + 1
                    last = number == epochs or bool(self.callbacks)  # which may end it, or save the model
                    self._run(data, validation, bar, f"epoch {number}/{epochs}", last)
            self.callbacks.call("end")
        except BaseException as error:
            if self.plan.updating:
                self._go_back()
                error.add_note(
                    "it came in the middle of a step: the weights are back at those that the epoch began with, and the "
                    "optimizer starts afresh"
                )
            raise
        finally:
            if self.course is not None:
                self.course.kept.close()
            self.course = model._course = None
            del self.callbacks

    @property
    def _running(self) -> Course:
        assert self.course is not None
        return self.course

    def _run(
        self, data: "Batches | Stream", validation: "Batches | Stream | None", bar: Progress, text: str, last: bool
    ) -> None:
        model = self.model
        if not self._running.batches:
            self._running.begin_epoch()
        try:
            record = self.epoch(data, bar, text)
            if last and not all_finite(self.backend, model.store.values):
                raise _Stopped(model.step, 0)
        except _Stopped as stop:
            raise self._explain(stop, data) from None
        self._finish(record, validation, bar, text)

    def _finish(
        self, record: dict[str, float], validation: "Batches | Stream | None", bar: Progress, text: str
    ) -> None:
        """Validates, records the epoch, and tells who waits for it."""
        model, schedule, course = self.model, self.model.optimizer.schedule, self._running
        try:
            record |= validated(model, self.plan, validation, self.callbacks)
        finally:  # an epoch counts, also where an iterable of validation batches raises
            record["learning_rate"] = model.optimizer.current_learning_rate
            record["seconds"] = time.perf_counter() - course.start
            self._record(record)
            self.callbacks.state.record = Record(record)
            course.begin_epoch()
        if schedule is not None:
            schedule.observe(record)
        bar.epoch_over(text, record)
        self.callbacks.call("epoch")

    def _minimise(
        self, data: "Batches | Stream", validation: "Batches | Stream | None", epochs: int, bar: Progress
    ) -> None:
        """L-BFGS over all of the data, an iteration an epoch."""
        model, plan, optimizer, state = self.model, self.plan, self.model.optimizer, self.callbacks.state
        assert isinstance(optimizer, LBFGS)
        if not isinstance(data, Batches):
            raise ValueError("got an iterable of batches for LBFGS, which needs all data at every step: fit(X, y)")
        for i, layer in with_parts(plan.layers):
            if isinstance(layer, Dropout) or (isinstance(layer, BatchNorm) and layer.trainable):
                raise ValueError(
                    f"got {type(layer).__name__} (layer {i}) with LBFGS, expected layers that give the same for the "
                    "same inputs: leave it out (LayerNorm and l2= are fine), or take another optimizer"
                )
        means = self.backend.xp.empty((2,), dtype=getattr(self.backend.xp, model.dtype), device=self.backend.device)
        weight = sum(batch.total for batch in data.epoch())
        count = sum(batch.scored for batch in data.epoch())
        left = 0 if state.stop else self._running.first + epochs - model.epoch

        def loss() -> float:
            plan.follow()
            return float(plan.whole(((batch.total / weight, batch) for batch in data.epoch()), means))

        def after(loss: float) -> bool:
            model.step += 1
            self._running.last = loss, means[1, ...]
            score = float(means[1, ...])
            bar.advance(1, f"{(text := f'iteration {optimizer.iterations}/{epochs}')}  loss {loss:.4f}")
            self.callbacks.call("step")
            sums = np.asarray([weight * loss, score, weight, count])
            self._finish(averages(plan.loss, *sums), validation, bar, text)
            return state.stop

        if not left:
            return
        optimizer._scipy()
        plan.threads.look()  # SciPy's own BLAS, which may have been loaded just now
        with plan.threads(min(data.n, data.batch_size)):
            if not plan.owners:  # nothing to move: an epoch says where it stands
                after(loss())
                return
            optimizer.minimise(model.store, loss, left, after)
        if optimizer.result is not None and not math.isfinite(optimizer.result.loss):
            raise NonFiniteLossError(
                "the loss is not a finite number where the minimisation began, and its weights are as they were: "
                "rescale the inputs"
            )

    def _record(self, record: dict[str, float]) -> None:
        """Counts the epoch, with one entry in each list of the history: NaN for what an epoch does not have."""
        history = self.model.history
        if not history.keys() >= record.keys():
            before = [math.nan] * max(map(len, history.values()), default=0)
            history = {name: history.get(name, before) for name in sorted({**history, **record}, key=place)}
        history = {name: [*values, record.get(name, math.nan)] for name, values in history.items()}
        vars(self.model).update(history=history, epoch=self.model.epoch + 1)  # no interrupt comes between the two

    def _go_back(self) -> None:
        """The weights are those that the last epoch with a finite first loss began with, the optimizer is new."""
        self._running.kept.put_back()
        self.model.store.computed.clear()
        self.model.optimizer.reset()
        self.plan.updating = False

    def _explain(self, stop: "_Stopped", data: "Batches | Stream") -> NonFiniteLossError:
        """Finds where the numbers stopped being finite, and puts finite weights back."""
        model = self.model
        model.step = stop.step  # where nobody waited for the losses, it had moved on
        x, y, same = data.again(stop.back)
        where = self._first_not_finite(stop, x, y)
        self._running.kept.put_back()
        where = self._first_not_finite(stop, x, y, " from the weights put back") or where
        self._go_back()  # again: a forward in training moves running means
        clip = "clip_norm" if model.members == 1 else "clip_value"  # a norm of all gradients would join the members
        return NonFiniteLossError(
            f"the loss of step {stop.step} (epoch {model.epoch + 1}){stop.whose} is not a finite number; running "
            f"{'that' if same else 'a later'} batch again, "
            f"{where or 'every value is finite, so the weights diverged during the epoch'}. The "
            "weights are back at the last that began an epoch with a finite loss, and the optimizer starts "
            f"afresh: lower the learning rate (now {model.optimizer.learning_rate:g}), give the optimizer "
            f"{clip}=1.0, or rescale the inputs"
        )

    def _first_not_finite(self, stop: "_Stopped", x: Array, y: Array, note: str = "") -> str:
        """What is the first not to be finite when a batch is run again, in words; "" where all is."""
        backend, x = self.backend, x.head() if isinstance(x, SparseRows) else x
        out = backend.asarray(x, dtype=self.model.dtype)  # bytes are numbers to a layer by itself
        for owner, layer in with_parts(self.plan.layers):
            layer.moment = (owner, self.model.epoch, stop.step)
        for position, layer in enumerate(self.plan.layers):
            found = [f"the {name}" for name in layer.stored() if not all_finite(backend, getattr(layer, name))]
            out = layer.run_forward(out, True)
            found += [] if all_finite(backend, out) else ["the output"]
            if found:
                first = f"{found[0]} of layer {position}, {type(layer).__name__}"
                return f"the first values that are not finite are {first}{note}"
        losses = self.plan.measuring(self.plan).losses(out, y[: out.shape[0], ...])
        return "" if all_finite(backend, losses) else "the loss itself is not finite" + note


class _Stopped(Exception):
    """A loss that is not finite: its step, how many batches came after its own, and whose it is of several members."""

    def __init__(self, step: int, back: int, losses: Any = 0.0) -> None:
        super().__init__(step)
        own = [str(k) for k in np.flatnonzero(~np.isfinite(losses))] if np.ndim(losses) else []
        self.step, self.back = step, back
        self.whose = f", member{'s' * (len(own) > 1)} {', '.join(own)}," if own else ""
