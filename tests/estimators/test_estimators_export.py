"""`export` of the estimators of numbers: what `predict` and `predict_proba` give, from an ONNX file."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas
import pytest
from sklearn.exceptions import ConvergenceWarning, NotFittedError

import nnxp
from nnxp.errors import ExportError
from nnxp.export import classwise
from nnxp.export.operators import Operators

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 5))
LATER = RNG.normal(size=(33, 5))
Y = (X @ RNG.normal(size=(5, 3))).argmax(axis=1)


pytestmark = pytest.mark.filterwarnings(f"ignore::{ConvergenceWarning.__module__}.{ConvergenceWarning.__name__}")


def exported(estimator: Any, path: Path, x: Any, **options: Any) -> dict[str, Any]:
    estimator.export(path / "m.onnx", **options)
    session = onnxruntime.InferenceSession(path / "m.onnx", providers=["CPUExecutionProvider"])
    return dict(zip([output.name for output in session.get_outputs()], session.run(None, {"X": x}), strict=True))


LABELS = {
    "indices": Y,
    "negative": Y - 1,
    "texts": np.array(["no", "perhaps", "yes"])[Y],
    "truths": Y > 0,
    "signs": np.where(Y > 0, 1, -1),
    "floats": Y.astype(float),
    "several": np.stack([Y > 0, Y < 2, Y == 1], axis=1).astype(int),
    "one": np.zeros_like(Y),
}


@pytest.mark.parametrize("kind", LABELS)
def test_classifiers(kind: str, tmp_path: Path) -> None:
    """Numbers, which are whole, come as int64, all other labels as texts."""
    for dtype, members in (("float32", 1), ("float64", 3)):
        model = nnxp.MLPClassifier((8,), max_iter=3, random_state=0, members=members)
        model.fit(X.astype(dtype), LABELS[kind])
        x = LATER.astype(dtype)
        found, p, labels = exported(model, tmp_path, x), model.predict_proba(x), model.predict(x)
        assert found["probabilities"].shape == p.shape and found["probabilities"].dtype == dtype
        assert np.abs(found["probabilities"] - p).max() <= 4 * np.finfo(dtype).eps
        whole = labels.dtype.kind in "if"
        assert found["label"].dtype == (np.int64 if whole else object)
        assert found["label"].tolist() == (labels if whole else labels.astype(str)).tolist()


@pytest.mark.parametrize(("loss", "y"), [
    ("squared_error", X[:, 0] * 1e6), ("poisson", np.exp(X[:, 0])), ("huber", X[:, :2]),
])  # fmt: skip
def test_regressors(loss: str, y: Any, tmp_path: Path) -> None:
    for dtype in ("float32", "float64"):
        model = nnxp.MLPRegressor(loss, (8,), max_iter=3, random_state=0, members=3).fit(X.astype(dtype), y)
        x = LATER.astype(dtype)
        found = exported(model, tmp_path, x, outputs=["prediction", "std"])
        tolerance = 16 * np.finfo(dtype).eps * np.abs(model.predict(x)).max()
        for name, ours in (("prediction", model.predict(x)), ("std", model.predict_std(x))):
            assert found[name].shape == ours.shape and found[name].dtype == dtype
            assert np.abs(found[name] - ours).max() <= tolerance


def test_names_of_features_and_rows_of_a_frame(tmp_path: Path) -> None:
    frame = pandas.DataFrame(X, columns=["a", "b", "c", "d", "e"])
    model = nnxp.MLPClassifier((8,), max_iter=3, random_state=0).fit(frame, Y)
    assert model.export(tmp_path / "m.onnx", check=frame, input_dtype="float32").rows == 80
    for wrong, said in ((frame[["b", "a", "c", "d", "e"]], "same order"), (frame.rename(columns={"a": "z"}), "unseen")):
        with pytest.raises(ValueError, match=said):
            model.export(tmp_path / "wrong.onnx", check=wrong)
    assert not (tmp_path / "wrong.onnx").exists()
    proto = onnx.load(tmp_path / "m.onnx")
    assert json.loads({e.key: e.value for e in proto.metadata_props}["features"]) == ["a", "b", "c", "d", "e"]
    assert proto.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    with pytest.raises(ExportError, match="expected some of probabilities, label, logits"):
        model.export(tmp_path / "m.onnx", outputs=["std"])
    with pytest.raises(NotFittedError):
        nnxp.MLPClassifier().export(tmp_path / "m.onnx")


def test_a_row_of_nan_has_no_class() -> None:
    graph = Operators("float32")
    outputs = {
        "texts": classwise.label(graph, "p", ["a", "b"]),
        "indices": classwise.label(graph, "p", [0, 1]),
        "signs": classwise.label(graph, "p", [-1, 1]),
        "several": classwise.labels(graph, "p", 2),
    }
    proto = graph.model({"p": ("float32", ("rows", 2))}, outputs)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    p = np.array([[0.2, 0.8], [np.nan, 0.1], [0.9, np.nan], [0.5, 0.5]], dtype=np.float32)
    texts, indices, signs, several = (found.tolist() for found in session.run(None, {"p": p}))
    assert texts == ["b", "", "", "a"] and indices == [1, -1, -1, 0] and signs == [1, -(2**63), -(2**63), -1]
    assert several == [[0, 1], [-1, 0], [1, -1], [0, 0]]
