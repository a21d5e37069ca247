"""A fit that goes on where a file says that it stood, if the file is of this fit."""

import json
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nnxp.callbacks import EVENTS
from nnxp.errors import ModelFileError
from nnxp.files import modelfile
from nnxp.files.configuration import config_of
from nnxp.files.header import Tensor
from nnxp.layers.parts import with_parts
from nnxp.network.model import Model
from nnxp.typing import HostArray

if TYPE_CHECKING:
    from nnxp.training.course import Course

LOG = logging.getLogger("nnxp")
KINDS: dict[str, Any] = {
    "backend": str, "event": str, "stop": bool, "first": int, "batches": int, "seconds": float,
    "learning_rate": float, "callbacks": list,
}  # fmt: skip
"""What a file says of a fit, beside the tensors."""
UNSAID = {"shuffle": True}
"""What a fit was asked for where a file does not say it."""


class Resumed(NamedTuple):
    """What a file holds of the fit that it was saved in (see `Course`), and how to undo what was taken over."""

    path: Path
    state: Mapping[str, Any]
    arrays: Mapping[str, HostArray]
    undo: Callable[[], None]

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to train."""
        return bool(self.state["event"] == "end")

    def give(self, course: "Course") -> None:
        """Hands on where the fit stood; where that raises, the model is as it was."""
        try:
            course.restore(self.state, self.arrays)
        except ModelFileError as error:
            self.undo()
            raise ModelFileError(f"{self.path}: {error}") from error.__cause__
        except BaseException:
            self.undo()
            raise


def resume(model: Model, path: Any, asked: Mapping[str, Any], steps: int | None) -> Resumed | None:
    """Makes the model what it was when the file was saved; None where there is no file yet, which the log says.

    Parameters
    ----------
    asked
        What the fit is asked for (see `nnxp.training.course.describe`).
    steps
        Of an epoch; None where nobody knows.

    Raises
    ------
    ModelFileError
        The file is damaged, was not saved while a fit ran, or of another one: the message names the difference.
    """
    path = Path(path)
    if not path.exists():
        LOG.warning("there is no checkpoint %s yet: the training begins afresh", path)
        return None
    with modelfile.opened(path) as saved:
        saved.reader.check()
        training = saved.state["training"]
        if not isinstance(training, dict) or not isinstance(training.get("asked"), dict):
            raise ModelFileError(
                "it holds a model, and not where a fit stood: nnxp.load(path).fit(...) trains the model further; fit "
                "resumes what Checkpoint saves"
            )
        own, theirs = config_of(model), saved.config
        if not model.seeded:
            own["seed"] = theirs["seed"]
        for name in ("layers", "loss", "optimizer", "dtype", "seed", "members"):
            _compare(name, own.get(name, 1), theirs.get(name, 1))
        for name in {**asked, **training["asked"]}:
            _compare(name, *(said.get(name, UNSAID.get(name)) for said in (asked, training["asked"])))
        _check(training, saved.state["epoch"], asked["epochs"], steps)
        _check_tensors(training, saved.reader.tensors, model.dtype, len(asked["callbacks"]), model.members)
        saved.fits(model)
        undo = _undo(model)
        try:
            model.seed = theirs["seed"]
            for _, layer in with_parts(model.layers):
                layer.seed = model.seed if model.members > 1 else model.seeds[0]
            if model.members > 1:
                model.replan()  # what runs side by side has the seeds that it was made with
            with saved.blamed():
                found = saved.restore(model).items()
                arrays = {name.partition(".")[2]: a for name, a in found if name.startswith("training.")}
                if not np.isfinite(arrays["sums"]).all():
                    raise ModelFileError("its training has sums of losses that are not finite")
                if not all(0 <= number < math.inf for number in arrays.get("seen", ())):
                    raise ModelFileError("its training has seen rows or weights that no sums can be")
        except BaseException:
            undo()
            raise
    resumed = Resumed(path, training, arrays, undo)
    if resumed.is_finished:
        LOG.info("%s is of a fit that has finished: nothing is left to train", path)
    else:
        elsewhere = "" if training["backend"] == model.backend.title else f", saved on {training['backend']}"
        LOG.info("going on from %s%s: %d epochs and %d steps are done", path, elsewhere, model.epoch, model.step)
    return resumed


def _undo(model: Model) -> Callable[[], None]:
    """What makes the model what it is now."""
    store, optimizer, asarray = model.store, model.optimizer, model.store.backend.asarray
    values = asarray(store.values, dtype=store.dtype, copy=True)
    slots = {name: asarray(slot, dtype=store.dtype, copy=True) for name, slot in optimizer.saved_state(store).items()}
    progress, kept = optimizer.progress(), ("seed", "epoch", "step", "history")
    before, seeds = {name: getattr(model, name) for name in kept}, [layer.seed for _, layer in with_parts(model.layers)]

    def undo() -> None:
        store.values[...] = values
        optimizer.reset()
        if slots:
            optimizer.restore_state(store, slots)
        optimizer.resume(progress)
        model.__dict__.update(before)
        for (_, layer), seed in zip(with_parts(model.layers), seeds, strict=True):
            layer.seed = seed

    return undo


def _check(training: Any, epoch: int, epochs: int, steps: int | None) -> None:
    """Raises where a file does not say all of a fit that `Course` takes over, or says what cannot be."""
    for name, kind in KINDS.items():
        if type(training.get(name)) is not kind:
            raise ModelFileError(f"its training has {training.get(name)!r:.60} as {name}, expected {kind}")
    if unknown := {*training} - {"asked", *KINDS}:
        raise ModelFileError(f"its training has {sorted(unknown)[0]!r:.60}, which is not known here: update nnxp")
    first, batches = training["first"], training["batches"]
    if not 0 <= first <= epoch <= first + epochs or batches < 0 or (steps is not None and batches > steps):
        raise ModelFileError(
            f"its training has counts that cannot be: {epoch} epochs, of {epochs} begun at {first}, and in the epoch "
            f"{batches} steps of {'any number' if steps is None else steps}"
        )
    if training["event"] not in EVENTS:
        raise ModelFileError(f"its training has the event {training['event']!r:.60}, expected one of {EVENTS}")


def _check_tensors(training: Any, tensors: Mapping[str, Tensor], dtype: str, callbacks: int, members: int) -> None:
    """Raises where the tensors of a training are not those that `Course` takes over."""
    if len(training["callbacks"]) != callbacks or not all(isinstance(state, dict) for state in training["callbacks"]):
        raise ModelFileError("its training has not the state of each callback")
    found = {name.partition(".")[2]: t for name, t in tensors.items() if name.startswith("training.")}
    own = {name: (t.shape, t.dtype) for name, t in found.items() if not name.startswith("callbacks.")}
    watched = tuple(f"callbacks.{number}." for number in range(callbacks))
    size = sum(math.prod(t.shape) for name, t in tensors.items() if name[:1].isdigit())  # the layers'
    several = () if members == 1 else (members,)
    expected: dict[str, tuple[tuple[int, ...], str]] = {"kept": ((size,), dtype), "sums": ((4, *several), "float64")}
    if "means" in own or "sizes" in own:
        rows = own["sizes"][0][0] if "sizes" in own and own["sizes"][0] else 0
        apart = several if "sizes" in own and len(own["sizes"][0]) > 2 else ()
        expected |= {"means": ((rows, 2, *several), dtype), "sizes": ((rows, 2, *apart), "float64")}
        if rows > training["batches"]:
            raise ModelFileError(f"its training has losses of {rows} steps in an epoch of {training['batches']}")
    if "seen" in own:
        expected["seen"] = (2,), "float64"
    if own != expected:
        raise ModelFileError(f"its training has tensors of {own}, expected {expected}")
    if strange := [name for name in found.keys() - own.keys() if not name.startswith(watched)]:
        raise ModelFileError(f"its training has the tensor {strange[0]!r:.60}, of a callback that this fit has not")


def _compare(name: str, own: Any, theirs: Any) -> None:
    """Raises at the first place where the two differ."""
    own, theirs = json.loads(json.dumps(own)), json.loads(json.dumps(theirs))
    for place, got, expected in differences(name, own, theirs):
        fix = "Train with what it was made with, or begin afresh without it"
        if place == "members":
            fix = f"Train {expected} again, members={expected} (nnxp train: --members {expected}), or begin afresh"
        if name == "epochs":
            fix += "; to train longer, finish this fit, and let nnxp.load(path).fit(X, y, epochs=...) train on"
        raise ModelFileError(
            f"it is of another training: got {place} {got}, expected {expected} as when it was saved. {fix}"
        )


def differences(place: str, own: Any, theirs: Any) -> Iterator[tuple[str, Any, Any]]:
    """Where two values of JSON differ, as deep as both are alike: the place, and what either has there."""
    if isinstance(own, dict) and isinstance(theirs, dict) and own.get("class") == theirs.get("class"):
        for name in {**own, **theirs}:
            yield from differences(f"{place}.{name}", own.get(name), theirs.get(name))
    elif isinstance(own, list) and isinstance(theirs, list) and len(own) == len(theirs):
        for i, pair in enumerate(zip(own, theirs, strict=True)):
            yield from differences(f"{place}[{i}]", *pair)
    elif own != theirs:
        yield place, _brief(own), _brief(theirs)


def _brief(value: Any) -> str:
    """A value of JSON in few words: parts with a class by its name."""
    if isinstance(value, dict) and "class" in value:
        return str(value["class"])
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        return f"[{', '.join(map(_brief, value))}]"
    return repr(value)
