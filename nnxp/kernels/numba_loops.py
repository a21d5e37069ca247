"""Loops that numba compiles (`numba_kernels`): what is neither element-wise nor a ufunc's reduction.

Plain Python and NumPy scalars, imported by nothing: this file's text is what is compiled.
"""

import math

import numpy as np

from nnxp.typing import Array


def shift(x: Array, shifted: Array) -> None:
    """x - max x by rows, NaN where there is one."""
    for i in range(x.shape[0]):
        largest = x[i, 0]
        for j in range(x.shape[1]):
            if x[i, j] > largest or x[i, j] != x[i, j]:
                largest = x[i, j]
        for j in range(x.shape[1]):
            shifted[i, j] = x[i, j] - largest


def normalise(e: Array) -> None:
    """e / Σ e by rows."""
    for i in range(e.shape[0]):
        total = e[i, 0]
        for j in range(1, e.shape[1]):
            total += e[i, j]
        for j in range(e.shape[1]):
            e[i, j] /= total


def shift_logits(z: Array, b: Array, shifted: Array, labels: Array, losses: Array) -> None:
    """z = z + b; shifted = z - max z, NaN where there is one; losses = -shifted at the label, NaN where that is out of
    range."""
    for i in range(z.shape[0]):
        largest = z[i, 0] + b[0, 0]
        for j in range(z.shape[1]):
            value = z[i, j] + b[0, j]
            z[i, j] = value
            if value > largest or value != value:
                largest = value
        for j in range(z.shape[1]):
            shifted[i, j] = z[i, j] - largest
        within = 0 <= labels[i] < z.shape[1]
        losses[i] = -shifted[i, labels[i]] if within else np.nan


def softmax_crossentropy(e: Array, labels: Array, factors: Array, losses: Array) -> None:
    """From e = exp(shifted): losses += log Σ e, and over e the gradients (e / Σ e - one-hot) · factor; 0 where the
    label is out of range."""
    for i in range(e.shape[0]):
        total = e[i, 0]
        for j in range(1, e.shape[1]):
            total += e[i, j]
        losses[i] += math.log(total)
        if 0 <= labels[i] < e.shape[1]:
            scale = factors[i, 0] / total
            for j in range(e.shape[1]):
                e[i, j] *= scale
            e[i, labels[i]] -= factors[i, 0]
        else:
            for j in range(e.shape[1]):
                e[i, j] = 0
