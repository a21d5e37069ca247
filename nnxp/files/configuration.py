"""What a model is made of, as JSON can hold it, and the model that is made of it again."""

import inspect
from collections.abc import Mapping
from typing import Any, TypeVar

from nnxp.activations import ACTIVATIONS
from nnxp.backends import DTYPES
from nnxp.errors import ModelFileError
from nnxp.layers import LAYERS, Layer
from nnxp.layers.parts import layers_in, with_parts
from nnxp.losses import LOSSES, StandardisedLoss
from nnxp.network.checking import check_parts
from nnxp.network.model import Model
from nnxp.network.parametric import ParametricActivation
from nnxp.network.residual import Residual
from nnxp.network.shared import Shared
from nnxp.optimizers import LBFGS, OPTIMIZERS
from nnxp.schedules import SCHEDULES

CONFIG = ("layers", "loss", "optimizer", "dtype", "seed", "classes", "preprocessing")
OPTIONAL: dict[str, Any] = {"encoder": None, "members": 1, "seeds": None}
"""What only a file of format 2 has, and only one of several members, or of some of them."""
MOST_LAYERS, MOST_MEMBERS = 10_000, 100_000
M = TypeVar("M", bound=Model)
PARTS = (*LAYERS, Residual, Shared, *ACTIVATIONS, ParametricActivation, *LOSSES, StandardisedLoss)
KNOWN: dict[str, Any] = {cls.__name__: cls for cls in (*PARTS, *OPTIMIZERS, LBFGS, *SCHEDULES)}


def config_of(model: Model) -> dict[str, Any]:
    """What a model is made of, once it is sure that a file's reader takes it."""
    check_parts(model)
    return {
        "layers": [_layer_config(layer) for layer in model.layers],
        "loss": None if model.loss is None else part_config(model.loss),
        "optimizer": part_config(model.optimizer),
        "dtype": model.dtype,
        "seed": model.seed,
        "classes": model.classes,
        "preprocessing": model.preprocessing,
        **({"members": model.members} if model.members > 1 else {}),
        **({} if model._seeds is None else {"seeds": model.seeds}),
        **({} if model.encoder is None else {"encoder": model.encoder[0]}),
    }


def check_config(config: dict[str, Any]) -> None:
    """Raises ModelFileError where a configuration is not one that `build` takes: what is there to see before it."""
    if config["dtype"] not in DTYPES:
        raise ModelFileError(f"its dtype is {config['dtype']!r:.20}, expected one of {', '.join(DTYPES)}")
    if not isinstance(config["layers"], list) or len(config["layers"]) > MOST_LAYERS:
        raise ModelFileError(f"its layers are no list of at most {MOST_LAYERS}")
    if not isinstance(config["classes"], list | None):
        raise ModelFileError("its classes are no list, and not null")
    if not isinstance(config["preprocessing"], dict):
        raise ModelFileError("its preprocessing is no JSON object")
    if type(config["members"]) is not int or not 1 <= config["members"] <= MOST_MEMBERS:
        raise ModelFileError(f"its members are {config['members']!r:.20}, expected from 1 to {MOST_MEMBERS}")
    seeds = config["seeds"]
    if seeds is not None and not (isinstance(seeds, list) and all(type(seed) is int for seed in seeds)):
        raise ModelFileError(f"its seeds are {seeds!r:.20}, expected a list of whole numbers")
    if not isinstance(config["encoder"], dict | None):
        raise ModelFileError("its encoder is no JSON object")


def build(kind: type[M], config: dict[str, Any], own: Mapping[str, type[Layer]]) -> M:
    """The model, of a class `kind`, on no backend yet, its parameters not drawn."""
    known = KNOWN | dict(own)
    layers = [_layer(entry, known, own) for entry in config["layers"]]
    loss = config["loss"] and _object(config["loss"], known, own, "loss")
    optimizer = _object(config["optimizer"], known, own, "optimizer")
    try:
        model = kind(layers, loss, optimizer, dtype=config["dtype"], seed=config["seed"], members=config["members"])
        if config["seeds"] is not None:
            model.seeds = config["seeds"]
        for part in (*(layer for _, layer in with_parts(layers)), optimizer, *([loss] if loss else [])):
            part._check_options(config["dtype"])
    except ValueError as error:
        raise ModelFileError(f"its layers do not fit together: {error}") from error
    model.classes, model.preprocessing = config["classes"], config["preprocessing"]
    return model


def part_of(config: dict[str, Any]) -> Any:
    """A new activation, optimizer or schedule by what `part_config` says of one. Raises ModelFileError as `build`."""
    return _object(config, KNOWN, {}, "part")


def _layer(entry: dict[str, Any], known: dict[str, Any], own: Mapping[str, Any]) -> Layer:
    """A layer of a model, and what of it is frozen."""
    options = {name: value for name, value in entry.items() if name != "frozen"}
    layer: Layer = _object(options, known, own, "layer")
    if "frozen" in entry:
        parts = {str(position)[1:]: part for position, part in with_parts([layer])}
        if strange := {*entry["frozen"]} - {*parts}:
            name = f"{type(layer).__name__}{sorted(strange)[0]}"
            raise ModelFileError(f"it has a frozen {name:.60}, but {type(layer).__name__} holds no such layer")
        for position, part in parts.items():  # a layer before its parts, on which it sets its own
            part.trainable = position not in entry["frozen"]
    return layer


def _object(entry: dict[str, Any], known: dict[str, Any], own: Mapping[str, Any], what: str) -> Any:
    options = dict(entry)
    name = options.pop("class")

    def read(option: str, value: Any) -> Any:  # an optimizer's schedule, and the one after it; the layers of a layer
        if isinstance(value, list):
            return [read(option, item) for item in value]
        return _object(value, known, own, option) if isinstance(value, dict) and "class" in value else value

    options = {option: read(option, value) for option, value in options.items()}
    if name not in known:
        raise ModelFileError(
            f"it has the {what} {name!r}, which is not known here: give its class, "
            f"nnxp.load(path, layers={{{name!r}: {name}}})"
        )
    if name not in own and (other := {*options} - {*known[name].options}):
        raise ModelFileError(f"its {what} {name} has the option {sorted(other)[0]!r:.60}, which is not one of a file's")
    try:
        return known[name](**options)
    except (MemoryError, OverflowError, TypeError, ValueError) as error:
        raise ModelFileError(f"its {what} {name} cannot be built from {options}: {error}") from error


def _layer_config(layer: Layer) -> dict[str, Any]:
    """A layer of a model; "frozen" names what of it is not trained: "" itself, ".inner" a part."""
    frozen = [str(position)[1:] for position, part in with_parts([layer]) if not part.trainable]
    return part_config(layer) | ({"frozen": frozen} if frozen else {})


def part_config(part: Any) -> dict[str, Any]:
    """The part's class and options, once it is sure that they make it again."""
    config: dict[str, Any] = part.config()
    for name, value in config.items():
        config[name] = _written(getattr(part, name, None), value)
    try:
        inspect.signature(type(part)).bind(**{name: value for name, value in config.items() if name != "class"})
    except TypeError as error:
        raise ValueError(
            f"cannot save {type(part).__name__}, which its options {tuple(part.options)} do not make again ({error}): "
            "name the keywords of its __init__ in `options`, and keep each as an attribute"
        ) from None
    return config


def _written(option: Any, value: Any) -> Any:
    """What a file says of an option whose part says `value`: of a part, and of the layers in a list, what makes it."""
    if hasattr(option, "config"):
        return part_config(option)
    if isinstance(option, list | tuple) and any(layers_in(name="", value=option)):
        return [_written(item, item) for item in option]
    return value
