"""A model's layers as operators."""

from typing import NamedTuple

from nnxp.export.operators import Operators
from nnxp.network.model import Model


class Results(NamedTuple):
    """Names of what a network gives."""

    prediction: str
    """What `predict` gives, (rows, n_out): of several members their mean."""
    logits: str | None
    """What the last softmax or sigmoid takes, (rows, n_out), of several members (members, rows, n_out); None where there
    is no such layer."""
    members: str | None
    """What each of several members gives, (members, rows, n_out)."""


def network(graph: Operators, model: Model, x: str) -> Results:
    """Adds the layers of a model to a graph, from x, (rows, n_in) of the model's dtype."""
    raise NotImplementedError
