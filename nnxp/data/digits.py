"""The UCI handwritten digits, inside the package."""

import numpy as np

from nnxp.data.dataset import Dataset


def digits() -> Dataset:
    """1,797 handwritten digits of 8 x 8 pixels: the main job on any machine, with nothing to download.

    X is (1797, 64) uint8 with values 0 to 16 (how many of a pixel's 4 x 4 dots were black), y the digit.
    These are the test part of the source, written by 13 people, in its order; as in scikit-learn's
    `load_digits`. There is no split of its own: see `Dataset.hold_out`.

    Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
    Repository, 1998, https://doi.org/10.24432/C50P49, licence CC BY 4.0
    (https://creativecommons.org/licenses/by/4.0/). Changed here in its packing only: two uint8 arrays in a
    compressed file.

    Examples
    --------
    >>> from nnxp import data
    >>> digits = data.digits()
    >>> digits.X.shape, digits.classes[digits.y[0]]
    ((1797, 64), '0')
    """
    from importlib import resources  # slow, and wanted here alone

    file = resources.files(__package__).joinpath("digits.npz").open("rb")
    with file, np.load(file, allow_pickle=False) as arrays:
        X, y = arrays["X"], arrays["y"].astype(np.int64)
    classes = tuple("0123456789")
    preprocessing = {
        "format": "array",
        "shape": [8, 8],
        "dtype": "uint8",
        "target": "y",
        "task": "classification",
        "classes": list(classes),
    }
    return Dataset("digits", X, y, None, None, classes, "classification", preprocessing, rescale=(1 / 16, 0.0))
