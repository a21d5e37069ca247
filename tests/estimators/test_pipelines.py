"""Pipelines of scikit-learn with our step in them, written by sklearn-onnx."""

import importlib.abc
import sys
from typing import Any

import numpy as np
import onnxruntime
import pytest
from skl2onnx import to_onnx
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import nnxp
from nnxp.errors import ExportError
from nnxp.estimators import pipelines

pytestmark = pytest.mark.filterwarnings(f"ignore::{ConvergenceWarning.__module__}.{ConvergenceWarning.__name__}")

RNG = np.random.default_rng(0)
X = RNG.normal(3, 2, size=(80, 5))
LATER = RNG.normal(3, 2, size=(33, 5))
Y = ((X - 3) @ RNG.normal(size=(5, 3))).argmax(axis=1)


def run(pipeline: Any, x: Any, **options: Any) -> dict[str, Any]:
    pipelines.register()
    proto = to_onnx(pipeline, x[:1], target_opset=17, options=options or None)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, {"X": x}), strict=True))


@pytest.mark.parametrize("labels", [np.array(["no", "perhaps", "yes"])[Y], Y, Y > 0, np.stack([Y > 0, Y < 2], 1) * 1])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_classifier_after_scalers(labels: Any, dtype: str) -> None:
    """Within what a rounding of the scaled numbers, which other operators scale, and one of each sum may do."""
    parts = ColumnTransformer([("even", StandardScaler(), [0, 2, 4]), ("odd", MinMaxScaler(), [1, 3])])
    x = LATER.astype(dtype)
    pipeline = make_pipeline(parts, nnxp.MLPClassifier((8,), max_iter=20, random_state=0, members=2))
    pipeline.fit(X.astype(dtype), labels)
    found, p = run(pipeline, x, zipmap=False), pipeline.predict_proba(x)
    assert found["probabilities"].shape == p.shape and found["probabilities"].dtype == dtype
    assert np.abs(found["probabilities"] - p).max() <= 64 * np.finfo(dtype).eps
    decided = pipeline.predict(x)
    texts = found["label"].dtype == object
    assert texts == (decided.dtype.kind in "Ub")
    assert found["label"].tolist() == (decided.astype(str) if texts else decided).tolist()


def test_what_zipmap_cannot_take_is_refused() -> None:
    """It is sklearn-onnx's default, and would write a file that onnxruntime does not load; what it takes is written."""
    pipeline = make_pipeline(StandardScaler(), nnxp.MLPClassifier((4,), max_iter=2, random_state=0))
    single, named = X.astype(np.float32), np.array(["no", "yes", "no"])[Y]
    with pytest.raises(nnxp.ExportError, match=r"got classes False and True, .*options=\{\"zipmap\": False\}"):
        run(pipeline.fit(single, Y > 0), single)
    with pytest.raises(nnxp.ExportError, match="got classes False and True"):
        run(pipeline, single, zipmap="columns")
    with pytest.raises(nnxp.ExportError, match="got probabilities of float64, .* for sklearn-onnx's zipmap"):
        run(pipeline.fit(X, named), X)
    found = run(pipeline.fit(single, named), single)
    assert [*found["output_probability"][0]] == ["no", "yes"]


@pytest.mark.parametrize("y", [X[:, 0] * 1e3, X[:, :2]])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_regressor_after_a_scaler(y: Any, dtype: str) -> None:
    pipeline = make_pipeline(StandardScaler(), nnxp.MLPRegressor("huber", (8,), max_iter=20, random_state=0))
    x = LATER.astype(dtype)
    (found,) = run(pipeline.fit(X.astype(dtype), y), x).values()
    ours = pipeline.predict(x)
    assert found.shape == ours.shape and found.dtype == dtype
    assert np.abs(found - ours).max() <= 64 * np.finfo(dtype).eps * np.abs(ours).max()


def test_what_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = make_pipeline(StandardScaler(), nnxp.MLPClassifier((8,), max_iter=2, random_state=0)).fit(X, Y)
    pipelines.register()
    with pytest.raises(ExportError, match="got target_opset=18, expected at most 17"):
        to_onnx(pipeline, X[:1], target_opset=18)

    class Lacking(importlib.abc.MetaPathFinder):
        def find_spec(self, name: str, *_: Any) -> None:
            if name == "skl2onnx":
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.delitem(sys.modules, "skl2onnx")
    monkeypatch.setattr(sys, "meta_path", [Lacking(), *sys.meta_path])
    with pytest.raises(ModuleNotFoundError, match=r'pip install "nnxp\[sklearn-onnx\]"'):
        pipelines.register()
