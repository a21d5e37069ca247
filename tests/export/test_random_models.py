"""Random models, exported: onnxruntime and onnx's reference evaluator give what `predict` does, within the bounds.

`NNXP_EXPORTS=200 pytest tests/export/test_random_models.py -s` takes more of them, and prints what it found.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator

import nnxp
from nnxp.export.exact import in_dtype, other_dtype, reference_rows
from nnxp.export.onnxfile import classifies, given_by
from nnxp.network.answers import answers
from tests.helpers.random_models import Drawing

COUNT = int(os.environ.get("NNXP_EXPORTS", "60"))
ROWS = (0, 1, 7, 64, 1000)
BY_FOURS = ("Log",)
"""Operators that onnxruntime computes four elements at a time, so that a row's place in a batch changes its bits."""


def bound(model: nnxp.Sequential, ours: Any, other: Any, scale: float) -> float:
    own = float(np.max(np.abs(ours - other)))
    own *= 1 if model.dtype == "float32" else 2.0**-29
    return 4 * own + 16 * float(np.spacing(np.dtype(model.dtype).type(scale)))


def test_random_models(tmp_path: Path) -> None:
    worst = {"onnxruntime": 0.0, "reference": 0.0, "rows, float32": 0.0, "rows, float64": 0.0}
    for seed in range(COUNT):
        model = Drawing(seed).model()
        names = ["probabilities"] if classifies(model) else ["prediction"]
        names += ["std", "members"] if model.members > 1 else []
        asked = [*names, "label"] if classifies(model) else names
        path = tmp_path / "model.onnx"
        try:
            model.export(path, outputs=asked)
            X = reference_rows(model, model.dtype, ROWS[-1])
            twin = in_dtype(model, other_dtype(model.dtype))
            both = [given_by(model, one, names, X) for one in (model, twin)]
            known = {name: (both[0][name], both[1][name]) for name in names}
            check(model, path.read_bytes(), X, known, asked, worst)
        except Exception as error:
            error.add_note(f"seed {seed}: {model!r}")
            raise
    print(f"\n{COUNT} models; the largest error as a share of the bound, and of a row in batches of different sizes:")
    print(*(f"{what}: {share:.3g}" for what, share in worst.items()), sep="\n")


def check(model: Any, content: bytes, X: Any, known: dict[str, Any], asked: list[str], worst: dict[str, float]) -> None:
    scale = max(float(np.max(np.abs(ours))) for ours, _ in known.values())
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    whole = dict(zip(asked, session.run(None, {"X": X}), strict=True))
    proto = onnx.load_from_string(content)
    theirs = dict(zip(asked, ReferenceEvaluator(proto).run(None, {"X": X[:64]}), strict=True))
    operators = {node.op_type for node in proto.graph.node}
    for name, (ours, other) in known.items():
        most = bound(model, ours, other, scale)
        exact = other if model.dtype == "float32" else ours
        error = float(np.max(np.abs(whole[name] - exact)))
        assert whole[name].shape == ours.shape and whole[name].dtype == model.dtype
        assert error <= most, (name, error, most)
        at = (slice(None), slice(64)) if name == "members" else (slice(64),)
        reference = float(np.max(np.abs(theirs[name] - exact[at])))
        assert reference <= most, ("reference", name, reference, most)
        worst["onnxruntime"], worst["reference"] = (
            max(worst["onnxruntime"], error / most),
            max(worst["reference"], reference / most),
        )
    for n in ROWS[:-1]:
        part = dict(zip(asked, session.run(None, {"X": X[:n]}), strict=True))
        for name, (ours, _) in known.items():
            at = (slice(None), slice(n)) if name == "members" else (slice(n),)
            assert part[name].shape == ours[at].shape
            differing = np.abs(part[name] - whole[name][at]) / np.spacing(np.maximum(np.abs(whole[name][at]), scale))
            largest = float(np.max(differing, initial=0.0))
            key = f"rows, {model.dtype}"
            if operators.isdisjoint(BY_FOURS):
                worst[key] = max(worst[key], largest)
                if largest > 0 and model.dtype == "float32": print(model, name, n, largest, operators)
    if "label" in asked:
        p, found = answers(model, model.predict(X)), whole["label"]
        assert found.shape[0] == len(X)
        if found.ndim == 2:
            assert np.array_equal(found[np.abs(p - 0.5) > 1e-5], (p > 0.5)[np.abs(p - 0.5) > 1e-5])
        else:
            top = np.sort(p, axis=1)
            clear = top[:, -1] - top[:, -2] > 1e-5
            index = np.argmax(p, axis=1)
            expected = index if model.classes is None else np.asarray(model.classes, dtype=object)[index]
            assert np.array_equal(found[clear], expected[clear])
    assert pytest
