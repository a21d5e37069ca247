"""Which arrays, which device, which kernels.

A `Backend` holds everything the rest of the library knows about an array library. It is built by
`get_backend` and asked for once, at the door.
"""

import contextlib
import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import numpy as np

from nnxp.errors import BackendMismatchError, BackendUnavailableError
from nnxp.kernels import fuse, reference
from nnxp.typing import Array, ArrayLike, Device, Kernel, Namespace

DTYPES = ("float32", "float64")
INSTALL = {
    "cupy": 'pip install "nnxp[cupy13]" (CUDA 13) or "nnxp[cupy12]" (CUDA 12)',
    "torch": 'pip install "nnxp[torch]"',
}


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
    """

    name: str
    xp: Namespace
    device: Device
    dtype: str
    kernels: dict[str, Kernel]
    reason: str = ""
    _context: Callable[[], AbstractContextManager[Any]] = contextlib.nullcontext
    _to_numpy: Callable[[Array], np.ndarray[Any, Any]] = np.asarray
    _synchronize: Callable[[], Any] = lambda: None
    _fused: dict[Any, Kernel] = field(default_factory=dict, repr=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Backend) and (self.name, self.dtype) == (other.name, other.dtype)

    def __hash__(self) -> int:
        return hash((self.name, self.dtype))

    def __repr__(self) -> str:
        return f"<nnxp backend {self.name}, {self.dtype}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return get_backend, (self.name, self.dtype)

    @property
    def library(self) -> str:
        """The array library's name, without the device."""
        return self.name.partition(":")[0]

    def context(self) -> AbstractContextManager[Any]:
        """Enters the device: what is computed inside runs there, on the device's current stream."""
        return self._context()

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
        if not self.owns(x):
            x = self._admit(x)
        name = dtype or (dtype_of(x) if dtype_of(x) in DTYPES else self.dtype)
        wanted = getattr(self.xp, name)
        with self.context():
            if isinstance(x, np.ndarray):
                x = np.asarray(x, dtype=np.dtype(name))  # cast before the transfer: fewer surprises, one rule
                if self.library == "numpy":
                    return np.array(x) if copy else x
                return self.xp.asarray(x if x.flags.writeable else x.copy(), dtype=wanted, device=self.device, copy=True)
            x = x.detach() if self.library == "torch" else x
            return self.xp.astype(x, wanted, copy=bool(copy))

    def _admit(self, x: ArrayLike) -> np.ndarray[Any, Any]:
        """x on the host, as numbers, if it may move in here at all."""
        library = library_of(x)
        if library != "numpy":
            where = f"{library} on {getattr(x, 'device', 'its device')}"
            raise BackendMismatchError(
                f"got an array of {where}, where {self.name} is used: convert it first, or build "
                f'with backend="{library}", or pass the array to get_backend() to follow it'
            )
        try:
            host = np.asarray(x)
        except ValueError as error:
            raise TypeError(f"got nested lists of unequal lengths ({error}): every row needs the same length") from None
        if host.dtype.kind not in "fiub":
            raise TypeError(
                f"got {_kind(host)}, expected numbers: encode text as numbers and give every cell a value, "
                "then x.astype(float)"
            )
        return host

    def to_numpy(self, x: Array) -> np.ndarray[Any, Any]:
        """x as a NumPy array on the host. On a GPU this waits for the device."""
        with self.context():
            return np.asarray(self._to_numpy(x))

    def synchronize(self) -> None:
        """Waits until the device has finished what was asked of it."""
        with self.context():
            self._synchronize()

    def fuse(self, formula: Callable[..., Any], into: tuple[str, ...] = (), **fixed: Any) -> Kernel:
        """The kernel of a formula on this backend, built once (see `nnxp.kernels.fuse`)."""
        key = (formula, into, *fixed.items())
        if key not in self._fused:
            self._fused[key] = fuse(formula, self.xp, into, **fixed)
        return self._fused[key]

    def with_dtype(self, dtype: str) -> "Backend":
        """This backend with another default dtype."""
        return self if dtype == self.dtype else replace(self, dtype=check_dtype(dtype, self))


def get_backend(spec: Any, dtype: str | None = None) -> Backend:
    """The backend that `spec` asks for.

    Parameters
    ----------
    spec : str, module, Backend or array
        A name with an optional device ("numpy", "cupy", "cupy:1", "torch", "torch:mps", "torch:cuda:1",
        "array_api_strict", "array_api_strict:device1", "auto"), an array namespace (`cupy`), a `Backend`,
        or an array to follow. "auto" takes CuPy, then PyTorch's `cuda` and `mps`, where they run, else NumPy, and
        says why in the result's `reason`.
    dtype : str, optional
        What lists and integers become, "float32" by default.

    Returns
    -------
    Backend

    Raises
    ------
    BackendUnavailableError
        The library, its GPU or the device is missing; the message holds the cause and the fix.
    TypeError, ValueError
        The spec, or the dtype, is none of the above.

    Examples
    --------
    >>> import nnxp
    >>> nnxp.get_backend("numpy")
    <nnxp backend numpy, float32>
    """
    if isinstance(spec, Backend):
        return spec if dtype is None else spec.with_dtype(dtype)
    if isinstance(spec, ModuleType):
        spec = _library_name(spec)
    if not isinstance(spec, str):
        backend = _follow(spec)
    elif spec == "auto":
        backend = _auto()
    else:
        library, _, device = spec.partition(":")
        backend = _BUILDERS.get(library, _generic)(library.replace("-", "_"), device)
    return backend if dtype is None else replace(backend, dtype=check_dtype(dtype, backend))


def check_dtype(dtype: str, backend: Backend | None = None) -> str:
    """The dtype's name, if layers can be trained in it (there)."""
    name = dtype if isinstance(dtype, str) else getattr(dtype, "__name__", str(dtype)).rpartition(".")[2]
    if name not in DTYPES:
        raise ValueError(f'got dtype={dtype!r}, expected "float32" or "float64"')
    if backend is not None and name == "float64" and backend.name == "torch:mps":
        raise ValueError('device "mps" has no float64: use dtype="float32", or backend="torch" for the CPU')
    return name


def dtype_of(x: Array) -> str:
    """The name of an array's dtype, "float32" for instance, whatever the library."""
    return str(getattr(x.dtype, "name", x.dtype)).rpartition(".")[2]


def library_of(x: ArrayLike) -> str:
    """The name of the array library that x belongs to. What NumPy reads (lists, frames) counts as NumPy's."""
    if isinstance(x, np.ndarray | np.generic | list | tuple | int | float | bool):
        return "numpy"
    if hasattr(x, "__array_namespace__"):
        return _library_name(x.__array_namespace__())
    library = type(x).__module__.partition(".")[0]
    if any(cls.__module__.partition(".")[0] == "torch" for cls in type(x).__mro__):
        return "torch"
    return library if library == "cupy" else "numpy"


def _library_name(namespace: ModuleType) -> str:
    parts = namespace.__name__.split(".")
    return parts[1] if parts[0] == "array_api_compat" and len(parts) > 1 else namespace.__name__


def _kind(host: np.ndarray[Any, Any]) -> str:
    return {"U": "text", "S": "bytes", "O": "objects", "c": "complex numbers"}.get(host.dtype.kind, str(host.dtype))


def _numpy(library: str, device: str) -> Backend:
    if device not in ("", "cpu"):
        raise BackendUnavailableError(f'NumPy has no device {device!r}: use backend="numpy"')
    return Backend("numpy", np, "cpu", "float32", reference(np))


def _import(library: str) -> ModuleType:
    try:
        return importlib.import_module(library)
    except (ImportError, OSError) as error:
        missing = isinstance(error, ImportError) and error.name in (library, library.partition(".")[0])
        if missing and library not in INSTALL:
            raise BackendUnavailableError(
                f'got backend "{library}", which is not installed here; the names are "numpy", "cupy", "torch", '
                '"array_api_strict" and "auto", and that of any package that follows the array API standard'
            ) from None
        if missing:
            raise BackendUnavailableError(f'backend "{library}" needs the package {library}, which is missing: {INSTALL[library]}') from None
        cause = "its cache folder has to be writable (CUPY_CACHE_DIR, HOME)" if isinstance(error, OSError) else "reinstall it"
        raise BackendUnavailableError(f"{library} is installed but does not import: {error}; {cause}") from error


def _cupy(library: str, device: str) -> Backend:
    cupy = _import("cupy")
    xp = importlib.import_module("array_api_compat.cupy")
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        cause = {35: "there is no NVIDIA driver, or it is older than this CuPy needs", 100: "the driver sees no GPU"}
        raise BackendUnavailableError(
            f'backend "cupy": {cause.get(error.status, "CUDA does not start")} ({error}). Install or update the driver '
            'and see that `nvidia-smi` lists a GPU, or use backend="numpy" or "auto"'
        ) from None
    if device and not device.isdigit():
        raise BackendUnavailableError(f'got backend "cupy:{device}", expected a device number as in "cupy:0"')
    index = int(device) if device else cupy.cuda.runtime.getDevice()
    if index >= count:
        raise BackendUnavailableError(f'backend "cupy:{index}": this machine has {count} CUDA device(s), numbered from 0')
    backend = Backend(
        f"cupy:{index}" if index else "cupy",
        xp,
        cupy.cuda.Device(index),
        "float32",
        reference(xp),
        _context=lambda: cupy.cuda.Device(index),
        _to_numpy=cupy.asnumpy,
        _synchronize=lambda: cupy.cuda.get_current_stream().synchronize(),
    )
    _prove(backend, 'pip install "cupy-cuda13x[ctk]" brings the CUDA libraries that CuPy needs')
    return backend


_PROVEN: set[str] = set()


def _prove(backend: Backend, fix: str) -> None:
    """One kernel and one product, once per device: missing CUDA libraries show only when they are used."""
    if backend.name in _PROVEN:
        return
    try:
        with backend.context():
            x = backend.xp.ones((2, 2), dtype=backend.xp.float32)
            float(backend.xp.sum(backend.xp.matmul(x + x, x)))
    except (ImportError, RuntimeError, OSError) as error:
        raise BackendUnavailableError(f"{backend.name} does not compute: {str(error).splitlines()[0]}. {fix}") from error
    _PROVEN.add(backend.name)


def _torch(library: str, device: str) -> Backend:
    torch = _import("torch")
    xp = importlib.import_module("array_api_compat.torch")
    kind = device.partition(":")[0] or "cpu"
    try:
        if kind == "mps" and not torch.backends.mps.is_available():
            raise RuntimeError("this machine has no Apple GPU, or macOS or PyTorch is too old for it")
        place = torch.empty(0, device=device or "cpu").device
    except (RuntimeError, AssertionError) as error:
        cause = str(error).splitlines()[0].partition(". ")[0]
        raise BackendUnavailableError(
            f'backend "torch:{device}" is not available here: {cause}. Use backend="torch" for the CPU, or install the '
            "PyTorch build for that device from pytorch.org"
        ) from None
    synchronize = getattr(getattr(torch, kind, None), "synchronize", None)
    return Backend(
        "torch" if kind == "cpu" else f"torch:{place}",
        xp,
        place,
        "float32",
        reference(xp),
        _to_numpy=lambda x: x.detach().cpu().numpy(),
        _synchronize=synchronize if synchronize and kind != "cpu" else lambda: None,
    )


def _generic(library: str, device: str) -> Backend:
    """Any namespace that follows the array API standard."""
    if not all(part.isidentifier() for part in library.split(".")):
        raise BackendUnavailableError(f'got backend {library!r}, expected "numpy", "cupy", "torch", "auto" or a package\'s name')
    module = _import(library)
    probe = getattr(module, "asarray", None)
    if probe is None or not hasattr(module, "matmul"):
        raise BackendUnavailableError(
            f'got backend "{library}", which is no array library; the names are "numpy", "cupy", "torch", '
            '"array_api_strict", "auto", or any module that follows the array API standard'
        )
    import array_api_compat

    array = probe([0.0])
    xp = array_api_compat.array_namespace(array)
    place = array_api_compat.device(array)
    if device:
        devices = {_device_name(d): d for d in xp.__array_namespace_info__().devices()}
        if device.lower() not in devices:
            raise BackendUnavailableError(f'{library} has no device "{device}"; it has {", ".join(sorted(devices))}')
        place = devices[device.lower()]
    return _on(xp, library, place)


def _on(xp: Namespace, library: str, place: Device) -> Backend:
    default = xp.asarray([0.0]).device
    return Backend(
        library if place == default else f"{library}:{_device_name(place)}",
        xp,
        place,
        "float32",
        reference(xp),
        _to_numpy=lambda x: np.array(np.from_dlpack(x)),
    )


def _device_name(device: Device) -> str:
    """array-api-strict calls its devices Device('CPU_DEVICE'): here "cpu_device"."""
    text = str(device)
    return (text.split("'")[1] if "'" in text else text).lower()


def _follow(x: ArrayLike) -> Backend:
    library = library_of(x)
    if library == "numpy":
        host = np.asarray(x)
        if host.dtype.kind not in "fiubOUS":
            raise TypeError(f"got {type(x).__name__}, expected an array, a namespace, a name or a Backend")
        return _numpy("numpy", "")
    if library == "cupy":
        return _cupy("cupy", str(x.device.id))
    if library == "torch":
        return _torch("torch", str(x.device))
    import array_api_compat

    return _on(array_api_compat.array_namespace(x), library, array_api_compat.device(x))


def _auto() -> Backend:
    tried = []
    for spec in ("cupy", "torch:cuda", "torch:mps"):
        try:
            backend = get_backend(spec)
        except BackendUnavailableError as error:
            tried.append(str(error).partition(". ")[0].partition(": pip ")[0])
        else:
            return replace(backend, reason=f"{backend.name} runs here")
    return replace(_numpy("numpy", ""), reason="no GPU backend runs here (" + "; ".join(tried) + ")")


_BUILDERS: dict[str, Callable[[str, str], Backend]] = {"numpy": _numpy, "cupy": _cupy, "torch": _torch}
