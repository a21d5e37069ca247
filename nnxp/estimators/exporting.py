"""Estimators as ONNX files: what their `predict` and `predict_proba` give."""

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import validate_data

from nnxp.estimators.classes import Labels
from nnxp.estimators.tabular_inputs import cells
from nnxp.export import classwise
from nnxp.export.exact import Expected, in_dtype, other_dtype, reference_rows
from nnxp.export.onnxfile import asked, given_by, metadata, numbers_in, output, rows_of
from nnxp.export.operators import Operators, Shape
from nnxp.export.outputs import Network, spread
from nnxp.export.selfcheck import Checked, written
from nnxp.losses import Poisson
from nnxp.sequential import Sequential
from nnxp.tabular.onnx import tablefile
from nnxp.typing import HostArray


class End(NamedTuple):
    """An output that is not as the network gives it."""

    write: Callable[[Network], tuple[str, str, Shape]]
    """Its value, dtype and shape."""
    give: Callable[[dict[str, HostArray]], HostArray] | None = None
    """It from the network's predictions, (rows, n_out), and its members', on the host; None of labels."""


def export(estimator: Any, path: Any, outputs: Sequence[str] | None, input_dtype: str | None, check: Any) -> Checked:
    """`export` of a fitted `MLPClassifier` or `MLPRegressor`."""
    model, given = estimator.model_, input_dtype or estimator.model_.dtype
    names, ends = asked(model, outputs), _ends(estimator)
    proto = proto_of(estimator, names, given)
    if hasattr(check, "columns") or hasattr(check, "column_names"):
        validate_data(estimator, check, skip_check_array=True, reset=False)  # columns have the names and order of fit's
    rows = reference_rows(model, given) if check is None else rows_of(model, check, given)
    twin = in_dtype(model, other_dtype(model.dtype))
    ours, other = (_given(model, of, ends, names, rows) for of in (model, twin))
    return written(proto, path, {"X": rows}, {n: Expected.of(ours[n], other[n], model.dtype) for n in ours})


def proto_of(estimator: Any, names: Sequence[str], given: str) -> Any:
    """The `ModelProto` of an estimator, which gives these outputs for X of this dtype."""
    model, ends = estimator.model_, _ends(estimator)
    graph = Operators(model.dtype)
    network = Network(graph, model, numbers_in(graph, given))
    values = {name: ends[name].write(network) if name in ends else output(network, name) for name in names}
    features = getattr(estimator, "feature_names_in_", None)
    noted = metadata(model, names) | ({} if features is None else {"features": json.dumps(features.tolist())})
    return graph.model({"X": (given, ("rows", network.n_in))}, values, noted)


def _ends(estimator: Any) -> dict[str, End]:
    target = estimator._target
    return of_classes(target) if isinstance(target, Labels) else of_numbers(estimator)


def _given(
    model: Sequential, of: Sequential, ends: dict[str, End], names: Sequence[str], rows: HostArray
) -> dict[str, HostArray]:
    """What a network, or its twin of another dtype, makes of rows: all but labels."""
    found = given_by(of, model.loss, [*names, "prediction", "members"], rows)
    made = {name: end.give(found) for name, end in ends.items() if name in names and end.give is not None}
    return {name: found[name] for name in names if name in found and name not in ends} | made


def classes_to_write(labels: Labels) -> list[str] | list[int]:
    """What "label" gives of a class: numbers, which are whole ones, as int64, all else as text."""
    values = labels.classes.tolist()
    numbers = labels.classes.dtype.kind in "iuf" and values[-1] < 2**63
    return [int(value) for value in values] if numbers else [str(value) for value in values]


def of_classes(labels: Labels) -> dict[str, End]:
    """The ends of a classifier."""
    count = len(labels.classes)

    def probabilities(network: Network) -> str:
        graph, p = network.graph, network.probabilities
        if labels.kind != "binary":
            return p
        if count == 1:  # which is certain
            return graph.node("Add", graph.node("Mul", p, graph.constant(0.0)), graph.constant(1.0))
        return classwise.two(graph, p)

    def label(network: Network) -> tuple[str, str, Shape]:
        p = probabilities(network)
        if labels.kind == "multilabel":
            return classwise.labels(network.graph, p, count)
        return classwise.label(network.graph, p, classes_to_write(labels))

    return {
        "probabilities": End(
            lambda network: (probabilities(network), network.graph.dtype, ("rows", count)),
            lambda found: np.asarray(labels.probabilities(found["prediction"])),
        ),
        "label": End(label),
    }


def of_numbers(estimator: Any) -> dict[str, End]:
    """The ends of a regressor: (rows,) of one output, and rates where the network gives their logarithms."""
    rate, count = isinstance(estimator.model_.loss, Poisson), estimator.n_outputs_

    def in_units(network: Network, z: str) -> str:
        return network.graph.node("Exp", z) if rate else z

    def shaped(network: Network, y: str) -> tuple[str, str, Shape]:
        graph = network.graph
        if count > 1:
            return y, graph.dtype, ("rows", count)
        return graph.node("Squeeze", y, graph.constant([1])), graph.dtype, ("rows",)

    def on_host(y: HostArray) -> HostArray:
        return y[:, 0] if count == 1 else y

    return {
        "prediction": End(
            lambda network: shaped(network, in_units(network, network.prediction)),
            lambda found: on_host(estimator._in_units(found["prediction"])),
        ),
        "std": End(
            lambda network: shaped(
                network, spread(network.graph, in_units(network, network.members), network.count, 0)
            ),
            lambda found: on_host(np.std(estimator._in_units(found["members"]), axis=0, ddof=1)),
        ),
    }


# --- of tables ------------------------------------------------------------------------------------------


def export_of_table(estimator: Any, path: Any, outputs: Sequence[str] | None, check: Any) -> Checked:
    """`export` of a fitted `TabularClassifier` or `TabularRegressor`."""
    labels = getattr(estimator, "_labels", None)
    table = None if check is None else cells(estimator, check, reset=False).table
    named = None if labels is None else classes_to_write(labels)
    return tablefile.export(estimator.model_, path, outputs, table, named)
