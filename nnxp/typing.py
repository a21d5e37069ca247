"""Names for what formulas and layers pass around.

The libraries share no array class, so a type checker sees `Any`; the names carry the shape, which fusion reads.
"""

from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

import numpy as np

Array: TypeAlias = Annotated[Any, "full"]
"""An array of the bound namespace."""
Row: TypeAlias = Annotated[Any, "row"]
"""An array of shape (1, m), broadcast over the rows of an (n, m) array, or one number for all."""
Column: TypeAlias = Annotated[Any, "column"]
"""An array of shape (n, 1), broadcast over the columns of an (n, m) array, or one number for all."""
ArrayLike: TypeAlias = Any
"""An array of any supported library, or nested lists of numbers."""
Namespace: TypeAlias = Any
"""A module that follows the Python array API standard."""
Device: TypeAlias = Any
"""A device object of an array library."""
Kernel: TypeAlias = Callable[..., Any]
"""`kernel(*arrays, *floats, out=None) -> out`."""
HostArray: TypeAlias = np.ndarray[Any, np.dtype[Any]]
"""A NumPy array, on the host. (`numpy.typing` would cost its import.)"""
Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
"""A NumPy array of float64."""
Integers: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
"""A NumPy array of int64."""
EncoderState: TypeAlias = tuple[dict[str, Any], dict[str, Floats]]
"""What makes an encoder of tables again: what JSON can hold, and arrays by name."""
