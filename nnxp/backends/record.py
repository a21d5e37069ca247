"""The record of one array library on one device, and what an array says about its own."""

import contextlib
import functools
import sys
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import numpy as np

from nnxp.errors import BackendMismatchError
from nnxp.typing import Array, ArrayLike, Device, HostArray, Kernel, Namespace

DTYPES = ("float32", "float64")


@dataclass(frozen=True, eq=False)
class Backend:
    """One array library on one device, built by `get_backend`.

    Attributes
    ----------
    name : str
        "numpy", "cupy", "cupy:1", "torch", "torch:cuda:0", "array_api_strict", ...
    xp : module
        The array namespace: NumPy itself, array-api-compat's namespace for the others.
    device : object
        The library's device object.
    dtype : str
        What lists and integers become: "float32" or "float64".
    kernels : dict
        The named kernels, `kernel(*arrays, *floats, out=None) -> out`.
    reason : str
        Why "auto" chose it; empty where the backend was named.
    fast : bool
        Whether formulas are compiled (numba; on NumPy alone).
    precision : str
        "float32", or "tf32" where float32 products are rounded to TF32: by `get_backend(precision=)`, or by the
        library's own setting when the backend was made.
    """

    name: str
    xp: Namespace
    device: Device
    dtype: str
    kernels: dict[str, Kernel]
    _find: Callable[..., "Backend"]  # `get_backend`, which a pickle calls where it is read
    reason: str = ""
    fast: bool = False
    precision: str = "float32"
    _given: bool = False  # whether the precision was asked for: it is then set wherever the device is entered
    _enter: Callable[[], AbstractContextManager[Any]] = contextlib.nullcontext
    _context: Callable[[], AbstractContextManager[Any]] | None = None  # the device's, in a precision that was given
    _to_numpy: Callable[[Array], HostArray] = np.asarray
    _synchronize: Callable[[], Any] = lambda: None
    _fused: dict[Any, Kernel] = field(default_factory=dict, repr=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Backend) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[Any, ...]:
        return self.name, self.dtype, self.fast, self.precision, self._given

    def __repr__(self) -> str:
        return f"<nnxp backend {self.title}, {self.dtype}{', fast' if self.fast else ''}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # Compiled where it is read, if numba is there; not compiled stays so.
        fast = False if self.library == "numpy" and not self.fast else None
        return self._find, (self.name, self.dtype, fast, *([self.precision] if self._given else []))

    @property
    def title(self) -> str:
        """The name, and that products are rounded where they are."""
        return self.name if self.precision == "float32" else f"{self.name}, TF32"

    @property
    def library(self) -> str:
        """The array library's name, without the device."""
        return self.name.partition(":")[0]

    @property
    def is_device(self) -> bool:
        """Whether arrays live beside the host's memory, on a device that works for itself."""
        return self.library == "cupy" or (self.library == "torch" and str(self.device) != "cpu")

    def free_memory(self) -> int | None:
        """How many bytes a device has left for arrays; None where nobody says, and on the host."""
        with self.context():
            if self.library == "cupy":
                import cupy

                free: int = cupy.cuda.runtime.memGetInfo()[0] + cupy.get_default_memory_pool().free_bytes()
                return free
            if self.name.startswith("torch:cuda"):
                import torch

                return int(torch.cuda.mem_get_info(self.device)[0])
        return None

    def context(self) -> AbstractContextManager[Any]:
        """Enters the device: what is computed inside runs there, on the device's current stream."""
        return (self._context or self._enter)()

    def owns(self, x: Array) -> bool:
        """Whether x is an array of this library, on this device."""
        if self.library == "numpy":
            return isinstance(x, np.ndarray)
        return library_of(x) == self.library and bool(x.device == self.device)

    def asarray(self, x: ArrayLike, dtype: str | None = None, copy: bool | None = None) -> Array:
        """x as an array of this backend.

        Lists, numbers and NumPy arrays move in; arrays of this backend stay; those of a third library or
        device are refused. A torch tensor is detached from its graph.

        Parameters
        ----------
        x
            Numbers.
        dtype
            "float32", "int64", ...; by default floating arrays of this backend's precisions stay as they
            are and everything else becomes `self.dtype`.
        copy
            True: always a new array. Default: only where needed.

        Raises
        ------
        BackendMismatchError
            x belongs to another library or another device.
        TypeError
            x does not hold numbers.
        """
        follows = hasattr(x, "dtype") and dtype_of(x) in DTYPES  # a list has no dtype: it takes the default
        suits = follows if dtype is None else hasattr(x, "dtype") and dtype_of(x) == dtype
        if self.library == "cupy" and suits and not copy and self.owns(x):
            return x  # what has nothing to do is not to cost as much as a launch
        if not self.owns(x) or getattr(x.dtype, "kind", "f") not in "fiub" or type(x).__name__ == "MaskedArray":
            x = self._admit(x)
        name = dtype or (dtype_of(x) if follows else self.dtype)
        wanted = getattr(self.xp, name)
        with self.context(), np.errstate(over="ignore"):  # what a cast makes infinite, the doors find
            if isinstance(x, np.ndarray):
                if self.library == "numpy":
                    return np.array(x, dtype=name) if copy else np.asarray(x, dtype=name)
                # Cast before the transfer: one rule. A copy of its own: PyTorch refuses strides below 0 and warns
                # of memory that cannot be written.
                x = np.array(x, dtype=name, order="C")
                return self.xp.asarray(x, dtype=wanted, device=self.device)
            if dtype_of(x).startswith("complex"):
                raise TypeError("got complex numbers, expected real ones: take the real part, or the magnitude, first")
            x = x.detach() if self.library == "torch" else x
            return self.xp.astype(x, wanted, copy=bool(copy))

    def _admit(
        self, x: ArrayLike, text: str = "encode text as numbers and give every cell a value, then x.astype(float)"
    ) -> HostArray:
        """x on the host, as numbers, if it may move in here at all; `text` says what makes numbers of anything else."""
        library = library_of(x)
        if library != "numpy":
            where = f"{library} on {getattr(x, 'device', 'its device')}"
            raise BackendMismatchError(
                f"got an array of {where}, where {self.name} is used: convert it first, or build "
                f'with backend="{library}", or pass the array to get_backend() to follow it'
            )
        refuse_masked(x)
        try:
            host = np.asarray(x)
        except ValueError as error:
            raise TypeError(f"got nested lists of unequal lengths ({error}): every row needs the same length") from None
        if host.dtype.kind not in "fiub":
            raise TypeError(f"got {_kind(host)}, expected numbers: {text}")
        return host

    def to_numpy(self, x: Array) -> HostArray:
        """x as a NumPy array on the host. On a GPU this waits for the device."""
        with self.context():
            return np.asarray(self._to_numpy(x))

    def synchronize(self) -> None:
        """Waits until the device has finished what was asked of it."""
        with self.context():
            self._synchronize()

    def fuse(
        self, formula: Callable[..., Any], into: tuple[str, ...] = (), column_sums: bool = False, **fixed: Any
    ) -> Kernel:
        """The kernel of a formula on this backend, built once (see `nnxp.kernels.fuse`)."""
        key = (formula, into, column_sums, *fixed.items())
        if key not in self._fused:
            from nnxp.kernels.fusion import fuse

            self._fused[key] = fuse(formula, self.xp, into, column_sums, self.fast, **fixed)
        return self._fused[key]

    def with_dtype(self, dtype: str) -> "Backend":
        """This backend with another default dtype."""
        return self if dtype == self.dtype else replace(self, dtype=check_dtype(dtype, self))


def check_dtype(dtype: str, backend: Backend | None = None) -> str:
    """The dtype's name, if layers can be trained in it (there)."""
    name = dtype if isinstance(dtype, str) else getattr(dtype, "__name__", str(dtype)).rpartition(".")[2]
    if name not in DTYPES:
        raise ValueError(f'got dtype={dtype!r}, expected "float32" or "float64"')
    if backend is not None and name == "float64" and backend.name.startswith("torch:mps"):
        raise ValueError('device "mps" has no float64: use dtype="float32", or backend="torch" for the CPU')
    if backend is not None and name == "float64" and backend._given and backend.precision == "tf32":
        raise ValueError(
            'got precision="tf32" with dtype="float64", whose products are never rounded: give dtype="float32", or '
            "leave the precision out"
        )
    return name


def refuse_masked(x: ArrayLike, name: str = "values") -> None:
    """Raises ValueError where `numpy.ma` masks an entry of x, or of an array in a list x, or of what x becomes: NumPy
    would drop the mask, and what lies under it would count. An array in which nothing is masked is taken."""
    if type(x) is np.ndarray or "numpy.ma" not in sys.modules or library_of(x) != "numpy":
        return  # NumPy imports its masks where they are used
    parts = x if isinstance(x, list | tuple) else [x]
    if not isinstance(x, list | tuple | np.ndarray) and hasattr(x, "__array__"):
        parts = [np.asanyarray(x)]
    masked = sum(int(np.sum(np.ma.getmaskarray(part))) for part in parts if isinstance(part, np.ma.MaskedArray))
    if masked:
        raise ValueError(
            f"got masked {name}, {masked} of them, expected a number in every place: fill them, x.filled(0), or drop "
            "their rows, x[~np.ma.getmaskarray(x).any(axis=1)]"
        )


def dtype_of(x: Array) -> str:
    """The name of an array's dtype, "float32" for instance, whatever the library."""
    return _name_of(type(x.dtype).__name__, x.dtype)


@functools.lru_cache(64)
def _name_of(kind: str, dtype: Any) -> str:  # dtypes of two libraries are not to be compared: their kinds differ
    return str(getattr(dtype, "name", dtype)).rpartition(".")[2]


def library_of(x: ArrayLike) -> str:
    """The name of the array library that x belongs to. What NumPy reads (lists, frames) counts as NumPy's."""
    known = _KNOWN.get(type(x))
    if known is None:
        known = _KNOWN[type(x)] = _library_of(x)
    return known


_KNOWN: weakref.WeakKeyDictionary[type, str] = weakref.WeakKeyDictionary()
"""The libraries of the classes that were seen: to ask again costs as much as a kernel's launch."""


def _library_of(x: ArrayLike) -> str:
    if isinstance(x, np.ndarray | np.generic | list | tuple | int | float | bool):
        return "numpy"
    if hasattr(x, "__array_namespace__"):
        return library_name(x.__array_namespace__())
    library = type(x).__module__.partition(".")[0]
    if any(cls.__module__.partition(".")[0] == "torch" for cls in type(x).__mro__):
        return "torch"
    return library if library == "cupy" else "numpy"


def library_name(namespace: ModuleType) -> str:
    """The library that a namespace belongs to: "torch" for `array_api_compat.torch`."""
    parts = namespace.__name__.split(".")
    return parts[1] if parts[0] == "array_api_compat" and len(parts) > 1 else namespace.__name__


def _kind(host: HostArray) -> str:
    return {"U": "text", "S": "bytes", "O": "objects", "c": "complex numbers"}.get(host.dtype.kind, str(host.dtype))
