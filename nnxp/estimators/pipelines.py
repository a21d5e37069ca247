"""Pipelines of scikit-learn that end in one of our estimators, as ONNX: what sklearn-onnx is told of these.

``nnxp.estimators.pipelines.register()`` once, and `skl2onnx.to_onnx` writes a `StandardScaler` and what else it knows
as it does, and our step as `export` does.
"""

from typing import Any

import numpy as np

from nnxp.errors import ExportError
from nnxp.estimators.classes import Labels
from nnxp.estimators.classifier import MLPClassifier
from nnxp.estimators.exporting import classes_to_write, proto_of
from nnxp.estimators.regressor import MLPRegressor
from nnxp.export.operators import OPSETS


def register() -> None:
    """Tells sklearn-onnx of `MLPClassifier` and `MLPRegressor`. Needs skl2onnx: ``pip install "nnxp[sklearn-onnx]"``.

    A pipeline is then written with ``target_opset=17``, the opset of our step, for X of the dtype that the network
    has been trained on. Its outputs are "label" and "probabilities", a plain tensor with the option ``zipmap=False``,
    or "variable", shaped as `predict` gives them.

    Examples
    --------
    >>> import numpy as np, nnxp
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from nnxp.estimators import pipelines
    >>> X, y = nnxp.data.moons(200, seed=0)
    >>> network = nnxp.MLPClassifier((16,), learning_rate_init=0.1, random_state=0)
    >>> pipeline = make_pipeline(StandardScaler(), network).fit(X, y)
    >>> pipelines.register()
    >>> from skl2onnx import to_onnx
    >>> written = to_onnx(pipeline, X[:1], target_opset=17, options={"zipmap": False})
    >>> [output.name for output in written.graph.output]
    ['label', 'probabilities']
    """
    try:
        from skl2onnx import update_registered_converter
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            'converting pipelines needs skl2onnx: pip install "nnxp[sklearn-onnx]"', name="skl2onnx"
        ) from None
    options = {"zipmap": [True, False, "columns"], "nocl": [True, False], "output_class_labels": [False, True]}
    update_registered_converter(MLPClassifier, "NnxpMLPClassifier", _shapes_of_classes, _convert, options=options)
    update_registered_converter(MLPRegressor, "NnxpMLPRegressor", _shape_of_numbers, _convert)


def _shapes_of_classes(operator: Any) -> None:
    from skl2onnx.common.data_types import Int64TensorType, StringTensorType

    labels: Labels = operator.raw_operator._target
    rows, count = operator.inputs[0].get_first_dimension(), len(labels.classes)
    texts = labels.kind != "multilabel" and isinstance(classes_to_write(labels)[0], str)
    shape = [rows, count] if labels.kind == "multilabel" else [rows]
    operator.outputs[0].type = (StringTensorType if texts else Int64TensorType)(shape)
    operator.outputs[1].type = _floats(operator, [rows, count])


def _shape_of_numbers(operator: Any) -> None:
    rows, count = operator.inputs[0].get_first_dimension(), operator.raw_operator.n_outputs_
    operator.outputs[0].type = _floats(operator, [rows] if count == 1 else [rows, count])


def _floats(operator: Any, shape: list[Any]) -> Any:
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    return {"float32": FloatTensorType, "float64": DoubleTensorType}[operator.raw_operator.model_.dtype](shape)


def _check_zipmap(estimator: Any, zipped: Any) -> None:
    """Raises where sklearn-onnx would put something behind the step that onnxruntime cannot load."""
    bools = estimator._target.classes.dtype.kind == "b" and zipped is not False
    if bools or (estimator.model_.dtype == "float64" and zipped is True):
        got = "classes False and True, which are text" if bools else "probabilities of float64"
        raise ExportError(
            f"got {got}, expected int64 or other text, and float32, for sklearn-onnx's zipmap: to_onnx(pipeline, X, "
            'target_opset=17, options={"zipmap": False}) gives a plain tensor'
        )


def _convert(scope: Any, operator: Any, container: Any) -> None:
    from skl2onnx.common.data_types import guess_numpy_type
    from skl2onnx.helpers import add_onnx_graph

    if container.target_opset > OPSETS[""]:
        raise ExportError(
            f"got target_opset={container.target_opset}, expected at most {OPSETS['']}, the opset of our step: "
            f"to_onnx(pipeline, X, target_opset={OPSETS['']})"
        )
    estimator = operator.raw_operator
    if isinstance(estimator, MLPClassifier) and estimator._target.kind != "multilabel":
        _check_zipmap(estimator, scope.get_options(estimator, {"zipmap": True}, fail=False).get("zipmap", True))
    names = ["label", "probabilities"] if isinstance(estimator, MLPClassifier) else ["prediction"]
    given = np.dtype(guess_numpy_type(operator.inputs[0].type)).name
    proto = proto_of(estimator, names, given)
    for i, node in enumerate(proto.graph.node):
        node.name = f"{node.op_type}_{i}"  # which skl2onnx makes its own of
    add_onnx_graph(scope, operator, container, proto)
