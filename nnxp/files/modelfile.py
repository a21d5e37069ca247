"""A model's file: what is said of a model, and how it is built again. docs/file-format.md specifies it.

No pickle; tensors are host arrays, whatever trained them. `config` is what a model is made of, `state` where its
training stands, both JSON texts; tensors are "0.weights", "0.biases", ..., the optimizer's "optimizer.momentum",
"optimizer.cache", flat like the store, what the training keeps beside them, "training.<name>", and what belongs to an
encoder of tables, "encoder.<name>".
"""

import contextlib
import io
import itertools
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np

from nnxp.backends import PRECISIONS, get_backend
from nnxp.errors import ModelFileError
from nnxp.files import encoding, jsontext, tensorfile
from nnxp.files.configuration import CONFIG, OPTIONAL, build, check_config, config_of
from nnxp.files.tensorfile import Place, Reader
from nnxp.files.wholefile import whole_file
from nnxp.layers import Layer
from nnxp.layers.parts import with_parts
from nnxp.network.history import as_json, from_json, place
from nnxp.network.model import Model
from nnxp.network.sharing import common, shapes_of
from nnxp.typing import HostArray

M = TypeVar("M", bound=Model)
STATE = ("epoch", "step", "iterations", "history")
STATE_DEFAULTS: dict[str, Any] = {"total": None, "schedule": None, "training": None, "precision": "float32"}
"""What a file of format 1 may lack, for those written before it was added, and what it is then."""
LARGEST = 2**62
"""Of a counter, or another whole number in the state."""
LONGEST = 1000
"""Characters of an error, which may quote the file."""


def save(model: Model, path: Any) -> None:
    """Writes a model's file, whole or not at all (see `nnxp.files.wholefile`).

    Raises
    ------
    OSError
        The file cannot be written; the one that was there is as it was.
    TypeError, ValueError
        The model's options, classes, preprocessing or history do not fit in the file.
    """
    texts, places = _content(model)
    with whole_file(Path(path), "the model") as file:
        tensorfile.write(file, texts, places)


@contextlib.contextmanager
def opened(path: Any) -> Iterator["Saved"]:
    """A model's file, open for reading; errors within the block name it."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no model file {path}")
    try:
        with path.open("rb") as file:
            if file.read(4) == b"PK\3\4":
                raise ModelFileError(
                    "it is a zip file, as .npz and .pt are, and no safetensors file: weights alone go into a model "
                    "that there is, nnxp.load(path, into=model)"
                )
            yield Saved(file)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error.__cause__


def to_bytes(model: Model) -> bytes:
    """The content of a model's file."""
    file = io.BytesIO()
    tensorfile.write(file, *_content(model))
    return file.getvalue()


def from_bytes(
    kind: type[M], content: bytes, *, backend: Any = None, layers: Mapping[str, type[Layer]] | None = None
) -> M:
    """The model, of a class `kind`, whose file has this content."""
    return Saved(io.BytesIO(content)).model(kind, backend, layers)


# --- what is said of a model ---------------------------------------------------------------------------


def state_of(model: Model) -> dict[str, Any]:
    """Where its training stands."""
    rounds = model._backend is not None and model._backend.precision == "tf32"
    return {
        **({"precision": "tf32"} if rounds else {}),
        "epoch": model.epoch,
        "step": model.step,
        "iterations": model.optimizer.iterations,
        "total": model.optimizer.total,
        "schedule": model.optimizer.schedule and model.optimizer.schedule.state(),
        "history": {name: [as_json(v) for v in values] for name, values in model.history.items()},
    }


def _content(model: Model) -> tuple[dict[str, str], dict[str, Place]]:
    """The file's texts and tensors: while a fit runs, where it stands too."""
    from nnxp import __version__

    state, places = state_of(model), _places(model)
    if model.course is not None and model.course.is_here:
        host = get_backend("numpy", fast=False)
        state["training"], arrays = model.course.state()
        places |= {f"training.{name}": Place(host, a.reshape(-1), a.shape) for name, a in arrays.items()}
    places |= encoding.places_of(model.encoder)
    texts = {"nnxp_version": __version__, "config": _text("config", config_of(model)), "state": _text("state", state)}
    return texts | {"format": encoding.format_of(model.encoder)}, places


def _text(name: str, value: dict[str, Any]) -> str:
    """The value as JSON, once it is sure that it can be read again."""
    try:
        text = jsontext.canonical(value)
        _parsed(name, text)
    except (TypeError, ValueError, RecursionError) as error:
        config, state = "options, classes or preprocessing", "history, or what a schedule or a callback remembers,"
        what = config if name == "config" else state
        raise TypeError(f"the model's {what} do not fit in JSON as a file has it: {error}") from None
    return text


def _places(model: Model) -> dict[str, Place]:
    """The tensors of a model, where they are: its parameters, and what its optimizer keeps if it keeps anything yet."""
    store = model.store
    arrays = {f"{i}.{name}": store.view(i, name) for i, layer in with_parts(model.layers) for name in layer.stored()}
    arrays |= {f"optimizer.{name}": slot for name, slot in model.optimizer.saved_state(store).items()}
    with store.backend.context():  # views, but for those of members side by side: they are contiguous
        return {
            name: Place(store.backend, store.backend.xp.reshape(array, (-1,)), tuple(array.shape))
            for name, array in arrays.items()
        }


# --- how it is built again -----------------------------------------------------------------------------


class Saved:
    """A model's file that is open for reading.

    Attributes
    ----------
    reader : Reader
    config, state : dict
        See `config_of` and `state_of`. Nothing of them is to be trusted before `reader.check()`, or what reads all.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.reader = Reader(file)
        with self.blamed():
            self.config = _parsed("config", self.reader.texts["config"])
            self.state = _parsed("state", self.reader.texts["state"])
            if self.reader.texts["format"] != encoding.format_of(self.config["encoder"]):
                raise ModelFileError("it has format 1 and an encoder, or format 2 and none")

    def model(self, kind: type[M], backend: Any = None, layers: Mapping[str, type[Layer]] | None = None) -> M:
        """The model, new, of a class `kind` (see `nnxp.load`)."""
        backend = None if backend is None else get_backend(backend)
        if not isinstance(layers, Mapping | None):
            raise TypeError(
                f'got layers={layers!r}, expected a dict of your own classes by name: layers={{"Mine": Mine}}'
            )
        with self.blamed():
            model = build(kind, self.config, layers or {})
            self.fits(model)
        if backend is not None:
            model.bind_to(backend)
        with self.blamed():
            model.encoder = encoding.encoder_in(self.config, self.restore(model))
        return model

    def fits(self, model: Model) -> None:
        """Raises ModelFileError where the file's tensors are not those of such a model. Nothing is allocated."""
        tensors, dtype = self.reader.tensors, self.config["dtype"]
        shapes = shapes_of(model.layers, model.members).items()
        expected = {f"{place}.{name}": shape for (place, name), shape in shapes}
        slots = {name for name in tensors if name.startswith("optimizer.")}
        training = {name for name in tensors if name.startswith("training.")}
        encoder = encoding.names_of(self.config, tensors)
        got = {name: tensor.shape for name, tensor in tensors.items() if name not in slots | training | encoder}
        if got != expected:
            wrong = sorted(set(got.items()) ^ set(expected.items()))[0][0]
            raise ModelFileError(
                f"its tensor {wrong!r} has shape {got.get(wrong)}, its configuration says {expected.get(wrong)}"
            )
        if any(tensor.dtype != dtype for name, tensor in tensors.items() if name not in training | encoder):
            raise ModelFileError(f"its tensors are not all {dtype}, as its configuration says")
        trained = (f"{i}.{name}" for i, layer in with_parts(model.layers) for name in layer.parameters)
        size = sum(math.prod(expected[name]) for name in trained)
        wanted = {f"optimizer.{name}": (size,) for name in model.optimizer.kept}
        if slots and {name: tensors[name].shape for name in slots} != wanted:
            raise ModelFileError(
                f"its optimizer state {sorted(slots)} does not fit {type(model.optimizer).__name__} and {size} "
                "parameters"
            )

    def restore(self, model: Model) -> dict[str, HostArray]:
        """Reads tensors and state into a model that they fit; gives those of a training and an encoder.

        Raises
        ------
        ModelFileError
            The file is damaged, which may be known only when it is all read: a model that is to stay as it is then
            needs `reader.check()` first.
        """
        slots = [name for name in model.optimizer.kept if f"optimizer.{name}" in self.reader.tensors]
        bound = model._store is not None
        if bound and slots:
            model.optimizer.state(model.store)  # makes room
        elif bound:
            model.optimizer.reset()
        places = _places(model) if bound else {}
        beside = {name for name, p in places.items() if name in model.store.beside}  # in memory of another order
        places = {name: p for name, p in places.items() if name not in beside}
        host = get_backend("numpy", fast=False)
        arrays = {
            name: np.empty(tensor.shape, tensor.dtype)
            for name, tensor in self.reader.tensors.items()
            if name not in places
        }
        self.reader.read(places | {name: Place(host, a.reshape(-1), a.shape) for name, a in arrays.items()})
        for name in beside:
            model.store.write(model.store.beside[name], arrays[name], name)
        if not bound:
            shared = common(model.layers)
            for i, layer in with_parts(model.layers):
                for name in layer.stored():
                    layer.adopt(name, arrays[f"{i}.{name}"], 1 if (i, name) in shared else model.members)
            model.restore_optimizer({name: arrays[f"optimizer.{name}"] for name in slots})
        _restore(model, self.state)
        return {name: a for name, a in arrays.items() if name.startswith(("training.", encoding.PREFIX))}

    @contextlib.contextmanager
    def blamed(self) -> Iterator[None]:
        """What goes wrong with a damaged file is its damage, with another its content."""
        try:
            yield
        except (ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            self.reader.check()
            text = str(error)
            if not isinstance(error, ModelFileError):
                number = self.reader.texts["format"]
                text = f"its configuration is not one of format {number} ({type(error).__name__}: {text})"
            cause = error.__cause__ if isinstance(error, ModelFileError) else error
            raise ModelFileError(text if len(text) < LONGEST else f"{text[:LONGEST]} …") from cause


def _parsed(name: str, text: str) -> dict[str, Any]:
    """The object "config" or "state" with the keys that it has to have, and no other."""
    required, defaults = (CONFIG, OPTIONAL) if name == "config" else (STATE, STATE_DEFAULTS)
    value = jsontext.parse(text)
    if missing := {*required} - {*value}:
        raise ModelFileError(f"its {name} lacks {', '.join(sorted(missing))}")
    if unknown := {*value} - {*required, *defaults}:
        raise ModelFileError(f"its {name} has {sorted(unknown)[0]!r:.60}, which is not known here: update nnxp")
    value = {**defaults, **value}
    (check_config if name == "config" else _check_state)(value)
    return value


def _check_state(state: dict[str, Any]) -> None:
    """Raises ModelFileError where a state is not one that `_restore` takes."""
    for name in ("epoch", "step", "iterations", "total"):
        value = state[name]
        if (type(value) is not int or not 0 <= value < LARGEST) and (name, value) != ("total", None):
            raise ModelFileError(f"its {name} is {value!r:.20}, expected a whole number from 0 up")
    if not isinstance(state["history"], dict) or not all(
        isinstance(values, list) for values in state["history"].values()
    ):
        raise ModelFileError("its history is no object of lists")
    if state["precision"] not in PRECISIONS:
        raise ModelFileError(f"its precision is {state['precision']!r:.20}, expected one of {', '.join(PRECISIONS)}")
    if not isinstance(state["schedule"], dict | None):
        raise ModelFileError(f"its schedule is {state['schedule']!r:.60}, expected an object")
    entries = itertools.chain.from_iterable(state["history"].values())
    for value in itertools.chain.from_iterable(v if isinstance(v, list) else [v] for v in entries):
        if value is not None and not (type(value) is float or (type(value) is int and abs(value) < LARGEST)):
            raise ModelFileError(f"its history has {value!r:.20} where a number belongs")


def _restore(model: Model, state: dict[str, Any]) -> None:
    """Takes over what `state_of` gave."""
    model.epoch, model.step = state["epoch"], state["step"]
    model.history = {  # a file's is in order of name
        name: [from_json(value) for value in state["history"][name]] for name in sorted(state["history"], key=place)
    }
    model.optimizer.iterations, model.optimizer.total = state["iterations"], state["total"]
    if model.optimizer.schedule is not None:
        model.optimizer.schedule.restore(state["schedule"] or {})
