"""Images in IDX files, the format of MNIST and the data sets made in its likeness."""

import gzip
import math
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nnxp.data.dataset import Array, Dataset, listing
from nnxp.errors import DataError

PathLike = str | os.PathLike[str]

DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MAX_DIMENSIONS = 32
CHUNK = 1 << 20

FILES = {
    "X": "train-images-idx3-ubyte",
    "y": "train-labels-idx1-ubyte",
    "X_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
FASHION_MNIST_PLACES = (Path("/usr/share/datasets/fashion-mnist"),)  # Debian's and Ubuntu's package
FASHION_MNIST_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


def idx(path: PathLike) -> Array:
    """Read one IDX file, compressed with gzip or not.

    The format (Y. LeCun, http://yann.lecun.com/exdb/mnist/): two zero bytes, a byte for the type, a byte for
    the number of dimensions, each dimension as a big-endian 32-bit number, then the values, big-endian, the
    last index fastest.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    numpy.ndarray
        uint8, int8, int16, int32, float32 or float64, in the machine's byte order.

    Raises
    ------
    DataError
        The file is of another format, too short or too long.
    """
    path = Path(path)
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    with gzip.open(path) if packed else path.open("rb") as stream:
        try:
            magic = stream.read(4)
            if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in DTYPES:
                raise DataError(
                    f"{path} is not an IDX file: it begins with {magic.hex(' ') or 'nothing'}; expected 00 "
                    f"00, a type ({listing(f'{code:02x}' for code in DTYPES)}) and the number of dimensions"
                )
            dimensions = magic[3]
            if not 1 <= dimensions <= MAX_DIMENSIONS:
                raise DataError(f"{path} has {dimensions} dimensions; 1 to {MAX_DIMENSIONS} can be read")
            header = stream.read(4 * dimensions)
            if len(header) < 4 * dimensions:
                raise DataError(f"{path} ends inside its header, after {4 + len(header)} bytes: fetch it again")
            shape = struct.unpack(f">{dimensions}I", header)
            dtype = np.dtype(DTYPES[magic[2]])
            size = math.prod(shape) * dtype.itemsize
            values = bytearray()
            # A byte more than expected shows a file that is too long; memory grows with what is really there.
            while len(values) <= size:
                chunk = stream.read(min(CHUNK, size + 1 - len(values)))
                if not chunk:
                    break
                values += chunk
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DataError(f"{path} cannot be unpacked ({error}): the file is damaged, fetch it again") from None
    if len(values) != size:
        got = "more" if len(values) > size else len(values)
        raise DataError(
            f"{path} says it holds {' x '.join(map(str, shape))} values, {size} bytes; got {got}: the file "
            "is damaged, fetch it again"
        )
    return np.frombuffer(values, dtype=dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def idx_folder(folder: PathLike, name: str | None = None, classes: Sequence[str] | None = None) -> Dataset:
    """Read a folder with the four files of MNIST, or of a data set made in its likeness.

    The files are ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte`` and
    ``t10k-labels-idx1-ubyte``, each with or without ``.gz``. A folder without both of the ``t10k`` files has
    no test part. Images stay uint8 and become rows of height x width.

    Parameters
    ----------
    folder : str or path
    name : str, optional
        The data set's name; the folder's by default.
    classes : sequence of str, optional
        The classes' names; "0", "1", ... up to the largest label of the training part by default.

    Raises
    ------
    FileNotFoundError
        A file is missing.
    DataError
        A file is damaged, images and labels do not fit together, or the training labels are all the same.
    """
    folder = Path(folder)
    candidates = {part: (folder / file, folder / f"{file}.gz") for part, file in FILES.items()}
    paths = {part: path for part, pair in candidates.items() for path in pair[::-1] if path.is_file()}
    has_test = "X_test" in paths or "y_test" in paths
    missing = [FILES[part] for part in FILES if part not in paths and (has_test or "test" not in part)]
    if missing:
        raise FileNotFoundError(f"{folder} has no file {listing(missing)} (or the same with .gz)")
    images, labels, shape = _read_part(paths["X"], paths["y"])
    if classes is None:
        classes = [str(k) for k in range(int(labels.max()) + 1)]
    _check_labels(labels, classes, paths["y"])
    if (labels == labels[0]).all():
        raise DataError(f"{paths['y']} holds {labels[0]} in every row; there is nothing to tell apart")
    X_test = y_test = None
    if has_test:
        X_test, y_test, test_shape = _read_part(paths["X_test"], paths["y_test"])
        if test_shape != shape:
            raise DataError(
                f"{folder}: the training images are {shape[0]} x {shape[1]}, the test images {test_shape[0]} "
                f"x {test_shape[1]}"
            )
        _check_labels(y_test, classes, paths["y_test"])
    preprocessing = {
        "format": "array",
        "shape": list(shape),
        "dtype": "uint8",
        "target": "y",
        "task": "classification",
        "classes": list(classes),
    }
    return Dataset(
        name or folder.resolve().name, images, labels, X_test, y_test,
        tuple(classes), "classification", preprocessing, rescale=(1 / 255, 0.0),
    )  # fmt: skip


def fashion_mnist(data_dir: PathLike | None = None) -> Dataset:
    """Fashion-MNIST: 60,000 and 10,000 pictures of clothes, 28 x 28, in ten classes.

    Source: H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine
    Learning Algorithms", arXiv:1708.07747.

    Parameters
    ----------
    data_dir : str or path, optional
        The folder of the four files; by default where Debian's package puts them.

    Raises
    ------
    FileNotFoundError
        The files are not there; the message says how to get them.
    DataError
        See `idx_folder`.
    """
    how = (
        "On Debian or Ubuntu: apt install dataset-fashion-mnist. Elsewhere: the four .gz files of "
        "https://github.com/zalandoresearch/fashion-mnist in a folder, given by --data-dir (data_dir=)"
    )
    places = FASHION_MNIST_PLACES if data_dir is None else (Path(data_dir),)
    for place in places:
        if data_dir is not None or place.is_dir():
            return _named(place, "fashion-mnist", FASHION_MNIST_CLASSES, how)
    raise FileNotFoundError(f"Fashion-MNIST is not in {listing(places)}. {how}")


def mnist(data_dir: PathLike | None) -> Dataset:
    """MNIST: 60,000 and 10,000 handwritten digits, 28 x 28.

    Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", 1998.

    Parameters
    ----------
    data_dir : str or path
        The folder of the four files.

    Raises
    ------
    FileNotFoundError
        No folder was given, or the files are not there.
    DataError
        See `idx_folder`.
    """
    how = f"MNIST is the files {listing(FILES.values())} (or .gz) in a folder, given by --data-dir (data_dir=)"
    if data_dir is None:
        raise FileNotFoundError(how)
    return _named(Path(data_dir), "mnist", [str(k) for k in range(10)], how)


def _named(folder: Path, name: str, classes: Sequence[str], how: str) -> Dataset:
    try:
        return idx_folder(folder, name, classes)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}. {how}") from None


def _read_part(images_path: Path, labels_path: Path) -> tuple[Array, Array, tuple[int, int]]:
    """Images as rows, their labels as int64, and the images' height and width."""
    images, labels = idx(images_path), idx(labels_path)
    for path, array, ndim, expected in (
        (images_path, images, 3, "images (n, height, width)"),
        (labels_path, labels, 1, "labels (n,)"),
    ):
        if array.ndim != ndim or array.dtype != np.uint8 or array.size == 0:
            raise DataError(f"{path}: expected uint8 {expected}, not empty; got {array.dtype} {array.shape}")
    if len(images) != len(labels):
        raise DataError(f"{images_path} has {len(images)} images, {labels_path} {len(labels)} labels")
    n, height, width = images.shape
    return images.reshape(n, height * width), labels.astype(np.int64), (height, width)


def _check_labels(labels: Array, classes: Sequence[str], path: Path) -> None:
    if labels.max() >= len(classes):
        row = int((labels >= len(classes)).argmax())
        raise DataError(f"{path}: label {row} is {labels[row]}; the {len(classes)} classes are 0 to {len(classes) - 1}")
