"""Initial weights from the data, layer by layer: each that waits for some is given outputs of variance 1."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from nnxp import random
from nnxp.initializers import DataVariance
from nnxp.layers import Dense, Layer
from nnxp.layers.parts import with_parts
from nnxp.typing import Array, Floats, HostArray

ROWS = 2048
"""How many rows are run at once, so that memory does not grow with the data."""


def from_data(layers: Sequence[Layer]) -> list[Dense]:
    """The bound layers that begin with weights from the data.

    Raises
    ------
    ValueError
        One is a part of another layer, so that nobody sees its inputs.
    """
    found = []
    for position, layer in with_parts(layers):
        if isinstance(layer, Dense) and isinstance(layer.initializer, DataVariance):
            if not isinstance(position, int):
                raise ValueError(
                    f"got initializer='data_variance' at layer {position}, expected it at a layer of the model itself: "
                    "inside of another, name one that needs no data"
                )
            found.append(layer)
    return found


def waiting(layers: Sequence[Layer], seeds: Sequence[int]) -> list[Dense]:
    """Those of them whose weights are the seeds', before any data: drawn, assigned, trained and saved ones stay."""
    return [
        layer
        for layer in from_data(layers)
        if np.array_equal(layer.backend.to_numpy(layer.weights), _normal(layer, seeds).astype(layer.dtype))
    ]


def _normal(layer: Dense, seeds: Sequence[int]) -> HostArray:
    """What a layer's weights are before any data: (n_in, n_out), of several members (K, n_in, n_out)."""
    made = [layer.drawn("weights", seed) for seed in seeds]
    return made[0] if len(made) == 1 else np.stack(made)


def draw_from(model: Any, x: Array) -> None:
    """Draws what waits for data in a model from checked rows; each member's own by what its own layers make of them."""
    layers = from_data(model.layers)
    if not layers:
        raise ValueError('got no layer with initializer="data_variance", expected one to draw from data')

    def parts() -> Iterator[Array]:
        for start in range(0, x.shape[0], ROWS):
            yield model._moved(x[start : start + ROWS, ...])

    with model.backend.context():
        draw(layers, model.layers, model.seeds, model.prediction, parts, int(x.shape[0]))


def draw(
    drawn: Sequence[Dense],
    layers: Sequence[Layer],
    seeds: Sequence[int],
    prediction: Callable[[list[Layer], bool], Callable[[Array], Array]],
    parts: Callable[[], Iterable[Array]],
    n: int,
) -> None:
    """Draws weights and biases of some layers in turn, each for what those before it make of the rows.

    Parameters
    ----------
    drawn
        The layers to draw.
    layers, seeds
        A model's.
    prediction
        Gives the forward pass through the first of the layers, as a prediction runs them, of several members apart.
    parts
        Gives the n rows anew, some at a time.
    """
    for layer in drawn:
        normal, shape = _normal(layer, seeds), tuple(layer.biases.shape)
        layer.weights, layer.biases = normal, np.zeros(shape)
        assert isinstance(layer.initializer, DataVariance) and isinstance(layer.position, int)
        forward, to_numpy = prediction([*layers[: layer.position + 1]], True), layer.backend.to_numpy
        outputs: Iterator[Floats] = (to_numpy(forward(x)).astype(np.float64) for x in parts())
        keys = [random.key(seed, "weights", layer.position, "from the data") for seed in seeds]
        divisors, biases = (np.reshape(a, shape) for a in layer.initializer.from_outputs(keys, outputs, n))
        layer.weights, layer.biases = normal / divisors, biases
