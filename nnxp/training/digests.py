"""What tells arrays from others in a few words, wherever they lie."""

import numpy as np

from nnxp.backends import Backend, dtype_of
from nnxp.doors.arrays import blocks
from nnxp.doors.sparse import SparseRows
from nnxp.typing import Array


def digest(backend: Backend, a: Array, dtype: str) -> str:
    """An array's shape and a digest of its values in a dtype, the same wherever it lies."""
    import hashlib  # where somebody wants to know, and not for every fit

    found = hashlib.sha256()
    for rows in blocks(a):
        part = a[rows, ...]
        host = part if isinstance(part, np.ndarray | SparseRows) else backend.to_numpy(part)
        found.update(np.ascontiguousarray(host, dtype=dtype).data)
    return f"{tuple(a.shape)} {found.hexdigest()[:16]}"


def digests(backend: Backend, X: Array, y: Array, w: Array | None, dtype: str) -> dict[str, str]:
    """Those of inputs, labels and weights, by what a fit calls them."""
    whole = dtype_of(y).lstrip("u").startswith("int")
    found = {"X": digest(backend, X, dtype), "y": digest(backend, y, "<i8" if whole else dtype)}
    return found if w is None else found | {"sample_weight": digest(backend, w, dtype)}
