"""Random models, exported: onnxruntime and onnx's reference evaluator give what `predict` does, within the bounds.

`NNXP_EXPORTS=200 pytest tests/export/test_random_models.py -s` takes more of them, and prints what it found.
"""

import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator

import nnxp
from nnxp.export.exact import in_dtype, other_dtype, reference_rows
from nnxp.export.onnxfile import classifies, given_by
from nnxp.network.answers import answers
from tests.helpers.random_models import Drawing

COUNT = int(os.environ.get("NNXP_EXPORTS", "60"))
ROWS = 1000, 64, 7, 1, 0


def test_random_models(tmp_path: Path) -> None:
    worst: dict[str, float] = defaultdict(float)
    for seed in range(COUNT):
        model = Drawing(seed).model()
        outputs = ["probabilities", "logits"] if classifies(model) else ["prediction"]
        outputs += ["std", "members"] if model.members > 1 else []
        try:
            check(model, outputs, tmp_path / "model.onnx", worst)
        except Exception as error:
            error.add_note(f"seed {seed}: {model!r}")
            raise
    print(
        f"\n{COUNT} models; the largest error as a share of its bound, and between a row in batches of different sizes:"
    )
    print(*(f"{what}: {most:.3g}" for what, most in worst.items()), sep="\n")


def check(model: Any, outputs: list[str], path: Path, worst: dict[str, float]) -> None:
    asked = [*outputs, "label"] if classifies(model) else outputs
    model.export(path, outputs=asked)
    X = reference_rows(model, model.dtype, ROWS[0])
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found, *parts = [dict(zip(asked, session.run(None, {"X": X[:n]}), strict=True)) for n in ROWS]
    proto = onnx.load(path)
    reference = dict(zip(asked, ReferenceEvaluator(proto).run(None, {"X": X[:64]}), strict=True))
    ours, other = (given_by(one, model.loss, outputs, X) for one in (model, in_dtype(model, other_dtype(model.dtype))))
    scale = max(float(np.max(np.abs(a))) for a in ours.values())
    ulp = float(np.spacing(np.dtype(model.dtype).type(scale)))
    logs = any(node.op_type == "Log" for node in proto.graph.node)
    for name in outputs:
        at = (lambda n: np.s_[:, :n]) if found[name].ndim == 3 else (lambda n: np.s_[:n])
        exact = other[name] if model.dtype == "float32" else ours[name]
        bound = 16 * ulp + 4 * np.max(np.abs(ours[name] - other[name])) * (1 if exact is other[name] else 2.0**-29)
        for what, given, rows in (("onnxruntime", found[name], ROWS[0]), ("reference", reference[name], 64)):
            assert given.shape == ours[name][at(rows)].shape and given.dtype == model.dtype
            error = float(np.max(np.abs(given - exact[at(rows)])))
            assert error <= bound, (what, name, error, bound)
            worst[what] = max(worst[what], error / bound)
        for n, part in zip(ROWS[1:], parts, strict=True):
            assert part[name].shape == ours[name][at(n)].shape
            apart = float(np.max(np.abs(part[name] - found[name][at(n)]), initial=0.0)) / ulp
            assert apart <= 2 if logs or model.dtype == "float64" else apart == 0, (name, n, apart)
            kind = f"{model.dtype} with softplus" if logs else model.dtype
            worst[f"ulp of the largest output, {kind}"] = max(worst[f"ulp of the largest output, {kind}"], apart)
    if "label" in asked:
        check_labels(model, X, found["label"], 1e-5)


def check_labels(model: nnxp.Sequential, X: Any, labels: Any, tie: float) -> None:
    """Labels are those of `predict`, but for ties."""
    p = answers(model, np.asarray(model.predict(X)))
    if labels.ndim == 2:
        clear = np.abs(p - 0.5) > tie
        assert np.array_equal(labels[clear], (p > 0.5)[clear])
        return
    *_, second, first = np.sort(p, axis=1).T
    index, clear = np.argmax(p, axis=1), first - second > tie
    expected = index if model.classes is None else np.asarray(model.classes, dtype=object)[index]
    assert labels.shape == index.shape and np.array_equal(labels[clear], expected[clear])
    assert labels.dtype == (np.int64 if model.classes is None else object)
