"""Which arrays, which device, which kernels.

A `Backend` holds everything the rest of the library knows about an array library. It is built by
`get_backend` and asked for once, at the door.
"""

from nnxp.backends.finding import follow, get_backend
from nnxp.backends.precision import PRECISIONS
from nnxp.backends.record import DTYPES, Backend, check_dtype, dtype_of, library_of, refuse_masked

__all__ = [
    "DTYPES",
    "PRECISIONS",
    "Backend",
    "check_dtype",
    "dtype_of",
    "follow",
    "get_backend",
    "library_of",
    "refuse_masked",
]
