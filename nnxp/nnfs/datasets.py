"""The book's data, drawn from NumPy's global generator: `from nnxp.nnfs.datasets import spiral_data`.

After `np.random.seed(0)` they are what the package `nnfs` (Kinsley and Kukieła, 0.5.1) draws.
"""

import numpy as np

from nnxp.data.toy import Points
from nnxp.typing import HostArray


def spiral_data(samples: int, classes: int) -> Points:
    """Arms of a spiral: radius r from 0 to 1, angle t from 4k to 4(k + 1) plus 0.2 · randn, the point
    (r sin 2.5t, r cos 2.5t). See `nnxp.data.spiral`.

    Returns
    -------
    X : numpy.ndarray of float64, (samples · classes, 2)
    y : numpy.ndarray of uint8, (samples · classes,)
    """
    r, arms = np.linspace(0, 1, samples), []
    for k in range(classes):
        t = np.linspace(4 * k, 4 * (k + 1), samples) + np.random.randn(samples) * 0.2  # noqa: NPY002
        arms.append(np.column_stack([r * np.sin(t * 2.5), r * np.cos(t * 2.5)]))
    return np.concatenate(arms), np.repeat(np.arange(classes, dtype=np.uint8), samples)


def vertical_data(samples: int, classes: int) -> Points:
    """Stripes beside each other: (0.1 · randn + k / 3, 0.1 · randn + 0.5) for class k.

    Returns
    -------
    X : numpy.ndarray of float64, (samples · classes, 2)
    y : numpy.ndarray of uint8, (samples · classes,)
    """
    draw = np.random.randn
    stripes = [np.column_stack([draw(samples) * 0.1 + k / 3, draw(samples) * 0.1 + 0.5]) for k in range(classes)]
    return np.concatenate(stripes), np.repeat(np.arange(classes, dtype=np.uint8), samples)


def sine_data(samples: int = 1000) -> tuple[HostArray, HostArray]:
    """x = i / samples and sin 2πx, (samples, 1) each."""
    X = np.arange(samples).reshape(-1, 1) / samples
    return X, np.sin(2 * np.pi * X)
