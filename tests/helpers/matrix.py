"""The backend matrix: which array libraries the tests run on, and how arrays of each are made and compared.

It needs the array libraries only, never nnxp: what a test expects cannot come from the code under test.
"""

import importlib
import importlib.util
import os
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Target:
    """One column of the matrix: an array library and a device of it."""

    name: str  # the test's id, and the name in NNXP_TEST_BACKENDS
    spec: str  # what `nnxp.get_backend` and `backend=` are given
    module: str
    device_name: str | None = None  # None: the library's default
    readonly: bool = False

    @property
    def xp(self) -> ModuleType:
        """The library itself, as a user imports it."""
        return importlib.import_module(self.module)

    @property
    def device(self) -> Any:
        """The device object that the arrays of `asarray` live on."""
        match self.module:
            case "array_api_strict":
                return self.xp.Device(self.device_name or "CPU_DEVICE")
            case "torch":
                return self.xp.device(self.device_name or "cpu")
            case "cupy":
                return self.xp.cuda.Device(0)
        return "cpu"

    def asarray(self, x: npt.ArrayLike, dtype: npt.DTypeLike | None = None) -> Any:
        """An array of this library that shares no memory with ``x``; without ``dtype``, NumPy's choice."""
        host = np.array(x, dtype=dtype)
        if self.module == "numpy":
            host.flags.writeable = not self.readonly
            return host
        if self.module == "torch":
            return self.xp.from_numpy(host)
        if self.module == "cupy":
            return self.xp.asarray(host)
        return self.xp.asarray(host, device=self.device)

    def to_numpy(self, a: Any) -> npt.NDArray[Any]:
        """A copy on the host, whatever the device."""
        if self.module == "cupy":
            a = a.get()
        elif self.module == "torch":
            a = a.detach().cpu().numpy()
        elif self.module == "array_api_strict":  # converting from any other device raises
            a = a.to_device(self.xp.Device("CPU_DEVICE"))
        return np.array(a)

    def assert_close(self, actual: Any, expected: npt.ArrayLike, *, rtol: float = 0.0, atol: float = 0.0) -> None:
        """Namespace, dtype, shape and device agree, and then the values: exactly, if no tolerance is given.

        ``expected`` is a NumPy array of the dtype and shape that ``actual`` must have.
        """
        array_type: Any = {
            "numpy": (np.ndarray, np.generic),  # NumPy itself returns a scalar for zero dimensions
            "array_api_strict": type(self.xp.asarray(0)),
            "torch": getattr(self.xp, "Tensor", None),
            "cupy": getattr(self.xp, "ndarray", None),
        }[self.module]
        assert isinstance(actual, array_type), f"expected an array of {self.module}, got {type(actual)}"
        expected = np.asarray(expected)
        dtype = str(actual.dtype).rpartition(".")[2]  # "torch.float32" -> "float32"
        assert dtype == expected.dtype.name, f"expected dtype {expected.dtype.name}, got {dtype}"
        assert tuple(actual.shape) == expected.shape, f"expected shape {expected.shape}, got {actual.shape}"
        if self.module != "numpy":
            assert actual.device == self.device, f"expected device {self.device}, got {actual.device}"
        np.testing.assert_allclose(self.to_numpy(actual), expected, rtol=rtol, atol=atol)


TARGETS = (
    Target("numpy", "numpy", "numpy"),
    Target("numpy-readonly", "numpy", "numpy", readonly=True),
    Target("array_api_strict", "array_api_strict", "array_api_strict"),
    Target("array_api_strict-device1", "array_api_strict:device1", "array_api_strict", "device1"),
    Target("torch", "torch", "torch"),
    Target("cupy", "cupy", "cupy"),
)


def selected() -> list[Target]:
    """The targets named in NNXP_TEST_BACKENDS (a comma-separated list); unset, all that can run here."""
    names = os.environ.get("NNXP_TEST_BACKENDS")
    if names is None:
        return [target for target in TARGETS if _runs_here(target)]
    by_name = {target.name: target for target in TARGETS}
    try:
        return [by_name[name.strip()] for name in names.split(",")]
    except KeyError as error:
        raise ValueError(f"NNXP_TEST_BACKENDS: got {error}, expected some of {', '.join(by_name)}") from None


def on_host_memory() -> bool:
    """Whether CuPy runs on host memory here (`nox -s cupy_on_host`), and not on a device."""
    return "NNXP_HOSTCUDA" in os.environ


def has_gpu() -> bool:
    """Whether CuPy is installed and finds a device."""
    if on_host_memory() or importlib.util.find_spec("cupy") is None:
        return False
    runtime = importlib.import_module("cupy").cuda.runtime
    try:
        return bool(runtime.getDeviceCount() > 0)
    except runtime.CUDARuntimeError:
        return False


def _runs_here(target: Target) -> bool:
    if target.module == "cupy":
        return on_host_memory() or has_gpu()
    return importlib.util.find_spec(target.module) is not None
