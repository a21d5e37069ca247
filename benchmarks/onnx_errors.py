"""How far from the truth the activations of an exported file are: `python -m benchmarks.onnx_errors [STRIDE]`.

Every STRIDE-th of all numbers of float32, and of float64, is put through each function by onnxruntime, by onnx's
reference evaluator and by `predict`. The truth of float32 is float64, that of float64 an extended precision where NumPy
has one. An error is relative where the true value is a normal number of the dtype, else absolute.
"""

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator

from nnxp import Sequential, activations
from nnxp.export.onnxfile import proto_of
from nnxp.export.selfcheck import evaluator_of
from nnxp.kernels import formulas
from nnxp.layers import Scaling

LOG1P = "log1p(t) = t where u = 1 + t is 1, else Log(u) (t / (u - 1))"
WRITTEN = {
    "ReLU": "Relu",
    "LeakyReLU": "Where(x > 0, x, slope x)",
    "ELU": "max(x, 0) + α Tanh(m/2) (Exp(m) + 1), m = min(x, 0)",
    "SELU": "λ times ELU's",
    "Sigmoid": "Where(x ≥ 0, 1 / (1 + t), t / (1 + t)), t = Exp(-abs x)",
    "SiLU": "x times Sigmoid's",
    "Tanh": "Clip(Tanh(x), -1, 1)",
    "Softplus": f"max(x, 0) + log1p(Exp(-abs x)), {LOG1P}",
    "Mish": "x n / (n + 2), n = t (t + 2), t = Exp(min(x, 40))",
    "GELU": "x/2 (1 + Erf(x √½)); in float64 our erf written out",
    "GELU tanh": "x/2 (1 + Tanh's of √(2/π) (z + 0.044715 z³)), z within ±10",
}
FUNCTIONS = {
    **{name: getattr(activations, name)() for name in WRITTEN if name != "GELU tanh"},
    "GELU tanh": activations.GELU("tanh"),
}


def numbers(dtype: str, stride: int) -> Any:
    """Every stride-th finite number of a dtype, and 0, one column."""
    places = np.arange(0, 2**32, stride, dtype=np.uint64)
    if dtype == "float32":
        found = places.astype(np.uint32).view(dtype)
    else:
        found = (places << np.uint64(32) | places * np.uint64(2654435761) % np.uint64(2**32)).view(dtype)
    return found[np.isfinite(found)].reshape(-1, 1)


def truth(name: str, x: Any) -> Any:
    """A function of x in a wider dtype; where the formula as it stands loses digits there, written otherwise."""
    with np.errstate(all="ignore"):
        if name == "GELU":
            each = np.asarray([math.erfc(v) for v in (x * -math.sqrt(0.5)).astype(float).ravel()]).reshape(x.shape)
            return np.where(x == -np.inf, np.nan, 0.5 * x * each)
        if name == "GELU tanh":
            return x * formulas.sigmoid(2 * formulas.GELU_SCALE * (x + formulas.GELU_CUBIC * x * x * x))
        function, _ = FUNCTIONS[name].functions()
        return function(x, *FUNCTIONS[name].constants())


def errors(found: Any, true: Any) -> tuple[float, float]:
    """The largest relative error where the true value is a normal number, with the absolute where it is not; and the
    largest absolute error of values up to 1 in magnitude."""
    dtype, least = found.dtype, np.finfo(found.dtype).smallest_normal
    with np.errstate(all="ignore"):
        rounded = true.astype(dtype)
        finite = np.isfinite(rounded)
        assert np.array_equal(found[~finite], rounded[~finite], equal_nan=True)
        d = np.abs(found.astype(true.dtype) - true)[finite]
        size = np.abs(true)[finite]
        each = np.where(size >= least, d / np.where(size == 0, 1, size), d)
    return float(each.max()), float(d[size <= 1].max())


def measured(name: str, dtype: str, stride: int) -> dict[str, tuple[float, float]]:
    """The errors of one function, by what computes it."""
    x = numbers(dtype, stride)
    model = Sequential([Scaling(1), FUNCTIONS[name]], dtype=dtype)
    content = proto_of(model, ["prediction"]).SerializeToString()
    runs: dict[str, Callable[[Any], Any]] = {
        "onnxruntime": lambda x: evaluator_of()[1](content)({"X": x})[0],
        "reference": lambda x: ReferenceEvaluator(onnx.load_from_string(content)).run(None, {"X": x})[0],
        "predict": model.predict,
    }
    true = truth(name, x.astype("float64" if dtype == "float32" else np.longdouble))
    found = {}
    special = np.asarray([[np.inf], [-np.inf], [np.nan], [0.0]], dtype=dtype)
    for what, run in runs.items():
        with np.errstate(all="ignore"):
            assert np.array_equal(run(special), model.predict(special), equal_nan=True), (name, what)
            found[what] = errors(run(x), true)
    return found


def lines(stride: int) -> Iterator[str]:
    """The table, as Markdown."""
    versions = f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}, NumPy {np.__version__}"
    yield f"{versions}; every {stride}th number."
    for dtype in ("float32", "float64"):
        yield f"\n| {dtype} | written as | onnxruntime | reference | `predict` |\n|---|---|---|---|---|"
        for name in FUNCTIONS:
            found = measured(name, dtype, stride)
            cells = (f"{relative:.1e} ({absolute:.1e})" for relative, absolute in found.values())
            yield f"| {name} | {WRITTEN[name]} | {' | '.join(cells)} |"


def main(arguments: Sequence[str]) -> None:
    for line in lines(int(arguments[0]) if arguments else 4099):
        print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
