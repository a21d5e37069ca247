"""A model of numbers as an ONNX file: its input, its outputs, and what is noted beside them."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from nnxp.activations import Linear, Sigmoid, Softmax
from nnxp.errors import ExportError, hint
from nnxp.export import classwise
from nnxp.export.exact import Expected, in_dtype, other_dtype, reference_rows
from nnxp.export.operators import Operators, Shape
from nnxp.export.outputs import Network, ends
from nnxp.export.selfcheck import Checked, written
from nnxp.layers import Layer
from nnxp.losses import Loss, SigmoidCrossentropy, SoftmaxCrossentropy
from nnxp.network.answers import class_names
from nnxp.network.model import Model
from nnxp.typing import ArrayLike, HostArray

INPUTS = ("float32", "float64", "int32", "int64", "uint8")


def export(
    model: Model,
    path: Any,
    outputs: Sequence[str] | None = None,
    input_dtype: str | None = None,
    check: ArrayLike | None = None,
) -> Checked:
    """`Sequential.export`."""
    names, given = asked(model, outputs), input_dtype or model.dtype
    proto = proto_of(model, names, given)
    rows = reference_rows(model, given) if check is None else rows_of(model, check, given)
    twin = in_dtype(model, other_dtype(model.dtype))
    ours, other = (given_by(one, model.loss, names, rows) for one in (model, twin))
    return written(proto, path, {"X": rows}, {name: Expected.of(ours[name], other[name], model.dtype) for name in ours})


def proto_of(model: Model, outputs: Sequence[str], input_dtype: str | None = None) -> Any:
    """The `ModelProto` of a model, which gives these outputs for X of this dtype, by default the model's."""
    graph, given = Operators(model.dtype), input_dtype or model.dtype
    network = Network(graph, model, numbers_in(graph, given))
    values = {name: output(network, name) for name in outputs}
    return graph.model({"X": (given, ("rows", network.n_in))}, values, metadata(model, outputs))


def numbers_in(graph: Operators, dtype: str) -> str:
    """X, which comes as this dtype, as the graph's."""
    if dtype not in INPUTS:
        raise ExportError(f"got input_dtype={dtype!r}, expected one of {', '.join(INPUTS)}")
    return "X" if dtype == graph.dtype else graph.cast("X", graph.dtype)


def metadata(model: Model, outputs: Sequence[str]) -> dict[str, str]:
    """What a file says of itself, each as JSON but for plain texts."""
    import onnx

    from nnxp import __version__

    versions = {"nnxp": __version__, "onnx": onnx.__version__, "numpy": np.__version__}
    noted = {"dtype": model.dtype, "outputs": json.dumps([*outputs]), "versions": json.dumps(versions)}
    if model.classes is not None:
        noted["classes"] = json.dumps(model.classes)
    if isinstance(features := model.preprocessing.get("features"), list):
        noted["features"] = json.dumps(features)
    return noted


def classifies(model: Model) -> bool:
    """Whether a model's outputs are probabilities, or become some."""
    if model.loss is not None:
        return model.loss.classifies
    return ends(model)


def asked(model: Model, outputs: Sequence[str] | None) -> list[str]:
    """Names of outputs, if they are some that a model has."""
    main = ["probabilities", "label"] if classifies(model) else ["prediction"]
    known = [*main, *(["logits"] if classifies(model) else []), *(["members", "std"] if model.members > 1 else [])]
    asked = [outputs] if isinstance(outputs, str) else main if outputs is None else [*outputs]
    for name in asked:
        if name not in known:
            raise ExportError(
                f"got outputs with {name!r}, expected some of {', '.join(known)}, which this model has"
                f"{hint(name, known)}"
            )
    if not asked or len({*asked}) < len(asked):
        raise ExportError(f"got outputs={outputs!r}, expected at least one of {', '.join(known)}, each once")
    return asked


def output(network: Network, name: str) -> tuple[str, str, Shape]:
    """The value of an output, its dtype and shape."""
    graph, model = network.graph, network.model
    shape: Shape = ("rows", network.width)
    if name == "label":
        return label(graph, network.probabilities, network.width, model)
    if name == "members" or (name == "logits" and model.members > 1):
        shape = (model.members, *shape)
    return getattr(network, name), graph.dtype, shape


def label(graph: Operators, probabilities: str, width: int, model: Model) -> tuple[str, str, Shape]:
    """Each row's class of probabilities, (rows,): its name where the model knows names, else its index; of several
    labels a sample whether each holds, (rows, n_out). See `classwise`."""
    if width > 1 and class_names(model) is None:
        return classwise.labels(graph, probabilities, width)
    p = classwise.two(graph, probabilities) if width == 1 else probabilities
    return classwise.label(graph, p, model.classes or [*range(max(width, 2))])


def rows_of(model: Model, check: ArrayLike, dtype: str) -> HostArray:
    """Rows to check a file with, if they are some that the model takes."""
    rows = np.asarray(model.backend.to_numpy(check) if model.backend.owns(check) else check)
    if rows.ndim != 2 or rows.shape[1] != model.n_in or not len(rows) or rows.dtype.kind not in "fiub":
        raise ExportError(
            f"got check of shape {rows.shape} and dtype {rows.dtype}, expected rows of numbers, (rows, {model.n_in})"
        )
    with np.errstate(invalid="ignore"):  # NaN has no whole number
        given = rows.astype(dtype)
    if given.dtype.kind in "iu" and not (same := given == rows).all():
        row, column = (int(i) for i in np.argwhere(~same)[0])
        raise ExportError(
            f"got check with {rows[row, column]!s} in row {row}, column {column}, and input_dtype={dtype!r}, expected "
            "whole numbers that it holds: give the rows as the file is to take them, or another input_dtype"
        )
    return given


# --- what the outputs have to be ------------------------------------------------------------------------


def given_by(model: Model, loss: Loss | None, names: Sequence[str], rows: HostArray) -> dict[str, HostArray]:
    """What a model that was trained by a loss gives for rows, by the name of the output: all but labels, which are of
    the probabilities."""
    found = {"prediction": _run(model, rows, model.layers)}
    made = {SoftmaxCrossentropy: Softmax, SigmoidCrossentropy: Sigmoid}.get(type(loss), Linear)
    found["probabilities"] = np.asarray(made().forward(found["prediction"]))
    if model.members > 1:
        found["members"] = each = _apart(model, _run(model, rows, model.layers, True))
        found["std"] = np.std(each, axis=0, ddof=1)
    if "logits" in names:
        logits = _run(model, rows, model.layers[:-1] if ends(model) else model.layers, True)
        found["logits"] = logits if model.members == 1 else _apart(model, logits)
    return {name: found[name] for name in names if name in found}


def _run(model: Model, rows: HostArray, layers: list[Layer], apart: bool = False) -> HostArray:
    """What some of a model's layers give, on the host."""
    with model.backend.context():
        x = model.backend.asarray(rows, dtype=model.dtype)
        return np.asarray(model.backend.to_numpy(model.prediction(layers, apart)(x)))


def _apart(model: Model, output: HostArray) -> HostArray:
    """(members, rows, n_out) of outputs side by side, or of those that all members share."""
    each = output.reshape(len(output), -1, model.n_out or 1)
    return np.broadcast_to(each, (len(output), model.members, each.shape[2])).transpose(1, 0, 2)
