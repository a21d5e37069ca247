"""Where a table comes from: a file, standard input, packed or not; what kind of file it is, and in which encoding."""

import codecs
import gzip
import importlib.util
import io
import mmap
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeAlias

from nnxp.errors import DataError, hint

PathLike: TypeAlias = str | os.PathLike[str]

CHUNK = 1 << 20
UNDEFINED = b"\x81\x8d\x8f\x90\x9d"
"""Bytes that are no character of cp1252."""
PACKED = b"\x1f\x8b"
"""What a file packed by gzip begins with."""
MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
FORMATS = {
    b"PK\x03\x04": "Excel",
    b"PAR1": "Parquet",
    b"ARROW1": "Arrow",
    b"\xff\xff\xff\xff": "Arrow stream",
    b"FEA1": "Feather of the first version",
    b"\xd0\xcf\x11\xe0": "Excel of before 2007",
    b"SQLite format 3": "SQLite",
    b"%PDF": "PDF",
    **dict.fromkeys((b"<!DOCTYPE", b"<!doctype", b"<html", b"<HTML"), "HTML"),
    b"<?xml": "XML",
    **dict.fromkeys((b'{"', b"[{"), "JSON"),
}
"""What files of other formats begin with, whatever they are named."""


@contextmanager
def _unpacking(name: str) -> Iterator[None]:
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{name} cannot be unpacked ({error}): it is damaged or cut short") from None


@dataclass(frozen=True)
class Source:
    """What is read: a file that can be opened again, or bytes in memory.

    Attributes
    ----------
    name : str
        What errors call it.
    format : str
        One of the values of `FORMATS`, or "text".
    path : Path, optional
        The file, where it is one that lies as it is: not packed, not standard input.
    """

    name: str
    format: str
    path: Path | None
    packed: Path | None = None
    content: bytes = b""

    @contextmanager
    def opened(self) -> Iterator[IO[bytes] | gzip.GzipFile]:
        """The bytes as a stream, from the first."""
        with self._open() as stream, _unpacking(self.name):
            yield stream

    def _open(self) -> IO[bytes] | gzip.GzipFile:
        if self.packed is not None:
            return gzip.open(self.packed, "rb")
        return io.BytesIO(self.content) if self.path is None else open(self.path, "rb")

    def size(self) -> int:
        """Its bytes, as they lie."""
        file = self.path or self.packed
        return len(self.content) if file is None else file.stat().st_size

    def whole(self) -> bytes | mmap.mmap:
        """All bytes; those of a file as the system's own memory, which is read when looked at."""
        with self.opened() as stream:
            if self.path is not None:
                return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            return stream.read()


def find(source: PathLike) -> Source:
    """The file of a path, or standard input for "-".

    Raises
    ------
    DataError
        There is no such file, it cannot be read, or it is empty.
    """
    if str(source) == "-":
        content = sys.stdin.buffer.read()
        start = Source("standard input", "text", None, content=content)
        if content[:2] == PACKED:
            with gzip.open(io.BytesIO(content)) as stream, _unpacking(start.name):
                start = Source(start.name, "text", None, content=stream.read())
    else:
        start = _file(Path(source))
    with start.opened() as stream:
        beginning = stream.read(16)
    if not beginning:
        raise DataError(f"{start.name} is empty; expected a row of column names, then the rows")
    form = next((form for magic, form in FORMATS.items() if beginning.startswith(magic)), "text")
    return Source(start.name, form, start.path, start.packed, start.content)


def _file(path: Path) -> Source:
    if path.is_dir():
        raise DataError(f"{path} is a folder: give the path of a file in it")
    if not path.exists():
        others = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
        raise DataError(f"there is no file {path}{hint(path.name, others)}")
    try:
        with open(path, "rb") as file:
            packed = file.read(2) == PACKED
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    return Source(str(path), "text", None, path) if packed else Source(str(path), "text", path)


def encoding_of(source: Source, asked: str | None) -> str:
    """The codec of a text: as asked for; by the mark at its beginning; UTF-8 where all bytes are that; cp1252 else.

    UTF-16 without a mark is known by the zeros that every second byte of its beginning is.

    Raises
    ------
    DataError
        No such codec, or the bytes are no text.
    """
    with source.opened() as stream:
        chunk = stream.read(CHUNK)
        marked = next((codec for mark, codec in MARKS if chunk.startswith(mark)), None)
        if asked is not None:
            try:
                known = codecs.lookup(asked).name
            except LookupError:
                raise DataError(f"there is no encoding {asked!r}; usual ones are utf-8, cp1252, utf-16") from None
            return marked if marked is not None and known in ("utf-8", "utf-16") else known
        if marked is not None:
            return marked
        for codec, zeros, letters in (("utf-16-le", chunk[1:4096:2], chunk[:4096:2]),
                                      ("utf-16-be", chunk[:4096:2], chunk[1:4096:2])):  # fmt: skip
            if zeros.count(0) > len(zeros) // 2 and not letters.count(0):
                return codec
        decoder, is_utf8 = codecs.getincrementaldecoder("utf-8")(), True
        while chunk:
            if b"\0" in chunk:
                raise DataError(f"{source.name} is no text: it has bytes that are zero; expected CSV, Excel or Parquet")
            pending = decoder.getstate()[0]
            if is_utf8 and (pending or not chunk.isascii()):
                is_utf8 = _decodes(decoder, chunk)
            if not is_utf8 and len(chunk.translate(None, UNDEFINED)) < len(chunk):
                raise DataError(
                    f"{source.name} is neither UTF-8 nor cp1252 text: say what it is, encoding='...' (--encoding), or "
                    "save it as CSV in UTF-8"
                )
            chunk = stream.read(CHUNK)
        return "utf-8" if is_utf8 and _decodes(decoder, b"", final=True) else "cp1252"


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def installed(library: str) -> bool:
    """Whether a library that reads files is there; it is not imported to find out."""
    return importlib.util.find_spec(library) is not None
