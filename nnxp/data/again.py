"""A file read again, for a trained model: the same columns, the same classes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnxp.data.csvfile import PathLike, Rows, Table, as_table, encode, encode_target, read_table
from nnxp.data.dataset import Array
from nnxp.data.images import idx
from nnxp.data.npzfile import Arrays, conform
from nnxp.errors import DataError


def features(path_or_rows: PathLike | Rows, preprocessing: Mapping[str, Any]) -> Array:
    """X of a file, or of rows, as a model was trained on it.

    For a model trained on a CSV file: another one, or a list of dicts of column name to value. Columns are
    found by name, in any order; others, the target among them, are passed over. For a model trained on
    arrays: an ``.npz`` file with X, or an IDX file of images.

    Parameters
    ----------
    path_or_rows : str, path or sequence of mappings
    preprocessing : dict
        `Dataset.preprocessing` of the data the model was trained on.

    Returns
    -------
    numpy.ndarray, (n, features)

    Raises
    ------
    FileNotFoundError
    DataError
        A column is missing, a word is not among those known from training, a cell is not a number, or the
        width differs.

    Examples
    --------
    >>> from nnxp import data
    >>> points = data.load("spiral").preprocessing
    >>> data.features([{"x1": 0.5, "x0": "-1"}], points).tolist()
    [[-1.0, 0.5]]
    """
    if preprocessing["format"] == "columns":
        return encode(_table(path_or_rows), preprocessing)
    path = _file(path_or_rows)
    if path.suffix.lower() == ".npz":
        return Arrays(path).features(preprocessing)
    if path.suffix.lower() == ".csv":
        raise DataError(
            f"{path}: the model was trained on arrays of the shape (n, "
            f"{', '.join(map(str, preprocessing['shape']))}), not on columns with names; give an .npz file "
            "with X, or an IDX file"
        )
    return conform(idx(path), preprocessing, str(path))


def examples(path_or_rows: PathLike | Rows, preprocessing: Mapping[str, Any]) -> tuple[Array, Array]:
    """X and y of a file, or of rows, as a model was trained on them: for its evaluation.

    As `features`, with the target, whose classes keep their indices even where the file has some of them
    only.

    Parameters
    ----------
    path_or_rows : str, path or sequence of mappings
        A CSV file or dicts, or an ``.npz`` file with X and the target.
    preprocessing : dict
        `Dataset.preprocessing` of the data the model was trained on.

    Returns
    -------
    X : numpy.ndarray, (n, features)
    y : numpy.ndarray
        int64 class indices, or a float64 target.

    Raises
    ------
    FileNotFoundError
    DataError
        As `features`; the target is missing, or a class is not among those known from training.
    """
    if preprocessing["format"] == "columns":
        table = _table(path_or_rows)
        return encode(table, preprocessing), encode_target(table, preprocessing)
    return Arrays(_file(path_or_rows)).examples(preprocessing)


def _table(path_or_rows: PathLike | Rows) -> Table:
    if isinstance(path_or_rows, (list, tuple)):
        return as_table(path_or_rows)
    return read_table(_file(path_or_rows))


def _file(path_or_rows: PathLike | Rows) -> Path:
    if not isinstance(path_or_rows, (str, Path)):
        raise DataError(f"expected the path of a file; got a {type(path_or_rows).__name__}")
    return Path(path_or_rows)
