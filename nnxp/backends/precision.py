"""TF32: whether float32 products are rounded, which is a library's own setting and one for the process.

In TF32 a product's factors have 10 bits of mantissa and the sums stay float32 (NVIDIA, "A100 Tensor Core GPU
Architecture", 2020). CuPy and PyTorch leave it off unless they are told otherwise.
"""

import functools
import importlib
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from nnxp.errors import BackendUnavailableError

PRECISIONS = ("float32", "tf32")
FIRST = (8, 0)
"""The compute capability of Ampere, the first with TF32."""


class Setting:
    """A library's setting: who enters first sets it, who leaves last puts back what was there.

    A thread that is alone may enter another precision within its own. Two threads cannot have two at a time: who asks
    for the second is refused.

    Parameters
    ----------
    read
        Gives what is set now, for `restore`.
    word
        Our word for what `read` gave.
    write
        Sets a precision.
    restore
        Takes what `read` gave.
    """

    def __init__(
        self,
        read: Callable[[], Any],
        word: Callable[[Any], str],
        write: Callable[[str], None],
        restore: Callable[[Any], None],
    ) -> None:
        self._read, self._word, self._write, self._restore = read, word, write, restore
        self._lock = threading.Lock()
        self._entered: dict[int, list[str]] = {}  # by thread, the innermost last
        self._before: Any = None

    def found(self) -> str:
        """What the library, or the program, has set: not what was entered here."""
        with self._lock:
            return self._word(self._before if self._entered else self._read())

    def enter(self, precision: str) -> None:
        """Has products computed in a precision until `leave`.

        Raises
        ------
        RuntimeError
            Another thread computes in another precision, or will when it leaves one within its own.
        """
        with self._lock:
            own = threading.get_ident()
            others = {p for thread, entered in self._entered.items() if thread != own for p in entered} - {precision}
            if others:
                raise RuntimeError(
                    f'got precision="{precision}" while another thread computes in "{others.pop()}", expected one at a '
                    "time, since it is one setting for the process: run them in turn, or in processes of their own"
                )
            if not self._entered:
                self._before = self._read()
            if not self._entered or self._entered.get(own, [precision])[-1] != precision:
                self._write(precision)
            self._entered.setdefault(own, []).append(precision)

    def leave(self) -> None:
        """Ends the last `enter` of this thread."""
        with self._lock:
            own = threading.get_ident()
            entered = self._entered[own]
            left = entered.pop()
            if not entered:
                del self._entered[own]
            if not self._entered:
                self._restore(self._before)
            elif entered and entered[-1] != left:
                self._write(entered[-1])


class Entered:
    """A device that is entered with products in a precision."""

    def __init__(self, device: AbstractContextManager[Any], setting: Setting, precision: str) -> None:
        self._device, self._setting, self._precision = device, setting, precision

    def __enter__(self) -> None:
        self._device.__enter__()
        try:
            self._setting.enter(self._precision)
        except BaseException:
            self._device.__exit__(None, None, None)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._setting.leave()
        self._device.__exit__(kind, value, trace)


@functools.cache
def setting_of(library: str) -> Setting:
    """The setting of "cupy" or "torch"."""
    return _cupy_setting() if library == "cupy" else _torch_setting()


def _cupy_setting() -> Setting:
    """CuPy's compute type of float32, which `CUPY_TF32` decides where nobody has."""
    linalg: Any = importlib.import_module("cupy._core._routines_linalg")
    types = {"float32": linalg.COMPUTE_TYPE_DEFAULT, "tf32": linalg.COMPUTE_TYPE_TF32}
    return Setting(
        lambda: linalg.get_compute_type("float32"),
        lambda found: "tf32" if found == linalg.COMPUTE_TYPE_TF32 else "float32",
        lambda precision: linalg.set_compute_type("float32", types[precision]),
        lambda before: linalg.set_compute_type("float32", before),
    )


def _torch_setting() -> Setting:
    """PyTorch's, which has an older and a newer name, and a word for all devices that is the older one's: the older is
    written where it can be read, so that either can be meanwhile, and all are put back."""
    torch: Any = importlib.import_module("torch")
    matmul = torch.backends.cuda.matmul

    def readable(read: Callable[[], Any]) -> Any:
        """What is read; None where the program has set the newer name, by which the older cannot be read."""
        try:
            return read()
        except RuntimeError:
            return None

    def read() -> tuple[str, bool | None, str | None]:
        older = readable(lambda: matmul.allow_tf32)
        return matmul.fp32_precision, older, readable(torch.get_float32_matmul_precision)

    def write(precision: str) -> None:
        rounds = precision == "tf32"
        if read()[1] is None:
            matmul.fp32_precision = "tf32" if rounds else "ieee"
        else:
            matmul.allow_tf32 = rounds

    def restore(before: tuple[str, bool | None, str | None]) -> None:
        newer, older, word = before
        if older is not None:
            matmul.allow_tf32 = older
        matmul.fp32_precision = newer
        if word is not None and readable(torch.get_float32_matmul_precision) != word:
            torch.set_float32_matmul_precision(word)

    return Setting(read, lambda found: "tf32" if found[0] == "tf32" else "float32", write, restore)


def has_setting(name: str) -> bool:
    """Whether a backend of this name computes products in a precision that may be chosen."""
    return name.partition(":")[0] == "cupy" or name.startswith("torch:cuda")


def check(name: str, device: Any, precision: str) -> None:
    """Raises where a backend's products cannot be computed in a precision."""
    if precision not in PRECISIONS:
        raise ValueError(f'got precision={precision!r}, expected "float32" or "tf32"')
    if precision == "float32":
        return
    if not has_setting(name):
        raise BackendUnavailableError(
            f'got precision="tf32" for {name}, whose products are not rounded: TF32 is of NVIDIA GPUs. Leave it out, '
            'or use backend="cupy"'
        )
    capability = _capability(name, device)
    if capability < FIRST:
        raise BackendUnavailableError(
            f'got precision="tf32" for {name}, a GPU of compute capability {capability[0]}.{capability[1]}, which has '
            f"no TF32: Ampere, {FIRST[0]}.{FIRST[1]}, was the first. Leave it out"
        )


def _capability(name: str, device: Any) -> tuple[int, int]:
    if name.startswith("cupy"):
        text = str(device.compute_capability)  # "75", "120"
        return int(text[:-1]), int(text[-1])
    major, minor = importlib.import_module("torch").cuda.get_device_capability(device)
    return int(major), int(minor)
