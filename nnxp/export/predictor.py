"""A model as one file of NumPy alone, and its weights beside it.

The file is `standalone.txt`, byte for byte, whatever the model: its names and classes are never source. What the model
computes is data: steps, in which each formula is the list of operations that tracing it gives, so that no formula is
written a second time.
"""

import keyword
from collections.abc import Callable, Iterable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from nnxp.activations import Activation, Linear, Softmax
from nnxp.backends import get_backend
from nnxp.errors import ExportError
from nnxp.files import jsontext, tensorfile
from nnxp.files.tensorfile import Place
from nnxp.files.wholefile import whole_file
from nnxp.kernels import formulas
from nnxp.kernels.graph import Node, host, trace
from nnxp.layers import BatchNorm, Dense, Dropout, Layer, LayerNorm, Rescaling, Scaling
from nnxp.network.model import Model
from nnxp.network.residual import Residual
from nnxp.typing import HostArray

HOME = get_backend("numpy", fast=False)


def export_predictor(model: Model, path: Any) -> Path:
    """Writes `predictor.py`, which imports NumPy alone, and `predictor.py.safetensors` beside it.

    `predict(X)` of the file gives the bits of the model's on NumPy without the extra `fast`, of the same rows and with
    as many threads of BLAS; `classes()` gives the names of the classes.

    Parameters
    ----------
    model : Sequential
        Of Dense, BatchNorm, LayerNorm, Residual, Scaling, Rescaling, Dropout and the activations.
    path
        A file whose name can be imported.

    Returns
    -------
    Path
        The file with the weights.

    Raises
    ------
    ExportError
        The model has something else, or the name cannot be imported.
    OSError
        A file cannot be written.

    Examples
    --------
    >>> import nnxp, tempfile, runpy
    >>> model = nnxp.Sequential([nnxp.Dense(2, 3), "tanh"], seed=0, backend=nnxp.get_backend("numpy", fast=False))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     beside = export_predictor(model, f"{folder}/predictor.py")
    ...     outputs = runpy.run_path(f"{folder}/predictor.py")["predict"]([[0.5, 1.0]])
    >>> bool((outputs == model.predict([[0.5, 1.0]])).all()), beside.name
    (True, 'predictor.py.safetensors')
    """
    path = Path(path)
    if path.suffix != ".py" or not path.stem.isidentifier() or keyword.iskeyword(path.stem):
        raise ExportError(f"got {path.name}, expected a name that Python can import, such as predictor.py")
    if model.members > 1:
        raise ExportError(
            f"got a model of {model.members} members, expected one network: model.member(0) is one of them, and an "
            "ONNX file averages all"
        )
    if model.encoder is not None:
        raise ExportError(
            "got a model with an encoder of tables, which a predictor of NumPy alone lacks, expected one of numbers: "
            "export an ONNX file, or use nnxp predict"
        )
    steps = Steps(model.dtype)
    made = steps.of(model.layers)
    said = {"dtype": model.dtype, "n_in": model.n_in, "classes": model.classes, "steps": made}
    beside: Path = path.with_name(f"{path.name}.safetensors")
    places = {name: Place(HOME, array.reshape(-1), array.shape) for name, array in steps.tensors.items()}
    texts = {"nnxp_version": _version(), "config": jsontext.canonical(said), "state": "{}", "format": "predictor"}
    source = resources.files(__package__).joinpath("standalone.txt").read_bytes()
    with whole_file(beside, "the weights") as file:
        tensorfile.write(file, texts, places)
    with whole_file(path, "the predictor") as file:
        file.write(source)
    return beside


def _version() -> str:
    from nnxp import __version__

    return __version__


def _on_host(array: Any) -> HostArray:
    return np.asarray(get_backend(array).to_numpy(array))


def _row(value: float | list[float], dtype: str) -> float | HostArray:
    """A number, or one a feature as an array."""
    return np.asarray([value], dtype=dtype) if isinstance(value, list) else value


class Steps:
    """What layers compute in a prediction, as `standalone.txt` runs it.

    Parameters
    ----------
    dtype
        The model's.

    Attributes
    ----------
    tensors : dict of numpy.ndarray
        What the steps name.
    """

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self.tensors: dict[str, HostArray] = {}

    def of(self, layers: Iterable[Layer]) -> list[Any]:
        """The steps of layers in a row."""
        return [step for layer in layers if type(layer) not in (Linear, Dropout) for step in self._one(layer)]

    def _one(self, layer: Any) -> list[Any]:
        kind = type(layer)
        if kind is Dense:
            scales = [] if layer.scale == 1 else [layer.scale]
            add = formulas.scaled_add_row if scales else formulas.add_row
            return [["product", [self._named(layer.weights)]], self._formula(add, [layer.biases, *scales])]
        if kind is Softmax:
            return [["softmax"]]
        if kind is BatchNorm:
            scale = HOME.fuse(formulas.inverse_deviation)(_on_host(layer.running_variance), layer.epsilon)
            rows = [layer.running_mean, scale, layer.gains, layer.biases]
            return [self._formula(formulas.batch_norm, rows, result=1)]
        if kind is LayerNorm:
            rows = [layer.gains, layer.biases]
            return [self._formula(formulas.layer_norm, rows, moments=[layer.epsilon], result=1)]
        if kind is Scaling:
            return [self._formula(formulas.scale_columns, [layer.scale])]
        if kind is Rescaling:
            numbers = [layer.scale, layer.offset]
            return [self._formula(formulas.rescale, [_row(n, self.dtype) for n in numbers])]
        if kind is Residual:
            return [["residual", self.of(layer.layers), self.of([layer.shortcut] if layer.shortcut else [])]]
        if isinstance(layer, Activation) and kind.forward is Activation.forward:
            return [self._formula(layer.functions()[0], layer.constants())]
        raise ExportError(
            f"got a layer {kind.__name__}, which a predictor of NumPy alone lacks, expected Dense, BatchNorm, "
            "LayerNorm, Residual, Scaling, Rescaling, Dropout or an activation: export an ONNX file"
        )

    def _named(self, array: Any) -> str:
        """The name of an array that stays."""
        name = str(len(self.tensors))
        self.tensors[name] = np.ascontiguousarray(_on_host(array))
        return name

    def _formula(
        self, formula: Callable[..., Any], others: Iterable[Any] = (), *, moments: Iterable[float] = (), result: int = 0
    ) -> list[Any]:
        """A formula as the operations that tracing it gives.

        Parameters
        ----------
        others
            What it takes after x, and after the moments of x's rows: arrays, and numbers.
        moments
            The epsilon of these, where there are any.
        result
            Which of its results.
        """
        graph = trace(formula, {}, {"erf": formulas.erf})  # a word that NumPy lacks
        first = 3 if (moments := [*moments]) else 1
        operands: dict[Node, Any] = dict(zip(graph.parameters, range(first), strict=False))
        names: list[str] = []
        for parameter, value in zip(graph.parameters[first:], others, strict=True):
            if isinstance(value, int | float):
                operands[parameter] = [float(value)]
            else:
                operands[parameter] = first + len(names)
                names.append(self._named(value))
        code: list[Any] = []
        for node in graph.live():
            if node.op == "constant":
                operands[node] = [node.value]
            elif node.scalar and node.op != "parameter":
                operands[node] = [host(node.op)(*(operands[a][0] for a in node.args))]
            elif node.op != "parameter":
                code.append([node.op, *(operands[a] for a in node.args)])
                operands[node] = first + len(names) + len(code) - 1
        return ["formula", names, code, operands[graph.outputs[result]], *moments]
