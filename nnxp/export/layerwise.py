"""A model's layers as operators, one function a layer.

What `predict` computes, in its order, but for what is constant: that is computed in float64 and rounded once.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from nnxp.activations import Activation, Linear, Softmax
from nnxp.errors import ExportError
from nnxp.export.elementwise import formula
from nnxp.export.operators import Operators
from nnxp.kernels import formulas
from nnxp.layers import (
    BatchNorm,
    Dense,
    Dropout,
    Embedding,
    Layer,
    LayerNorm,
    PeriodicEmbedding,
    PiecewiseLinearEmbedding,
    Rescaling,
    Scaling,
    SharedDense,
)
from nnxp.layers.columnwise import Columnwise
from nnxp.layers.parts import with_parts
from nnxp.network.parametric import ParametricActivation
from nnxp.network.residual import Residual
from nnxp.network.shared import Shared
from nnxp.network.wide import BlockDense, ByRows, MembersDropout, MembersSharedDense, OneByOne, Spread
from nnxp.typing import HostArray

PASSING = (Linear, Dropout, MembersDropout)
"""What hands its inputs on in a prediction."""


def row(graph: Operators, layers: Iterable[Layer], x: str, width: int) -> tuple[str, int]:
    """What layers in a row make of x, (rows, width), and how wide that is."""
    left = [layer for layer in layers if type(layer) not in PASSING]
    while left:
        layer = left.pop(0)
        if type(layer) in PRODUCTS:
            after = left.pop(0) if left and type(left[0]) is BatchNorm else None
            x, width = _product(graph, layer, after, x), layer.n_out
        else:
            x, width = _one(graph, layer, x, width)
    return x, width


def _one(graph: Operators, layer: Layer, x: str, width: int) -> tuple[str, int]:
    kind = type(layer)
    if (write := HOLDING.get(kind)) is not None:
        return write(graph, layer, x, width)
    after = layer.output_width(width)
    assert after is not None
    if (plain := WRITTEN.get(kind)) is not None:
        return plain(graph, layer, x), after
    return _activation(graph, layer, x), after


def check_known(layers: Sequence[Layer]) -> None:
    """Raises ExportError where a layer, or a part of one, is of a class that cannot be written."""
    for position, layer in with_parts(layers):
        kind = type(layer)
        if kind not in (*PASSING, *PRODUCTS, *WRITTEN, *HOLDING) and not _has_formula(layer):
            raise ExportError(
                f"got layer {position}, {kind.__name__}, a class of your own, whose forward no other runtime has, "
                "expected layers of nnxp: make it of those, or where it is element by element a subclass of "
                "nnxp.Activation with a formula"
            )


def _has_formula(layer: Layer) -> bool:
    return isinstance(layer, Activation) and type(layer).forward is Activation.forward


def _host(layer: Layer, name: str) -> HostArray:
    """A parameter in float64."""
    return np.asarray(layer.backend.to_numpy(getattr(layer, name)), dtype=np.float64)


# --- products ---------------------------------------------------------------------------------------


def _product(graph: Operators, layer: Any, after: Any, x: str) -> str:
    """x W + b: the factors of a `SharedDense`, the neural-tangent form's, and a normalisation by constants after it
    are in W and b."""
    W, b = _host(layer, "weights"), _host(layer, "biases")
    if type(layer) is SharedDense:
        W = _host(layer, "input_factors").T * W * _host(layer, "output_factors")
    else:
        W = W * layer.scale
    if after is not None:
        slope, mean = _slope(after), _host(after, "running_mean")
        W = W * (slope.reshape(len(W), 1, -1) if W.ndim == 3 else slope)
        b = (b - mean) * slope + _host(after, "biases")
    return _blocks(graph, x, W, b) if W.ndim == 3 else graph.node("Gemm", x, graph.constant(W), graph.constant(b))


def _blocks(graph: Operators, x: str, W: HostArray, b: HostArray) -> str:
    """Each of the blocks of x's columns times a matrix, side by side, and b: `block_products`. Block by block, since
    the runtime's product of stacked matrices gives one row other bits than the same row among others."""
    each = zip(graph.nodes("Split", x, outputs=len(W), axis=1), W, b.reshape(len(W), 1, -1), strict=True)
    made = [graph.node("Gemm", part, graph.constant(w), graph.constant(c)) for part, w, c in each]
    return graph.node("Concat", *made, axis=1)


def _members_shared_dense(graph: Operators, layer: MembersSharedDense, x: str) -> str:
    W = _host(layer, "weights")
    scaled = graph.node("Mul", x, graph.constant(_host(layer, "input_factors")))
    z = graph.node("MatMul", graph.reshaped(scaled, -1, len(W)), graph.constant(W))
    rows = [graph.constant(_host(layer, name)) for name in ("output_factors", "biases")]
    return formula(graph, formulas.rescale, graph.reshaped(z, -1, layer.n_out), *rows)[0]


# --- element by element -------------------------------------------------------------------------------


def _activation(graph: Operators, layer: Any, x: str) -> str:
    constants = [
        graph.constant(layer.backend.to_numpy(c)) if getattr(c, "ndim", 0) else float(c) for c in layer.constants()
    ]
    try:
        (y,) = formula(graph, layer.functions()[0], x, *constants)
    except TypeError as error:
        raise ExportError(
            f"got layer {layer.position}, {type(layer).__name__}, whose formula is none: {error}"
        ) from error
    return y


def _softmax(graph: Operators, layer: Softmax, x: str) -> str:
    return graph.node("Softmax", x, axis=1)


def _rescaling(graph: Operators, layer: Rescaling, x: str) -> str:
    numbers = [v if isinstance(v, float) else graph.constant([v]) for v in (layer.scale, layer.offset)]
    return formula(graph, formulas.rescale, x, *numbers)[0]


def _scaling(graph: Operators, layer: Scaling, x: str) -> str:
    return formula(graph, formulas.scale_columns, x, graph.constant(_host(layer, "scale")))[0]


def _slope(layer: BatchNorm) -> HostArray:
    """γ / √(v̄ + ε)."""
    deviation: HostArray = formulas.inverse_deviation(_host(layer, "running_variance"), layer.epsilon)
    return deviation * _host(layer, "gains")


def _batch_norm(graph: Operators, layer: BatchNorm, x: str) -> str:
    d = graph.node("Sub", x, graph.constant(_host(layer, "running_mean")))
    return graph.node(
        "Add", graph.node("Mul", d, graph.constant(_slope(layer))), graph.constant(_host(layer, "biases"))
    )


def _layer_norm(graph: Operators, layer: LayerNorm, x: str) -> str:
    """By `row_moments`: the operator of ONNX has a float32 ε."""

    def mean(values: str) -> str:
        return graph.node("ReduceMean", values, axes=[1], keepdims=1)

    d = graph.node("Sub", x, mean(x))
    d = graph.node("Sub", d, mean(d))
    (scale,) = formula(graph, formulas.inverse_deviation, mean(graph.node("Mul", d, d)), layer.epsilon)
    rows = [graph.constant(_host(layer, name)) for name in ("gains", "biases")]
    return formula(graph, formulas.rescale, graph.node("Mul", d, scale), *rows)[0]


# --- embeddings ---------------------------------------------------------------------------------------


def _gathered(graph: Operators, x: str, columns: Iterable[int]) -> str:
    return graph.node("Gather", x, graph.constant([*columns]), axis=1)


def _joined(graph: Operators, layer: Columnwise, x: str, *made: str) -> str:
    """x's other columns, then what is made of its own."""
    parts = [*([_gathered(graph, x, layer._others)] if layer._others else []), *made]
    return parts[0] if len(parts) == 1 else graph.node("Concat", *parts, axis=1)


def _embedding(graph: Operators, layer: Embedding, x: str) -> str:
    """A row of the table for each code, the last of them NaN, for what is no code."""
    table, near = _host(layer, "weights"), graph.node("Round", _gathered(graph, x, layer._own))
    zero, sizes = graph.constant(0.0), graph.constant([layer.sizes], graph.dtype)
    is_code = graph.node("And", graph.node("GreaterOrEqual", near, zero), graph.node("Less", near, sizes))
    codes = graph.cast(graph.node("Where", is_code, near, zero), "int64")
    rows = graph.node("Add", codes, graph.constant([layer._begins], "int64"))
    rows = graph.node("Where", is_code, rows, graph.constant(len(table)))
    values = graph.constant(np.concatenate([table, np.full((1, layer.width), np.nan)]))
    vectors = graph.reshaped(graph.node("Gather", values, rows, axis=0), -1, layer.made)
    return _joined(graph, layer, x, vectors)


def _periodic(graph: Operators, layer: PeriodicEmbedding, x: str) -> str:
    """The runtime computes cosines four at a time: what fills up a row's last four keeps it apart from the next."""
    waved, spare = layer._waved, -len(layer._waved) % 4
    rows = [graph.constant(np.pad(_host(layer, name), ((0, 0), (0, spare)))) for name in ("frequencies", "phases")]
    (angles,) = formula(graph, formulas.angle, _gathered(graph, x, (*waved, *waved[:1] * spare)), *rows)
    (cosines,) = formula(graph, formulas.cosine, angles)
    if spare:
        cosines = _gathered(graph, cosines, range(len(waved)))
    numbers = _blocks(graph, cosines, _host(layer, "weights"), _host(layer, "biases"))
    if layer.activation is not None:
        (numbers,) = formula(graph, formulas.relu, numbers)
    return _joined(graph, layer, x, _gathered(graph, x, layer._own), numbers)


def _piecewise(graph: Operators, layer: PiecewiseLinearEmbedding, x: str) -> str:
    source, *numbers = layer._pieces
    (made,) = formula(graph, formulas.piece, _gathered(graph, x, source), *(graph.constant([row]) for row in numbers))
    if layer.width is not None:
        made = _blocks(graph, made, _host(layer, "weights"), _host(layer, "biases"))
    return _joined(graph, layer, x, made)


# --- layers that hold layers --------------------------------------------------------------------------


def _residual(graph: Operators, layer: Residual, x: str, width: int) -> tuple[str, int]:
    f, after = row(graph, layer.layers, x, width)
    beside = x if layer.shortcut is None else row(graph, [layer.shortcut], x, width)[0]
    return formula(graph, formulas.residual, beside, f)[0], after


def _shared(graph: Operators, layer: Shared, x: str, width: int) -> tuple[str, int]:
    return row(graph, layer.layers, x, width)


def _by_rows(graph: Operators, layer: ByRows, x: str, width: int) -> tuple[str, int]:
    rows = graph.reshaped(x, -1, width // layer.members)
    y, after = row(graph, [layer.layer], rows, width // layer.members)
    return graph.reshaped(y, -1, after * layer.members), after * layer.members


def _spread(graph: Operators, layer: Spread, x: str, width: int) -> tuple[str, int]:
    return graph.node("Concat", *[x] * layer.members, axis=1), width * layer.members


def _one_by_one(graph: Operators, layer: OneByOne, x: str, width: int) -> tuple[str, int]:
    own = layer._row.layers
    parts = [x] * len(own) if layer.shared else graph.nodes("Split", x, outputs=len(own), axis=1)
    each = width if layer.shared else width // len(own)
    made = [row(graph, [one], part, each) for one, part in zip(own, parts, strict=True)]
    return graph.node("Concat", *(y for y, _ in made), axis=1), sum(after for _, after in made)


PRODUCTS = (Dense, BlockDense, SharedDense)
WRITTEN: dict[type[Layer], Callable[..., str]] = {
    BatchNorm: _batch_norm,
    Embedding: _embedding,
    LayerNorm: _layer_norm,
    MembersSharedDense: _members_shared_dense,
    ParametricActivation: _activation,
    PeriodicEmbedding: _periodic,
    PiecewiseLinearEmbedding: _piecewise,
    Rescaling: _rescaling,
    Scaling: _scaling,
    Softmax: _softmax,
}
"""What writes a layer of exactly this class."""
HOLDING: dict[type[Layer], Callable[..., tuple[str, int]]] = {
    ByRows: _by_rows,
    OneByOne: _one_by_one,
    Residual: _residual,
    Shared: _shared,
    Spread: _spread,
}
"""Likewise of layers that hold others, which know how wide their inputs are from before them."""
