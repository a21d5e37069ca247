"""Gradients so small that a processor is slow with them."""

import numpy as np

from nnxp.backends import Backend


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
