"""A fit that goes on where a file says that it stood, if the file is of this fit."""

import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nnxp import checkpoint
from nnxp.errors import ModelFileError
from nnxp.typing import HostArray

if TYPE_CHECKING:
    from nnxp.sequential import Sequential

LOG = logging.getLogger("nnxp")


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
    try:
        config, state, tensors = checkpoint.read(path)
        training = state.get("training")
        if training is None:
            raise ModelFileError(
                "it holds a model, and not where a fit stood: nnxp.load(path).fit(...) trains the model further; fit "
                "resumes what Checkpoint saves"
            )
        own = checkpoint.config_of(model)
        if not model.seeded:
            own["seed"] = config["seed"]
        for name in ("layers", "loss", "optimizer", "dtype", "seed"):
            _compare(name, own[name], config[name])
        for name, value in asked.items():
            _compare(name, value, training["asked"].get(name))
        model.seed = config["seed"]
        for layer in model.layers:
            layer.seed = model.seed
        checkpoint.restore(model, config, state, tensors)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error.__cause__
    prefix = "training."
    arrays = {name.removeprefix(prefix): a for name, a in tensors.items() if name.startswith(prefix)}
    if training["event"] == "end":
        LOG.info("%s is of a fit that has finished: nothing is left to train", path)
    else:
        elsewhere = "" if training["backend"] == model.backend.name else f", saved on {training['backend']}"
        where = f"epoch {model.epoch + 1}, step {model.step + 1}"
        LOG.info("going on from %s%s: %s", path, elsewhere, where)
    return Resumed(training, arrays)


def _compare(name: str, own: Any, theirs: Any) -> None:
    """Raises at the first place where the two differ."""
    own, theirs = json.loads(json.dumps(own)), json.loads(json.dumps(theirs))
    for place, got, expected in _differences(name, own, theirs):
        raise ModelFileError(
            f"it is of another training: got {place} {got}, expected {expected} as when it was saved. Train with what "
            "it was made with, or begin afresh: without resume, or with another file"
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
