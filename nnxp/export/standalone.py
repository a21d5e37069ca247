"""Predicts with a model of nnxp, by NumPy alone: `from predictor import predict`, then `predict(X)`.

The model is in the file beside this one, of the same name and ".safetensors" after it: its weights, and the steps from
a row to what is predicted. This file is the same for every model, and nothing of a model is executed: a step is one of
those below, and a formula a list of NumPy's functions from the table below.
"""

import functools
from typing import Any

import numpy as np

ROWS = 2048  # are computed at once
SMALL = 1 << 15  # elements of a product, up to which ndarray.dot asks less before it begins
LARGEST_HEADER = 100_000_000
KINDS: dict[str, Any] = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8")}
OPERATIONS: dict[str, Any] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.divide, "neg": np.negative,
    "abs": np.absolute, "maximum": np.maximum, "minimum": np.minimum, "sign": np.sign, "where": np.where,
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "eq": np.equal, "ne": np.not_equal,
    "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor, "invert": np.invert,
    "sqrt": np.sqrt, "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p, "tanh": np.tanh,
    "cos": np.cos, "sin": np.sin,
}  # fmt: skip


def predict(X: Any) -> Any:
    """The model's outputs for X, (n, features): (n, outputs), probabilities of classes or numbers."""
    model = loaded()
    X = np.asarray(X)
    if X.ndim != 2 or X.dtype.kind not in "fiub" or model["n_in"] not in (None, X.shape[1]):
        raise ValueError(f"got X of shape {X.shape} and dtype {X.dtype}, expected numbers (n, {model['n_in']})")
    with np.errstate(all="ignore"):
        X = X.astype(model["dtype"])
        parts = [run(model["steps"], X[start : start + ROWS]) for start in range(0, max(len(X), 1), ROWS)]
    return np.concatenate(parts)


def classes() -> list[str] | None:
    """The classes' names, in the order of the outputs; None of a model that has none."""
    names: list[str] | None = loaded()["classes"]
    return names


@functools.cache
def loaded() -> dict[str, Any]:
    """The model, read once."""
    import json  # here, since it takes as long to import as all else of this file

    with open(f"{__file__}.safetensors", "rb") as file:
        content = file.read()
    length = int.from_bytes(content[:8], "little")
    if not 0 < length <= min(len(content) - 8, LARGEST_HEADER):
        raise ValueError(f"{__file__}.safetensors is damaged: it has {len(content)} bytes and a header of {length}")
    header = json.loads(content[8 : 8 + length])
    texts, start = header.pop("__metadata__"), 8 + length
    if texts["format"] != "predictor" or start + max(t["data_offsets"][1] for t in header.values()) != len(content):
        raise ValueError(f"{__file__}.safetensors is damaged, or was not written beside {__file__}")
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = np.frombuffer(content[start + begin : start + end], KINDS[entry["dtype"]]).reshape(
            entry["shape"]
        )
    model = json.loads(texts["config"])
    return {**model, "steps": with_tensors(model["steps"], tensors)}


def with_tensors(steps: Any, tensors: dict[str, Any]) -> list[Any]:
    """The steps, with arrays for the names of such."""
    made = []
    for kind, *parts in steps:
        if kind == "residual":
            parts = [with_tensors(part, tensors) for part in parts]
        elif kind in ("product", "formula"):
            parts[0] = [tensors[name] for name in parts[0]]
        made.append((STEPS[kind], parts))
    return made


def run(steps: Any, x: Any) -> Any:
    """What steps make of rows, one after the other."""
    for step, parts in steps:
        x = step(x, *parts)
    return x


def product(x: Any, tensors: Any) -> Any:
    """x W."""
    (W,) = tensors
    if len(x) * W.shape[1] > SMALL and W.shape[0] > 1:
        return np.matmul(x, W)
    return x.dot(W)


def formula(x: Any, tensors: Any, code: Any, result: int, moments: float | None = None) -> Any:
    """Element by element: each line of code is an operation on earlier values, by their places, and on numbers, which
    stand in lists. The first values are x, its rows' moments where they are asked for, and the tensors."""
    values = [x, *(() if moments is None else row_moments(x, moments)), *tensors]
    for operation, *operands in code:
        operands = [one[0] if isinstance(one, list) else values[one] for one in operands]
        values.append(OPERATIONS[operation](*operands))
    return values[result]


def row_moments(a: Any, epsilon: float) -> tuple[Any, Any]:
    """Each row's mean, and 1 / sqrt(variance + epsilon); the rounding error of the mean is taken off."""
    mean = np.mean(a, axis=1, keepdims=True)
    d = a - mean
    error = np.mean(d, axis=1, keepdims=True)
    d -= error
    variance = np.mean(d * d, axis=1, keepdims=True)
    return mean + error, np.reciprocal(np.sqrt(variance + epsilon))


def softmax(x: Any) -> Any:
    """exp(x - max x) / sum, along each row."""
    e = np.exp(x - np.max(x, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


def residual(x: Any, layers: Any, shortcut: Any) -> Any:
    """s(x) + f(x)."""
    inner = run(layers, x)
    return run(shortcut, x) + inner


STEPS: dict[str, Any] = {"product": product, "formula": formula, "softmax": softmax, "residual": residual}
