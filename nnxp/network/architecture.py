"""Layers in a row: the usual stack, and whether layers fit each other, and a loss the last of them."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from nnxp.activations import ACTIVATIONS, Activation, Linear, Sigmoid, Softmax
from nnxp.doors.naming import lookup
from nnxp.layers import LAYERS, BatchNorm, Dense, Dropout, Layer, LayerNorm, Rescaling
from nnxp.layers.parts import with_parts
from nnxp.losses import BinaryCrossentropy, CategoricalCrossentropy, Loss, SigmoidCrossentropy, SoftmaxCrossentropy

EACH_MEMBER = ("l1", "l2", "bias_l1", "bias_l2", "rate", "scale", "offset")
"""Options of layers that may be one number, or of `Rescaling` a row of them, for each member of a model."""
NORMALIZATIONS: dict[str, Callable[[int], Layer]] = {"batch": BatchNorm, "layer": LayerNorm}


def as_layer(spec: Any) -> Layer:
    """A layer, or the activation of that name."""
    if isinstance(spec, Layer):
        return spec
    if isinstance(spec, str):
        return lookup(spec, Activation, ACTIVATIONS, "layer")
    raise TypeError(f"got {spec!r} as a layer, expected a layer such as Dense(2, 3), or an activation's name")


def hidden_layers(
    n_in: int,
    widths: Sequence[int],
    activation: Callable[[], Layer],
    *,
    normalization: str | None = None,
    dropout: float = 0.0,
    initializer: str | None = None,
) -> list[Layer]:
    """For each width a `Dense`, normalisation ("batch", "layer" or None), an activation, and dropout of some rate."""
    layers: list[Layer] = []
    for before, width in pairwise((n_in, *widths)):
        layers.append(Dense(before, width, initializer=initializer))
        if normalization is not None:
            layers.append(NORMALIZATIONS[normalization](width))
        layers.append(activation())
        if dropout:
            layers.append(Dropout(dropout))
    return layers


def following(layers: Sequence[Layer], i: int) -> Layer:
    """The layer that decides how layer i begins: the next with an opinion; Linear after the last."""
    return next((layer for layer in layers[i + 1 :] if layer.initializer_before is not None), Linear())


def width_after(layer: Layer, n_in: int | None) -> int | None:
    """The layer's number of outputs; None for one of the user's own that does not say."""
    width = layer.output_width(n_in)
    says = isinstance(layer, (Activation, *LAYERS)) or type(layer).output_width is not Layer.output_width
    return width if says else None


def widths(layers: Sequence[Layer]) -> tuple[int | None, int | None]:
    """The numbers of inputs and of outputs; None where a layer of the user's own hides it.

    Raises
    ------
    ValueError
        A layer does not take what the one before it gives.
    """
    first = width = None
    hidden = False
    for i, layer in enumerate(layers):
        try:
            width = width_after(layer, width)
        except ValueError as error:
            raise ValueError(f"layer {i} does not fit the one before it: {error}") from None
        if first is None and not hidden:
            if isinstance(layer, LAYERS) or getattr(layer, "_says_n_in", False):
                first = getattr(layer, "n_in", None) or getattr(layer, "width", None)
            hidden = first is None and not isinstance(layer, (Activation, *LAYERS))
    return first, width


def check_loss(layers: Sequence[Layer], loss: Loss | None) -> None:
    """Raises ValueError where probabilities meet a loss of logits, or logits one of probabilities."""
    last = layers[-1]
    name, end = type(loss).__name__, type(last).__name__
    if loss is not None and loss.by_hand:
        raise ValueError(f"{name} is driven by hand, expected a model's loss: use nnxp.SoftmaxCrossentropy()")
    known = isinstance(last, (*LAYERS, *ACTIVATIONS))
    for kind, needed in ((CategoricalCrossentropy, Softmax), (BinaryCrossentropy, Sigmoid)):
        if isinstance(loss, kind) and known and not isinstance(last, needed):
            raise ValueError(
                f"{name} takes probabilities, but the last layer is {end}: end with {needed.__name__}(), "
                f"or use {kind.__name__}(from_logits=True)"
            )
    for pair, twice in ((SoftmaxCrossentropy, Softmax), (SigmoidCrossentropy, Sigmoid)):
        if isinstance(loss, pair) and isinstance(last, Softmax | Sigmoid):
            raise ValueError(
                f"{name} takes logits and holds a {twice.__name__} itself, but the last layer is {end}: "
                f"leave {end}() out"
            )
    before = layers[-2] if len(layers) > 1 else None
    if isinstance(last, Softmax) and isinstance(before, Softmax | Sigmoid):
        raise ValueError(f"got {type(before).__name__} and Softmax in a row, expected one: leave the first out")


def check_members(layers: Sequence[Layer], members: int) -> None:
    """Raises ValueError where an option of a layer or a part has a number for each of another count of members."""
    for position, layer in with_parts(layers):
        for name in EACH_MEMBER:
            value = layer.__dict__.get(name) if isinstance(layer, Dense | Dropout | Rescaling) else None
            if isinstance(value, tuple) and (members == 1 or len(value) != members):
                raise ValueError(
                    f"got {name} of {len(value)} members, layer {position}, for a model of {members}, expected one "
                    "number, or one for each of several: Sequential(..., members=)"
                )


def check_classes(names: Sequence[str] | None, loss: Loss | None, n_out: int | None) -> list[str] | None:
    """The names of a model's classes; raises ValueError where there are not as many as the model tells apart."""
    if names is None:
        return None
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"got classes={names!r}, expected a list of texts, one for each class")
    binary = isinstance(loss, BinaryCrossentropy | SigmoidCrossentropy) and n_out == 1
    wanted = 2 if binary else n_out
    if loss is not None and loss.classifies and wanted is not None and len(names) != wanted:
        raise ValueError(f"got {len(names)} classes, {list(names)!r:.80}, expected {wanted}: one name for each class")
    return list(names)
