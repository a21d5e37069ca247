"""What a model computed in another dtype says of its error, and rows to compute it on."""

import copy
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np

from nnxp.backends import get_backend
from nnxp.layers import Embedding, Layer, PiecewiseLinearEmbedding, Rescaling
from nnxp.layers.parts import with_parts
from nnxp.network.model import Model
from nnxp.network.row import Row
from nnxp.typing import HostArray

M = TypeVar("M", bound=Model)
ROWS = 64


def in_dtype(model: M, dtype: str) -> M:
    """The same model in another dtype on NumPy: the same numbers, with more or fewer digits between them."""
    layers = [copy.copy(layer) for layer in model.layers]
    for _, layer in with_parts(layers):
        layer.__dict__.update(_store=None, _dtype=None, _backend=None, _named=False, _assigned={})
    twin = object.__new__(type(model))  # a class of the user's own may take other arguments
    Model.__init__(twin, layers, dtype=dtype, members=model.members)
    twin.bind_to(get_backend("numpy"))
    with np.errstate(over="ignore"):  # an infinite weight shows in the outputs
        twin.store.values[...] = model.store.backend.to_numpy(model.store.values)
    return twin


def other_dtype(dtype: str) -> str:
    """The dtype that a model's error shows in."""
    return "float64" if dtype == "float32" else "float32"


class Expected(NamedTuple):
    """What an output of a file has to be."""

    ours: HostArray
    """What the model gives."""
    exact: HostArray
    """That computed in float64."""
    own: float
    """The largest error of ours."""
    dtype: str
    """The model's: what it computes is rounded to that, also where the output has another."""

    @classmethod
    def of(cls, ours: HostArray, other: HostArray, dtype: str) -> Self:
        """Of what a model of this dtype gives, and what it gives in the other.

        What a float64 model gives is exact as far as is known here: its error is taken to be 2⁻²⁹ of what it has in
        float32, as the rounding of the one is to that of the other.
        """
        with np.errstate(invalid="ignore"):  # of infinities
            difference = largest(ours - other)
        return cls(ours, *((other, difference) if dtype == "float32" else (ours, difference * 2.0**-29)), dtype)


def largest(values: HostArray) -> float:
    """The largest magnitude of those that are finite."""
    return float(np.max(np.abs(values), initial=0.0, where=np.isfinite(values)))


def reference_rows(model: Model, input_dtype: str, rows: int = ROWS) -> HostArray:
    """Rows such as a model's inputs may be, (rows, n_in): normal numbers before they are rescaled, codes of an
    embedding, numbers between the edges of a column's bins; the first row is 0."""
    assert model.n_in is not None
    rng, shape = np.random.default_rng(0), (rows, model.n_in)
    X = rng.normal(size=shape)
    X[0] = 0
    for layer in reversed([*_first(model.layers)]):
        if isinstance(layer, Embedding):
            for column, size in zip(layer._own, layer.sizes, strict=True):
                X[:, column] = rng.integers(size, size=rows)
        elif isinstance(layer, PiecewiseLinearEmbedding):
            for column, edges in zip(layer._own, layer.edges, strict=True):
                X[:, column] = rng.uniform(edges[0], edges[-1], size=rows)
        elif isinstance(layer, Rescaling):
            scale, offset = (np.asarray(v if not isinstance(v, tuple) else v[0]) for v in (layer.scale, layer.offset))
            X = np.divide(X - offset, scale, out=np.zeros(shape), where=scale != 0)
    if input_dtype == "uint8":
        return rng.integers(256, size=shape).astype(np.uint8)
    return X.astype(input_dtype)


def _first(layers: list[Any]) -> list[Layer]:
    """The layers whose inputs are the model's columns: up to the first that mixes them or makes others."""
    found: list[Layer] = []
    for layer in layers:
        if isinstance(layer, Row):
            return [*found, *_first(layer.layers)]
        found.append(layer)
        if not isinstance(layer, Rescaling):
            break
    return found
