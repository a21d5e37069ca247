"""The file around a model: safetensors whose header is checked before anything is made of it, with a checksum.

docs/file-format.md is the specification. The safetensors library is not used here: it allocates by what the header
says before anybody has looked at it, wants all tensors in memory to write them, and knows no duplicate keys. The tests
hold this module to it, both ways.
"""

import hashlib
import math
import struct
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from nnxp.backends import Backend, dtype_of
from nnxp.errors import ModelFileError
from nnxp.files import jsontext
from nnxp.files.header import LARGEST_HEADER, MOST_TENSORS, Tensor, blamed, header_of, tensors_in
from nnxp.typing import Array

FORMATS = ("1", "2")
"""What is read. Who writes says which: "2" has an encoder of tables in it, "1" is without."""
TEXTS = ("nnxp_version", "config", "state")
"""What the checksum covers beside the tensors."""
KEYS = {"format", "sha256", *TEXTS}
KINDS: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8")}
"""The dtypes that there are here, as safetensors names them."""
NAMES = {dtype.name: kind for kind, dtype in KINDS.items()}
BLOCK = 2**18
"""Elements that are read, hashed or written at once."""
OPENING = '{"__metadata__":{"sha256":"'
"""How a header that is written here begins: the checksum follows, and is known only after the tensors."""


class Place(NamedTuple):
    """Where a tensor is, or is to be: flat, (size,), in memory of a backend."""

    backend: Backend
    flat: Array
    shape: tuple[int, ...]


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
        self._file, header = file, header_of(file)
        self._begin = header.begin
        with blamed():
            metadata = _metadata(header.entries.get("__metadata__", {}))
            self.tensors = tensors_in(header, KINDS, lambda name, tensor: _order(name, tensor.kind))
            shortest = jsontext.canonical(header.entries, sort_keys=False)
            if header.text.rstrip(" ") != shortest:  # else some bytes could be others
                raise ValueError("its header is not in the shortest form")
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


def _metadata(metadata: dict[str, str]) -> dict[str, str]:
    """The metadata, if they are a model's, of the format that is read here."""
    if "nnxp_version" not in metadata or "format" not in metadata:
        raise ModelFileError(
            "it holds no nnxp model: save one with model.save(path), or take its weights alone, nnxp.load(path, "
            "into=model)"
        )
    if metadata["format"] not in FORMATS:
        raise ModelFileError(
            f"it has format {metadata['format']!r:.20}, written by nnxp {metadata['nnxp_version']:.20}; this version "
            f"reads formats {' and '.join(FORMATS)}: update nnxp"
        )
    if wrong := sorted({*metadata} ^ KEYS):
        raise ValueError(f"its metadata lack, or have too much: {', '.join(wrong):.60}")
    return metadata


def _order(name: str, kind: str) -> tuple[int, str]:
    """What tensors are sorted by: the larger numbers first, so that each begins at a multiple of its numbers' size."""
    return -KINDS[kind].itemsize, name
