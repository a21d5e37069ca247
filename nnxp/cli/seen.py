"""Which rows a model was trained on: `training_rows.npy` beside the model in its run's folder.

The file is NumPy's, of uint64 in one dimension: a number of the model's file, by which that of another model is told; a
number of what follows, by which damage is told; then the rows' hashes, each once, in ascending order.
"""

import hashlib
from pathlib import Path
from tokenize import TokenError

import numpy as np
from numpy.typing import NDArray

from nnxp.cli.runs import FILES, TRAINING_ROWS
from nnxp.data.dataset import Array
from nnxp.errors import DataError
from nnxp.files import modelfile

Hashes = NDArray[np.uint64]

BLOCK = 4096
"""Rows that are converted at once."""
DAMAGE = (OSError, ValueError, EOFError, OverflowError, MemoryError, RecursionError, SyntaxError, TokenError, TypeError)
"""What a damaged array file can raise: its header is a piece of Python."""


def hashes(X: Array, dtype: str) -> Hashes:
    """A hash of each row: BLAKE2b (RFC 7693) of 8 bytes, over the row's little-endian bytes.

    Of the features alone: a model that has seen them knows their answer, whatever label stands beside them now. In the
    model's dtype, in which it saw them: rows that differ by less were one row to it, and the same numbers in a file of
    another dtype are known again. -0 is 0.

    Parameters
    ----------
    X : numpy.ndarray, (n, features)
    dtype : str

    Returns
    -------
    numpy.ndarray of uint64, (n,)

    Examples
    --------
    >>> import numpy as np
    >>> a, b, c = hashes(np.array([[0.0, 1.0], [-0.0, 1.0], [1.0, 0.0]]), "float32")
    >>> bool(a == b), bool(a == c)
    (True, False)
    """
    digests = bytearray()
    with np.errstate(over="ignore"):
        for start in range(0, len(X), BLOCK):
            rows = X[start : start + BLOCK].astype(dtype) + 0.0
            rows = np.ascontiguousarray(rows, np.dtype(dtype).newbyteorder("<"))
            digests += b"".join(hashlib.blake2b(row, digest_size=8).digest() for row in rows)
    return np.frombuffer(digests, "<u8").astype(np.uint64)


def write(folder: Path, X: Array, dtype: str) -> None:
    """Writes the file beside the model that is saved in a folder.

    Parameters
    ----------
    folder : path
    X : numpy.ndarray, (n, features)
        The training rows, those that were held out of them and followed included: what chose among the model's weights
        tests it no more than what they were fitted to.
    dtype : str
        The model's.
    """
    rows = np.unique(hashes(X, dtype))
    np.save(folder / TRAINING_ROWS, np.concatenate([[_number_of_model(folder / FILES[0]), _number(rows)], rows]))


def known(model: str | Path, X: Array, dtype: str) -> NDArray[np.bool_] | None:
    """Which rows of X equal a row that the model was trained on; None where no file of this model says so.

    Raises
    ------
    DataError
        The file beside the model is damaged, or none of a run.
    """
    path = Path(model).with_name(TRAINING_ROWS)
    if not path.is_file():
        return None
    number_of_model, rows = _read(path)
    return np.isin(hashes(X, dtype), rows) if number_of_model == _number_of_model(Path(model)) else None


def _read(path: Path) -> tuple[int, Hashes]:
    """The number of the model, and the hashes. The file is mapped: it takes no more memory than it has bytes, whatever
    it says of itself."""
    try:
        numbers = np.lib.format.open_memmap(path, mode="r")
        if numbers.dtype != np.uint64 or numbers.ndim != 1 or len(numbers) < 3:
            raise ValueError(f"it holds {numbers.dtype} of the shape {numbers.shape}")
        rows = np.array(numbers[2:])
        if numbers[1] != _number(rows):
            raise ValueError("it does not match its checksum")
    except DAMAGE as error:
        raise DataError(
            f"{path} is damaged, or not what nnxp train writes ({error}): remove it, and which rows the model was "
            "trained on is unknown, or train anew with --overwrite"
        ) from None
    return int(numbers[0]), rows


def _number(rows: Hashes) -> np.uint64:
    digest = hashlib.blake2b(rows.astype("<u8").tobytes(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little"))


def _number_of_model(path: Path) -> np.uint64:
    """The beginning of the checksum that the model's file has of itself."""
    with modelfile.opened(path) as saved:
        return np.uint64(int(saved.reader.sha256[:16], 16))
