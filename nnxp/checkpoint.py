"""The model file: safetensors, format 1. No pickle; tensors are host arrays, whatever trained them.

Metadata, all text: `nnxp_version`, `format`, `config` (JSON: layers, loss, optimizer, dtype, seed, classes,
preprocessing), `state` (JSON: epoch, step, iterations, total, schedule, history) and `sha256`, over the canonical
JSON of version, config, state and every tensor's name, dtype and shape, followed by the tensors' bytes in order of
name. Tensors are named "0.weights", "0.biases", ..., the optimizer's "optimizer.momentum", "optimizer.cache",
flat like the store.
"""

import hashlib
import inspect
import json
import math
import os
import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nnxp.backends import get_backend
from nnxp.errors import ModelFileError
from nnxp.layers import LAYERS, Layer
from nnxp.typing import HostArray

if TYPE_CHECKING:
    from nnxp.sequential import Sequential

FORMAT = "1"
TEXTS = ("nnxp_version", "config", "state")
"""What the checksum covers beside the tensors."""
TRAINING = "training."
"""What the names of tensors begin with that say where a fit stood."""
Tensors = dict[str, HostArray]


def save(model: "Sequential", path: Any) -> None:
    """Writes a model's file, whole or not at all: beside its place first, then renamed.

    Raises
    ------
    OSError
        The folder is missing or cannot be written.
    """
    path = Path(path).resolve()  # a link stays a link
    if path.is_dir():
        raise IsADirectoryError(f"got the folder {path}, expected a file name such as {path / 'model.safetensors'}")
    content = to_bytes(model)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot save {path.name}: there is no folder {path.parent}; create it first")
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def load(path: Any, *, backend: Any = None, layers: dict[str, type[Layer]] | None = None) -> "Sequential":
    """Reads a model from a file that `Sequential.save` wrote.

    Parameters
    ----------
    path
        The file.
    backend
        Where the model is to run; by default the first X decides.
    layers
        Your own classes by name, where the model has some: layers, and a loss, an optimizer or a schedule too.

    Returns
    -------
    Sequential
        With its weights, optimizer state and history: `fit` goes on where it stopped.

    Raises
    ------
    ModelFileError
        The file is damaged, of another format, or holds a layer that is not known.
    FileNotFoundError
        There is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no model file {path}")
    try:
        return from_bytes(path.read_bytes(), backend=backend, layers=layers)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error.__cause__


def to_bytes(model: "Sequential") -> bytes:
    """The content of a model's file."""
    from safetensors.numpy import save as serialize

    from nnxp import __version__

    config = config_of(model)
    state: dict[str, Any] = {
        "epoch": model.epoch,
        "step": model.step,
        "iterations": model.optimizer.iterations,
        "total": model.optimizer.total,
        "schedule": model.optimizer.schedule and model.optimizer.schedule.state(),
        "history": {name: [v if math.isfinite(v) else None for v in values] for name, values in model.history.items()},
    }
    tensors = _tensors(model)
    if (course := model.course) is not None:
        state["training"], arrays = course.state()
        tensors |= {f"{TRAINING}{name}": a for name, a in arrays.items()}
    texts = {"nnxp_version": __version__, "config": _canonical(config), "state": _canonical(state)}
    digest = _digest(texts, tensors)
    return bytes(serialize(tensors, {"format": FORMAT, **texts, "sha256": digest}))


def config_of(model: "Sequential") -> dict[str, Any]:
    """What makes the model again, but for its weights: the file's `config`."""
    return {
        "layers": [_config(layer) for layer in model.layers],
        "loss": None if model.loss is None else _config(model.loss),
        "optimizer": _config(model.optimizer),
        "dtype": model.dtype,
        "seed": model.seed,
        "classes": model.classes,
        "preprocessing": model.preprocessing,
    }


def read(path: Path) -> tuple[dict[str, Any], dict[str, Any], Tensors]:
    """A file's config, state and tensors, for `resuming`."""
    metadata, tensors = _read(path.read_bytes())
    return _json(metadata, "config"), _json(metadata, "state"), tensors


def from_bytes(content: bytes, *, backend: Any = None, layers: dict[str, type[Layer]] | None = None) -> "Sequential":
    """The model whose file has this content."""
    backend = None if backend is None else get_backend(backend)
    metadata, tensors = _read(content)
    try:
        config, state = _json(metadata, "config"), _json(metadata, "state")
        model = _build(config, backend, layers or {})
        restore(model, config, state, tensors)
    except ModelFileError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ModelFileError(
            f"its configuration is not one of format {FORMAT} ({type(error).__name__}: {error})"
        ) from error
    return model


def _read(content: bytes) -> tuple[dict[str, str], Tensors]:
    """Metadata and tensors, once the header and the digest are right."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as deserialize

    if len(content) < 8 or (size := struct.unpack("<Q", content[:8])[0]) > len(content) - 8:
        raise ModelFileError("it is truncated, or no safetensors file: its header is longer than the file")
    try:
        header = json.loads(content[8 : 8 + size], object_pairs_hook=_without_duplicates)
        metadata = header.get("__metadata__", {}) if isinstance(header, dict) else {}
        if not isinstance(metadata, dict) or "nnxp_version" not in metadata:
            raise ModelFileError("it holds no nnxp model: save one with model.save(path)")
        if metadata.get("format") != FORMAT:
            raise ModelFileError(
                f"it has format {metadata.get('format')!r}, written by nnxp {metadata['nnxp_version']}; this "
                f"version reads format {FORMAT}: update nnxp"
            )
        tensors = dict(deserialize(content))
    except ModelFileError:
        raise
    except (KeyError, ValueError, RecursionError, SafetensorError) as error:
        raise ModelFileError(f"it is truncated, damaged, or no safetensors file ({error})") from None
    texts = {name: metadata.get(name, "") for name in TEXTS}
    if metadata.get("sha256") != _digest(texts, tensors):
        raise ModelFileError("its content does not match its checksum: it was damaged or changed; take another copy")
    return metadata, tensors


def _config(part: Any) -> dict[str, Any]:
    """The part's class and options, once it is sure that they make it again."""
    config: dict[str, Any] = part.config()
    for name in config:
        if hasattr(option := getattr(part, name, None), "config"):
            config[name] = _config(option)
    try:
        inspect.signature(type(part)).bind(**{name: value for name, value in config.items() if name != "class"})
    except TypeError as error:
        raise ValueError(
            f"cannot save {type(part).__name__}, which its options {tuple(part.options)} do not make again ({error}): "
            "name the keywords of its __init__ in `options`, and keep each as an attribute"
        ) from None
    return config


def _build(config: dict[str, Any], backend: Any, own: dict[str, type[Layer]]) -> "Sequential":
    from nnxp.activations import ACTIVATIONS
    from nnxp.losses import LOSSES, StandardisedLoss
    from nnxp.optimizers import LBFGS, OPTIMIZERS
    from nnxp.schedules import SCHEDULES
    from nnxp.sequential import Sequential

    classes = (*LAYERS, *ACTIVATIONS, *LOSSES, StandardisedLoss, *OPTIMIZERS, LBFGS, *SCHEDULES)
    known: dict[str, Any] = {cls.__name__: cls for cls in classes} | own
    layers = [_object(entry, known, "layer") for entry in config["layers"]]
    loss = config["loss"] and _object(config["loss"], known, "loss")
    optimizer = _object(config["optimizer"], known, "optimizer")
    try:
        model = Sequential(layers, loss, optimizer, backend=backend, dtype=config["dtype"], seed=config["seed"])
    except ValueError as error:
        raise ModelFileError(f"its layers do not fit together: {error}") from error
    model.classes, model.preprocessing = config["classes"], config["preprocessing"]
    return model


def _object(entry: dict[str, Any], known: dict[str, Any], what: str) -> Any:
    options = dict(entry)
    name = options.pop("class")
    for option, value in options.items():  # an optimizer's schedule, and the one after it
        if isinstance(value, dict) and "class" in value:
            options[option] = _object(value, known, option)
    if name not in known:
        raise ModelFileError(
            f"it has the {what} {name!r}, which is not known here: give its class, "
            f"nnxp.load(path, layers={{{name!r}: {name}}})"
        )
    try:
        return known[name](**options)
    except (TypeError, ValueError) as error:
        raise ModelFileError(f"its {what} {name} cannot be built from {options}: {error}") from error


def restore(model: "Sequential", config: dict[str, Any], state: dict[str, Any], tensors: Tensors) -> None:
    """Makes a model of this config what it was when the file was written."""
    tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith(TRAINING)}
    expected = {
        f"{i}.{name}": tuple(shape) for i, layer in enumerate(model.layers) for name, shape in layer.shapes().items()
    }
    slots = {name: tensor for name, tensor in tensors.items() if name.startswith("optimizer.")}
    got = {name: tuple(tensor.shape) for name, tensor in tensors.items() if name not in slots}
    if got != expected:
        wrong = sorted(set(got.items()) ^ set(expected.items()))[0][0]
        raise ModelFileError(
            f"its tensor {wrong!r} has shape {got.get(wrong)}, its configuration says {expected.get(wrong)}"
        )
    if any(str(tensor.dtype) != config["dtype"] for tensor in tensors.values()):
        raise ModelFileError(f"its tensors are not all {config['dtype']}, as its configuration says")
    for i, layer in enumerate(model.layers):
        for name in layer.stored():
            setattr(layer, name, tensors[f"{i}.{name}"])
    trained = (f"{i}.{name}" for i, layer in enumerate(model.layers) for name in layer.parameters)
    size = sum(math.prod(expected[name]) for name in trained)
    if slots and (
        {*slots} != {f"optimizer.{name}" for name in model.optimizer.kept}
        or any(t.shape != (size,) for t in slots.values())
    ):
        raise ModelFileError(
            f"its optimizer state {sorted(slots)} does not fit {type(model.optimizer).__name__} and {size} parameters"
        )
    model.restore_optimizer({name.partition(".")[2]: tensor for name, tensor in slots.items()})
    model.epoch, model.step = int(state["epoch"]), int(state["step"])
    model.history = {name: [math.nan if v is None else v for v in values] for name, values in state["history"].items()}
    model.optimizer.iterations, model.optimizer.total = int(state["iterations"]), state.get("total")
    if model.optimizer.schedule is not None:
        model.optimizer.schedule.restore(state.get("schedule") or {})


def _tensors(model: "Sequential") -> Tensors:
    to_numpy = model.store.backend.to_numpy
    tensors = {
        f"{i}.{name}": np.ascontiguousarray(to_numpy(getattr(layer, name)))
        for i, layer in enumerate(model.layers)
        for name in layer.stored()
    }
    for name, slot in model.optimizer.saved_state(model.store).items():
        tensors[f"optimizer.{name}"] = np.ascontiguousarray(to_numpy(slot))
    return tensors


def _canonical(value: Any) -> str:
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise TypeError(f"the model's options, classes, preprocessing or history do not fit in JSON: {error}") from None


def _digest(texts: dict[str, str], tensors: Tensors) -> str:
    names = sorted(tensors)
    outline = [[name, str(tensors[name].dtype), list(tensors[name].shape)] for name in names]
    digest = hashlib.sha256(_canonical([*(texts[name] for name in TEXTS), outline]).encode())
    for name in names:
        digest.update(np.ascontiguousarray(tensors[name]).tobytes())
    return digest.hexdigest()


def _json(metadata: dict[str, str], name: str) -> dict[str, Any]:
    value = json.loads(metadata[name], object_pairs_hook=_without_duplicates)
    if not isinstance(value, dict):
        raise ModelFileError(f"its {name} is no JSON object")
    return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError("a key occurs twice in its header")
    return result


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
