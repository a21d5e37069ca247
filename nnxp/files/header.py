"""The header of a safetensors file, a model's or another's: checked before anything is made of it.

It is read piece by piece, so that what is no header costs nothing: a list of lists, which Python keeps in thirty times
its length, ends at its first character.
"""

import contextlib
import json
import math
import re
from collections.abc import Callable, Collection, Iterator
from typing import Any, BinaryIO, NamedTuple

from nnxp.errors import ModelFileError
from nnxp.files import jsontext

LARGEST_HEADER = 100_000_000  # bytes; the safetensors library's own limit
MOST_TENSORS, MOST_TEXTS, LONGEST_ENTRY = 2**16, 100, 512
KINDS = {
    "F32": ("float32", 4), "F64": ("float64", 8), "F16": ("float16", 2), "BF16": ("bfloat16", 2),
    "F8_E4M3": ("float8_e4m3fn", 1), "F8_E5M2": ("float8_e5m2", 1), "C64": ("complex64", 8), "BOOL": ("bool", 1),
    "U8": ("uint8", 1), "I8": ("int8", 1), "U16": ("uint16", 2), "I16": ("int16", 2), "U32": ("uint32", 4),
    "I32": ("int32", 4), "U64": ("uint64", 8), "I64": ("int64", 8),
}  # fmt: skip
"""Dtypes, as safetensors names them: what libraries call them, and the bytes of a number."""


class Tensor(NamedTuple):
    """A tensor by the header: its kind, shape, and bytes within the data."""

    kind: str
    shape: tuple[int, ...]
    start: int
    stop: int

    @property
    def dtype(self) -> str:
        """The dtype's name here: "float32", "bfloat16", ..."""
        return KINDS[self.kind][0]


class Header(NamedTuple):
    """A header as it stands in the file, not trusted yet."""

    text: str
    entries: dict[str, Any]
    """Texts under "__metadata__", a small object under every other key."""
    begin: int
    """Where the data begin."""
    size: int
    """How many bytes they have."""


def header_of(file: BinaryIO) -> Header:
    """The header of a file that is open for reading. ModelFileError where it is too long, or there is none."""
    size = file.seek(0, 2)
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > size - 8:
        raise ModelFileError("it is truncated, or no safetensors file: its header is longer than the file")
    if length > LARGEST_HEADER:
        raise ModelFileError(f"its header has {length:,} bytes, expected at most {LARGEST_HEADER:,}")
    with blamed():
        text = file.read(length).decode()
        return Header(text, _parse(text), 8 + length, size - 8 - length)


@contextlib.contextmanager
def blamed() -> Iterator[None]:
    """What goes wrong with a header is the file's damage."""
    try:
        yield
    except ModelFileError:
        raise
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"it is truncated, damaged, or no safetensors file ({error})") from None


def tensors_in(header: Header, kinds: Collection[str], order: Callable[[str, Tensor], Any]) -> dict[str, Tensor]:
    """The tensors of a header, if they fill the data one after the other.

    Parameters
    ----------
    kinds
        Those of `KINDS` that there may be.
    order
        What they are sorted by: the one order in which they lie in the file.
    """
    entries = header.entries.items()
    found = {name: _tensor(name, entry, kinds) for name, entry in entries if name != "__metadata__"}
    tensors = dict(sorted(found.items(), key=lambda item: order(*item)))
    end = 0
    for name, tensor in tensors.items():
        if tensor.start != end:
            raise ValueError(f"its tensor {name!r:.60} begins at byte {tensor.start}, expected {end}")
        end = tensor.stop
    if end != header.size:
        raise ValueError(f"its tensors have {end} bytes, expected the {header.size} that follow its header")
    return tensors


def _tensor(name: str, entry: Any, kinds: Collection[str]) -> Tensor:
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"its tensor {name!r:.60} lacks a dtype, shape or data_offsets, or has more")
    kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(kind, str) or kind not in kinds:
        raise ValueError(f"its tensor {name!r:.60} has dtype {kind!r:.20}, expected one of {', '.join(kinds)}")
    if not _whole(shape) or not _whole(offsets) or len(offsets) != 2:
        raise ValueError(f"its tensor {name!r:.60} has a shape or data_offsets that are no whole numbers from 0 up")
    start, stop = offsets
    expected = math.prod(shape) * KINDS[kind][1]
    if stop - start != expected:
        raise ValueError(f"its tensor {name!r:.60} has {stop - start} bytes, its shape {shape} takes {expected}")
    return Tensor(kind, tuple(shape), start, stop)


def _whole(numbers: Any) -> bool:
    return isinstance(numbers, list) and all(type(number) is int and number >= 0 for number in numbers)


# --- its text --------------------------------------------------------------------------------------------

_DECODER = json.JSONDecoder(object_pairs_hook=jsontext.unique)
_SPACE = re.compile(r"[ \t\n\r]+")
_Value = Callable[[str, int, str], tuple[Any, int]]


def _parse(text: str) -> dict[str, Any]:
    """The header's object: texts under "__metadata__", a small object under every other key."""
    header, end = _object(text, 0, _entry, MOST_TENSORS + 1)
    if text[end:].strip(" "):
        raise ValueError("something follows its header")
    return header


def _object(text: str, start: int, value: _Value, most: int) -> tuple[dict[str, Any], int]:
    """The object that starts here, and where it ends; `value` reads what a key has."""
    found: dict[str, Any] = {}
    position = _mark(text, start, "{")
    while found or text[position : position + 1] != "}":
        key, position = _string(text, position, "")
        if key in found:
            raise ValueError(f"a key occurs twice in its header, {key!r:.60}")
        if len(found) == most:
            raise ValueError(f"its header has an object with more than {most} keys")
        found[key], position = value(text, _mark(text, position, ":"), key)
        position = _after_space(text, position)
        if text[position : position + 1] == "}":
            break
        position = _mark(text, position, ",")
    return found, position + 1


def _entry(text: str, start: int, key: str) -> tuple[Any, int]:
    if key == "__metadata__":
        return _object(text, start, _string, MOST_TEXTS)
    stop = text.find("}", start, start + LONGEST_ENTRY) + 1
    if text[start : start + 1] != "{" or not stop:
        raise ValueError(f"its header says of {key!r:.60} what is no tensor")
    return _DECODER.decode(text[start:stop]), stop


def _string(text: str, start: int, key: str) -> tuple[str, int]:
    if text[start : start + 1] != '"':
        raise ValueError(f"its header has {text[start : start + 20]!r} where a text belongs")
    value, end = _DECODER.raw_decode(text, start)
    return str(value), end


def _mark(text: str, start: int, mark: str) -> int:
    """The position of what follows a mark."""
    start = _after_space(text, start)
    if text[start : start + 1] != mark:
        raise ValueError(f"its header has {text[start : start + 20]!r} where {mark!r} belongs")
    return _after_space(text, start + 1)


def _after_space(text: str, start: int) -> int:
    match = _SPACE.match(text, start)
    return start if match is None else match.end()
