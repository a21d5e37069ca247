"""Small made-up data in the plane: the book's spiral, and two moons."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nnxp import random
from nnxp.data.dataset import Dataset
from nnxp.errors import DataError

Points = tuple[NDArray[Any], NDArray[np.int64]]


def spiral(samples: int = 100, classes: int = 3, seed: int | None = None, dtype: DTypeLike = "float64") -> Points:
    """Arms of a spiral, one for each class: the data set of "Neural Networks from Scratch in Python".

    For class k and i = 0, ..., samples - 1: radius ``r = i / (samples - 1)``, angle ``t`` evenly spaced from
    4k to 4(k + 1) plus ``0.2 * normal``, and the point ``(r sin(2.5 t), r cos(2.5 t))``.

    The formula is Karpathy's (https://cs231n.github.io/neural-networks-case-study/) as in the book's package
    `nnfs`. The normal numbers are `nnxp.random`'s, so that neither `numpy.random.seed` nor the package's
    changes to NumPy reach them.

    Parameters
    ----------
    samples : int, default 100
        Points of each class.
    classes : int, default 3
    seed : int, optional
        Without one, other points each time.
    dtype : default "float64"

    Returns
    -------
    X : numpy.ndarray, (samples * classes, 2)
    y : numpy.ndarray of int64, (samples * classes,)

    Raises
    ------
    DataError
        samples or classes below 1.

    Examples
    --------
    >>> from nnxp import data
    >>> X, y = data.spiral(samples=100, classes=3, seed=0)
    >>> X.shape, y.shape
    ((300, 2), (300,))
    """
    _at_least(1, samples=samples, classes=classes)
    noise = _normal(seed, (classes, samples))
    r = np.linspace(0, 1, samples, dtype=np.float64)
    t = np.stack([np.linspace(4 * k, 4 * (k + 1), samples, dtype=np.float64) for k in range(classes)])
    t += 0.2 * noise
    X = np.stack([r * np.sin(2.5 * t), r * np.cos(2.5 * t)], axis=-1).reshape(-1, 2)
    return X.astype(dtype), np.repeat(np.arange(classes, dtype=np.int64), samples)


def moons(samples: int = 200, noise: float = 0.1, seed: int | None = None) -> Points:
    """Two half circles, each around the end of the other; scikit-learn's `make_moons` without the shuffle.

    For t evenly spaced from 0 to pi, class 0 lies on ``(cos t, sin t)`` and class 1 on
    ``(1 - cos t, 1/2 - sin t)``, plus ``noise * normal`` on each coordinate.

    Parameters
    ----------
    samples : int, default 200
        Points in all; class 1 has the odd one.
    noise : float, default 0.1
    seed : int, optional
        Without one, other points each time.

    Returns
    -------
    X : numpy.ndarray of float64, (samples, 2)
    y : numpy.ndarray of int64, (samples,)

    Raises
    ------
    DataError
        samples below 2, or noise below 0.

    Examples
    --------
    >>> from nnxp import data
    >>> X, y = data.moons(samples=4, noise=0.0)
    >>> X.round(3).tolist()
    [[1.0, 0.0], [-1.0, 0.0], [0.0, 0.5], [2.0, 0.5]]
    """
    _at_least(2, samples=samples)
    _at_least(0, noise=noise)
    counts = samples // 2, samples - samples // 2
    t_0, t_1 = (np.linspace(0, np.pi, count, dtype=np.float64) for count in counts)
    outer = np.stack([np.cos(t_0), np.sin(t_0)], axis=1)
    inner = np.stack([1 - np.cos(t_1), 0.5 - np.sin(t_1)], axis=1)
    X = np.concatenate([outer, inner])
    X += noise * _normal(seed, (samples, 2))
    return X, np.repeat(np.array([0, 1], dtype=np.int64), counts)


def as_dataset(name: str, points: Points) -> Dataset:
    """Points in the plane as a `Dataset`, whose files have the columns x0 and x1 and the target y."""
    X, y = points
    classes = tuple(str(k) for k in range(int(y.max()) + 1))
    preprocessing = {
        "format": "columns",
        "columns": [{"name": "x0"}, {"name": "x1"}],
        "target": "y",
        "task": "classification",
        "classes": list(classes),
    }
    return Dataset(name, X, y, None, None, classes, "classification", preprocessing, rescale=None)


def _normal(seed: int | None, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return random.normal(random.key(random.fresh_seed() if seed is None else seed, "data"), shape)


def _at_least(smallest: int, **values: float) -> None:
    for name, value in values.items():
        if not value >= smallest:
            raise DataError(f"{name} has to be {smallest} or more; got {value}")
