"""How the backend of each array library is found, and what is said where it cannot be had."""

import functools
import importlib.util
import os
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from nnxp.backends import cupy_check
from nnxp.backends.precision import Entered, check, has_setting, setting_of
from nnxp.backends.record import Backend, check_dtype, library_name, library_of
from nnxp.errors import BackendUnavailableError, hint
from nnxp.kernels.named import kernels_of
from nnxp.typing import ArrayLike, Device, Namespace

OFF = ("0", "false", "no", "off")
INSTALL = {
    "cupy": 'pip install "nnxp[cupy13]" (CUDA 13) or "nnxp[cupy12]" (CUDA 12)',
    "torch": 'pip install "nnxp[torch]"',
}


def get_backend(spec: Any, dtype: str | None = None, fast: bool | None = None, precision: str | None = None) -> Backend:
    """The backend that `spec` asks for.

    Parameters
    ----------
    spec : str, module, Backend or array
        A name with an optional device ("numpy", "cupy", "cupy:1", "torch", "torch:mps", "torch:cuda:1",
        "array_api_strict", "array_api_strict:device1", "auto"), an array namespace (`cupy`), a `Backend`,
        or an array to follow. "auto" takes CuPy, then PyTorch's `cuda` and `mps`, where they run, else NumPy, and
        says why in the result's `reason`; where CuPy is installed and does not run, once also as a warning of the
        log "nnxp".
    dtype : str, optional
        What lists and integers become, "float32" by default.
    fast : bool, optional
        Whether NumPy's formulas are compiled with numba (the extra `fast`). By default they are where numba is
        installed and the environment variable NNXP_FAST is not 0.
    precision : {"float32", "tf32"}, optional
        On an NVIDIA GPU since Ampere, whether the factors of float32 products are rounded to 10 bits (TF32), which is
        faster. By default as the library has it set: CuPy and PyTorch round nothing, unless `CUPY_TF32` or the
        program says so. Given, it is set while the device is entered, for the process (see docs/gpu.md).

    Returns
    -------
    Backend

    Raises
    ------
    BackendUnavailableError
        The library, its GPU, the device or, with `fast=True`, numba is missing, or the device has no TF32; the message
        holds the cause and the fix.
    TypeError, ValueError
        The spec, the dtype, `fast` or `precision` is none of the above.

    Examples
    --------
    >>> import nnxp
    >>> nnxp.get_backend("numpy", fast=False)
    <nnxp backend numpy, float32>
    """
    backend = _backend(spec)
    if fast is not None and fast != backend.fast:
        if backend.library != "numpy":
            raise ValueError(f"got fast={fast} for {backend.name}, expected it for numpy alone: leave it out")
        backend = replace(_on_numpy(fast), dtype=backend.dtype, reason=backend.reason)
    if precision is not None:
        backend = _in_precision(backend, precision)
    return backend if dtype is None else backend.with_dtype(dtype)


def _in_precision(backend: Backend, precision: str) -> Backend:
    """The backend with its products in a precision, wherever its device is entered."""
    check(backend.name, backend.device, precision)
    if not has_setting(backend.name):
        return backend
    setting, device = setting_of(backend.library), backend._enter
    made = replace(backend, precision=precision, _given=True, _context=lambda: Entered(device(), setting, precision))
    check_dtype(made.dtype, made)
    return made


def _backend(spec: Any) -> Backend:
    if isinstance(spec, Backend):
        return spec
    if isinstance(spec, ModuleType):
        spec = library_name(spec)
    if isinstance(spec, type):
        raise TypeError(f"got the class {spec.__name__}, expected an array, a namespace, a name or a Backend")
    if not isinstance(spec, str):
        return follow(spec)
    if spec == "auto":
        return _auto()
    library, _, device = spec.partition(":")
    return _BUILDERS.get(library, _generic)(library.replace("-", "_"), device)


def _numpy(library: str, device: str) -> Backend:
    if device not in ("", "cpu"):
        raise BackendUnavailableError(f'NumPy has no device {device!r}: use backend="numpy"')
    return _on_numpy(os.environ.get("NNXP_FAST", "1").lower() not in OFF and _has_numba())


def _on_numpy(fast: bool) -> Backend:
    if fast and not _has_numba():
        raise BackendUnavailableError('got fast=True, which needs the package numba: pip install "nnxp[fast]"')
    return Backend("numpy", np, "cpu", "float32", kernels_of("numpy", np, fast), get_backend, fast=fast)


@functools.cache
def _has_numba() -> bool:
    """Whether numba is installed; it is imported when the first kernel is compiled."""
    return importlib.util.find_spec("numba") is not None


def _import(library: str) -> ModuleType:
    try:
        return importlib.import_module(library)
    except Exception as error:  # whatever a library may do wrong when it starts
        missing = isinstance(error, ImportError) and error.name in (library, library.partition(".")[0])
        if missing and library not in INSTALL:
            raise BackendUnavailableError(
                f'got backend "{library}", which is not installed here; the names are "numpy", "cupy", "torch", '
                '"array_api_strict" and "auto", and that of any package that follows the array API standard'
                f"{_hint(library)}"
            ) from None
        if missing:
            raise BackendUnavailableError(
                f'backend "{library}" needs the package {library}, which is missing: {INSTALL[library]}'
            ) from None
        fix = cupy_check.import_fix(error) if library == "cupy" else "Reinstall it"
        raise BackendUnavailableError(
            f"{library} is installed but does not import: {cupy_check.first_line(error)}. {fix}"
        ) from error


def _cupy(library: str, device: str) -> Backend:
    cupy = _import("cupy")
    if device and not device.isdecimal():
        raise BackendUnavailableError(f'got backend "cupy:{device}", expected a device number as in "cupy:0"')
    index = cupy_check.device_index(cupy, device)
    xp = importlib.import_module("array_api_compat.cupy")
    cupy_check.prove(cupy, index)
    return Backend(
        f"cupy:{index}" if index else "cupy",
        xp,
        cupy.cuda.Device(index),
        "float32",
        kernels_of("cupy", xp),
        get_backend,
        precision=setting_of("cupy").found(),
        _enter=lambda: cupy.cuda.Device(index),
        _to_numpy=cupy.asnumpy,
        _synchronize=lambda: cupy.cuda.get_current_stream().synchronize(),
    )


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
        kernels_of("torch", xp),
        get_backend,
        precision=setting_of("torch").found() if kind == "cuda" else "float32",
        _enter=lambda: torch.inference_mode(False),  # what is made inside may be written in place later
        _to_numpy=lambda x: (x.float() if x.dtype is torch.bfloat16 else x).detach().cpu().numpy(),  # NumPy has none
        _synchronize=synchronize if synchronize and kind != "cpu" else lambda: None,
    )


def _hint(library: str) -> str:
    return hint(library, _BUILDERS, {"cupy": "cuda gpu", "numpy": "np cpu", "torch": "pytorch"}, '"{}"')


def _generic(library: str, device: str) -> Backend:
    """Any namespace that follows the array API standard."""
    if not all(part.isidentifier() for part in library.split(".")):
        raise BackendUnavailableError(
            f'got backend {library!r}, expected "numpy", "cupy", "torch", "auto" or a package\'s name'
        )
    module = _import(library)
    probe = getattr(module, "asarray", None)
    if probe is None or not hasattr(module, "matmul"):
        raise BackendUnavailableError(
            f'got backend "{library}", which is no array library; the names are "numpy", "cupy", "torch", '
            f'"array_api_strict", "auto", or any module that follows the array API standard{_hint(library)}'
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
        kernels_of(library, xp),
        get_backend,
        _to_numpy=lambda x: np.array(np.from_dlpack(x)),
    )


def _device_name(device: Device) -> str:
    """array-api-strict calls its devices Device('CPU_DEVICE'): here "cpu_device"."""
    text = str(device)
    return (text.split("'")[1] if "'" in text else text).lower()


def follow(x: ArrayLike) -> Backend:
    """The backend of an array; NumPy for what it reads. Whether those are numbers is asked by `asarray`."""
    library = library_of(x)
    if library == "numpy":
        if not isinstance(x, list | tuple | int | float | str) and not hasattr(x, "__array__"):
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
            tried.append(_Tried(spec, str(error)))
        else:
            return replace(backend, reason=f"{backend.name} runs here")
    _say(tuple(tried))
    causes = dict.fromkeys(attempt.cause for attempt in tried)
    return replace(_numpy("numpy", ""), reason=f"no GPU backend runs here ({'; '.join(causes)})")


class _Tried(NamedTuple):
    """What "auto" tried in vain, and the whole message."""

    spec: str
    message: str

    @property
    def cause(self) -> str:
        """The message without its fix."""
        return self.message.partition(". ")[0].partition(": pip ")[0]


@functools.cache
def _say(tried: tuple[_Tried, ...]) -> None:
    """One line in the log "nnxp", once: a warning where CuPy, which has no use but a GPU, is installed and does not
    run (Python prints those unless the program says otherwise), else only for those who ask for `logging.INFO`."""
    import logging

    log = logging.getLogger("nnxp")
    for spec, message in tried:
        if spec == "cupy" and importlib.util.find_spec("cupy") is not None:
            log.warning('backend "auto" computes on NumPy: %s', message.removesuffix(f", {cupy_check.OR_NOT}"))
            return
    log.info('backend "auto" computes on NumPy: %s', "; ".join(dict.fromkeys(attempt.cause for attempt in tried)))


_BUILDERS: dict[str, Callable[[str, str], Backend]] = {"numpy": _numpy, "cupy": _cupy, "torch": _torch}
