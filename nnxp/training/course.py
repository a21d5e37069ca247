"""The course of a fit: what it was asked for, and where it stands between two steps. A model file holds both."""

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nnxp.backends import DTYPES
from nnxp.callbacks import Callback, Callbacks
from nnxp.callbacks.state import Record
from nnxp.errors import ModelFileError
from nnxp.layers import BatchNorm, Layer
from nnxp.layers.parts import with_parts
from nnxp.network.model import Model
from nnxp.optimizers import LBFGS
from nnxp.training.batches import Batches
from nnxp.training.digests import digest, digests
from nnxp.training.keeping import Kept
from nnxp.training.plan import Plan
from nnxp.training.shards import ShardBatches
from nnxp.training.streams import Stream
from nnxp.typing import Array, Floats, HostArray


class Course:
    """Where a fit stands.

    Attributes
    ----------
    asked : callable
        What the fit was asked for, as JSON can hold it: its options, and fingerprints of the data.
    first : int
        How many epochs the model had finished when the fit began.
    batches : int
        Steps that the running epoch has made.
    sums : numpy.ndarray, (4,), of several members (4, members)
        Of the epoch's batches whose losses were read: the weighted sums of losses and scores, and of their weights.
    means : Array or None
        (interval, 2), of several members (interval, 2, members), the mean loss and the sum of scores of batches that
        were not read yet, as many as there are `sizes`, their weights.
    last : Array or None
        (2,), of the last step: a place in `means`.
    kept : Kept
        The weights that the last epoch began with whose first loss was finite.
    start : float
        When the epoch began, in seconds.
    seen : numpy.ndarray, (2,), or None
        A `Stream`'s own.
    """

    def __init__(
        self,
        model: Model,
        plan: Plan,
        asked: Callable[[], dict[str, Any]],
        callbacks: Callbacks,
        seen: Floats | None = None,
    ) -> None:
        self.model, self.plan, self.asked, self.callbacks, self.seen = model, plan, asked, callbacks, seen
        self._thread = threading.get_ident()
        self.first = model.epoch
        self.several = () if model.members == 1 else (model.members,)
        with model.store.counted(model.optimizer.takes):
            self.kept = Kept(model.store)
        self.watchers: list[Any] = [callback for callback in callbacks.given if has_state(callback)]
        self.means: Array = None
        self.last: Array = None
        self.begin_epoch()

    @property
    def is_here(self) -> bool:
        """Whether the fit is this thread's: another may be anywhere in a step."""
        return self._thread == threading.get_ident()

    @property
    def loss(self) -> float:
        """The last step's mean loss, penalties included; NaN before the first. A device is waited for here alone."""
        if self.last is None:
            return math.nan
        if self.several:
            return float(np.mean(self.model.backend.to_numpy(self.last[0, ...])))
        return float(self.last[0])

    def gather(self) -> None:
        """Brings together on all processes what each has of the model by itself."""
        self.plan.gather()

    def begin_epoch(self) -> None:
        """Before an epoch's first step."""
        self.batches, self.sums = 0, np.zeros((4, *self.several), dtype=np.float64)
        self.sizes: list[tuple[Any, Any]] = []
        self.start = time.perf_counter()

    def room(self, interval: int) -> Array:
        """`means`, of so many batches."""
        backend, read = self.model.backend, self.means
        if read is None or read.shape[0] < interval:
            dtype = getattr(backend.xp, self.model.dtype)
            self.means = backend.xp.empty((interval, 2, *self.several), dtype=dtype, device=backend.device)
            if read is not None:
                self.means[: read.shape[0], ...] = read
        return self.means

    def state(self) -> tuple[dict[str, Any], dict[str, HostArray]]:
        """What JSON can hold, and arrays by name, on the host."""
        if self.plan.updating:
            raise RuntimeError(
                "got a save within a step, or where other processes have steps of their members, expected one between "
                "steps: Checkpoint saves there, and so may what all processes call state.model.course.gather() before"
            )
        state, count = self.callbacks.state, len(self.sizes)
        arrays: dict[str, Array] = {"kept": self.kept.read(), "sums": self.sums}
        if count:
            arrays |= {"means": self.means[:count, ...], "sizes": np.array(self.sizes, dtype=np.float64)}
        if self.seen is not None and self.seen[0]:
            arrays["seen"] = self.seen
        watched = []
        for number, callback in enumerate(self.watchers):
            values = callback.state()
            watched.append({name: value for name, value in values.items() if not hasattr(value, "dtype")})
            arrays |= {f"callbacks.{number}.{name}": a for name, a in values.items() if hasattr(a, "dtype")}
        to_numpy = self.model.backend.to_numpy
        on_host = {name: a if isinstance(a, np.ndarray) else to_numpy(a) for name, a in arrays.items()}
        return {
            "asked": self.asked(),
            "backend": self.model.backend.title,
            "event": state.event,
            "stop": state.stop,
            "first": self.first,
            "batches": self.batches,
            "seconds": time.perf_counter() - self.start,
            "learning_rate": self.model.optimizer.current_learning_rate,
            "callbacks": watched,
        }, {name: _numbers(name, a) for name, a in on_host.items()}

    def restore(self, state: Mapping[str, Any], arrays: Mapping[str, HostArray]) -> None:
        """Takes over what `state` gave, once the model itself is as it was."""
        model, asarray = self.model, self.model.backend.asarray
        self.kept.keep(asarray(arrays["kept"], dtype=model.dtype))
        self.sums[...] = arrays["sums"]
        if self.seen is not None and "seen" in arrays:
            self.seen[...] = arrays["seen"]
        if "means" in arrays:
            self.means = asarray(arrays["means"], dtype=model.dtype, copy=True)
            sizes = arrays["sizes"]
            self.sizes = [(w, v) for w, v in (sizes.tolist() if sizes.ndim == 2 else sizes)]
        self.first, self.batches = int(state["first"]), int(state["batches"])
        self.start = time.perf_counter() - float(state["seconds"])
        self.callbacks.state.stop = bool(state["stop"])
        self.callbacks.state.record = Record((name, v[-1]) for name, v in model.history.items() if v)
        model.optimizer.current_learning_rate = float(state["learning_rate"])
        for number, (callback, values) in enumerate(zip(self.watchers, state["callbacks"], strict=True)):
            prefix = f"callbacks.{number}."
            own = {
                name.removeprefix(prefix): asarray(a, dtype=a.dtype.name)
                for name, a in arrays.items()
                if name.startswith(prefix)
            }
            try:
                callback.restore({**values, **own})
            except Exception as error:
                raise ModelFileError(
                    f"what it remembers of {type(callback).__name__} is not what that takes over "
                    f"({type(error).__name__}: {error})"
                ) from error
        if isinstance(model.optimizer, LBFGS) and state["event"] == "step":  # the iteration is not in the history yet
            model.step, model.optimizer.iterations = model.step - 1, model.optimizer.iterations - 1
        if self.batches:
            resume_within(self.plan.layers, model.epoch)


def resume_within(running: Sequence[Layer], epoch: int) -> None:
    """What runs goes on within an epoch, of which it has seen no batch."""
    for _, layer in with_parts(running):
        if isinstance(layer, BatchNorm):
            layer.resume(epoch)


def _numbers(name: str, a: HostArray) -> HostArray:
    """The array, if a model file can hold it."""
    if a.dtype.name not in DTYPES:
        raise TypeError(
            f"got a callback's array of dtype {a.dtype} in its state ({name}), expected float32 or float64: give other "
            "numbers as a list"
        )
    return np.asarray(a, order="C")


def has_state(callback: Any) -> bool:
    """Whether a callback remembers something (see `nnxp.callbacks`)."""
    return callable(getattr(callback, "state", None)) and callable(getattr(callback, "restore", None))


def describe(
    data: Batches | Stream, validation: Batches | Stream | None, callbacks: Sequence[Callback], **options: Any
) -> dict[str, Any]:
    """What a fit was asked for, as JSON can hold it."""
    return {
        **options,
        "batch_size": data.batch_size if isinstance(data, Batches) else None,
        "data": _described(data),
        "validation_data": None if validation is None else _described(validation),
        "callbacks": [_options(callback) for callback in callbacks if has_state(callback)],
    }


def fingerprints(model: Model) -> dict[str, Any]:
    """What tells a model that is to be trained from another."""
    backend, dtype, kept = model.backend, model.dtype, model.optimizer.saved_state(model.store)
    found = {"weights": digest(backend, model.store.values, dtype), "optimizer": model.optimizer.config()}
    found |= {f"the optimizer's {name}": digest(backend, a, dtype) for name, a in kept.items()}
    return found | {"seed": model.seed, "epoch": model.epoch, "step": model.step}


def _described(data: Batches | Stream) -> dict[str, Any]:
    """Data in a few words by which other data are told from it; what an iterable yields nobody knows before."""
    if isinstance(data, Stream):
        return {"batches": data.steps}
    found = digests(data.backend, data.X, data.y, data.w, data.model.dtype)
    return data.told(found) if isinstance(data, ShardBatches) else found


def _options(callback: Any) -> dict[str, Any]:
    """Its class, and the keywords that it names in `options`, as layers do."""
    return {"class": type(callback).__name__, **{n: getattr(callback, n) for n in getattr(callback, "options", ())}}
