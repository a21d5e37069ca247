"""Gradients, running means of them, and parameters so small that a processor is slow with them."""

import numpy as np

from nnxp.backends import Backend
from nnxp.kernels import formulas
from nnxp.memory.parameters import ParameterStore
from nnxp.optimizers import Optimizer

EVERY = 64
"""How many updates there are from one `flush` to the next: a mean of which an update keeps nine tenths is not yet
below the smallest normal number."""


def flushes(backend: Backend, dtype: str) -> dict[str, float]:
    """What `formulas.without_tiny` takes, so that no gradient but 0 is below 2²⁴ times the smallest normal number.

    Processors are slow with what is smaller than that one, and products of the gradients of rows that are learned, or
    of units that are saturated, are full of it: late epochs would take longer than the first. Empty on other libraries:
    a GPU is not slow with them, and PyTorch has a switch of its own.
    """
    if backend.library != "numpy":
        return {}
    told = np.finfo(dtype)
    return {"coarse": float(told.tiny) * 2**24 * 4 / float(told.eps)}


def flush(optimizer: Optimizer, store: ParameterStore) -> None:
    """Sets to 0 what is left of an optimizer's running means where gradients are 0, as those of a unit that is dead,
    and of parameters that a penalty or decay has made small: they would come to a number below the smallest normal one
    and stay there, since nine tenths of it round to itself. Frozen parameters stay as they are.
    """
    if coarse := flushes(store.backend, store.dtype):
        flush = store.backend.fuse(formulas.without_tiny, into=("dx",))
        for slot in optimizer.state(store)[: len(optimizer.slots)]:
            flush(slot, **coarse)
        for start, stop, _ in store.spans(by_kind=False):
            flush(store.values[start:stop], **coarse)
