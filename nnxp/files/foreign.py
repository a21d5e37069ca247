"""Tensors that were not written here: a plain safetensors, an .npz, a state_dict in a file or in memory. No pickle is
run, and nothing is read that nobody asks for: what a file says of its tensors is there first.
"""

import contextlib
import functools
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from nnxp.backends import dtype_of, get_backend, library_of
from nnxp.errors import ModelFileError
from nnxp.files.header import KINDS, MOST_TENSORS, Tensor, blamed, header_of, tensors_in
from nnxp.files.tensorfile import Reader
from nnxp.typing import ArrayLike, HostArray

BESIDE = ("optimizer.", "training.", "encoder.")
"""What a model's own file has beside the arrays of its layers."""


class Foreign(NamedTuple):
    """A tensor as its source describes it."""

    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], HostArray]
    """Its numbers, once shape and dtype are those that are wanted: so much memory, and no more, is taken."""


@contextlib.contextmanager
def opened(source: Any) -> Iterator[dict[str, Foreign]]:
    """The tensors of a source, by their names there; errors within the block name its file."""
    if isinstance(source, Mapping):
        yield {_text(name): _in_memory(name, value) for name, value in source.items()}
        return
    try:
        path = Path(source)
    except TypeError:
        raise TypeError(
            f"got {type(source).__name__} as a source of weights, expected a file, or arrays by name: "
            "module.state_dict() of a torch module"
        ) from None
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with path.open("rb") as file:
            yield READERS.get(path.suffix.lower(), _safetensors)(file)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error.__cause__


@contextlib.contextmanager
def damage(what: str) -> Iterator[None]:
    """What goes wrong inside is a ModelFileError: libraries that read files raise whatever they happen to meet."""
    try:
        yield
    except ModelFileError:
        raise
    except Exception as error:
        said = re.split(r"\. |\n", str(error), maxsplit=1)[0]  # torch's says then how to run the pickle after all
        raise ModelFileError(f"{what} ({type(error).__name__}: {said:.300})") from error


def _text(name: Any) -> str:
    if not isinstance(name, str):
        raise ModelFileError(f"got {name!r:.60} as the name of a tensor, expected a text")
    return name


def _in_memory(name: str, value: ArrayLike) -> Foreign:
    """An array of any library that there is a backend for."""
    if not hasattr(value, "dtype") or not hasattr(value, "shape"):
        nested = ": give what is in it, source[name]" if isinstance(value, Mapping) else ""
        raise ModelFileError(f"it has {type(value).__name__} under {name!r:.60}, expected an array or a tensor{nested}")

    def read() -> HostArray:
        return np.asarray(value) if library_of(value) == "numpy" else get_backend(value).to_numpy(value)

    return Foreign(tuple(value.shape), dtype_of(value), read)


def _safetensors(file: BinaryIO) -> dict[str, Foreign]:
    """Those of a safetensors file; of a model's, once its checksum is right, the arrays of the layers."""
    header = header_of(file)
    with blamed():
        tensors = tensors_in(header, KINDS, lambda name, tensor: (tensor.start, tensor.stop))
        metadata = header.entries.get("__metadata__", {})
    if "nnxp_version" in metadata:
        Reader(file).check()
        tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith(BESIDE)}

    def read(tensor: Tensor) -> HostArray:
        file.seek(header.begin + tensor.start)
        content = file.read(tensor.stop - tensor.start)
        return np.frombuffer(content, np.dtype(tensor.dtype).newbyteorder("<")).reshape(tensor.shape)

    return {name: Foreign(t.shape, t.dtype, functools.partial(read, t)) for name, t in tensors.items()}


def _npz(file: BinaryIO) -> dict[str, Foreign]:
    """Those of NumPy's .npz, pickled objects never."""
    with damage("it is no .npz file, or damaged: write one with numpy.savez(path, **arrays)"):
        archive, tensors = zipfile.ZipFile(file), dict[str, Foreign]()
        if len(archive.infolist()) > MOST_TENSORS:
            raise ModelFileError(f"it has more than {MOST_TENSORS:,} arrays")
        for entry in archive.infolist():
            name = entry.filename.removesuffix(".npy")
            if name in tensors or name == entry.filename:
                raise ModelFileError(f"it has {entry.filename!r:.60} twice, or as no array")
            with archive.open(entry) as stream:
                if (version := np.lib.format.read_magic(stream)) != (1, 0):  # others' headers may be 4 GB, unpacked
                    raise ModelFileError(f"its array {name!r:.60} is of version {version} of .npy, expected (1, 0)")
                shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
            tensors[name] = Foreign(shape, dtype.name, functools.partial(_unzipped, archive, entry))
        return tensors


def _unzipped(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> HostArray:
    with archive.open(entry) as stream:
        array = np.lib.format.read_array(stream, allow_pickle=False)
        if stream.read(1):  # at its end, zip's own checksum is looked at
            raise ValueError("more follows than its shape says")
    return array


def _state_dict(file: BinaryIO) -> dict[str, Foreign]:
    """Those of `torch.save(module.state_dict(), path)`, by `torch.load(weights_only=True)`, which runs no pickle's
    code. What torch's format keeps as it is, stored and not packed, cannot be more than the file has."""
    get_backend("torch")  # says what to install
    import torch

    with damage("it is no file of torch.save, or damaged: write one with torch.save(module.state_dict(), path)"):
        entries, size = zipfile.ZipFile(file).infolist(), file.seek(0, 2)
        packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
        if packed or sum(entry.file_size for entry in entries) > size:
            raise ModelFileError("it is packed, which torch.save does not do: it could be any size")
        file.seek(0)
    with damage("it holds more than tensors, or is damaged: write torch.save(module.state_dict(), path)"):
        loaded = torch.load(file, map_location="cpu", weights_only=True)
    if not isinstance(loaded, Mapping):
        raise ModelFileError(
            f"it holds {type(loaded).__name__}, expected tensors by name: torch.save(module.state_dict(), path)"
        )
    return {_text(name): _in_memory(name, value) for name, value in loaded.items()}


READERS: dict[str, Callable[[BinaryIO], dict[str, Foreign]]] = {".npz": _npz, ".pt": _state_dict, ".pth": _state_dict}
"""By the end of a file's name; every other file is a safetensors."""
