"""The weights that a fit goes back to: a copy in memory or, of a large model on the host, in a file."""

import contextlib
import math
from typing import Any

import numpy as np

from nnxp.doors.arrays import all_finite
from nnxp.kernels import vocabulary
from nnxp.memory.parameters import ParameterStore
from nnxp.typing import Array, Row

LARGE = 2**20
"""From so many bytes on, a copy is written to a file: it is read where a fit fails, which few do."""


class Kept:
    """A copy of a store's values.

    The file has no name where the system allows that, so that nothing of it is left whatever ends the process. It is
    written and read at once, by the system's own calls: a memory map would count as memory. Where it cannot be written
    the copy is in memory.

    Attributes
    ----------
    array : Array or None
        The copy, where it is in memory.
    """

    def __init__(self, store: ParameterStore) -> None:
        self.store, self.array = store, None
        self._file: Any = None
        if isinstance(store.values, np.ndarray) and store.values.nbytes >= LARGE:
            with contextlib.suppress(OSError, ImportError):  # no folder can be written to, no module fits in memory
                import tempfile  # few fits need it

                self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  `close` ends it
        self.keep(store.values)

    def keep(self, values: Array) -> None:
        """Copies values that are laid out like the store's."""
        if self._file is not None:
            try:
                _every(self._file, self._file.write, values)
                return
            except OSError:  # no room is left
                self.close()
        if self.array is None:
            self.array = self.store.backend.asarray(values, dtype=self.store.dtype, copy=True)
        else:
            self.array[...] = values

    def keep_if_finite(self, loss: Array) -> bool:
        """Copies the store's values where the loss, 0-d or one of each member, is finite. Whether it is,
        as far as one knows: a device is not waited for."""
        store = self.store
        if store.backend.is_device:
            total = store.backend.xp.sum(loss) if loss.ndim else loss
            store.backend.fuse(_unless_broken, into=("kept",))(self.array, store.values, total)
            return True
        finite = all_finite(store.backend, loss) if loss.ndim else math.isfinite(float(loss))
        if finite:
            self.keep(store.values)
        return finite

    def read(self) -> Array:
        """The copy, in memory."""
        if self._file is None:
            return self.array
        copy = np.empty_like(self.store.values)
        _every(self._file, self._file.readinto, copy)
        return copy

    def put_back(self) -> None:
        """The values are those of the copy again."""
        if self._file is None:
            self.store.values[...] = self.array
        else:
            _every(self._file, self._file.readinto, self.store.values)

    def close(self) -> None:
        """Lets go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _unless_broken(kept: Array, w: Array, loss: Row) -> Array:
    """A formula: w where the loss is a finite number, else what was kept before."""
    return vocabulary.where(loss - loss == 0, w, kept)


def _every(file: Any, move: Any, values: Array) -> None:
    """Has a file's `write` or `readinto` move every byte of an array, from the file's beginning on."""
    data = memoryview(values).cast("B")
    file.seek(0)
    while data:
        moved = move(data)
        if not moved:
            raise OSError("got fewer bytes than were written, expected all: something else has changed the file")
        data = data[moved:]
