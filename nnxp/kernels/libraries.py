"""What a register machine asks an array library: about an array's type and memory, and for registers."""

import threading
from collections.abc import Hashable
from typing import Any

import numpy as np

from nnxp.kernels.instructions import InstructionSet, Torch, Ufuncs
from nnxp.typing import Array

FLOATS = ("float32", "float64")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool")
BITS = {"float32": "int32", "float64": "int64", "int64": "uint64"}
"""The integers that `where` selects by; of integers, those that shift without a sign."""


class Library:
    """NumPy, and what the others have in common.

    Attributes
    ----------
    instructions : InstructionSet or None
        What its register machine runs; None where all is compiled.
    block : int or None
        Up to how many elements are computed at once. More than these are computed a quarter of them at a time, so that
        all arrays of an optimizer's update and its registers stay in the cache.
    """

    block: int | None = 1 << 17
    reshapes = True
    """Whether an array's shape may be assigned to."""

    def __init__(self, module: Any, instructions: InstructionSet | None, array: Any) -> None:
        self.module, self.instructions, self.array = module, instructions, array
        self.kinds: dict[Any, str] = {self.dtype(kind): kind for kind in (*FLOATS, *INTEGERS)}
        self.registers = _Registers(self)

    def dtype(self, kind: str) -> Any:
        """The library's dtype object."""
        return np.dtype(kind)

    def place(self, x: Array) -> Hashable:
        """Where an array is; those of one call are in one place."""
        return None

    def suits(self, x: Array) -> bool:
        """Whether x is plain memory of this library: no subclass, and with no history to record."""
        return type(x) is self.array and x.dtype in self.kinds

    def writeable(self, x: Array) -> bool:
        """Whether x can be written to."""
        return bool(x.flags.writeable)

    def contiguous(self, x: Array) -> bool:
        """Whether x's elements are in order without gaps, and where their type wants them."""
        return bool(x.flags.c_contiguous and x.flags.aligned)

    def overlap(self, x: Array, y: Array) -> bool:
        """Whether x and y share an element."""
        try:
            return np.may_share_memory(x, y) and np.shares_memory(x, y, max_work=1000)  # type: ignore[arg-type]
        except np.exceptions.TooHardError:
            return True

    def empty(self, shape: tuple[int, ...], kind: str, like: Array) -> Array:
        """A new array beside `like`."""
        return self.module.empty(shape, dtype=self.dtype(kind))

    def number(self, value: Any, kind: str, like: Array) -> Array:
        """A number as an array (), beside `like`."""
        x = self.empty((), kind, like)
        x[...] = value
        return x

    def copy(self, target: Array, x: Array) -> None:
        """Writes x into the target, whatever the types."""
        np.copyto(target, x, casting="same_kind")


class Cupy(Library):
    """CuPy: what runs is compiled, or the formula itself."""

    block = None

    def contiguous(self, x: Array) -> bool:
        """Whether x's elements are in order without gaps."""
        return bool(x.flags.c_contiguous)

    def place(self, x: Array) -> Hashable:
        """The device's number."""
        return int(x.device.id)

    def writeable(self, x: Array) -> bool:
        """Always."""
        return True

    def overlap(self, x: Array, y: Array) -> bool:
        """Of contiguous arrays."""
        a, b = int(x.data.ptr), int(y.data.ptr)
        return bool(a < b + y.nbytes and b < a + x.nbytes)


class PyTorch(Library):
    """PyTorch: whole tensors."""

    block = None
    reshapes = False

    def dtype(self, kind: str) -> Any:
        """`torch.float32`, ..."""
        return getattr(self.module, kind)

    def place(self, x: Array) -> Hashable:
        """The device's name."""
        return str(x.device)

    def suits(self, x: Array) -> bool:
        """A tensor outside of any autograd graph."""
        return super().suits(x) and not x.requires_grad and x.layout is self.module.strided

    def writeable(self, x: Array) -> bool:
        """Not what was made in inference mode, unless that still holds."""
        return bool(not x.is_inference() or self.module.is_inference_mode_enabled())

    def contiguous(self, x: Array) -> bool:
        """Whether x's elements are in order without gaps."""
        return bool(x.is_contiguous())

    def overlap(self, x: Array, y: Array) -> bool:
        """Of contiguous tensors."""
        a, b = x.data_ptr(), y.data_ptr()
        return bool(a < b + y.nbytes and b < a + x.nbytes)

    def empty(self, shape: tuple[int, ...], kind: str, like: Array) -> Array:
        """A new tensor beside `like`, which can be written to later wherever it is made."""
        with self.module.inference_mode(False):
            return self.module.empty(shape, dtype=self.dtype(kind), device=like.device)

    def copy(self, target: Array, x: Array) -> None:
        """Writes x into the target, whatever the types."""
        target.copy_(x)


class _Registers(threading.local):
    """The registers of one thread, shared by all kernels: none keeps anything in them from one call to the next."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._whole: dict[Hashable, Array] = {}

    def take(self, name: str, shape: tuple[int, ...], kind: str, like: Array) -> Array:
        """The register of this name, type and place, in a shape."""
        size = 1
        for n in shape:
            size *= n
        key = (name, kind, self._library.place(like))
        if key not in self._whole or self._whole[key].shape[0] < size:
            self._whole[key] = self._library.empty((size,), kind, like)
        return self._whole[key][:size].reshape(shape)


_LIBRARIES: dict[str, Library] = {}


def library_for(namespace: Any) -> Library | None:
    """The library of a namespace, if it computes into given memory."""
    name = namespace.__name__.rpartition(".")[2]
    if name not in _LIBRARIES:
        if namespace is np:
            _LIBRARIES[name] = Library(np, Ufuncs(np, _sum=np.add.reduce), np.ndarray)
        elif name == "torch":
            import torch

            _LIBRARIES[name] = PyTorch(torch, Torch(torch), torch.Tensor)
        elif name == "cupy":
            import cupy

            _LIBRARIES[name] = Cupy(cupy, None, cupy.ndarray)
        else:
            return None
    return _LIBRARIES[name]
