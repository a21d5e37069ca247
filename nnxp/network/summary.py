"""A model's layers as a table for people."""

import math
from collections.abc import Sequence

import numpy as np

from nnxp.layers import Layer
from nnxp.layers.parts import with_parts
from nnxp.network.architecture import width_after
from nnxp.printing import print_table


def print_summary(layers: Sequence[Layer], dtype: str, where: str, n_in: int | None, members: int) -> None:
    """Prints each layer, and its parts below it, with its output width and its number of parameters, those of all
    members; nothing is drawn."""
    rows, total, frozen, width = [], 0, 0, n_in
    for position, layer in with_parts(layers):
        shapes = layer.shapes()
        count = sum(math.prod(shapes[name]) for name in layer.parameters)
        count *= 1 if layer._store is not None else members
        total, frozen = total + count, frozen + count * (not layer.trainable)
        if isinstance(position, int):
            width = width_after(layer, width)
        outputs = "" if isinstance(position, str) else "?" if width is None else str(width)
        note = " frozen" if count and not layer.trainable else ""
        rows.append([str(position), type(layer).__name__, outputs, f"{count:,}{note}"])
    size = total * np.dtype(dtype).itemsize
    trained = f" ({total - frozen:,} trained, {frozen:,} frozen)" if frozen else ""
    several = f"{members} members: " if members > 1 else ""
    caption = f"{several}{total:,} parameters{trained}, {dtype}, {size:,} bytes; backend: {where}"
    print_table(["", "layer", "outputs", "parameters"], rows, caption)
