"""What a network gives, as values of a graph: what `predict` does, and what can be asked for beside it."""

import functools

from nnxp.activations import Sigmoid, Softmax
from nnxp.errors import ExportError
from nnxp.export.elementwise import formula
from nnxp.export.layerwise import check_known, row
from nnxp.export.operators import Operators
from nnxp.kernels import formulas
from nnxp.losses import SigmoidCrossentropy, SoftmaxCrossentropy
from nnxp.network.model import Model
from nnxp.network.wide import Spread


class Network:
    """A model's layers in a graph, from x, (rows, n_in) of the model's dtype.

    Attributes
    ----------
    prediction : str
        What `predict` gives, (rows, n_out): of several members their mean.
    n_in, width : int
        The numbers of inputs and of outputs.

    Raises
    ------
    ExportError
        There is a layer that cannot be written: one of the user's own with a `forward`.

    Examples
    --------
    >>> import nnxp
    >>> model = nnxp.Sequential([nnxp.Dense(4, 8), "relu", nnxp.BatchNorm(8), nnxp.Dense(8, 3), "softmax"], seed=0)
    >>> graph = Operators("float32")
    >>> y = Network(graph, model, "X").prediction
    >>> onnx = graph.model({"X": ("float32", ("rows", 4))}, {"probabilities": (y, "float32", ("rows", 3))})
    >>> [node.op_type for node in onnx.graph.node]
    ['Gemm', 'Relu', 'Sub', 'Mul', 'Add', 'Gemm', 'Softmax', 'Identity']
    """

    def __init__(self, graph: Operators, model: Model, x: str) -> None:
        check_known(model.layers)
        _ = model.store
        self.graph, self.model, self.count = graph, model, model.members
        if model.n_in is None or model.n_out is None:
            raise ExportError(
                "got a model whose numbers of inputs and outputs are not known, expected known ones: begin it with a "
                "layer that says them, Dense(4, 8) say"
            )
        self.n_in, self.width = model.n_in, model.n_out
        self._ends = ends(model)
        body = model.running(model.layers[:-1] if self._ends else model.layers)
        self._last = model.running(model.layers)[len(body) :]
        self._before, self._wide = row(graph, body, x, model.n_in)
        self._each, _ = row(graph, self._last, self._before, self._wide)
        self.prediction = self._each
        if self.count > 1:
            self.prediction = graph.node("ReduceMean", self._in_columns(self._each), axes=[1], keepdims=0)

    @functools.cached_property
    def probabilities(self) -> str:
        """What `predict` gives where the model ends in a softmax or sigmoid, and what these make of it where its loss
        does that, (rows, n_out)."""
        if isinstance(self.model.loss, SoftmaxCrossentropy):
            return self.graph.node("Softmax", self.prediction, axis=1)
        if isinstance(self.model.loss, SigmoidCrossentropy):
            return formula(self.graph, formulas.sigmoid, self.prediction)[0]
        return self.prediction

    @functools.cached_property
    def logits(self) -> str:
        """What the last softmax or sigmoid takes, or what the model gives where its loss has it, (rows, n_out); of
        several members, which have no such thing together, (members, rows, n_out)."""
        if not self._ends:
            return self.prediction if self.count == 1 else self.members
        spread = [layer for layer in self._last if type(layer) is Spread]
        logits, _ = row(self.graph, spread, self._before, self._wide)
        return logits if self.count == 1 else self._apart(logits)

    @functools.cached_property
    def members(self) -> str:
        """What each of several members gives, (members, rows, n_out), as `predict(members=True)` does."""
        return self._apart(self._each)

    @functools.cached_property
    def std(self) -> str:
        """The standard deviation over several members of what they give, divided by their number less 1,
        (rows, n_out)."""
        return spread(self.graph, self._in_columns(self._each), self.count, 1)

    def _in_columns(self, each: str) -> str:
        """(rows, members, n_out)."""
        return self.graph.reshaped(each, -1, self.count, self.width)

    def _apart(self, each: str) -> str:
        """(members, rows, n_out)."""
        return self.graph.node("Transpose", self._in_columns(each), perm=[1, 0, 2])


def ends(model: Model) -> bool:
    """Whether a model ends in a softmax or a sigmoid."""
    return isinstance(model.layers[-1], Softmax | Sigmoid)


def spread(graph: Operators, each: str, count: int, axis: int) -> str:
    """The standard deviation of what so many members give, which lie along an axis, divided by count - 1."""
    d = graph.node("Sub", each, graph.node("ReduceMean", each, axes=[axis], keepdims=1))
    squares = graph.node("ReduceSum", graph.node("Mul", d, d), graph.constant([axis]), keepdims=0)
    return graph.node("Sqrt", graph.node("Mul", squares, graph.constant(1 / (count - 1))))
