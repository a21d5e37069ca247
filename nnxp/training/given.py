"""What `fit` and `evaluate` are given: arrays, shards of them, or an iterable of batches."""

from collections.abc import Iterable, Sequence
from typing import Any

from nnxp.network.model import Model
from nnxp.training.batches import Batches
from nnxp.training.plan import Planned
from nnxp.training.portion_streams import stream
from nnxp.training.shards import Shard, sharded
from nnxp.training.streams import Stream
from nnxp.typing import ArrayLike

BATCH = 32
"""Rows of a training step where nobody says."""


def is_stream(X: Any) -> bool:
    """Whether X, or a process's Shard, yields batches (X, y), and is no array and no list of rows."""
    if isinstance(X, Shard):
        return is_stream(X.X)
    if hasattr(X, "shape") or hasattr(X, "__array__"):
        return False
    if isinstance(X, Sequence):
        return len(X) > 0 and _is_batch(X[0])
    return callable(X) or isinstance(X, Iterable)


def _is_batch(item: Any) -> bool:
    return isinstance(item, tuple | list) and len(item) in (2, 3) and _is_matrix(item[0])


def _is_matrix(x: Any) -> bool:
    """Whether x is an array, or a list of rows."""
    if isinstance(x, list | tuple):
        return len(x) > 0 and (isinstance(x[0], list | tuple) or _is_matrix(x[0]))
    return len(getattr(x, "shape", ())) > 0


def training_data(
    model: Model,
    planned: Planned,
    X: Any,
    y: ArrayLike | None,
    w: ArrayLike | None,
    batch_size: int | None,
    split: float | None = None,
    shuffle: bool = True,
    drop_last: bool = False,
) -> Batches | Stream:
    """What a fit or an evaluation goes over: arrays, all checked, or an iterable, not begun yet."""
    size = BATCH if batch_size is None else batch_size
    if isinstance(X, Shard):
        for name, value in (("y", y), ("sample_weight", w)):
            if value is not None:
                raise ValueError(f"got {name} beside a Shard, expected it in it: Shard(X, y, sample_weight)")
        if not is_stream(X):
            return sharded(model, planned, X, size, shuffled=shuffle, drop_last=drop_last)
    if not is_stream(X):
        if y is None:
            raise TypeError(
                "got X without y, expected both, fit(X, y), or an iterable that yields (X, y) or "
                "(X, y, sample_weight): fit(batches)"
            )
        return Batches.of(model, planned, X, y, w, size, shuffled=shuffle, drop_last=drop_last)
    for name, value, fix in (
        ("y", y, "yield it: (X, y)"),
        ("sample_weight", w, "yield it: (X, y, sample_weight)"),
        ("batch_size", batch_size, "a batch is what the iterable yields"),
        ("validation_split", split, "hold some batches out, and pass them as validation_data"),
        ("drop_last", drop_last or None, "do not yield it"),
    ):
        if value is not None:
            raise ValueError(f"got {name} with an iterable of batches, expected none: {fix}")
    return stream(model, planned, X)


def validation_of(model: Model, planned: Planned, data: Any, batch_size: int) -> Batches | Stream:
    """What `validation_data` goes over; an iterable is not begun yet."""
    if is_stream(data):
        return stream(model, planned, data, "validation batch")
    if isinstance(data, Shard):
        return sharded(model, planned, data, batch_size, "validation X")
    if not isinstance(data, tuple | list) or len(data) not in (2, 3):
        raise ValueError(
            "got validation_data that is not (X, y) or (X, y, sample_weight), no Shard, and no iterable of such batches"
        )
    X, y, w = (*data, None)[:3]
    return Batches.of(model, planned, X, y, w, batch_size, "validation X")
