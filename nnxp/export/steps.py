"""What a model's layers compute in a prediction, as the steps that a file of NumPy alone runs (`standalone.txt`).

A step is data. Of a formula it is the list of operations that tracing it gives, so that none is written a second time.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from nnxp.activations import Activation, Linear, Softmax
from nnxp.backends import get_backend
from nnxp.errors import ExportError
from nnxp.kernels import formulas
from nnxp.kernels.graph import Node, host, trace
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
from nnxp.network.parametric import ParametricActivation
from nnxp.network.residual import Residual
from nnxp.network.shared import Shared
from nnxp.network.wide import BlockDense, ByRows, MembersDropout, MembersSharedDense, OneByOne, Spread
from nnxp.typing import HostArray

HOME = get_backend("numpy", fast=False)
PASSING = (Linear, Dropout, MembersDropout)
"""What hands its inputs on in a prediction."""


def _on_host(array: Any) -> HostArray:
    return np.asarray(get_backend(array).to_numpy(array))


def _row(value: float | list[float], dtype: str) -> float | HostArray:
    """A number, or one a feature as an array."""
    return np.asarray([value], dtype=dtype) if isinstance(value, list) else value


class Steps:
    """What layers compute in a prediction, as `standalone.txt` runs it.

    Parameters
    ----------
    dtype
        The model's.

    Attributes
    ----------
    tensors : dict of numpy.ndarray
        What the steps name.
    """

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self.tensors: dict[str, HostArray] = {}

    def of(self, layers: Iterable[Layer]) -> list[Any]:
        """The steps of layers in a row."""
        return [step for layer in layers if type(layer) not in PASSING for step in self._one(layer)]

    def _one(self, layer: Any) -> list[Any]:
        kind = type(layer)
        if kind in (Dense, BlockDense):
            scales = [] if layer.scale == 1 else [layer.scale]
            add = formulas.scaled_add_row if scales else formulas.add_row
            return [self._product(layer.weights), self.formula(add, [layer.biases, *scales])]
        if kind in (SharedDense, MembersSharedDense):
            product = self._product(layer.weights)
            if kind is MembersSharedDense:
                product = ["by rows", layer.members, [product]]
            rows = [layer.output_factors, layer.biases]
            factors = self.formula(formulas.scale_columns, [layer.input_factors])
            return [factors, product, self.formula(formulas.rescale, rows)]
        if kind is Softmax:
            return [["softmax"]]
        if kind is BatchNorm:
            scale = HOME.fuse(formulas.inverse_deviation)(_on_host(layer.running_variance), layer.epsilon)
            rows = [layer.running_mean, scale, layer.gains, layer.biases]
            return [self.formula(formulas.batch_norm, rows, result=1)]
        if kind is LayerNorm:
            rows = [layer.gains, layer.biases]
            return [self.formula(formulas.layer_norm, rows, moments=[layer.epsilon], result=1)]
        if kind is Scaling:
            return [self.formula(formulas.scale_columns, [layer.scale])]
        if kind is Rescaling:
            numbers = [layer.scale, layer.offset]
            return [self.formula(formulas.rescale, [_row(n, self.dtype) for n in numbers])]
        if kind in (Embedding, PeriodicEmbedding, PiecewiseLinearEmbedding):
            return self._columnwise(layer)
        if kind is Residual:
            return [["residual", self.of(layer.layers), self.of([layer.shortcut] if layer.shortcut else [])]]
        if kind is Shared:
            return self.of(layer.layers)
        if kind is ByRows:
            return [["by rows", layer.members, self.of([layer.layer])]]
        if kind is Spread:
            return [["beside", *[[]] * layer.members]]
        if kind is OneByOne:
            return [["beside", *self._each(layer)]]
        if kind is ParametricActivation or (isinstance(layer, Activation) and kind.forward is Activation.forward):
            return [self.formula(layer.functions()[0], layer.constants())]
        raise ExportError(
            f"got a layer {kind.__name__}, which a predictor of NumPy alone lacks, expected layers of nnxp, or a "
            "subclass of nnxp.Activation with a formula"
        )

    def _each(self, layer: OneByOne) -> Iterator[list[Any]]:
        """What each member's own layer computes, of all inputs or of its part of them."""
        layers = layer._row.layers
        for k, one in enumerate(layers):
            yield [*([] if layer.shared else [["part", k, len(layers)]]), *self.of([one])]

    def _columnwise(self, layer: Any) -> list[Any]:
        """The columns that an embedding hands on, and what it makes of its own."""
        own = [["columns", [*layer._own]]]
        if isinstance(layer, Embedding):
            made = [*own, ["embedding", [self.named(layer.weights)], layer.sizes, layer._begins]]
        elif isinstance(layer, PeriodicEmbedding):
            made = [
                ["columns", [*layer._waved]],
                self.formula(formulas.angle, [layer.frequencies, layer.phases]),
                self.formula(formulas.cosine),
                self._product(layer.weights),
                self.formula(layer._end(), [layer.biases]),
            ]
        else:
            source, *rows = layer._pieces
            made = [
                ["columns", [*source]],
                self.formula(formulas.piece, [np.asarray([row], dtype=self.dtype) for row in rows]),
            ]
            if layer.width is not None:
                made += [self._product(layer.weights), self.formula(formulas.add_row, [layer.biases])]
        parts = [[["columns", [*layer._others]]]] if layer._others else []
        parts += [own] if isinstance(layer, PeriodicEmbedding) else []
        return [["beside", *parts, made]] if parts else made

    def _product(self, W: Any) -> list[Any]:
        """x W, of blocks of columns where there is a matrix for each."""
        return ["blocks" if W.ndim == 3 else "product", [self.named(W)]]

    def named(self, array: Any) -> str:
        """The name of an array that stays."""
        name = str(len(self.tensors))
        self.tensors[name] = np.ascontiguousarray(_on_host(array))
        return name

    def formula(
        self, formula: Callable[..., Any], others: Iterable[Any] = (), *, moments: Iterable[float] = (), result: int = 0
    ) -> list[Any]:
        """A formula as the operations that tracing it gives.

        Parameters
        ----------
        others
            What it takes after x, and after the moments of x's rows: arrays, and numbers.
        moments
            The epsilon of these, where there are any.
        result
            Which of its results.
        """
        graph = trace(formula, {}, {"erf": formulas.erf})  # a word that NumPy lacks
        first = 3 if (moments := [*moments]) else 1
        operands: dict[Node, Any] = dict(zip(graph.parameters, range(first), strict=False))
        names: list[str] = []
        for parameter, value in zip(graph.parameters[first:], others, strict=True):
            if isinstance(value, int | float):
                operands[parameter] = [float(value)]
            else:
                operands[parameter] = first + len(names)
                names.append(self.named(value))
        code: list[Any] = []
        for node in graph.live():
            if node.op == "constant":
                operands[node] = [node.value]
            elif node.scalar and node.op != "parameter":
                operands[node] = [host(node.op)(*(operands[a][0] for a in node.args))]
            elif node.op != "parameter":
                code.append([node.op, *(operands[a] for a in node.args)])
                operands[node] = first + len(names) + len(code) - 1
        return ["formula", names, code, operands[graph.outputs[result]], *moments]
