"""A model's layers as a table for people."""

import math
from collections.abc import Sequence

import numpy as np

from nnxp.layers import Layer
from nnxp.network.architecture import width_after
from nnxp.printing import print_table


def print_summary(layers: Sequence[Layer], dtype: str, where: str, n_in: int | None) -> None:
    """Prints each layer with its output width and its number of parameters; nothing is drawn."""
    rows, total, width = [], 0, n_in
    for i, layer in enumerate(layers):
        width, shapes = width_after(layer, width), layer.shapes()
        count = sum(math.prod(shapes[name]) for name in layer.parameters)
        total += count
        rows.append([str(i), type(layer).__name__, "?" if width is None else str(width), f"{count:,}"])
    size = total * np.dtype(dtype).itemsize
    caption = f"{total:,} parameters, {dtype}, {size:,} bytes; backend: {where}"
    print_table(["", "layer", "outputs", "parameters"], rows, caption)
