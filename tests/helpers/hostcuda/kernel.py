"""One CUDA kernel by itself, run on this machine's processor, without CuPy.

kernel = HostKernel('''
    extern "C" __global__ void double_it(const float* x, float* y, int n) {
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i < n) y[i] = 2 * x[i];
    }''', "double_it", sanitize=True)
x = np.arange(3, dtype=np.float32)
y = np.empty_like(x)
kernel((1,), (32,), (x, y, np.int32(3)))
"""

import ctypes
import re
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.array_utils import byte_bounds

from tests.helpers.hostcuda import compiler

ORDERS = ("forward", "reverse", "shuffle")

# Between the copies that a checked kernel works on: an access as far off as this still hits nothing else.
_APART = 1 << 16
_one_at_a_time = threading.Lock()  # the kernels share their fibers


class KernelError(RuntimeError):
    """What a kernel did that it must not, named with the kernel and, where it is known, the line."""


class _Region(ctypes.Structure):
    _fields_ = [
        ("begin", ctypes.c_void_p),
        ("bytes", ctypes.c_size_t),
        ("argument", ctypes.c_int),
        ("writable", ctypes.c_int),
    ]


class _Launch(ctypes.Structure):  # include/hostcuda/abi.h
    _fields_ = [
        ("arguments", ctypes.POINTER(ctypes.c_void_p)),
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared_bytes", ctypes.c_uint),
        ("order", ctypes.c_int),
        ("strict", ctypes.c_int),
        ("regions", ctypes.POINTER(_Region)),
        ("region_count", ctypes.c_uint),
        ("error", ctypes.c_char_p),
        ("error_bytes", ctypes.c_size_t),
    ]


class HostKernel:
    """A kernel of a CUDA source, compiled by g++: one fiber a CUDA thread, blocks one after another.

    Parameters
    ----------
    source
        CUDA C++ without CuPy's headers.
    name
        The kernel: a function, or an instance of a template (``"softmax<float, 4>"``).
    options
        NVRTC's options; ``-D`` is followed, the others are for a device.
    sanitize
        Check each load and store: inside the arguments and shared arrays, nothing read that was never written to
        shared memory, no two threads at one address without a barrier. Some 50 times slower.
    """

    def __init__(self, source: str, name: str, options: Sequence[str] = (), sanitize: bool = False) -> None:
        self.name = name
        self.sanitize = sanitize
        alias = re.sub(r"\W", "_", name)
        self._path = compiler.build(source, {alias: name}, options=options, checked=sanitize)
        library = ctypes.CDLL(str(self._path))
        signature = getattr(library, f"hostcuda_signature_{alias}")
        signature.restype = ctypes.c_char_p
        text = signature().decode()
        self.parameters: list[str] = text.split(",") if text else []  # the codes of abi.h
        self._launch = getattr(library, f"hostcuda_launch_{alias}")

    def __call__(
        self,
        grid: Sequence[int],
        block: Sequence[int],
        args: Sequence[npt.NDArray[Any] | np.generic],
        shared_mem: int = 0,
        order: str = "forward",
    ) -> None:
        """Run the kernel; the arrays are read and written where they are.

        ``order`` is that in which blocks and threads take their turns. A kernel without races gives the same bits
        in every one of `ORDERS`.

        Raises
        ------
        TypeError
            An argument's type is not exactly the parameter's, or their numbers differ.
        KernelError
            The launch is refused, barriers are not reached by all, or a check failed.
        """
        if len(args) != len(self.parameters):
            raise TypeError(f"{self.name} takes {len(self.parameters)} arguments, got {len(args)}")
        for position, (argument, code) in enumerate(zip(args, self.parameters, strict=True)):
            _check_type(self.name, position, argument, code)
        arrays = {position: a for position, a in enumerate(args) if isinstance(a, np.ndarray)}
        used = _apart(arrays) if self.sanitize else arrays
        values = [
            ctypes.create_string_buffer(np.uint64(used[i].ctypes.data).tobytes() if i in used else a.tobytes())
            for i, a in enumerate(args)
        ]
        regions = (_Region * len(used))(*(self._region(used, i) for i in used))
        error = ctypes.create_string_buffer(512)
        launch = _Launch(
            (ctypes.c_void_p * len(values))(*(ctypes.addressof(value) for value in values)),
            (ctypes.c_uint * 3)(*grid, *[1] * (3 - len(grid))),
            (ctypes.c_uint * 3)(*block, *[1] * (3 - len(block))),
            shared_mem,
            ORDERS.index(order),
            True,
            regions,
            len(regions),
            ctypes.cast(error, ctypes.c_char_p),
            len(error),
        )
        with _one_at_a_time:
            failed = self._launch(ctypes.byref(launch))
        if failed:
            raise KernelError(f"{self.name}: {_with_line(error.value.decode(), self._path)}")
        for position, array in arrays.items():
            if used[position] is not array:
                array[...] = used[position]

    def _region(self, arrays: dict[int, npt.NDArray[Any]], position: int) -> _Region:
        array = arrays[position]
        begin, end = byte_bounds(array)
        shared = (i for i, other in arrays.items() if i == position or np.may_share_memory(array, other))
        writable = any(not self.parameters[i].startswith("const ") for i in shared)
        return _Region(begin, end - begin if array.size else 0, position, writable)


def _check_type(kernel: str, position: int, argument: object, code: str) -> None:
    where = f"argument {position} of {kernel}"
    if code.endswith("*"):
        element = code.removeprefix("const ").removesuffix("*")
        if not isinstance(argument, np.ndarray):
            raise TypeError(f"{where} is a pointer ({code}): give a NumPy array, got {type(argument).__name__}")
        if element not in ("void", argument.dtype.str[1:]):
            raise TypeError(f"{where} points to {element}, got an array of {argument.dtype.str[1:]} ({argument.dtype})")
        if not code.startswith("const ") and not argument.flags.writeable:
            raise TypeError(f"{where} is written to ({code}), got a read-only array")
    elif not isinstance(argument, np.generic):
        raise TypeError(f"{where} is {code}: give a NumPy scalar of that type, got {type(argument).__name__}")
    elif argument.dtype.str[1:] != code:
        raise TypeError(f"{where} is {code}, got {argument.dtype.str[1:]} ({argument.dtype})")


def _apart(arrays: dict[int, npt.NDArray[Any]]) -> dict[int, npt.NDArray[Any]]:
    """The arrays copied far from each other, but for those that share memory with another, which stay."""
    result = dict(arrays)
    for position, array in arrays.items():
        alone = not any(np.may_share_memory(array, other) for i, other in arrays.items() if i != position)
        if alone and array.flags.c_contiguous:
            room = np.empty(array.nbytes + 2 * _APART + 64, np.uint8)
            start = _APART + -(room.ctypes.data + _APART) % 64  # aligned as NumPy's own memory is, and better
            copy = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
            copy[...] = array
            result[position] = copy
    return result


def _with_line(message: str, library: Path) -> str:
    """Replace the place in the object code, as checks.h gives it, by a line of the source."""
    match = re.search(r" \[\+(0x[0-9a-f]+)\]$", message)
    if not match:
        return message
    before = f"{int(match[1], 16) - 1:#x}"  # it is where the call returns to
    found = subprocess.run(["addr2line", "-e", str(library), before], capture_output=True, text=True).stdout
    line = re.search(r"kernel\.cu:(\d+)", found)
    return message[: match.start()] + (f", at line {line[1]}" if line else "")
