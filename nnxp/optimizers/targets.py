"""What an update works on: the stretches of the stores of layers and models."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from nnxp.backends import Backend
from nnxp.layers.base import Layer
from nnxp.layers.parts import with_parts
from nnxp.memory.parameters import ParameterStore, Span
from nnxp.optimizers.factors import Factors, Table
from nnxp.typing import Array

Target: TypeAlias = Any
"""A layer, a model, or a list of them."""


class Stretch(NamedTuple):
    """What one call of an update works on, all flat and of one length."""

    backend: Backend
    factors: Factors
    w: Array
    g: Array
    slots: list[Array]
    average: Array | None
    clipped: list[Array]  # where clipped gradients and their factor go, once there are any


@dataclass
class Layout:
    """What an optimizer has prepared of a store: stretches by their spans, and those of a whole model."""

    rates: Table
    decays: Table
    stretches: dict[Span, Stretch] = field(default_factory=dict)
    spans: list[Span] | None = None
    whole: list[Stretch] = field(default_factory=list)


def pieces_of(target: Target, by_kind: bool) -> list[tuple[ParameterStore, Span]]:
    """The target's stretches and their stores; raises where a gradient is missing."""
    targets: Sequence[Any] = target if isinstance(target, list | tuple) else [target]
    pieces: list[tuple[ParameterStore, Span]] = []
    for one in targets:
        alone = isinstance(one, Layer)
        rows = [one] if alone else getattr(one, "layers", [one])
        for layer in rows:
            if not isinstance(layer, Layer):
                raise TypeError(f"got {layer!r} to update, expected a layer, a model, or a list of layers")
        layers = [layer for _, layer in with_parts(rows) if layer.parameters and layer.trainable]
        for layer in layers:
            if layer.position not in layer.store.computed:
                raise RuntimeError(
                    f"{type(layer).__name__} has no gradients yet: call backward(dvalues) before update_params"
                )
        if alone:
            pieces.extend((part.store, span) for part in layers for span in part.store.spans(part.position, by_kind))
        else:  # a model: everything in its store
            pieces.extend((one.store, span) for span in one.store.spans(None, by_kind))
    return pieces
