"""A fit that goes on where a file says that it stood, if the file is of this fit."""

import json
import logging
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nnxp import checkpoint
from nnxp.configuration import config_of
from nnxp.errors import ModelFileError
from nnxp.tensorfile import Tensor
from nnxp.typing import HostArray

if TYPE_CHECKING:
    from nnxp.sequential import Sequential

LOG = logging.getLogger("nnxp")
KINDS: dict[str, Any] = {
    "backend": str, "event": str, "stop": bool, "first": int, "batches": int, "seconds": float,
    "learning_rate": float, "callbacks": list,
}  # fmt: skip
"""What a file says of a fit, beside the tensors."""


class Resumed(NamedTuple):
    """What a file holds of the fit that it was saved in (see `Course`)."""

    state: Mapping[str, Any]
    arrays: Mapping[str, HostArray]


def resume(model: "Sequential", path: Any, asked: Mapping[str, Any]) -> Resumed | None:
    """Makes the model what it was when the file was saved; None where there is no file yet, which the log says.

    Raises
    ------
    ModelFileError
        The file is damaged, was not saved while a fit ran, or of another one: the message names the difference.
    """
    path = Path(path)
    if not path.exists():
        LOG.warning("there is no checkpoint %s yet: the training begins afresh", path)
        return None
    with checkpoint.opened(path) as saved:
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
        for name in ("layers", "loss", "optimizer", "dtype", "seed"):
            _compare(name, own[name], theirs[name])
        for name, value in asked.items():
            _compare(name, value, training["asked"].get(name))
        _check(training, saved.reader.tensors, len(asked["callbacks"]))
        saved.fits(model)
        model.seed = theirs["seed"]
        for layer in model.layers:
            layer.seed = model.seed
        arrays = saved.restore(model)
    if training["event"] == "end":
        LOG.info("%s is of a fit that has finished: nothing is left to train", path)
    else:
        elsewhere = "" if training["backend"] == model.backend.name else f", saved on {training['backend']}"
        LOG.info("going on from %s%s: %d epochs and %d steps are done", path, elsewhere, model.epoch, model.step)
    return Resumed(training, arrays)


def _check(training: Any, tensors: Mapping[str, Tensor], callbacks: int) -> None:
    """Raises where a file does not say all of a fit that `Course` takes over."""
    for name, kind in KINDS.items():
        if not isinstance(training.get(name), kind):
            raise ModelFileError(f"its training has {training.get(name)!r:.60} as {name}, expected {kind}")
    if min(training["first"], training["batches"]) < 0 or len(training["callbacks"]) != callbacks:
        raise ModelFileError("its training has counts below 0, or not the state of each callback")
    shapes = {name.partition(".")[2]: t.shape for name, t in tensors.items() if name.startswith("training.")}
    size = sum(math.prod(t.shape) for name, t in tensors.items() if not name.startswith(("training.", "optimizer.")))
    expected: dict[str, tuple[int, ...]] = {"kept": (size,), "sums": (4,)}
    if "means" in shapes or "sizes" in shapes:
        rows = shapes.get("sizes", (0,))[0]
        expected |= {"means": (rows, 2), "sizes": (rows, 2)}
    if {name: shape for name, shape in shapes.items() if not name.startswith("callbacks.")} != expected:
        raise ModelFileError(f"its training has tensors of shapes {shapes}, expected {expected}")


def _compare(name: str, own: Any, theirs: Any) -> None:
    """Raises at the first place where the two differ."""
    own, theirs = json.loads(json.dumps(own)), json.loads(json.dumps(theirs))
    for place, got, expected in _differences(name, own, theirs):
        raise ModelFileError(
            f"it is of another training: got {place} {got}, expected {expected} as when it was saved. Train with what "
            "it was made with, or begin afresh without it"
        )


def _differences(place: str, own: Any, theirs: Any) -> Iterator[tuple[str, Any, Any]]:
    """Where two values of JSON differ, as deep as both are alike: the place, and what either has there."""
    if isinstance(own, dict) and isinstance(theirs, dict) and own.get("class") == theirs.get("class"):
        for name in {**own, **theirs}:
            yield from _differences(f"{place}.{name}", own.get(name), theirs.get(name))
    elif isinstance(own, list) and isinstance(theirs, list) and len(own) == len(theirs):
        for i, pair in enumerate(zip(own, theirs, strict=True)):
            yield from _differences(f"{place}[{i}]", *pair)
    elif own != theirs:
        yield place, _brief(own), _brief(theirs)


def _brief(value: Any) -> str:
    """A value of JSON in few words: parts with a class by its name."""
    if isinstance(value, dict) and "class" in value:
        return str(value["class"])
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        return f"[{', '.join(map(_brief, value))}]"
    return repr(value)
