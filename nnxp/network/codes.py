"""Codes of categories among a model's inputs: looked at before its embeddings take them."""

from collections.abc import Sequence

from nnxp.backends import Backend
from nnxp.doors.sparse import SparseRows
from nnxp.layers import Embedding, Layer
from nnxp.layers.columnwise import Columnwise
from nnxp.network.row import Row
from nnxp.typing import Array


def check_codes(backend: Backend, layers: Sequence[Layer], x: Array, name: str) -> None:
    """Raises ValueError where a model's inputs have codes that its embeddings do not know: those that stand at its
    beginning, with layers that hand columns on, and those that stand so in a block there."""
    if not isinstance(x, SparseRows):
        _check(backend, layers, x, [*range(int(x.shape[1]))], name)


def _check(backend: Backend, layers: Sequence[Layer], x: Array, columns: list[int | None], name: str) -> None:
    """The same of layers in a row whose inputs are those columns of x; None stands for what is none of them."""
    for layer in layers:
        if isinstance(layer, Row):
            _check(backend, layer.layers, x, columns, name)
        if not isinstance(layer, Columnwise):
            return
        if isinstance(layer, Embedding):
            with backend.context():
                layer.check(backend, x, [columns[own] for own in layer._own], name)
        columns = [columns[place] for place in layer.handed] + [None] * (layer.n_out - len(layer.handed))
