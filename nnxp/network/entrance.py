"""What comes into a model: X, looked at once, and moved to where its layers are."""

import numpy as np

from nnxp.backends import library_of
from nnxp.doors.arrays import Switch
from nnxp.doors.sparse import SparseRows
from nnxp.memory.parameters import ParameterStore
from nnxp.typing import Array, ArrayLike


class Entrance(Switch):
    """A model's doors."""

    n_in: int | None

    @property
    def store(self) -> ParameterStore:
        """Where its parameters are, once a backend is decided."""
        raise NotImplementedError

    def _inputs(self, X: ArrayLike, name: str = "X") -> Array:
        """X as (n, features) on the backend: bytes stay bytes, all else has the model's dtype."""
        return self._moved(self._checked(X, name))

    def _moved(self, X: Array) -> Array:
        """A checked X on the backend."""
        if isinstance(X, SparseRows):
            return X.on(self.backend, self.dtype)
        is_bytes = str(getattr(X, "dtype", "")).rpartition(".")[2] == "uint8"
        return self.backend.asarray(X, dtype="uint8" if is_bytes else self.dtype)

    def _checked(self, X: ArrayLike, name: str = "X") -> Array:
        """X as (n, features) numbers, an array of NumPy or of the backend: nothing is copied, cast or moved."""
        backend = self._enter(X)
        _ = self.store
        if not isinstance(X, SparseRows) and (library_of(X) == "numpy" or not backend.owns(X)):
            X = backend._admit(X)  # numbers only, and nothing of a third library or device
        shape = tuple(X.shape)
        if len(shape) == 1:
            raise ValueError(
                f"got {name} of shape {shape}, expected (samples, features): one sample is {name}.reshape(1, -1)"
            )
        if len(shape) != 2:
            raise ValueError(
                f"got {name} of shape {shape}, expected (samples, features): "
                f"{name}.reshape(len({name}), -1) flattens each sample"
            )
        if self.n_in is not None and shape[1] != self.n_in:
            raise ValueError(f"got {name} with {shape[1]} features, expected {self.n_in}, as the first layer takes")
        return X

    def _fits(self, X: ArrayLike) -> bool:
        """Whether X is an array of NumPy that the layers of a model on NumPy take as it is."""
        return (
            type(X) is np.ndarray
            and self._backend is not None
            and self._backend.xp is np
            and X.ndim == 2
            and X.shape[1] == self.n_in
            and X.dtype is np.dtype(self.dtype)
        )

    def _fits_on_cupy(self, X: ArrayLike) -> bool:
        """The same of a model on CuPy: one of its device, with rows, whose values nobody waits for."""
        backend = self.backend
        owned = backend.owns(X) and X.ndim == 2 and X.shape[0] > 0 and X.shape[1] == self.n_in
        return owned and X.dtype == np.dtype(self.dtype)
