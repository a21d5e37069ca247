"""NumPy's .npz files: X and y as they are."""

import math
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nnxp.data.dataset import Array, Dataset, Scale, encode_labels, listing, standardisation
from nnxp.errors import DataError

PathLike = str | os.PathLike[str]


def npz(path: PathLike, target: str | None = None) -> Dataset:
    """Read a NumPy ``.npz`` file with X and y, and X_test and y_test where there are such.

    X is (n, features) numbers: uint8 stays (pixels, to be divided by 255), float32 and float64 stay, every
    other kind becomes float64. The dtype of y decides the task: whole numbers and booleans (n,) are classes,
    in numeric order; floats, (n,) or (n, outputs), are a regression target. Pickled objects are never
    loaded.

    Parameters
    ----------
    path : str or path
    target : str, optional
        The array to predict, "y" by default; its test part has the same name with ``_test``.

    Returns
    -------
    Dataset
        `rescale` divides uint8 by 255 and standardises columns of floats.

    Raises
    ------
    FileNotFoundError
    DataError
        An array is missing, damaged, of the wrong kind or shape, or not finite.
    """
    target = target or "y"
    arrays = Arrays(path)
    X, labels = arrays.read("X"), arrays.target(target)
    if X.ndim != 2:
        raise DataError(f"{path}: X has the shape {X.shape}; expected (n, features): X.reshape(len(X), -1)")
    classes: list[str] | None = None
    if labels.dtype.kind != "f":
        classes = [str(int(label)) for label in np.unique(labels)]
        if len(classes) < 2:
            raise DataError(f"{path}: {target!r} holds {classes[0]} in every row; there is nothing to tell apart")
    task: Literal["classification", "regression"] = "regression" if classes is None else "classification"
    preprocessing: dict[str, Any] = {
        "format": "array",
        "shape": [X.shape[1]],
        "dtype": "uint8" if X.dtype == np.uint8 else "float64",
        "target": target,
        "task": task,
        "classes": classes,
    }
    X, y = arrays.examples(preprocessing)
    X_test = y_test = None
    if "X_test" in arrays.names or f"{target}_test" in arrays.names:
        X_test, y_test = arrays.examples(preprocessing, "_test")
    rescale: Scale = (1 / 255, 0.0) if X.dtype == np.uint8 else standardisation(X, preprocessing)
    return Dataset(
        Path(path).stem, X, y, X_test, y_test,
        None if classes is None else tuple(classes), task, preprocessing, rescale,
    )  # fmt: skip


class Arrays:
    """The arrays of one ``.npz`` file, each checked as it is read."""

    def __init__(self, path: PathLike) -> None:
        import tokenize
        import zipfile  # here, because they would double the time of `import nnxp.data`

        self.path = path
        # What damaged zip files can raise, and array headers, which are read as a piece of Python.
        self.damage = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, MemoryError, RuntimeError,
                       tokenize.TokenError, TypeError)  # fmt: skip
        try:
            with zipfile.ZipFile(path) as archive:
                self.names = [name.removesuffix(".npy") for name in archive.namelist()]
        except self.damage as error:
            raise DataError(
                f"{path} is not an .npz file ({error}): write one with numpy.savez(path, X=X, y=y)"
            ) from None

    def read(self, name: str) -> Array:
        """One array of finite real numbers."""
        if name not in self.names:
            raise DataError(f"{self.path} has no array {name!r}; there are {listing(self.names) or 'none'}")
        try:
            with np.load(self.path, allow_pickle=False) as file:
                array = np.asarray(file[name])
        except (*self.damage, OSError) as error:
            raise DataError(f"{self.path}: array {name!r} cannot be read: {error}") from None
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            raise DataError(f"{self.path}: array {name!r} has to hold numbers, of float64 at most; got {array.dtype}")
        if array.ndim == 0 or array.size == 0:
            raise DataError(f"{self.path}: array {name!r} has no rows or no columns; its shape is {array.shape}")
        if not np.isfinite(array).all():
            at = tuple(np.argwhere(~np.isfinite(array))[0].tolist())
            raise DataError(f"{self.path}: {name}[{', '.join(map(str, at))}] is {array[at]}; expected finite numbers")
        return array

    def target(self, name: str) -> Array:
        """Labels (n,), or a regression target, (n,) or (n, outputs)."""
        y = self.read(name)
        if y.ndim == 2 and y.shape[1] == 1:
            y = y[:, 0]
        if y.ndim > (2 if y.dtype.kind == "f" else 1):
            raise DataError(
                f"{self.path}: {name!r} has the shape {y.shape} of {y.dtype}; expected class labels (n,), "
                f"which are {name}.argmax(axis=1) of one-hot rows, or floats (n,) or (n, outputs)"
            )
        return y

    def features(self, preprocessing: Mapping[str, Any], suffix: str = "") -> Array:
        """X, or X_test, as the model was trained on it."""
        return conform(self.read(f"X{suffix}"), preprocessing, f"{self.path}: X{suffix}")

    def examples(self, preprocessing: Mapping[str, Any], suffix: str = "") -> tuple[Array, Array]:
        """X and the target, or their test parts."""
        X = self.features(preprocessing, suffix)
        name, classes = preprocessing["target"] + suffix, preprocessing["classes"]
        y = self.target(name)
        if len(X) != len(y):
            raise DataError(f"{self.path}: X{suffix} has {len(X)} rows, {name} has {len(y)}")
        if (y.dtype.kind == "f") != (classes is None):
            expected = "floats, a regression target" if classes is None else f"the classes {listing(classes)}"
            raise DataError(f"{self.path}: {name!r} is {y.dtype}; expected {expected}")
        return X, y.astype(np.float64) if classes is None else encode_labels(y, classes, f"{self.path}: {name}")


def conform(X: Array, preprocessing: Mapping[str, Any], source: str) -> Array:
    """Rows of the width and kind of number that the model was trained on."""
    shape, width = tuple(preprocessing["shape"]), math.prod(preprocessing["shape"])
    if X.shape[1:] not in {shape, (width,)}:
        raise DataError(f"{source} has the shape {X.shape}; the model was trained on (n, {width})")
    X = X.reshape(len(X), width)
    if preprocessing["dtype"] == "uint8":
        if not ((X >= 0) & (X <= 255) & (np.floor(X) == X)).all():
            raise DataError(
                f"{source} holds {X.min()} to {X.max()}; the model was trained on whole numbers of uint8 (0 to 255)"
            )
        return X.astype(np.uint8)
    dtype = X.dtype.newbyteorder("=")
    return X.astype(np.float32 if dtype == np.float32 else np.float64)
