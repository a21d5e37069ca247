"""The file around a model: safetensors whose header is checked before anything is made of it, with a checksum.

docs/file-format.md is the specification. The safetensors library is not used here: it allocates by what the header
says before anybody has looked at it, wants all tensors in memory to write them, and knows no duplicate keys. The tests
hold this module to it, both ways.
"""

import hashlib
import json
import math
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from nnxp.backends import Backend, dtype_of
from nnxp.errors import ModelFileError
from nnxp.files import jsontext
from nnxp.typing import Array

FORMATS = ("1", "2")
"""What is read. Who writes says which: "2" has an encoder of tables in it, "1" is without."""
TEXTS = ("nnxp_version", "config", "state")
"""What the checksum covers beside the tensors."""
KEYS = {"format", "sha256", *TEXTS}
KINDS: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8")}
"""Dtypes, as safetensors names them."""
NAMES = {dtype.name: kind for kind, dtype in KINDS.items()}
LARGEST_HEADER = 100_000_000  # bytes; the safetensors library's own limit
MOST_TENSORS, MOST_TEXTS, LONGEST_ENTRY = 2**16, 100, 512
BLOCK = 2**18
"""Elements that are read, hashed or written at once."""
OPENING = '{"__metadata__":{"sha256":"'
"""How a header that is written here begins: the checksum follows, and is known only after the tensors."""


class Place(NamedTuple):
    """Where a tensor is, or is to be: flat, (size,), in memory of a backend."""

    backend: Backend
    flat: Array
    shape: tuple[int, ...]


class Tensor(NamedTuple):
    """A tensor by the header: its kind, shape, and bytes within the data."""

    kind: str
    shape: tuple[int, ...]
    start: int
    stop: int

    @property
    def dtype(self) -> str:
        """The dtype's name here: "float32" or "float64"."""
        return KINDS[self.kind].name


def write(file: BinaryIO, texts: Mapping[str, str], places: Mapping[str, Place]) -> None:
    """Writes a whole file, block by block.

    Parameters
    ----------
    file
        Where: empty, open for writing, able to seek.
    texts
        The `TEXTS`, and the `format`.
    places
        The tensors by name, float32 or float64.

    Raises
    ------
    ValueError
        The header would be longer than a header may be.
    """
    kinds = {name: NAMES[dtype_of(place.flat)] for name, place in places.items()}
    tensors, end = dict[str, Tensor](), 0
    for name in sorted(places, key=lambda name: _order(name, kinds[name])):
        start, end = end, end + math.prod(places[name].shape) * KINDS[kinds[name]].itemsize
        tensors[name] = Tensor(kinds[name], places[name].shape, start, end)
    metadata = {"sha256": "0" * 64, "format": texts["format"], **{name: texts[name] for name in TEXTS}}
    table = {
        name: {"dtype": t.kind, "shape": [*t.shape], "data_offsets": [t.start, t.stop]} for name, t in tensors.items()
    }
    header = jsontext.canonical({"__metadata__": metadata, **table}, sort_keys=False).encode()
    header += b" " * (-len(header) % 8)  # the data begin at a multiple of 8, so that they can be mapped
    if len(header) > LARGEST_HEADER or len(tensors) > MOST_TENSORS:
        raise ValueError(
            f"got a header of {len(header):,} bytes and {len(tensors):,} tensors, expected at most {LARGEST_HEADER:,} "
            f"and {MOST_TENSORS:,}: shorten what is longest in it, the model's history or preprocessing"
        )
    digest = _digest(texts, tensors)
    file.write(struct.pack("<Q", len(header)) + header)
    for name in tensors:
        for block in _blocks(places[name], KINDS[kinds[name]]):
            file.write(block)
            digest.update(block)
    file.seek(8 + len(OPENING))
    file.write(digest.hexdigest().encode())


class Reader:
    """A model's file, open for reading. ModelFileError where it is none of this format, or its header is damaged.

    Attributes
    ----------
    texts : dict of str
        The `TEXTS` and the `format`: not trusted before `read` or `check`.
    tensors : dict of Tensor
        In the order in which they lie in the file.
    sha256 : str
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        size = file.seek(0, 2)
        file.seek(0)
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > size - 8:
            raise ModelFileError("it is truncated, or no safetensors file: its header is longer than the file")
        if length > LARGEST_HEADER:
            raise ModelFileError(f"its header has {length:,} bytes, expected at most {LARGEST_HEADER:,}")
        self._begin = 8 + length
        try:
            text = file.read(length).decode()
            header = _parse(text)
            metadata = _metadata(header.get("__metadata__", {}))
            self.tensors = _tensors(header, size - self._begin)
            if text.rstrip(" ") != jsontext.canonical(header, sort_keys=False):  # else some bytes could be others
                raise ValueError("its header is not in the shortest form")
        except ModelFileError:
            raise
        except (ValueError, RecursionError) as error:
            raise ModelFileError(f"it is truncated, damaged, or no safetensors file ({error})") from None
        self.texts = {name: metadata[name] for name in ("format", *TEXTS)}
        self.sha256 = metadata["sha256"]

    def check(self) -> None:
        """Raises ModelFileError where texts and tensors are not those that were written."""
        self.read({})

    def read(self, places: Mapping[str, Place]) -> None:
        """Reads tensors into their places, and raises ModelFileError where anything in the file is not what was
        written. Those that have no place are only checked."""
        digest = _digest(self.texts, self.tensors)
        self._file.seek(self._begin)
        for name, tensor in self.tensors.items():
            place, kind, end = places.get(name), KINDS[tensor.kind], 0
            for block in self._read(tensor):
                digest.update(block)
                if place is not None:
                    start, end = end, end + len(block) // kind.itemsize
                    values = place.backend.asarray(np.frombuffer(block, kind), dtype=kind.name)
                    with place.backend.context():
                        place.flat[start:end] = values
        if digest.hexdigest() != self.sha256:
            raise ModelFileError("it does not match its checksum: it was damaged or changed; take another copy")

    def _read(self, tensor: Tensor) -> Iterator[bytes]:
        left, most = tensor.stop - tensor.start, BLOCK * KINDS[tensor.kind].itemsize
        while left:
            block = self._file.read(min(left, most))
            if len(block) < min(left, most):
                raise ModelFileError("it became shorter while it was read: load it again")
            left -= len(block)
            yield block


def _blocks(place: Place, kind: np.dtype[Any]) -> Iterator[bytes]:
    """A tensor's bytes, some at a time."""
    backend, size = place.backend, math.prod(place.shape)
    for start in range(0, size, BLOCK):
        with backend.context():
            part = place.flat[start : min(start + BLOCK, size)]
        yield np.asarray(backend.to_numpy(part), dtype=kind).tobytes()


def _digest(texts: Mapping[str, str], tensors: Mapping[str, Tensor]) -> Any:
    """The checksum of all but the data, which follow."""
    outline = [[name, tensors[name].dtype, [*tensors[name].shape]] for name in sorted(tensors)]
    return hashlib.sha256(jsontext.canonical([*(texts[name] for name in TEXTS), outline]).encode())


# --- the header ----------------------------------------------------------------------------------------

# It is read piece by piece, so that what is no header costs nothing: a list of lists, which Python keeps in thirty
# times its length, ends at its first character.

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


def _metadata(metadata: dict[str, str]) -> dict[str, str]:
    """The metadata, if they are a model's, of the format that is read here."""
    if "nnxp_version" not in metadata or "format" not in metadata:
        raise ModelFileError("it holds no nnxp model: save one with model.save(path)")
    if metadata["format"] not in FORMATS:
        raise ModelFileError(
            f"it has format {metadata['format']!r:.20}, written by nnxp {metadata['nnxp_version']:.20}; this version "
            f"reads formats {' and '.join(FORMATS)}: update nnxp"
        )
    if wrong := sorted({*metadata} ^ KEYS):
        raise ValueError(f"its metadata lack, or have too much: {', '.join(wrong):.60}")
    return metadata


def _tensors(table: Mapping[str, Any], size: int) -> dict[str, Tensor]:
    """The tensors of a header, if they fill the data's `size` bytes one after the other, in the one order."""
    found = {name: _tensor(name, entry) for name, entry in table.items() if name != "__metadata__"}
    tensors = dict(sorted(found.items(), key=lambda item: _order(item[0], item[1].kind)))
    end = 0
    for name, tensor in tensors.items():
        if tensor.start != end:
            raise ValueError(f"its tensor {name!r:.60} begins at byte {tensor.start}, expected {end}")
        end = tensor.stop
    if end != size:
        raise ValueError(f"its tensors have {end} bytes, expected the {size} that follow its header")
    return tensors


def _order(name: str, kind: str) -> tuple[int, str]:
    """What tensors are sorted by: the larger numbers first, so that each begins at a multiple of its numbers' size."""
    return -KINDS[kind].itemsize, name


def _tensor(name: str, entry: Any) -> Tensor:
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"its tensor {name!r:.60} lacks a dtype, shape or data_offsets, or has more")
    kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"its tensor {name!r:.60} has dtype {kind!r:.20}, expected one of {', '.join(KINDS)}")
    if not _whole(shape) or not _whole(offsets) or len(offsets) != 2:
        raise ValueError(f"its tensor {name!r:.60} has a shape or data_offsets that are no whole numbers from 0 up")
    start, stop = offsets
    expected = math.prod(shape) * KINDS[kind].itemsize
    if stop - start != expected:
        raise ValueError(f"its tensor {name!r:.60} has {stop - start} bytes, its shape {shape} takes {expected}")
    return Tensor(kind, tuple(shape), start, stop)


def _whole(numbers: Any) -> bool:
    return isinstance(numbers, list) and all(type(number) is int and number >= 0 for number in numbers)
