"""Data to learn from: built in, made up, from IDX folders, and from a person's own CSV and npz files.

`load` finds any of them by name or path and gives a `Dataset`; `Dataset.hold_out` and `split` set rows aside;
`features` and `examples` read a file again for a trained model.
"""

from pathlib import Path

from nnxp.data.again import examples, features
from nnxp.data.csvfile import csv
from nnxp.data.dataset import Dataset, did_you_mean, listing
from nnxp.data.digits import digits
from nnxp.data.images import PathLike, fashion_mnist, idx, idx_folder, mnist
from nnxp.data.npzfile import npz
from nnxp.data.split import split
from nnxp.data.toy import as_dataset, moons, spiral
from nnxp.errors import DataError

__all__ = [
    "NAMES", "Dataset", "csv", "digits", "examples", "fashion_mnist", "features", "idx", "idx_folder", "load",
    "mnist", "moons", "npz", "spiral", "split",
]  # fmt: skip

NAMES = ("digits", "spiral", "moons", "fashion-mnist", "mnist")
"""The data sets with a name of their own."""


def load(name: PathLike, data_dir: PathLike | None = None, target: str | None = None) -> Dataset:
    """Find data by a name or a path.

    Parameters
    ----------
    name : str or path
        One of `NAMES`, a path that ends in ``.csv`` or ``.npz``, or a folder of IDX files. The made-up data
        are the same each time (seed 0).
    data_dir : str or path, optional
        The folder of "fashion-mnist" or "mnist".
    target : str, optional
        What to predict: the column of a CSV file, which needs it, or the array of an npz file ("y").

    Raises
    ------
    FileNotFoundError
        The file or folder is not there; for the named data sets, how to get it.
    DataError
        The name is unknown, an argument does not belong to it, or the data are not usable as they stand.

    Examples
    --------
    >>> from nnxp import data
    >>> data.load("digits").X.shape
    (1797, 64)
    """
    path, key = Path(name), str(name).lower().replace("_", "-")
    suffix = path.suffix.lower()
    if data_dir is not None and key not in ("fashion-mnist", "mnist"):
        raise DataError(f"--data-dir (data_dir=) is the folder of fashion-mnist or mnist; {name} takes none")
    if target is not None and (key in NAMES or path.is_dir()):
        raise DataError(f"--target (target=) names what to predict in a .csv or .npz file; {name} takes none")
    match key:
        case "digits":
            return digits()
        case "spiral":
            return as_dataset(key, spiral(seed=0))
        case "moons":
            return as_dataset(key, moons(seed=0))
        case "fashion-mnist":
            return fashion_mnist(data_dir)
        case "mnist":
            return mnist(data_dir)
    if suffix == ".csv":
        return csv(path, target)
    if suffix == ".npz":
        return npz(path, target)
    if path.is_dir():
        return idx_folder(path)
    if path.is_file():
        raise DataError(f"{path}: a file has to be .csv or .npz; got {path.suffix or 'no ending'}")
    raise DataError(
        f"there is no data set, file or folder {str(name)!r}.{did_you_mean(key, NAMES)} The names are "
        f"{listing(NAMES)}; else give the path of a .csv or .npz file, or of a folder of IDX files"
    )
