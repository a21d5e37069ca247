"""A table's model as an ONNX file."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from nnxp.errors import ExportError, hint
from nnxp.export import classwise
from nnxp.export.exact import Expected, in_dtype, other_dtype
from nnxp.export.onnxfile import given_by, metadata
from nnxp.export.operators import Operators, Shape
from nnxp.export.outputs import Network, spread
from nnxp.export.selfcheck import Checked, written
from nnxp.network.answers import answers
from nnxp.sequential import Sequential
from nnxp.tabular.encoders.columns import LearnedDate
from nnxp.tabular.encoders.encoder import Encoder
from nnxp.tabular.encoders.target import ClassTarget, NumberTargets, Target
from nnxp.tabular.onnx import cellwise
from nnxp.tabular.onnx.rows import feeds, made_up, read_back
from nnxp.tabular.onnx.scaled import scaled
from nnxp.tabular.onnx.undone import each, inverse
from nnxp.tabular.table import Table
from nnxp.typing import HostArray

OF_CLASSES, OF_NUMBERS = ("probabilities", "label"), ("prediction",)


def export(
    model: Sequential,
    path: Any,
    outputs: Sequence[str] | None = None,
    check: Any = None,
    labels: Sequence[str] | Sequence[int] | None = None,
) -> Checked:
    """Writes an ONNX file that takes a table's rows and gives what `nnxp predict` does.

    Its inputs are the columns, (rows, 1) each, by name: numbers, and yes (1) and no (0), as float64, NaN where one is
    missing; words as texts; dates as int64, microseconds since 1970, -2⁶³ where one is missing.

    Parameters
    ----------
    model : Sequential
        With an encoder that says what is predicted.
    path
        The file: written whole, once it is checked, or not at all.
    outputs : sequence of str, optional
        Of classes "probabilities", (rows, classes), and "label", (rows,), by default, and "logits"; of numbers
        "prediction", (rows,), of several targets (rows, targets), float64, in their own units. Of several members
        "std", their standard deviation, in the same units. One that a column is called like ends in an underscore.
    check : Table, optional
        Rows to check the file with; by default made up.
    labels : sequence of str or int, optional
        What "label" gives; by default the classes as they are spelled in the table.

    Raises
    ------
    ExportError
        The model was trained on no table, or cannot be written; the file would compute something else.
    """
    encoder = Encoder.of(model)
    if encoder is None or encoder.target is None:
        raise ExportError("got a model whose encoder says no target, expected one that was trained on a table")
    target, names = encoder.target, [learned.decision.name for learned in encoder._learned]
    asked = _asked(target, outputs, model.members)
    titles = {name: name + "_" * (name in names) for name in asked}
    graph = Operators(model.dtype, taken=(*names, *titles.values()))
    network = Network(graph, model, graph.cast(encoded(graph, encoder), model.dtype))
    values = {title: _output(network, target, name, labels) for name, title in titles.items()}
    inputs: dict[str, tuple[str, Shape]]
    inputs = {one.decision.name: (cellwise.dtype_of(one), ("rows", 1)) for one in encoder._learned}
    proto = graph.model(inputs, values, _noted(model, target, [*values], names))
    fed = made_up(encoder) if check is None else feeds(encoder, check)
    table, twin = read_back(encoder, fed), in_dtype(model, other_dtype(model.dtype))
    ours, other = (_given(model, of, table, asked) for of in (model, twin))
    known = {titles[name]: Expected.of(ours[name], other[name], model.dtype) for name in ours}
    return written(proto, path, fed, known)


def encoded(graph: Operators, encoder: Encoder) -> str:
    """The matrix of the columns, whose names are the inputs', in the encoder's dtype: `Encoder.transform`."""
    if encoder.scaling == "quantile" and encoder.scaling_of == "all":
        _refuse_cycles(encoder)
    graph = graph.typed("float64")
    made = [cellwise.column(graph, learned, learned.decision.name, encoder.dtype) for learned in encoder._learned]
    parts = [value for group in zip(*made, strict=True) for values in group for value in values]
    X, scaler = graph.node("Concat", *parts, axis=1), encoder._scaler
    places = [*range(encoder.numbers), *encoder._others[: len(scaler) - encoder.numbers]]
    if places:
        rest = [j for j in range(len(encoder.feature_names_out)) if j not in {*places}]
        z = [scaled(graph, scaler, _taken(graph, X, places)), *([_taken(graph, X, rest)] if rest else [])]
        X = _taken(graph, graph.node("Concat", *z, axis=1), np.argsort([*places, *rest]).tolist())
    return graph.cast(X, encoder.dtype)


def _refuse_cycles(encoder: Encoder) -> None:
    for learned in encoder._learned:
        if isinstance(learned, LearnedDate) and learned.parts.cycles and not learned.parts.exact:
            raise ExportError(
                f"got the cycles of the date {learned.decision.name!r} in a quantile encoding of an earlier version, "
                "where the last bit of a sine, which runtimes differ in, decides between shares that many rows have; "
                "expected one of this version, or another encoding: train again, or take --scaling robust"
            )


def _taken(graph: Operators, X: str, columns: list[int]) -> str:
    return graph.node("Gather", X, graph.constant(columns), axis=1)


def _asked(target: Target, outputs: Sequence[str] | None, members: int) -> list[str]:
    """Names of outputs, if they are some that there are."""
    usual = OF_CLASSES if isinstance(target, ClassTarget) else OF_NUMBERS
    known = [*usual, *(["logits"] if isinstance(target, ClassTarget) else []), *(["std"] if members > 1 else [])]
    asked = [outputs] if isinstance(outputs, str) else [*(usual if outputs is None else outputs)]
    for name in asked:
        if name not in known:
            raise ExportError(f"got outputs with {name!r}, expected some of {', '.join(known)}{hint(name, known)}")
    if not asked or len({*asked}) < len(asked):
        raise ExportError(f"got outputs={outputs!r}, expected at least one of {', '.join(known)}, each once")
    return asked


def _output(network: Network, target: Target, name: str, labels: Any) -> tuple[str, str, Shape]:
    """The value of an output, its dtype and shape."""
    graph, model = network.graph, network.model
    if isinstance(target, ClassTarget):
        if name not in OF_CLASSES:
            several = name == "logits" and model.members > 1
            return getattr(network, name), graph.dtype, (*([model.members] if several else []), "rows", network.width)
        p = classwise.two(graph, network.probabilities) if network.width == 1 else network.probabilities
        if name == "label":
            return classwise.label(graph, p, labels or target.classes)
        return p, graph.dtype, ("rows", len(target.classes))
    graph, count = graph.typed("float64"), len(each(target))
    if name == "std":
        y = spread(graph, inverse(graph, target, network.members), model.members, 0)
    else:
        y = inverse(graph, target, network.prediction)
    if count == 1:
        return graph.node("Squeeze", y, graph.constant([1])), "float64", ("rows",)
    return y, "float64", ("rows", count)


def _noted(model: Sequential, target: Target, outputs: list[str], names: list[str]) -> dict[str, str]:
    """What the file says of itself."""
    predicted = target.name if isinstance(target, ClassTarget) else [one.name for one in each(target)]
    return metadata(model, outputs) | {"features": json.dumps(names), "target": json.dumps(predicted)}


def _given(model: Sequential, of: Sequential, table: Table, names: Sequence[str]) -> dict[str, HostArray]:
    """What a model, or its twin of another dtype, gives for a table, by the name of the output: all but labels."""
    encoder = Encoder.of(model)
    assert encoder is not None and encoder.target is not None
    if of is not model:
        encoder.dtype = of.dtype
    X, target = encoder.transform(table), encoder.target
    if isinstance(target, ClassTarget):
        found = given_by(of, model.loss, [*names, "prediction"], X)
        return {name: found[name] for name in names if name in found} | (
            {"probabilities": answers(model, found["prediction"])} if "probabilities" in names else {}
        )
    found = given_by(of, model.loss, ["prediction", "members"], X)
    y = {name: target.inverse(z if isinstance(target, NumberTargets) else z[..., 0]) for name, z in found.items()}
    made = {"prediction": y["prediction"]}
    if "std" in names:
        made["std"] = np.std(y["members"], axis=0, ddof=1)
    return {name: made[name] for name in names}
